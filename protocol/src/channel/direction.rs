//! One direction of a channel: a key and the counter of its next frame.
//!
//! ChaCha20-Poly1305 (RFC 8439); nonce = counter u64 ‖ four zero bytes, no associated data.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use zeroize::Zeroizing;

use super::ChannelError;
use crate::frame::TAG_BYTES;
use crate::limits::CHANNEL_FRAMES;

/// Seals frames, each under the next counter. Deliberately not `Clone`.
pub(super) struct SealingKey(Direction);

/// Opens frames, each under the next counter. A frame that does not open does not move the counter.
pub(super) struct OpeningKey(Direction);

/// Boxed, so that moves leave no copies of the key behind; the cipher wipes its key on drop.
struct Direction {
    cipher: Box<ChaCha20Poly1305>,
    next: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Box::new(ChaCha20Poly1305::new(&Key::from(*key))), next: 0 }
    }

    fn nonce(&self) -> Result<Nonce, ChannelError> {
        if self.next >= CHANNEL_FRAMES {
            return Err(ChannelError::Exhausted);
        }
        let mut nonce = Nonce::default();
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
        let tag = self
            .0
            .cipher
            .encrypt_inout_detached(&nonce, &[], (&mut sealed[front.len()..]).into())
            .expect("a frame is shorter than the cipher's bound of 256 GiB");
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

    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        let nonce = self.0.nonce()?;
        let mut text = Zeroizing::new(sealed.to_vec());
        self.0.cipher.decrypt_in_place(&nonce, &[], &mut *text).map_err(|_| ChannelError::NotOpened)?;
        self.0.next += 1;
        Ok(text)
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, counter: u64) {
        self.0.next = counter;
    }
}
