//! X, XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), and the two ways in which it fills an envelope
//! (docs/spec/handshake.md §2).
//!
//! *Whole*: nonce 24 | X(4056) + 16. *Two parts*: nonce 24 | X(header) + 16 | X(payload) + 16, where the header's cipher
//! uses the envelope's nonce. Invariant: what does not open gives no byte of plaintext.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::limits::ENVELOPE_BYTES;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Bytes of the nonce in front of an envelope.
pub const NONCE_BYTES: usize = 24;
/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;
/// Bytes of plaintext in an envelope that is sealed as a whole.
pub const WHOLE_BYTES: usize = ENVELOPE_BYTES - NONCE_BYTES - TAG_BYTES;

/// The nonce in front of an envelope.
pub(crate) type Nonce = [u8; NONCE_BYTES];

/// A sealed text does not open: another key, or changed bytes. No more is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the envelope does not open")]
pub struct NotOpened;

/// A fresh nonce.
pub(crate) fn nonce(rng: &mut impl CryptoRng) -> Nonce {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    nonce
}

/// X(text) + tag.
pub(crate) fn seal(key: &[u8; 32], nonce: &Nonce, aad: &[u8], text: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(text.len() + TAG_BYTES);
    sealed.extend_from_slice(text);
    let tag = cipher(key)
        .encrypt_inout_detached(&(*nonce).into(), aad, sealed.as_mut_slice().into())
        .expect("a text of less than 256 GiB can be sealed");
    sealed.extend_from_slice(&tag);
    sealed
}

/// The text of `sealed`, which ends in its tag.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: &Nonce,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (text, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(NotOpened)?;
    let mut text = Zeroizing::new(text.to_vec());
    cipher(key)
        .decrypt_inout_detached(&(*nonce).into(), aad, text.as_mut_slice().into(), &(*tag).into())
        .map_err(|_| NotOpened)?;
    Ok(text)
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

/// nonce | X(4056) + 16; `text` has exactly [`WHOLE_BYTES`].
pub(crate) fn seal_whole(key: &[u8; 32], nonce: &Nonce, text: &[u8]) -> SealedEnvelope {
    assert_eq!(text.len(), WHOLE_BYTES, "a whole envelope is sealed padded");
    envelope(&[nonce, &seal(key, nonce, &[], text)])
}

/// The [`WHOLE_BYTES`] of an envelope that was sealed as a whole.
pub(crate) fn open_whole(key: &[u8; 32], envelope: &SealedEnvelope) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (nonce, sealed) = split_nonce(envelope);
    open(key, nonce, &[], sealed)
}

/// The nonce of an envelope and what follows it.
pub(crate) fn split_nonce(envelope: &SealedEnvelope) -> (&Nonce, &[u8]) {
    envelope.as_bytes().split_first_chunk().expect("an envelope is longer than a nonce")
}

/// An envelope of two parts: its nonce, its header's ciphertext and its payload's ciphertext.
pub(crate) struct TwoParts<'a> {
    pub(crate) nonce: &'a Nonce,
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
}

impl<'a> TwoParts<'a> {
    /// Splits an envelope whose header has `header_bytes` of plaintext.
    pub(crate) fn of(envelope: &'a SealedEnvelope, header_bytes: usize) -> Self {
        let (nonce, sealed) = split_nonce(envelope);
        let (header, payload) = sealed.split_at(header_bytes + TAG_BYTES);
        Self { nonce, header, payload }
    }
}

/// The envelope of these parts, which have 4096 bytes together.
pub(crate) fn envelope(parts: &[&[u8]]) -> SealedEnvelope {
    SealedEnvelope::parse(&parts.concat()).expect("every layout fills an envelope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_envelope_opens_under_its_key_only() {
        let text = [5; WHOLE_BYTES];
        let sealed = seal_whole(&[1; 32], &[2; 24], &text);
        assert_eq!(open_whole(&[1; 32], &sealed).unwrap().as_slice(), text);
        assert_eq!(open_whole(&[3; 32], &sealed).unwrap_err(), NotOpened);
    }

    #[test]
    fn what_is_shorter_than_a_tag_does_not_open() {
        assert_eq!(open(&[1; 32], &[2; 24], &[], &[0; 15]).unwrap_err(), NotOpened);
    }
}
