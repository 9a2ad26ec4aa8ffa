//! What a client and a relay agree on: mailboxes and their keys, envelopes, operations, frames, the inner
//! channel, relay addresses, cards, and every bound that either side relies on (docs/spec/wire.md).
//!
//! Pure: no sockets, files, threads, clock or OS randomness; time and randomness arrive as arguments.
#![forbid(unsafe_code)]

pub mod address;
pub mod card;
pub mod channel;
pub mod codec;
pub mod continued;

pub mod descriptor;
pub mod desk;
pub mod envelope;
pub mod frame;
pub mod hpke;
pub mod inner;
pub mod kdf;
pub mod kem;
pub mod keys;
pub mod limits;
pub mod mailbox;
pub mod op;
pub mod secret_bytes;
pub mod time;
#[cfg(feature = "vectors")]
pub mod vectors;
pub mod witness;
