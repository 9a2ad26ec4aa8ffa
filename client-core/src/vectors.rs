//! The frozen vectors of the client (tests/vectors/client-core.json), made and checked by the same code on every
//! platform.
//!
//! They hold every key schedule with its inputs and outputs, every layout with its bytes, and envelopes together with
//! the secrets that open them. Where randomness is drawn, it is the ChaCha20 key stream (RFC 8439, a 64-bit counter, zero
//! nonce) under the key that the vector names as its seed. Long bytes that nobody opens stand as their number and
//! SHA-256. A change in this file is a change of the protocol.

mod bodies;
mod conversation;
mod derivations;
mod desk;
mod first_contact;
mod notices;

use poterne_protocol::vectors::{Vector, check_against, hex, to_json};

/// All vectors of the client, as the file holds them.
pub fn generate() -> String {
    to_json(&all())
}

/// Compares a file with what this build makes. Gives the number of vectors, or the first difference.
pub fn check(json: &str) -> Result<usize, String> {
    check_against(json, &all())
}

fn all() -> Vec<Vector> {
    [
        derivations::all(),
        notices::all(),
        first_contact::all(),
        conversation::all(),
        bodies::all(),
        desk::all(),
    ]
    .concat()
}

/// Adds bytes in hexadecimal, however many: envelopes are there to be opened.
fn whole(vector: Vector, field: &'static str, bytes: &[u8]) -> Vector {
    vector.text(field, hex(bytes))
}

pub(crate) use bodies::samples;
pub(crate) use desk::{entry_bytes, event_bytes};
pub(crate) use notices::{annex_bytes, root_link};

/// 32 bytes that count up from `first`.
fn counting(first: u8) -> [u8; 32] {
    core::array::from_fn(|place| first.wrapping_add(u8::try_from(place).expect("32 bytes")))
}
