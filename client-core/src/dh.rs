//! X25519 (RFC 7748) as newtypes of ours.
//!
//! Invariant: an output that is all zero never leaves [`DhSecret::agree`].

use poterne_protocol::witness;
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The peer's key is of small order: what came out says nothing about our secret and must not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key agreement is refused")]
pub struct Refused;

/// The secret half of an X25519 key pair, 32 bytes.
#[derive(Clone)]
pub struct DhSecret(Secret);

/// The public half of an X25519 key pair, 32 bytes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DhPublic(pub [u8; 32]);

impl DhSecret {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::generate(rng))
    }

    /// The key of these 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    /// The 32 bytes, for storing under encryption.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The public half.
    pub fn public(&self) -> DhPublic {
        DhPublic(PublicKey::from(&StaticSecret::from(*self.0.expose())).to_bytes())
    }

    /// The 32 bytes that both sides reach.
    pub fn agree(&self, peer: &DhPublic) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let shared = StaticSecret::from(*self.0.expose()).diffie_hellman(&PublicKey::from(peer.0));
        witness::note(shared.as_bytes());
        if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(Refused) }
    }
}

crate::secret::silent!(DhSecret);

crate::secret::silent!(DhPublic);

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn both_sides_reach_the_same_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (ours, theirs) = (DhSecret::generate(&mut rng), DhSecret::generate(&mut rng));
        assert_eq!(*ours.agree(&theirs.public()).unwrap(), *theirs.agree(&ours.public()).unwrap());
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let ours = DhSecret::from_bytes(&[7; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        let mut prime = [0xff; 32];
        (prime[0], prime[31]) = (0xed, 0x7f);
        for point in [[0; 32], one, prime] {
            assert_eq!(ours.agree(&DhPublic(point)).unwrap_err(), Refused);
        }
    }
}
