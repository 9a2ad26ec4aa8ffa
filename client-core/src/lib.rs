//! The client as pure state machines.

pub mod vault;
