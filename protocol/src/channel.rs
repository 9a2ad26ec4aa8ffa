//! The inner channel: every operation, on every carrier, sealed between client and relay (docs/spec/channel.md).
//!
//! The client encapsulates to the request key in a verified descriptor and exports from the HPKE context the key of its
//! requests, the answer secret and the channel's id. The relay's first answer begins with a fresh nonce in the clear; the
//! key of its answers is derived from nonce and answer secret.
//!
//! Invariants: no (key, counter) seals twice, because a sealing key counts by itself, cannot be copied, and each
//! acceptance of an encapsulation has its own answer key. Frames open in the order in which they were sealed: one that
//! is repeated, left out, moved or changed opens nothing and changes nothing.

mod cipher;
mod client;
mod direction;
mod relay;
mod request_keys;

pub use client::{ClientChannel, FIRST_REQUEST_BYTES};
pub use relay::{AcceptError, RelayChannel};
pub use request_keys::RequestKeys;

use crate::kdf;
use crate::keys::Pin;
use crate::time::Day;

const INFO: &[u8] = b"poterne/1 channel";
const EXPORT_REQUEST_KEY: &[u8] = b"poterne/1 channel requests";
const EXPORT_ANSWER_SECRET: &[u8] = b"poterne/1 channel answers";
const EXPORT_ID: &[u8] = b"poterne/1 channel id";
const ANSWERS_LABEL: &str = "channel answers";
/// Bytes of the nonce in front of a relay's first answer.
pub const RELAY_NONCE_BYTES: usize = 32;

/// Why a channel does not seal or open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChannelError {
    /// This direction has sealed or opened all the frames that it may; a new channel is needed.
    #[error("the channel has carried all the frames that it may")]
    Exhausted,
    /// The frame is not the next one of the other side: changed, repeated, out of order, or of another channel.
    #[error("the frame does not open")]
    NotOpened,
    /// The text does not fit into a frame.
    #[error("a text of {actual} bytes, where {limit} fit into the frame")]
    TooLarge {
        /// Bytes of the text.
        actual: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// A frame of a type that has no place here.
    #[error("a frame of type {kind} has no place in a channel")]
    WrongFrame {
        /// Its type.
        kind: u8,
    },
}

/// info = "poterne/1 channel" ‖ pin ‖ day.
fn info(pin: &Pin, day: Day) -> Vec<u8> {
    [INFO, &pin.0, &day.0.to_le_bytes()].concat()
}

/// KDF(relay nonce, answer secret, "channel answers").
fn answer_key(nonce: &[u8; RELAY_NONCE_BYTES], secret: &[u8; 32]) -> zeroize::Zeroizing<[u8; 32]> {
    kdf::kdf(nonce, secret, ANSWERS_LABEL, &[])
}

fn fits(text: &[u8], limit: usize) -> Result<(), ChannelError> {
    match text.len() {
        actual if actual > limit => Err(ChannelError::TooLarge { actual, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
