//! The suite of store guarantees on the embedded store and on the one in memory.

mod suite;

use poterne_protocol::time::Day;
use poterne_relay::store::sim::Unsynced;
use poterne_relay_core::memory::MemoryStore;
use suite::embedded::Embedded;
use suite::{Backend, guarantees};

/// The store in memory, which the simulated world runs on.
struct Memory(Option<MemoryStore>);

impl Backend for Memory {
    type Store = MemoryStore;

    fn open(&mut self, today: Day) -> MemoryStore {
        let mut store = self.0.take().unwrap_or_default();
        store.pass_day(today);
        store
    }

    fn crash(&mut self, mut store: MemoryStore) {
        store.crash(0);
        self.0 = Some(store);
    }

    fn rest(&mut self, store: &mut MemoryStore, today: Day) {
        store.pass_day(today);
    }
}

macro_rules! on_each_backend {
    ($($guarantee:ident),* $(,)?) => {
        mod embedded {
            $(#[test] fn $guarantee() {
                for unsynced in [super::Unsynced::Lost, super::Unsynced::Kept, super::Unsynced::Torn { seed: 7 }] {
                    super::guarantees::$guarantee(&mut super::Embedded::new(unsynced));
                }
            })*
        }
        mod memory {
            $(#[test] fn $guarantee() { super::guarantees::$guarantee(&mut super::Memory(None)); })*
        }
    };
}

on_each_backend!(
    acknowledged_work_survives_crashes,
    an_empty_group_commits,
    days_end_what_they_end,
    what_is_told_as_written_is_durable,
    what_was_not_committed_leaves_nothing,
);
