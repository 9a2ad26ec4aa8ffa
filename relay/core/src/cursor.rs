//! Cursors: a position in a mailbox, which only the relay that made it can read (docs/spec/relay.md §4).
//!
//! Bytes: nonce 8 | position u64 xor HMAC-SHA256(key, "poterne/1 cursor" ‖ mailbox id ‖ nonce)\[..8\]. The nonce is fresh
//! each time, so a cursor into an absent mailbox looks like one into a drained mailbox, and two cursors to one place
//! have nothing in common. There is no check value: a foreign cursor comes out as some number, and one beyond the end of
//! the mailbox, which all but 2^-17 of them are, reads from the first envelope; of the others nearly all lie before the
//! first. A reader who forges one reads his own mailbox from elsewhere.

use core::fmt;

use poterne_protocol::kdf;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::Cursor;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::change::Position;

const CONTEXT: &[u8] = b"poterne/1 cursor";

/// The secret of one instance of a relay's store. Fresh after a restore from a backup, so that cursors of the lost
/// future skip nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CursorKey(Box<[u8; 32]>);

impl CursorKey {
    /// The key of these 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Box::new(*bytes))
    }

    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Box::new([0; 32]);
        rng.fill_bytes(&mut bytes[..]);
        Self(bytes)
    }

    /// The 32 bytes, to be kept beside the store.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Makes the cursor of a position.
    pub fn seal(&self, mailbox: &MailboxId, position: Position, rng: &mut impl CryptoRng) -> Cursor {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes[..8]);
        let masked = position.0 ^ self.mask(mailbox, &bytes[..8]);
        bytes[8..].copy_from_slice(&masked.to_le_bytes());
        Cursor(bytes)
    }

    /// The position of a cursor; any number, where this key did not make it.
    pub fn open(&self, mailbox: &MailboxId, cursor: &Cursor) -> Position {
        let (nonce, masked) = cursor.0.split_at(8);
        let masked = u64::from_le_bytes(masked.try_into().expect("a cursor has two halves of 8 bytes"));
        Position(masked ^ self.mask(mailbox, nonce))
    }

    fn mask(&self, mailbox: &MailboxId, nonce: &[u8]) -> u64 {
        let mac = kdf::hmac(&self.0[..], &[CONTEXT, &mailbox.0, nonce]);
        u64::from_le_bytes(mac[..8].try_into().expect("an HMAC-SHA256 has 32 bytes"))
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn a_cursor_gives_its_position_back_to_its_own_key_and_mailbox_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (here, there) = (CursorKey::generate(&mut rng), CursorKey::generate(&mut rng));
        let mailbox = MailboxId([1; 32]);
        let cursor = here.seal(&mailbox, Position(77), &mut rng);
        assert_eq!(here.open(&mailbox, &cursor), Position(77));
        assert_ne!(there.open(&mailbox, &cursor), Position(77));
        assert_ne!(here.open(&MailboxId([2; 32]), &cursor), Position(77));
    }

    #[test]
    fn a_key_that_was_kept_opens_its_cursors_again() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (key, mailbox) = (CursorKey::generate(&mut rng), MailboxId([1; 32]));
        let cursor = key.seal(&mailbox, Position(77), &mut rng);
        assert_eq!(CursorKey::from_bytes(key.expose()).open(&mailbox, &cursor), Position(77));
    }

    #[test]
    fn two_cursors_to_one_place_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = CursorKey::generate(&mut rng);
        let mut seal = || key.seal(&MailboxId([1; 32]), Position(77), &mut rng);
        assert_ne!(seal(), seal());
    }
}
