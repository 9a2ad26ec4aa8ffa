//! HPKE (RFC 9180, base mode) in the one suite of this protocol: KEM 0x647A X-Wing, KDF 0x0001 HKDF-SHA256,
//! AEAD 0x0003 ChaCha20-Poly1305.
//!
//! Invariant: an encapsulation whose X25519 part does not contribute is refused before anything is derived from it.

use core::fmt;

use ::hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::{Kem, XWing};
use ::hpke::{Deserializable, OpModeR, OpModeS, Serializable, setup_sender_with_rng};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::kem::{CIPHERTEXT_BYTES, HpkeSecret, KemCiphertext, KemPublic, KemSecret, Refused, contributes};

/// Bytes that [`Sender::seal`] adds.
pub const TAG_BYTES: usize = 16;

/// A sealed text does not open: another key, another context, or changed bytes. No more is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the text does not open")]
pub struct OpenError;

/// What the sender of an encapsulation holds.
pub struct Sender(AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>);

/// What the receiver of an encapsulation holds.
pub struct Receiver(AeadCtxR<ChaCha20Poly1305, HkdfSha256, XWing>);

/// RFC 9180 SetupBaseS: an encapsulation to `public`, bound to `info` (shorter than 65,531 bytes).
pub fn setup_sender(public: &KemPublic, info: &[u8], rng: &mut impl CryptoRng) -> (KemCiphertext, Sender) {
    let public = <XWing as Kem>::PublicKey::from_bytes(public.as_bytes()).expect("a KemPublic was parsed");
    let (encapsulated, context) = setup_sender_with_rng::<_, _, XWing>(&OpModeS::Base, &public, info, rng)
        .expect("base mode encapsulates to every parsed key");
    let mut ciphertext = [0; CIPHERTEXT_BYTES];
    encapsulated.write_exact(&mut ciphertext);
    (ciphertext.into(), Sender(context))
}

/// RFC 9180 SetupBaseR. Succeeds for every ciphertext that contributes; a wrong one gives a context that opens nothing.
pub fn setup_receiver(
    secret: &KemSecret,
    ciphertext: &KemCiphertext,
    info: &[u8],
) -> Result<Receiver, Refused> {
    if !contributes(ciphertext.as_bytes()) {
        return Err(Refused);
    }
    let secret = secret.for_hpke(|| expand(secret));
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(ciphertext.as_bytes()).map_err(|_| Refused)?;
    ::hpke::setup_receiver::<_, _, XWing>(&OpModeR::Base, secret, &encapsulated, info)
        .map(Receiver)
        .map_err(|_| Refused)
}

fn expand(secret: &KemSecret) -> HpkeSecret {
    HpkeSecret::from_bytes(secret.expose_seed()).expect("a seed has 32 bytes")
}

impl Sender {
    /// RFC 9180 Context.Export.
    pub fn export<const N: usize>(&self, context: &[u8]) -> Zeroizing<[u8; N]> {
        let mut output = Zeroizing::new([0; N]);
        self.0
            .export(context, &mut output[..])
            .expect("an output of the protocol is shorter than 255 hashes");
        output
    }

    /// RFC 9180 Context.Seal; the ciphertext is [`TAG_BYTES`] longer than the text.
    pub fn seal(&mut self, text: &[u8], aad: &[u8]) -> Vec<u8> {
        self.0.seal(text, aad).expect("a context of ours never seals 2^64 texts")
    }
}

impl Receiver {
    /// RFC 9180 Context.Export.
    pub fn export<const N: usize>(&self, context: &[u8]) -> Zeroizing<[u8; N]> {
        let mut output = Zeroizing::new([0; N]);
        self.0
            .export(context, &mut output[..])
            .expect("an output of the protocol is shorter than 255 hashes");
        output
    }

    /// RFC 9180 Context.Open.
    pub fn open(&mut self, ciphertext: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.open(ciphertext, aad).map(Zeroizing::new).map_err(|_| OpenError)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender(..)")
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_receiver_opens_what_was_sealed_and_exports_the_same_secrets() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = KemSecret::generate(&mut rng);
        let (ciphertext, mut sender) = setup_sender(&secret.public(), b"info", &mut rng);
        let mut receiver = setup_receiver(&secret, &ciphertext, b"info").unwrap();
        assert_eq!(*sender.export::<32>(b"a"), *receiver.export::<32>(b"a"));
        let sealed = sender.seal(b"text", b"aad");
        assert_eq!(sealed.len(), 4 + TAG_BYTES);
        assert_eq!(receiver.open(&sealed, b"aad").unwrap().as_slice(), b"text");
    }

    #[test]
    fn another_info_opens_nothing() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let secret = KemSecret::generate(&mut rng);
        let (ciphertext, mut sender) = setup_sender(&secret.public(), b"info", &mut rng);
        let sealed = sender.seal(b"text", b"");
        let mut receiver = setup_receiver(&secret, &ciphertext, b"other").unwrap();
        assert_eq!(receiver.open(&sealed, b"").unwrap_err(), OpenError);
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let secret = KemSecret::generate(&mut rng);
        let (ciphertext, _) = setup_sender(&secret.public(), b"", &mut rng);
        for low in [0u8, 1] {
            let mut bytes = *ciphertext.as_bytes();
            bytes[CIPHERTEXT_BYTES - 32..].fill(0);
            bytes[CIPHERTEXT_BYTES - 32] = low;
            assert_eq!(setup_receiver(&secret, &bytes.into(), b"").unwrap_err(), Refused);
        }
    }
}
