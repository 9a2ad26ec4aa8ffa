//! The keys of mailboxes and their relay forms (docs/spec/wire.md §3).
//!
//! A mailbox has three keys: write, read, delete. A client never shows a key itself: it shows the key's **relay form**,
//! key_r = HMAC-SHA256(key, "poterne/1 at" ‖ pin), so that no relay learns a key that works at another. A request shows
//! one relay form and the hashes of the other two.
//!
//! Invariant: a key or relay form never shows in `Debug`, and is compared in constant time.

use core::fmt;

use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::kdf;

const MAILBOX_LABEL: &str = "mailbox";
const RELAY_FORM_CONTEXT: &[u8] = b"poterne/1 at";
const PIN_CONTEXT: &[u8] = b"poterne/1 pin";

/// The 16 bytes that name a relay for ever: H("poterne/1 pin" ‖ identity key)\[..16\].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pin(pub [u8; 16]);

impl Pin {
    /// The pin of an Ed25519 identity key.
    pub fn of(identity_key: &[u8; 32]) -> Self {
        Self(kdf::hash16(&[PIN_CONTEXT, identity_key]))
    }
}

/// SHA-256 of a relay form; 32 zero bytes where nobody may hold the key.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Nobody may hold this key: the delete key of an intake or a log.
    pub const NOBODY: Self = Self([0; 32]);
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// Declares a 32-byte secret: boxed, so that moves leave no copies behind; wiped on drop; silent in `Debug`.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(Box<[u8; 32]>);

        impl $name {
            /// The secret of these 32 bytes.
            pub fn from_bytes(bytes: &[u8; 32]) -> Self {
                crate::witness::note(bytes);
                Self(Box::new(*bytes))
            }

            /// 32 fresh bytes.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut bytes = Box::new([0; 32]);
                rng.fill_bytes(&mut bytes[..]);
                crate::witness::note(&bytes[..]);
                Self(bytes)
            }

            /// The 32 bytes, for sealing, storing under encryption, or the channel.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> Choice {
                self.0.as_slice().ct_eq(other.0.as_slice())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

/// Declares a mailbox key together with its relay form.
macro_rules! mailbox_key {
    ($(#[$doc:meta])* $key:ident, $(#[$form_doc:meta])* $form:ident) => {
        secret!($(#[$doc])* $key);
        secret!($(#[$form_doc])* $form);

        impl $key {
            /// The form of this key that the relay of `pin` gets to see.
            pub fn at(&self, pin: &Pin) -> $form {
                $form::from_bytes(&kdf::hmac(&self.0[..], &[RELAY_FORM_CONTEXT, &pin.0]))
            }
        }

        impl $form {
            /// What a relay knows of this key before it is shown.
            pub fn hash(&self) -> KeyHash {
                KeyHash(kdf::hash(&[&self.0[..]]))
            }
        }
    };
}

mailbox_key!(
    /// The key that lets its holder put envelopes into one mailbox.
    WriteKey,
    /// A [`WriteKey`] as one relay sees it.
    WriteForm
);
mailbox_key!(
    /// The key that opens one mailbox for reading. Deleting needs another.
    ReadKey,
    /// A [`ReadKey`] as one relay sees it.
    ReadForm
);
mailbox_key!(
    /// The key that lets its holder delete envelopes of one mailbox.
    DeleteKey,
    /// A [`DeleteKey`] as one relay sees it.
    DeleteForm
);
secret!(
    /// What all three keys of a mailbox are derived from.
    MailboxSecret
);
secret!(
    /// Shown to close an intake or log, and to put into a gated log. Fresh for each mailbox, so it has no relay form.
    StewardKey
);
secret!(
    /// The operator's leave to open an intake or log.
    Permit
);

impl StewardKey {
    /// H(steward key), which the opener leaves with the relay.
    pub fn hash(&self) -> KeyHash {
        KeyHash(kdf::hash(&[&self.0[..]]))
    }
}

/// The three keys of a mailbox whose secret both sides know.
#[derive(Clone, Debug)]
pub struct MailboxKeys {
    /// Puts.
    pub write: WriteKey,
    /// Fetches.
    pub read: ReadKey,
    /// Deletes.
    pub delete: DeleteKey,
}

impl MailboxSecret {
    /// write, read, delete = KDF(–, secret, "mailbox", 0 | 1 | 2).
    pub fn keys(&self) -> MailboxKeys {
        let key = |number: u8| kdf::kdf::<32>(&[], &self.0[..], MAILBOX_LABEL, &[&[number]]);
        MailboxKeys {
            write: WriteKey::from_bytes(&key(0)),
            read: ReadKey::from_bytes(&key(1)),
            delete: DeleteKey::from_bytes(&key(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_another_form_at_each_relay() {
        let keys = MailboxSecret::from_bytes(&[7; 32]).keys();
        let here = keys.write.at(&Pin([1; 16]));
        let there = keys.write.at(&Pin([2; 16]));
        assert_ne!(here.expose(), there.expose());
        assert_ne!(here.expose(), keys.write.expose());
    }

    #[test]
    fn a_key_does_not_show_in_debug() {
        assert_eq!(format!("{:?}", WriteKey::from_bytes(&[65; 32])), "WriteKey(..)");
    }
}
