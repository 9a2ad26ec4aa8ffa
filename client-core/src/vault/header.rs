//! The first page of the file: version, sizes, the cost of a guess, one salt (docs/spec/vault.md §2).
//!
//! It says nothing about which slots are used, is written once, and is bound into every lock. Everything in it is
//! checked against bounds before memory is taken or Argon2 runs, because anybody may have written it.

use poterne_protocol::kdf;
use rand_core::CryptoRng;

use super::disk::{Disk, DiskError};
use super::page::PAGE_BYTES;

const MAGIC: &[u8; 16] = b"poterne vault\0\0\0";
const VERSION: u16 = 1;
const CHECK_AT: usize = PAGE_BYTES - 32;

/// The most memory that one guess may cost, in KiB: twice the desk's, so that a hostile file can't exhaust a machine.
pub const MEMORY_KIB_MAX: u32 = 512 * 1024;
/// The least that Argon2 works with, in KiB (RFC 9106 §3.1).
pub const MEMORY_KIB_MIN: u32 = 8;
/// The most passes over that memory: at the largest memory about half a minute on a slow machine.
pub const PASSES_MAX: u32 = 8;
/// The most slots: the trial of all of them stays small beside Argon2.
pub const SLOTS_MAX: u16 = 32;
/// The largest slot in pages (1 GiB).
pub const SLOT_PAGES_MAX: u32 = 262_144;
/// The smallest slot in pages (128 KiB).
pub const SLOT_PAGES_MIN: u32 = 32;

/// Sizes of a vault and the cost of one guess at its passphrases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Params {
    memory_kib: u32,
    passes: u32,
    slot_pages: u32,
    slots: u16,
}

impl Params {
    /// Checked parameters: `memory_kib` and `passes` of Argon2id, `slots` of `slot_pages` pages of 4 KiB.
    pub fn new(memory_kib: u32, passes: u32, slots: u16, slot_pages: u32) -> Result<Self, HeaderError> {
        let in_bounds = (MEMORY_KIB_MIN..=MEMORY_KIB_MAX).contains(&memory_kib)
            && (1..=PASSES_MAX).contains(&passes)
            && (1..=SLOTS_MAX).contains(&slots)
            && (SLOT_PAGES_MIN..=SLOT_PAGES_MAX).contains(&slot_pages);
        if in_bounds { Ok(Self { memory_kib, passes, slot_pages, slots }) } else { Err(HeaderError::Bounds) }
    }

    /// A requester's vault: 16 MiB in 8 slots, 64 MiB and 3 passes a guess.
    pub fn requester() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, slot_pages: 512, slots: 8 }
    }

    /// A volunteer's vault: 256 MiB in 2 slots, 256 MiB and 3 passes a guess.
    pub fn desk() -> Self {
        Self { memory_kib: 256 * 1024, passes: 3, slot_pages: 32_768, slots: 2 }
    }

    /// The vault of tests and of the simulated world: 2 MiB in 2 slots; a guess costs nothing, so it keeps no secret.
    pub fn smallest() -> Self {
        Self { memory_kib: MEMORY_KIB_MIN, passes: 1, slot_pages: 256, slots: 2 }
    }

    /// Length of the whole file in bytes: the header page and the slots.
    pub fn file_bytes(&self) -> u64 {
        (1 + u64::from(self.slots) * u64::from(self.slot_pages)) * PAGE_BYTES as u64
    }

    /// Memory that one guess takes, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes of Argon2id over that memory.
    pub fn passes(&self) -> u32 {
        self.passes
    }

    /// Size of a slot in pages of 4 KiB.
    pub fn slot_pages(&self) -> u32 {
        self.slot_pages
    }

    /// Number of slots.
    pub fn slots(&self) -> u16 {
        self.slots
    }
}

/// The header as it was read or made.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) params: Params,
    pub(super) salt: [u8; 32],
    /// H of the page: what the locks are bound to.
    pub(super) digest: [u8; 32],
}

impl Header {
    pub(super) fn generate(params: Params, rng: &mut impl CryptoRng) -> Self {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let digest = kdf::hash(&[&encode(params, &salt)]);
        Self { params, salt, digest }
    }

    pub(super) fn read(disk: &impl Disk) -> Result<Self, HeaderError> {
        if disk.len() < PAGE_BYTES as u64 {
            return Err(HeaderError::Length { actual: disk.len(), expected: PAGE_BYTES as u64 });
        }
        let mut page = [0; PAGE_BYTES];
        disk.read_at(0, &mut page)?;
        let header = Self::parse(&page)?;
        let (actual, expected) = (disk.len(), header.params.file_bytes());
        if actual == expected { Ok(header) } else { Err(HeaderError::Length { actual, expected }) }
    }

    pub(super) fn parse(page: &[u8; PAGE_BYTES]) -> Result<Self, HeaderError> {
        if &page[..16] != MAGIC {
            return Err(HeaderError::Magic);
        }
        let u16_at = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
        if u16_at(16) != VERSION {
            return Err(HeaderError::Version { version: u16_at(16) });
        }
        if page[CHECK_AT..] != kdf::hash(&[&page[..CHECK_AT]]) {
            return Err(HeaderError::Check);
        }
        let params = Params::new(u32_at(28), u32_at(24), u16_at(18), u32_at(20))?;
        let salt = page[32..64].try_into().expect("the range has 32 bytes");
        Ok(Self { params, salt, digest: kdf::hash(&[page]) })
    }

    pub(super) fn encode(&self) -> [u8; PAGE_BYTES] {
        encode(self.params, &self.salt)
    }
}

fn encode(params: Params, salt: &[u8; 32]) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    page[..16].copy_from_slice(MAGIC);
    page[16..18].copy_from_slice(&VERSION.to_le_bytes());
    page[18..20].copy_from_slice(&params.slots.to_le_bytes());
    page[20..24].copy_from_slice(&params.slot_pages.to_le_bytes());
    page[24..28].copy_from_slice(&params.passes.to_le_bytes());
    page[28..32].copy_from_slice(&params.memory_kib.to_le_bytes());
    page[32..64].copy_from_slice(salt);
    let check = kdf::hash(&[&page[..CHECK_AT]]);
    page[CHECK_AT..].copy_from_slice(&check);
    page
}

/// The file is not a vault that this build can open, whatever the passphrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// A size or a cost is outside the bounds of this build.
    #[error("the vault's header asks for sizes or costs out of bounds")]
    Bounds,
    /// The header's own check fails: it is damaged.
    #[error("the vault's header is damaged")]
    Check,
    /// The storage failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not as long as its header says.
    #[error("the vault is {actual} bytes long, expected {expected}")]
    Length {
        /// Length of the file in bytes.
        actual: u64,
        /// Length that the header asks for.
        expected: u64,
    },
    /// The file does not begin as a vault does.
    #[error("the file is not a vault")]
    Magic,
    /// A later version wrote it.
    #[error("unknown vault version {version}")]
    Version {
        /// The version in the header.
        version: u16,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(change: impl Fn(&mut [u8])) -> [u8; PAGE_BYTES] {
        let mut page = encode(Params::smallest(), &[9; 32]);
        change(&mut page);
        let check = kdf::hash(&[&page[..CHECK_AT]]);
        page[CHECK_AT..].copy_from_slice(&check);
        page
    }

    #[test]
    fn a_header_says_version_sizes_cost_and_salt_in_this_order() {
        let page = encode(Params::requester(), &[0xA5; 32]);
        let mut expected =
            b"poterne vault\0\0\0\x01\x00\x08\x00\x00\x02\x00\x00\x03\x00\x00\x00\x00\x00\x01\x00".to_vec();
        expected.extend([0xA5; 32]);
        assert_eq!(page[..64], expected);
        assert!(page[64..CHECK_AT].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_header_that_asks_for_4_gib_of_memory_is_refused() {
        let hostile = page(|page| page[28..32].copy_from_slice(&(4 * 1024 * 1024u32).to_le_bytes()));
        assert_eq!(Header::parse(&hostile).err(), Some(HeaderError::Bounds));
    }

    #[test]
    fn a_header_with_no_slots_or_no_passes_is_refused() {
        for at in [18, 24] {
            let hostile = page(|page| page[at..at + 2].fill(0));
            assert_eq!(Header::parse(&hostile).err(), Some(HeaderError::Bounds));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let good = page(|_| {});
        for bit in 0..PAGE_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&bad).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn parsing_survives_any_page(bytes in proptest::collection::vec(any::<u8>(), PAGE_BYTES), fix: bool) {
            let mut bytes: [u8; PAGE_BYTES] = bytes.try_into().unwrap();
            if fix {
                bytes = page(|page| page[18..].copy_from_slice(&bytes[18..]));
            }
            let _ = Header::parse(&bytes);
        }
    }
}
