//! Secrets of the client that are not keys of a mailbox: boxed, so that moves leave no copies behind, wiped on drop,
//! silent in `Debug`.

use core::fmt;

use poterne_protocol::kdf;
use poterne_protocol::keys::MailboxSecret;
use poterne_protocol::witness;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A `Debug` that says only the name of the type: what people write, keys and identifiers stand in no log.
macro_rules! silent {
    ($name:ident) => {
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use silent;

/// `N` secret bytes. What they open, the field that holds them says. `Clone`: the ratchet opens on a copy of its state.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize = 32>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// The secret of these bytes.
    pub fn from_bytes(bytes: &[u8; N]) -> Self {
        witness::note(bytes);
        Self(Box::new(*bytes))
    }

    /// Fresh bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Box::new([0; N]);
        rng.fill_bytes(&mut bytes[..]);
        witness::note(&bytes[..]);
        Self(bytes)
    }

    /// The bytes, for sealing or for storing under encryption.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl Secret {
    /// KDF(–, this, label, fields…).
    pub(crate) fn derive(&self, label: &str, fields: &[&[u8]]) -> Self {
        Self::from_bytes(&kdf::kdf(&[], &self.0[..], label, fields))
    }

    /// KDF(–, this, label, fields…) as the secret of a mailbox.
    pub(crate) fn mailbox(&self, label: &str, fields: &[&[u8]]) -> MailboxSecret {
        MailboxSecret::from_bytes(self.derive(label, fields).expose())
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
