//! The simulated world (docs/spec/relay.md, docs/ARCHITECTURE.md): relays, clients and a network under one seed and one
//! clock, judged by a plain model.
//!
//! One seed gives one run, event for event; a seed that fails becomes a test.

pub mod cast;
pub mod doors;
pub mod fuzz;
pub mod model;
pub mod table;
pub mod timing;
pub mod world;
