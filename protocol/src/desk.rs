//! What names a desk: the hash of its first root set, and the secret on its card (docs/spec/wire.md §8).

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// H(first root set): the desk's name for ever.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeskId(pub [u8; 32]);

impl fmt::Debug for DeskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeskId(..)")
    }
}

/// The 16 bytes on a card that open the desk's notices.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CardSecret(Box<[u8; 16]>);

impl CardSecret {
    /// The secret of these 16 bytes.
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        Self(Box::new(*bytes))
    }

    /// The 16 bytes, for a card or for deriving from them.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CardSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardSecret(..)")
    }
}
