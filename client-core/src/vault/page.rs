//! One sealed page of a slot (docs/spec/vault.md §4).
//!
//! Each page has a key of its own, made at random when the page is written and kept in the page above it, and a random
//! nonce. The key is never used for a second page, so an older copy of the file that is put back never meets a used
//! keystream, and a page whose parent is gone can be opened by nobody.

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use poterne_protocol::witness;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::disk::{Disk, DiskError};
use super::header::Params;

/// Size of a page in bytes; also the unit in which the file is written.
pub const PAGE_BYTES: usize = 4096;
/// What a page holds beside its nonce (24 bytes) and tag (16 bytes).
pub(super) const PAYLOAD_BYTES: usize = PAGE_BYTES - NONCE_BYTES - TAG_BYTES;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const CONTEXT: &[u8] = b"poterne/1 vault page";

/// The key of one page, or of one value's pages.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct PageKey(Box<[u8; 32]>);

impl PageKey {
    pub(super) fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Self(Box::new([0; 32]));
        rng.fill_bytes(&mut key.0[..]);
        witness::note(&key.0[..]);
        key
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self(Box::new([0; 32]));
        if bytes.len() != 32 {
            return None;
        }
        key.0.copy_from_slice(bytes);
        witness::note(bytes);
        Some(key)
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey(..)")
    }
}

/// What a page is for; part of what its seal binds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Root = 1,
    Middle = 2,
    Leaf = 3,
    Value = 4,
}

/// Where a page lies and what it is: its kind, its number in the slot, and its number among its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) page: u32,
    pub(super) part: u16,
}

/// One slot of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    pub(super) number: u16,
    pub(super) pages: u32,
}

impl Slot {
    pub(super) fn of(params: &Params, number: u16) -> Self {
        Self { number, pages: params.slot_pages() }
    }

    pub(super) fn offset(&self, page: u32) -> u64 {
        debug_assert!(page < self.pages);
        let page = 1 + u64::from(self.number) * u64::from(self.pages) + u64::from(page);
        page * PAGE_BYTES as u64
    }

    pub(super) fn read(&self, disk: &impl Disk, page: u32) -> Result<Vec<u8>, DiskError> {
        let mut bytes = vec![0; PAGE_BYTES];
        disk.read_at(self.offset(page), &mut bytes)?;
        Ok(bytes)
    }

    /// Reads and opens a page: its whole payload, padding included, or `None` where its seal is broken.
    pub(super) fn open(
        &self,
        disk: &impl Disk,
        key: &PageKey,
        place: Place,
    ) -> Result<Option<Payload>, DiskError> {
        let page = self.read(disk, place.page)?;
        Ok(open(key, &self.context(place), page))
    }

    pub(super) fn seal(
        &self,
        key: &PageKey,
        place: Place,
        payload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        seal(key, &self.context(place), payload, rng)
    }

    fn context(&self, place: Place) -> Vec<u8> {
        let mut context = CONTEXT.to_vec();
        context.push(place.kind as u8);
        context.extend(self.number.to_le_bytes());
        context.extend(place.page.to_le_bytes());
        context.extend(place.part.to_le_bytes());
        context
    }
}

/// The plaintext of a page: 4056 bytes, zeroized when dropped.
pub(super) type Payload = Zeroizing<Vec<u8>>;

fn seal(key: &PageKey, context: &[u8], payload: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut nonce = XNonce::default();
    rng.fill_bytes(&mut nonce);
    let mut page = vec![0; PAGE_BYTES];
    page[..NONCE_BYTES].copy_from_slice(&nonce);
    page[NONCE_BYTES..][..payload.len()].copy_from_slice(payload);
    let body = &mut page[NONCE_BYTES..NONCE_BYTES + PAYLOAD_BYTES];
    let tag = cipher(key)
        .encrypt_inout_detached(&nonce, context, body.into())
        .expect("a page is not too long to seal");
    page[PAGE_BYTES - TAG_BYTES..].copy_from_slice(&tag);
    page
}

fn open(key: &PageKey, context: &[u8], page: Vec<u8>) -> Option<Payload> {
    let nonce = XNonce::try_from(page.get(..NONCE_BYTES)?).ok()?;
    let tag = Tag::try_from(page.get(PAGE_BYTES - TAG_BYTES..)?).ok()?;
    let mut body = Zeroizing::new(page[NONCE_BYTES..PAGE_BYTES - TAG_BYTES].to_vec());
    cipher(key).decrypt_inout_detached(&nonce, context, body.as_mut_slice().into(), &tag).ok()?;
    Some(body)
}

fn cipher(key: &PageKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    const SLOT: Slot = Slot { number: 1, pages: 32 };
    const PLACE: Place = Place { kind: Kind::Leaf, page: 7, part: 3 };

    #[test]
    fn a_page_opens_only_under_its_key_and_in_its_place() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = PageKey::generate(&mut rng);
        let page = SLOT.seal(&key, PLACE, b"payload", &mut rng);
        assert_eq!(open(&key, &SLOT.context(PLACE), page.clone()).unwrap()[..8], *b"payload\0");
        let elsewhere = [
            Slot { number: 0, ..SLOT }.context(PLACE),
            SLOT.context(Place { page: 8, ..PLACE }),
            SLOT.context(Place { part: 4, ..PLACE }),
            SLOT.context(Place { kind: Kind::Value, ..PLACE }),
        ];
        assert!(elsewhere.iter().all(|context| open(&key, context, page.clone()).is_none()));
        assert!(open(&PageKey::generate(&mut rng), &SLOT.context(PLACE), page).is_none());
    }

    #[test]
    fn every_flipped_bit_of_a_page_is_noticed() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let key = PageKey::generate(&mut rng);
        let page = SLOT.seal(&key, PLACE, &[1; PAYLOAD_BYTES], &mut rng);
        for byte in 0..PAGE_BYTES {
            let mut bad = page.clone();
            bad[byte] ^= 1 << (byte % 8);
            assert!(open(&key, &SLOT.context(PLACE), bad).is_none(), "byte {byte}");
        }
    }
}
