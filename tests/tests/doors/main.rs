//! End to end with real processes: `poterne`, `poterne-relay`, sockets, disks (docs/ARCHITECTURE.md).
//!
//! Each module is one promise seen from outside. No test asserts a time; each has a folder and a relay of its own.

mod attachments;
mod canaries;
mod cores;
mod first_light;
mod killed;
mod photos;
mod refused;
mod rollback;
mod script;
mod stage;
mod up;
mod wire;
