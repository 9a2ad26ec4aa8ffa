//! Envelopes of two parts: nonce 24 | X(header) + 16 | X(payload) + 16 (docs/spec/ratchet.md §2).
//!
//! The payload's key comes from the message secret and the nonce, its AAD is nonce ‖ header ciphertext ‖ SID. Messages of
//! the ratchet and those in A1's layout differ in the size of the header, its key and its AAD.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use poterne_protocol::limits::ENVELOPE_BYTES;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Mark;
use super::header::{ANSWER_HEADER_BYTES, HEADER_BYTES};
use crate::chain;
use crate::labels;
use crate::seal::{self, NONCE_BYTES, NotOpened, TAG_BYTES, TwoParts, nonce};
use crate::secret::Secret;

/// Bytes of body in a message of the ratchet.
pub const BODY_BYTES: usize = body_bytes(HEADER_BYTES);
/// Bytes of body in a message in A1's layout.
pub const ANSWER_BODY_BYTES: usize = body_bytes(ANSWER_HEADER_BYTES);

const fn body_bytes(header_bytes: usize) -> usize {
    ENVELOPE_BYTES - NONCE_BYTES - header_bytes - 2 * TAG_BYTES - 2
}

/// What seals a header: its key and its AAD.
pub(crate) struct HeaderSeal<'a> {
    pub(crate) key: &'a Secret,
    pub(crate) aad: &'a [u8],
}

/// "hdr" ‖ SID.
pub(crate) fn header_aad(id: &[u8; 32]) -> Vec<u8> {
    [labels::HEADER_AAD, id].concat()
}

/// Seals header and body; the payload {len 2, body, padding} fills the envelope.
pub(crate) fn seal(
    by: &HeaderSeal,
    header: &[u8],
    secret: &Secret,
    id: &[u8; 32],
    body: &[u8],
    rng: &mut impl CryptoRng,
) -> (SealedEnvelope, Mark) {
    let nonce = nonce(rng);
    let sealed_header = seal::seal(by.key.expose(), &nonce, by.aad, header);
    let mut payload = Writer::with_capacity(body_bytes(header.len()) + 2);
    payload.var(body).pad_to(body_bytes(header.len()) + 2);
    let (key, own_nonce) = chain::message_key(&nonce, secret.expose(), labels::MESSAGE);
    let aad = payload_aad(&nonce, &sealed_header, id);
    let sealed = seal::seal(key.expose(), &own_nonce, &aad, payload.as_slice());
    (seal::envelope(&[&nonce, &sealed_header, &sealed]), mark(&nonce, &sealed_header))
}

pub(crate) fn open_header(by: &HeaderSeal, parts: &TwoParts) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    seal::open(by.key.expose(), parts.nonce, by.aad, parts.header)
}

/// The payload {len 2, body, padding} of an envelope whose header was opened.
pub(crate) fn open_payload(
    parts: &TwoParts,
    secret: &Secret,
    id: &[u8; 32],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (key, own_nonce) = chain::message_key(parts.nonce, secret.expose(), labels::MESSAGE);
    seal::open(key.expose(), &own_nonce, &payload_aad(parts.nonce, parts.header, id), parts.payload)
}

pub(crate) fn read_body(payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    Reader::new(payload).var(payload.len(), "body").map(|body| Zeroizing::new(body.to_vec()))
}

pub(crate) fn mark(nonce: &[u8], sealed_header: &[u8]) -> Mark {
    kdf::hash16(&[nonce, sealed_header])
}

fn payload_aad(nonce: &[u8], sealed_header: &[u8], id: &[u8; 32]) -> Vec<u8> {
    [nonce, sealed_header, id].concat()
}
