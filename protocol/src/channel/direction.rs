//! One direction of a channel: a key and the counter of its next frame.
//!
//! ChaCha20-Poly1305 (RFC 8439); nonce = counter u64 ‖ four zero bytes, no associated data.

use super::ChannelError;
use super::cipher::{Cipher, NONCE_BYTES, NotOpened};
use crate::frame::TAG_BYTES;
use crate::limits::CHANNEL_FRAMES;
use crate::secret_bytes::SecretBytes;

/// Seals frames, each under the next counter. Deliberately not `Clone`.
pub(super) struct SealingKey(Direction);

/// Opens frames, each under the next counter. A frame that does not open does not move the counter.
pub(super) struct OpeningKey(Direction);

struct Direction {
    cipher: Cipher,
    next: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Cipher::new(key), next: 0 }
    }

    fn nonce(&self) -> Result<[u8; NONCE_BYTES], ChannelError> {
        if self.next >= CHANNEL_FRAMES {
            return Err(ChannelError::Exhausted);
        }
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&self.next.to_le_bytes());
        Ok(nonce)
    }
}

impl SealingKey {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Direction::new(key))
    }

    /// The counter of the next frame.
    pub(super) fn next(&self) -> u64 {
        self.0.next
    }

    /// `front` in the clear, then `text` sealed under the next counter.
    pub(super) fn seal(&mut self, front: &[u8], text: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let nonce = self.0.nonce()?;
        self.0.next += 1;
        let mut sealed = Vec::with_capacity(front.len() + text.len() + TAG_BYTES);
        sealed.extend_from_slice(front);
        sealed.extend_from_slice(text);
        let tag = self.0.cipher.seal(nonce, &mut sealed[front.len()..]);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, counter: u64) {
        self.0.next = counter;
    }
}

impl OpeningKey {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Direction::new(key))
    }

    /// The counter of the next frame.
    pub(super) fn next(&self) -> u64 {
        self.0.next
    }

    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<SecretBytes, ChannelError> {
        let nonce = self.0.nonce()?;
        let mut text = SecretBytes::new(sealed.to_vec());
        self.0.cipher.open(nonce, text.as_mut_vec()).map_err(|NotOpened| ChannelError::NotOpened)?;
        self.0.next += 1;
        Ok(text)
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, counter: u64) {
        self.0.next = counter;
    }
}
