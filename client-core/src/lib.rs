//! The client as pure state machines: cards and notices, first contact, the conversation, and the state at rest
//! (docs/spec).
//!
//! Pure: no sockets, files, threads, clock or OS randomness; time and randomness arrive as arguments. Secrets are wiped
//! on drop and never show in `Debug`.
#![forbid(unsafe_code)]

pub mod answer;
pub mod answer_box;
pub mod attachment;
pub mod body;
mod chain;
pub mod claimed;
pub mod clock;
pub mod contact;
pub mod cover;
pub mod desk;
pub mod device;
pub mod dh;
pub mod effect;
pub mod files;
#[cfg(any(test, feature = "vectors"))]
mod fixture;
pub mod follow_up;
mod handshake;
pub mod hygiene;
pub mod intake;
mod labels;
pub mod lifeline;
pub mod log_envelope;
pub mod notice;
pub mod outbox;
pub mod passphrase;
#[cfg(feature = "vectors")]
pub mod probe;
pub mod reach;
pub mod records;
pub mod request;
pub mod requester;
pub mod seal;
pub mod secret;
pub mod session;
pub mod sign;
pub mod stored;
mod talk;
#[cfg(test)]
mod tests;
mod thread;
pub mod transcript;
mod unique;
pub mod vault;
#[cfg(feature = "vectors")]
pub mod vectors;
mod watch;
