//! X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 (FIPS 203) in one KEM, as newtypes of ours.
//!
//! Invariant: no all-zero X25519 output is used. A public key whose X25519 point is of small order does not parse, and a
//! ciphertext with such a point is refused.

use core::fmt;
use std::sync::OnceLock;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use x_wing::{
    DecapsulationKeyRejectNonContrib, Decapsulator, Encapsulate, EncapsulationKey, KeyExport, TryDecapsulate,
};
use zeroize::{Zeroize, Zeroizing};

use crate::codec::DecodeError;

/// Bytes of an X-Wing public (encapsulation) key.
pub const PUBLIC_BYTES: usize = 1216;
/// Bytes of an X-Wing ciphertext (encapsulation).
pub const CIPHERTEXT_BYTES: usize = 1120;

/// The secret key as the HPKE crate holds it.
pub(crate) type HpkeSecret = <::hpke::kem::XWing as ::hpke::Kem>::PrivateKey;

/// A 32-byte secret that both sides of an encapsulation hold. Wiped on drop.
pub type SharedSecret = Zeroizing<[u8; 32]>;

/// Decapsulation failed: the ciphertext's X25519 part does not contribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the encapsulation is refused")]
pub struct Refused;

/// The secret half of an X-Wing key pair, kept as its 32-byte seed.
///
/// What is computed from the seed is kept beside it once it was needed, because it costs as much as a decapsulation
/// itself. It wipes itself on drop.
pub struct KemSecret {
    seed: Box<Zeroizing<[u8; 32]>>,
    expanded: OnceLock<Box<DecapsulationKeyRejectNonContrib>>,
    pub(crate) for_hpke: OnceLock<Box<HpkeSecret>>,
}

impl KemSecret {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut seed[..]);
        Self { seed, expanded: OnceLock::new(), for_hpke: OnceLock::new() }
    }

    /// The key of that seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let seed = Box::new(Zeroizing::new(*seed));
        Self { seed, expanded: OnceLock::new(), for_hpke: OnceLock::new() }
    }

    /// The seed, for storing it under encryption.
    pub fn expose_seed(&self) -> &[u8; 32] {
        &self.seed
    }

    fn expanded(&self) -> &DecapsulationKeyRejectNonContrib {
        self.expanded.get_or_init(|| Box::new(DecapsulationKeyRejectNonContrib::from(**self.seed)))
    }

    /// The public half.
    pub fn public(&self) -> KemPublic {
        KemPublic(Box::new(self.expanded().encapsulation_key().to_bytes().into()))
    }

    /// The shared secret inside `ciphertext`. A ciphertext made for another key gives another secret, not an error.
    pub fn decapsulate(&self, ciphertext: &KemCiphertext) -> Result<SharedSecret, Refused> {
        let mut secret = self.expanded().try_decapsulate(&(*ciphertext.0).into()).map_err(|_| Refused)?;
        let shared = Zeroizing::new(secret.into());
        secret.zeroize();
        Ok(shared)
    }
}

impl fmt::Debug for KemSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemSecret(..)")
    }
}

/// The public half of an X-Wing key pair, 1216 bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct KemPublic(Box<[u8; PUBLIC_BYTES]>);

impl KemPublic {
    /// Takes a key from outside; its ML-KEM part must be well formed (FIPS 203 §7.2), its X25519 point must contribute.
    pub fn parse(bytes: &[u8; PUBLIC_BYTES]) -> Result<Self, DecodeError> {
        match EncapsulationKey::try_from(&bytes[..]) {
            Ok(_) if contributes(bytes) => Ok(Self(Box::new(*bytes))),
            _ => Err(DecodeError::Invalid { field: "X-Wing public key" }),
        }
    }

    /// The 1216 bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_BYTES] {
        &self.0
    }

    /// A fresh shared secret and the ciphertext that carries it to the key's owner.
    pub fn encapsulate(&self, rng: &mut impl CryptoRng) -> (KemCiphertext, SharedSecret) {
        let key = EncapsulationKey::try_from(&self.0[..]).expect("a KemPublic was parsed");
        let (ciphertext, mut secret) = key.encapsulate_with_rng(rng);
        let shared = Zeroizing::new(secret.into());
        secret.zeroize();
        (KemCiphertext(Box::new(ciphertext.into())), shared)
    }
}

impl fmt::Debug for KemPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemPublic(..)")
    }
}

/// An X-Wing ciphertext, 1120 bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct KemCiphertext(Box<[u8; CIPHERTEXT_BYTES]>);

impl KemCiphertext {
    /// The 1120 bytes.
    pub fn as_bytes(&self) -> &[u8; CIPHERTEXT_BYTES] {
        &self.0
    }
}

impl From<[u8; CIPHERTEXT_BYTES]> for KemCiphertext {
    fn from(bytes: [u8; CIPHERTEXT_BYTES]) -> Self {
        Self(Box::new(bytes))
    }
}

impl fmt::Debug for KemCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemCiphertext(..)")
    }
}

/// Whether the X25519 point that a key or ciphertext ends with gives any key a secret. That does not depend on the
/// scalar, because X25519 scalars are multiples of eight (RFC 7748 §5, §6.1).
pub(crate) fn contributes(bytes: &[u8]) -> bool {
    let point = bytes.last_chunk::<32>().expect("keys and ciphertexts are longer than a point");
    !bool::from(x25519_dalek::x25519([1; 32], *point).ct_eq(&[0; 32]))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn both_sides_hold_the_same_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = KemSecret::generate(&mut rng);
        let (ciphertext, sent) = secret.public().encapsulate(&mut rng);
        assert_eq!(*secret.decapsulate(&ciphertext).unwrap(), *sent);
    }

    #[test]
    fn a_public_key_that_does_not_contribute_is_refused() {
        let mut bytes = *KemSecret::from_seed(&[1; 32]).public().as_bytes();
        assert!(KemPublic::parse(&bytes).is_ok());
        bytes[PUBLIC_BYTES - 32..].fill(0);
        assert_eq!(KemPublic::parse(&bytes), Err(DecodeError::Invalid { field: "X-Wing public key" }));
    }

    proptest::proptest! {
        #[test]
        fn a_public_key_parser_survives_any_input(bytes in proptest::collection::vec(proptest::num::u8::ANY, PUBLIC_BYTES)) {
            let _ = KemPublic::parse(bytes[..].try_into().unwrap());
        }
    }

    #[test]
    fn a_ciphertext_that_does_not_contribute_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let secret = KemSecret::generate(&mut rng);
        let (ciphertext, _) = secret.public().encapsulate(&mut rng);
        let mut bytes = *ciphertext.as_bytes();
        bytes[1088..].fill(0);
        assert_eq!(secret.decapsulate(&bytes.into()).unwrap_err(), Refused);
    }
}
