//! The load generator: phases of work against a store of mailboxes, with honest latencies and a ledger that knows what
//! must come back.
//!
//! The loop is open: each operation has its intended time, and its latency counts from there, so that a server that
//! stands still is charged for everything that should have happened meanwhile. A run whose generator was late itself is
//! void. What is driven is a [`Target`]: a relay, its store without a network, the disk alone, or a peer.

pub mod cli;
pub mod latency;
pub mod ledger;
pub mod outcome;
pub mod payload;
pub mod phase;
pub mod run;
pub mod target;

#[cfg(feature = "relay")]
pub mod relay;
#[cfg(feature = "relay")]
pub mod system;

pub use outcome::Outcome;
pub use run::{Setup, Work, run};
pub use target::{Failure, Target};
