//! From a passphrase to the key of one slot, and the trial of all of them (docs/spec/vault.md §3).
//!
//! One Argon2id per attempt. Then every lock page of the file is tried with the same work whichever opens, or none:
//! a derived check of 32 bytes is compared in constant time, and exactly one lock is opened at the end. A lock page
//! that nobody uses is random bytes, as a used one looks.

use argon2::{Algorithm, Argon2, Block, Version};
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use poterne_protocol::kdf::kdf;
use poterne_protocol::witness;
use rand_core::CryptoRng;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::disk::{Disk, DiskError};
use super::header::Header;
use super::page::{PAGE_BYTES, PageKey, Slot};

/// Pages 0 and 1 of a slot are its lock, in two copies of which one is in use.
pub(super) const LOCK_PAGES: u32 = 2;

const LABEL: &str = "vault lock";
const CONTEXT: &[u8] = b"poterne/1 vault lock";
const VERSION: u8 = 1;
const SALT_BYTES: usize = 32;
const CHECK_BYTES: usize = 32;
const BODY_AT: usize = SALT_BYTES + CHECK_BYTES;
const TAG_AT: usize = PAGE_BYTES - 16;

/// What Argon2id makes of a passphrase and the file's salt.
pub(super) struct Master(Zeroizing<[u8; 32]>);

impl Master {
    /// One guess: takes the header's memory and time. `None` when that memory can't be had.
    pub(super) fn stretch(passphrase: &[u8], header: &Header) -> Option<Self> {
        let params = argon2::Params::new(header.params.memory_kib(), header.params.passes(), 1, Some(32))
            .expect("the header's bounds lie within those of Argon2");
        let mut memory = Memory::of(params.block_count())?;
        let mut master = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase, &header.salt, &mut master[..], &mut memory.0[..])
            .ok()?;
        witness::note(&master[..]);
        Some(Self(master))
    }
}

/// The memory that a guess works in; the master key follows from its end, so it is wiped.
struct Memory(Vec<Block>);

impl Memory {
    /// `None` when it can't be had.
    fn of(blocks: usize) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).ok()?;
        memory.resize(blocks, Block::default());
        Some(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// One of the two lock pages of one slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LockPlace {
    pub(super) slot: u16,
    pub(super) copy: u32,
}

impl LockPlace {
    /// The other lock page of the same slot.
    pub(super) fn other(self) -> Self {
        Self { copy: 1 - self.copy, ..self }
    }
}

/// check 32 | key 32 | nonce 24 for one lock page.
fn derive(master: &Master, header: &Header, place: LockPlace, salt: &[u8]) -> Zeroizing<[u8; 88]> {
    let (slot, copy) = (place.slot.to_le_bytes(), place.copy.to_le_bytes());
    kdf(salt, &master.0[..], LABEL, &[&header.digest, &slot, &copy])
}

/// A lock page that opens to `slot_key` for this passphrase at this place.
pub(super) fn seal(
    master: &Master,
    header: &Header,
    place: LockPlace,
    slot_key: &PageKey,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES];
    rng.fill_bytes(&mut page[..SALT_BYTES]);
    let keys = derive(master, header, place, &page[..SALT_BYTES]);
    page[SALT_BYTES..BODY_AT].copy_from_slice(&keys[..32]);
    page[BODY_AT] = VERSION;
    page[BODY_AT + 1..BODY_AT + 33].copy_from_slice(slot_key.expose());
    let (cipher, nonce) = cipher(&keys);
    let tag = cipher
        .encrypt_inout_detached(&nonce, CONTEXT, (&mut page[BODY_AT..TAG_AT]).into())
        .expect("a page is not too long to seal");
    page[TAG_AT..].copy_from_slice(&tag);
    page
}

/// Tries every lock of the file. `None` for a wrong passphrase, an unused slot and a damaged lock alike.
pub(super) fn find(
    disk: &impl Disk,
    header: &Header,
    master: &Master,
) -> Result<Option<(LockPlace, PageKey)>, DiskError> {
    let mut found = Choice::from(0);
    let mut chosen = 0;
    let mut pages = Vec::new();
    for place in places(header) {
        let page = Slot::of(&header.params, place.slot).read(disk, place.copy)?;
        let hit = matches(master, header, place, &page) & !found;
        chosen.conditional_assign(&(pages.len() as u32), hit);
        found |= hit;
        pages.push(page);
    }
    let place = places(header).nth(chosen as usize).expect("the choice is one of the places");
    let key = open(master, header, place, pages.swap_remove(chosen as usize));
    Ok(key.map(|key| (place, key)))
}

/// Whether this lock page belongs to this passphrase.
pub(super) fn matches(master: &Master, header: &Header, place: LockPlace, page: &[u8]) -> Choice {
    let keys = derive(master, header, place, &page[..SALT_BYTES]);
    keys[..CHECK_BYTES].ct_eq(&page[SALT_BYTES..BODY_AT])
}

fn open(master: &Master, header: &Header, place: LockPlace, page: Vec<u8>) -> Option<PageKey> {
    let keys = derive(master, header, place, &page[..SALT_BYTES]);
    let (cipher, nonce) = cipher(&keys);
    let mut body = Zeroizing::new(page[BODY_AT..TAG_AT].to_vec());
    let tag = Tag::try_from(&page[TAG_AT..]).ok()?;
    cipher.decrypt_inout_detached(&nonce, CONTEXT, body.as_mut_slice().into(), &tag).ok()?;
    if body[0] == VERSION { PageKey::from_slice(&body[1..33]) } else { None }
}

fn places(header: &Header) -> impl Iterator<Item = LockPlace> {
    (0..header.params.slots()).flat_map(|slot| (0..LOCK_PAGES).map(move |copy| LockPlace { slot, copy }))
}

fn cipher(keys: &[u8; 88]) -> (XChaCha20Poly1305, XNonce) {
    let cipher = XChaCha20Poly1305::new_from_slice(&keys[32..64]).expect("the key has 32 bytes");
    (cipher, XNonce::try_from(&keys[64..]).expect("the nonce has 24 bytes"))
}
