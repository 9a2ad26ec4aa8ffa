//! The client as pure state machines.
