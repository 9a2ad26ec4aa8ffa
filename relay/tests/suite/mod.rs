//! What every store must do, whatever it is made of (docs/spec/store.md §1). A backend says how it is opened and what
//! happens to it when the power goes; the suite is the same for all.

#![allow(dead_code, reason = "each test program uses its part of the suite")]

pub mod embedded;
pub mod guarantees;
pub mod workload;

use poterne_protocol::time::Day;
use poterne_relay_core::store::Store;

/// A kind of store, with its disk.
pub trait Backend {
    /// The store.
    type Store: Store;

    /// Opens what the disk holds, on `today`.
    fn open(&mut self, today: Day) -> Self::Store;

    /// Ends the store without a word, losing what was not synced.
    fn crash(&mut self, store: Self::Store);

    /// Does the work behind the commits, as far as there is any.
    fn rest(&mut self, store: &mut Self::Store, today: Day);
}
