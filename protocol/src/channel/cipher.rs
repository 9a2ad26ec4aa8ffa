//! ChaCha20-Poly1305 (RFC 8439) without associated data, as frames are sealed with it.
//!
//! Each frame has a key of Poterne's and a one-time key of Poly1305's. Making the latter ready takes `chacha20poly1305`
//! a microsecond, for 16 bytes as for 4096; the feature `aws-lc` takes the same cipher from the library that does QUIC's
//! cryptography, where 16 bytes take 0.2 µs and 4096 half the time (docs/benchmarks.md). Both write the same bytes.

#[cfg(feature = "aws-lc")]
pub(super) use aws_lc::Cipher;
#[cfg(not(feature = "aws-lc"))]
pub(super) use portable::Cipher;

use crate::frame::TAG_BYTES;

/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 12;

type Nonce = [u8; NONCE_BYTES];
type Tag = [u8; TAG_BYTES];

/// What was to be opened was not sealed so.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct NotOpened;

#[cfg(feature = "aws-lc")]
mod aws_lc {
    use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
    use zeroize::Zeroizing;

    use super::{Nonce, NotOpened, Tag};

    /// A key, boxed, so that moves leave no copies of it behind. What the library makes of it takes twenty times as much,
    /// too much for a channel that waits: it is made for each frame, on the library's heap, which wipes what it frees.
    pub struct Cipher(Box<Zeroizing<[u8; 32]>>);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            Self(Box::new(Zeroizing::new(*key)))
        }

        fn key(&self) -> LessSafeKey {
            let key = UnboundKey::new(&CHACHA20_POLY1305, &**self.0);
            LessSafeKey::new(key.expect("the key has 32 bytes"))
        }

        /// Seals in place; the tag goes behind it.
        pub fn seal(&self, nonce: Nonce, text: &mut [u8]) -> Tag {
            let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
            let tag = self.key().seal_in_place_separate_tag(nonce, Aad::empty(), text);
            let tag = tag.expect("a frame is shorter than the cipher's bound of 256 GiB");
            tag.as_ref().try_into().expect("a tag has 16 bytes")
        }

        /// Opens in place what has its tag behind it, and leaves the text.
        pub fn open(&self, nonce: Nonce, sealed: &mut Vec<u8>) -> Result<(), NotOpened> {
            let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
            let text = self.key().open_in_place(nonce, Aad::empty(), sealed).map_err(|_| NotOpened)?;
            let length = text.len();
            sealed.truncate(length);
            Ok(())
        }
    }
}

#[cfg(any(test, not(feature = "aws-lc")))]
mod portable {
    use chacha20poly1305::aead::AeadInOut;
    use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit};

    use super::{Nonce, NotOpened, Tag};

    /// A key. Boxed, so that moves leave no copies of it behind; it is wiped on drop.
    pub struct Cipher(Box<ChaCha20Poly1305>);

    impl Cipher {
        pub fn new(key: &[u8; 32]) -> Self {
            Self(Box::new(ChaCha20Poly1305::new(&Key::from(*key))))
        }

        /// Seals in place; the tag goes behind it.
        pub fn seal(&self, nonce: Nonce, text: &mut [u8]) -> Tag {
            let tag = self.0.encrypt_inout_detached(&nonce.into(), &[], text.into());
            tag.expect("a frame is shorter than the cipher's bound of 256 GiB").into()
        }

        /// Opens in place what has its tag behind it, and leaves the text.
        pub fn open(&self, nonce: Nonce, sealed: &mut Vec<u8>) -> Result<(), NotOpened> {
            self.0.decrypt_in_place(&nonce.into(), &[], sealed).map_err(|_| NotOpened)
        }
    }
}

#[cfg(all(test, feature = "aws-lc"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_libraries_write_the_same_and_open_nothing_else(
            key: [u8; 32],
            nonce: [u8; NONCE_BYTES],
            text in proptest::collection::vec(any::<u8>(), 0..5000),
            bit: proptest::sample::Index,
        ) {
            let (one, other) = (aws_lc::Cipher::new(&key), portable::Cipher::new(&key));
            let (mut sealed, mut same) = (text.clone(), text.clone());
            let tag = one.seal(nonce, &mut sealed);
            prop_assert_eq!(tag, other.seal(nonce, &mut same));
            prop_assert_eq!(&sealed, &same);
            sealed.extend(tag);
            let mut changed = sealed.clone();
            let bit = bit.index(changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(one.open(nonce, &mut changed.clone()), Err(NotOpened));
            prop_assert_eq!(other.open(nonce, &mut changed), Err(NotOpened));
            let mut again = sealed.clone();
            prop_assert_eq!(one.open(nonce, &mut sealed), Ok(()));
            prop_assert_eq!(other.open(nonce, &mut again), Ok(()));
            prop_assert_eq!(&sealed, &text);
            prop_assert_eq!(&again, &text);
        }
    }

    #[test]
    fn what_is_shorter_than_a_tag_opens_nothing() {
        for length in 0..TAG_BYTES {
            assert_eq!(
                aws_lc::Cipher::new(&[1; 32]).open([0; NONCE_BYTES], &mut vec![0; length]),
                Err(NotOpened)
            );
            assert_eq!(
                portable::Cipher::new(&[1; 32]).open([0; NONCE_BYTES], &mut vec![0; length]),
                Err(NotOpened)
            );
        }
    }
}
