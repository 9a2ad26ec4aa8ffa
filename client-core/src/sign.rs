//! Ed25519 (RFC 8032) as newtypes of ours: roots, coordinators and devices sign; a requester never does.
//!
//! Invariant: every signature covers a context that says protocol, version and purpose, and verification is the strict
//! one, so that a signature has one form.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The secret half of an Ed25519 key pair, as its 32-byte seed.
#[derive(Clone)]
pub struct SignSecret(Secret);

/// The public half of an Ed25519 key pair, 32 bytes. Whether they are a key shows when something is verified.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SignPublic(pub [u8; 32]);

impl SignSecret {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::generate(rng))
    }

    /// The key of that seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Secret::from_bytes(seed))
    }

    /// The seed, for storing it under encryption.
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The public half.
    pub fn public(&self) -> SignPublic {
        SignPublic(self.key().verifying_key().to_bytes())
    }

    /// Signs context ‖ parts.
    pub(crate) fn sign(&self, context: &[u8], parts: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
        self.key().sign(&message(context, parts)).to_bytes()
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.expose())
    }
}

impl SignPublic {
    /// Whether `signature` over context ‖ parts is this key's.
    pub(crate) fn verifies(
        &self,
        context: &[u8],
        parts: &[&[u8]],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> bool {
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(&message(context, parts), &signature))
            .is_ok()
    }
}

/// What is signed; a notice holds keys that only those with the card know.
fn message(context: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([&[context], parts].concat().concat())
}

crate::secret::silent!(SignSecret);

crate::secret::silent!(SignPublic);
