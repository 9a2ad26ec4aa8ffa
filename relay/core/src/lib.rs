//! The relay's rules (docs/spec/relay.md): what a mailbox is, what each operation may change in it, and what is answered.
//!
//! A request is handled in three steps. The shell loads the [`state::MailboxState`]s that it names; a pure function, one
//! file per operation, decides; the shell commits the [`change::Change`]s of the decision and only then answers.
//! [`relay::Relay`] joins the three over any [`store::Store`].
//!
//! Pure: no sockets, files, threads, clock or OS randomness; time and randomness arrive as arguments.
#![forbid(unsafe_code)]

pub mod change;
pub mod cursor;
pub mod decision;
pub mod leap;
pub mod lease;
pub mod memory;
pub mod policy;
pub mod relay;
pub mod small_map;
pub mod state;
pub mod store;

pub mod claim;
pub mod close;
pub mod delete;
pub mod extend;
pub mod fetch;
#[cfg(test)]
mod fixture;
pub mod hello;
pub mod open;
pub mod put;
pub mod release;
pub mod status;
