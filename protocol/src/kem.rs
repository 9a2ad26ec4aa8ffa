//! X-Wing (draft-connolly-cfrg-xwing-kem): X25519 and ML-KEM-768 (FIPS 203) in one KEM, as newtypes of ours.
//!
//! Invariant: no all-zero X25519 output is used. A public key whose X25519 point is of small order does not parse, and a
//! ciphertext with such a point is refused.

use core::fmt;
use std::sync::{Arc, OnceLock};

use rand_core::CryptoRng;
use x_wing::{
    DecapsulationKeyRejectNonContrib, Decapsulator, Encapsulate, EncapsulationKey, KeyExport, TryDecapsulate,
};
use zeroize::{Zeroize, Zeroizing};

use crate::codec::DecodeError;
use crate::witness;

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
/// What is computed from the seed is kept beside it once it was needed: the public half costs a third of a decapsulation.
/// It wipes itself on drop. A clone is a handle to the same key.
#[derive(Clone)]
pub struct KemSecret(Arc<Kept>);

struct Kept {
    seed: Box<Zeroizing<[u8; 32]>>,
    expanded: OnceLock<Box<DecapsulationKeyRejectNonContrib>>,
    for_hpke: OnceLock<Box<HpkeSecret>>,
}

impl KemSecret {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Box::new(Zeroizing::new([0; 32]));
        rng.fill_bytes(&mut seed[..]);
        Self::kept(seed)
    }

    /// The key of that seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(seed);
        Self::kept(kept)
    }

    fn kept(seed: Box<Zeroizing<[u8; 32]>>) -> Self {
        witness::note(&seed[..]);
        Self(Arc::new(Kept { seed, expanded: OnceLock::new(), for_hpke: OnceLock::new() }))
    }

    /// The seed, for storing it under encryption.
    pub fn expose_seed(&self) -> &[u8; 32] {
        &self.0.seed
    }

    fn expanded(&self) -> &DecapsulationKeyRejectNonContrib {
        self.0.expanded.get_or_init(|| Box::new(DecapsulationKeyRejectNonContrib::from(**self.0.seed)))
    }

    /// The key as the HPKE crate holds it, made by `expand` where it was not needed yet.
    pub(crate) fn for_hpke(&self, expand: impl FnOnce() -> HpkeSecret) -> &HpkeSecret {
        self.0.for_hpke.get_or_init(|| Box::new(expand()))
    }

    /// The public half.
    pub fn public(&self) -> KemPublic {
        KemPublic(Box::new(self.expanded().encapsulation_key().to_bytes().into()))
    }

    /// The shared secret inside `ciphertext`. A ciphertext made for another key gives another secret, not an error.
    pub fn decapsulate(&self, ciphertext: &KemCiphertext) -> Result<SharedSecret, Refused> {
        let mut secret = self.expanded().try_decapsulate(&(*ciphertext.0).into()).map_err(|_| Refused)?;
        witness::note(&secret);
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
        witness::note(&secret);
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

/// The points of small order of Curve25519 and its twist in all their encodings, the ignored top bit aside: 0, 1, the two
/// of order 8, p − 1, p and p + 1. With any other point X25519 has an output that is not all zero, whatever the scalar is,
/// because scalars are multiples of eight (RFC 7748 §5, §6.1).
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    little_endian(0x01, 0),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04,
        0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    little_endian(0xec, 0xff),
    little_endian(0xed, 0xff),
    little_endian(0xee, 0xff),
];

/// A first byte, thirty like `middle`, and the last with its top bit cleared.
const fn little_endian(first: u8, middle: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = middle & 0x7f;
    bytes
}

/// Whether the X25519 point that a key or ciphertext ends with gives any key a secret. The point is public.
pub(crate) fn contributes(bytes: &[u8]) -> bool {
    let mut point = *bytes.last_chunk::<32>().expect("keys and ciphertexts are longer than a point");
    point[31] &= 0x7f;
    !SMALL_ORDER.contains(&point)
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

    #[test]
    fn exactly_the_points_of_small_order_give_nothing() {
        for mut point in SMALL_ORDER {
            for top in [0, 0x80] {
                point[31] = point[31] & 0x7f | top;
                assert_eq!(x25519_dalek::x25519([1; 32], point), [0; 32]);
                assert!(!contributes(&point));
            }
        }
        // The encodings above p + 1, which are not reduced, and small numbers.
        let high = (0xef..=0xff).map(|first| little_endian(first, 0xff));
        for point in high.chain((2..=255).map(|first| little_endian(first, 0))) {
            assert_ne!(x25519_dalek::x25519([1; 32], point), [0; 32]);
            assert!(contributes(&point));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_point_contributes_where_x25519_says_so(point in proptest::array::uniform32(proptest::num::u8::ANY)) {
            let output = x25519_dalek::x25519([1; 32], point);
            proptest::prop_assert_eq!(contributes(&point), output != [0; 32]);
        }

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
