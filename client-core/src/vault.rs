//! The client's state at rest: one encrypted file of fixed size (docs/spec/vault.md).
//!
//! The file is a header and some slots. A slot is a small transactional store of keys and values; which slots are used
//! can't be told from one image of the file. A commit writes pages of the opened slot only and is atomic: after a
//! crash at any write the slot holds the old state or the new one, whole.
//!
//! Invariants: a page that the newest durable root reaches is never written; every page has a key of its own, which
//! lies in the page above it; what neither of the two newest roots reaches can be opened by nobody, passphrase or not.
//!
//! Deliberately absent: opening the file and the lock beside it (the shell does both), the clock, and the detection of
//! an older copy that was put back whole: the ratchet notices that.

mod commit;
mod disk;
mod header;
mod index;
mod lock;
pub mod memory;
mod page;
mod record;
mod slots;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::ops::Bound;

use zeroize::Zeroizing;

pub use self::commit::{Batch, CommitError};
pub use self::disk::{Disk, DiskError};
pub use self::header::{
    HeaderError, MEMORY_KIB_MAX, MEMORY_KIB_MIN, PASSES_MAX, Params, SLOT_PAGES_MAX, SLOT_PAGES_MIN,
    SLOTS_MAX,
};
pub use self::page::PAGE_BYTES;
pub use self::record::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use self::slots::{AddSlotError, FormatError, wipe};

use self::header::Header;
use self::index::{Index, OnDamage, Root, read_extent, read_leaf};
use self::lock::{LockPlace, Master};
use self::page::{PageKey, Slot};
use self::record::Content;

/// 16 random bytes that name this slot since it was made; a copy of the file has the same.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InstanceId(pub [u8; 16]);

/// What a slot asks of whoever opens it (docs/spec/vault.md §7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnOpening {
    /// Every other slot is overwritten first.
    EraseOthers,
    /// Nothing.
    Nothing,
}

impl OnOpening {
    fn encode(self) -> u8 {
        match self {
            Self::EraseOthers => 1,
            Self::Nothing => 0,
        }
    }

    fn decode(byte: u8) -> Option<Self> {
        [Self::EraseOthers, Self::Nothing].into_iter().find(|known| known.encode() == byte)
    }
}

/// One opened slot of a vault.
///
/// Dropping it forgets the keys; everything that was committed is on the disk already.
pub struct Vault<D> {
    disk: D,
    header: Header,
    slot: Slot,
    lock: LockPlace,
    slot_key: PageKey,
    index: Index,
    interrupted: bool,
    state: State,
}

/// What the vault may still do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Anything; the first commit also settles the other lock page.
    Opened,
    /// Anything.
    Settled,
    /// Reading only: a write failed, and what lies on the disk must be found out by opening again.
    Stopped,
    /// Reading only: pages of the index are lost.
    Salvaged,
}

impl<D: Disk> Vault<D> {
    /// Opens the slot of this passphrase, after one Argon2id and a trial of all slots.
    ///
    /// Reads the locks, the index and the values of the newest commit, and syncs once, so that everything that was
    /// read is durable before something is built on it.
    pub fn open(disk: D, passphrase: &[u8]) -> Result<Self, OpenError> {
        Self::open_slot(disk, passphrase, OnDamage::Refuse)
    }

    /// Opens what can still be read of a slot whose index is damaged, for reading only.
    ///
    /// [`Vault::lost_pages`] counts what is missing; keys that lay there are not listed any more.
    pub fn salvage(disk: D, passphrase: &[u8]) -> Result<Self, OpenError> {
        let vault = Self::open_slot(disk, passphrase, OnDamage::Skip)?;
        Ok(Self { state: State::Salvaged, ..vault })
    }

    fn open_slot(mut disk: D, passphrase: &[u8], on_damage: OnDamage) -> Result<Self, OpenError> {
        let header = Header::read(&disk)?;
        let master = Master::stretch(passphrase, &header).ok_or(OpenError::Memory)?;
        let (lock, slot_key) = lock::find(&disk, &header, &master)?.ok_or(OpenError::Refused)?;
        let slot = Slot::of(&header.params, lock.slot);
        disk.sync()?;
        let (index, interrupted) = newest_state(&disk, &slot, &slot_key, on_damage)?;
        Ok(Self { disk, header, slot, lock, slot_key, index, interrupted, state: State::Opened })
    }

    /// The value of a key; `None` where there is none.
    pub fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ReadError> {
        let Some(number) = self.index.keys.get(key) else { return Ok(None) };
        let node = &self.index.leaves[number].node;
        let records = read_leaf(&self.disk, &self.slot, *number, node)?;
        let record = records.into_iter().find(|record| record.key == key);
        match record.ok_or(ReadError::Damaged { page: node.page })?.content {
            Content::Inline(value) | Content::Unwritten(value) => Ok(Some(value)),
            Content::Paged(extent) => read_extent(&self.disk, &self.slot, &extent).map(Some),
        }
    }

    /// The keys that begin with `prefix`, in order.
    pub fn keys<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let keys = self.index.keys.range::<[u8], _>(from).map(|(key, _)| key.as_slice());
        keys.take_while(move |key| key.starts_with(prefix))
    }

    /// Commits so far: rises by one with each, and tells this state from an older one of the same slot.
    pub fn generation(&self) -> u64 {
        self.index.root.generation
    }

    /// The slot's name.
    pub fn instance_id(&self) -> InstanceId {
        self.index.root.instance
    }

    /// Whether the newest commit was found incomplete or damaged at opening, and the one before it is in force.
    ///
    /// That commit was usually never acknowledged. But damage to its pages looks the same, so whoever sends under keys
    /// from here must first look for signs of a newer state, as after a copy that was put back.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Pages of the slot that a commit may still use, 4 KiB each.
    pub fn free_pages(&self) -> usize {
        self.index.free.len()
    }

    /// Index pages that could not be read; always 0 unless the vault was opened by [`Vault::salvage`].
    pub fn lost_pages(&self) -> usize {
        self.index.lost.len()
    }

    /// Sizes of the file and the cost of a guess.
    pub fn params(&self) -> Params {
        self.header.params
    }

    /// Closes the slot and gives the storage back.
    pub fn into_disk(self) -> D {
        self.disk
    }
}

impl<D> fmt::Debug for Vault<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

/// The newer of the two roots whose tree is whole, and whether something was amiss with a newer one.
///
/// Each commit leaves generation g in one copy and g − 1 in the other. Anything else is a commit that was interrupted,
/// or damage; the two can't be told apart.
fn newest_state(
    disk: &impl Disk,
    slot: &Slot,
    key: &PageKey,
    on_damage: OnDamage,
) -> Result<(Index, bool), OpenError> {
    let mut roots = Vec::new();
    for copy in 0..2 {
        roots.extend(Root::read(disk, slot, key, copy)?);
    }
    roots.sort_by_key(|root| std::cmp::Reverse(root.generation));
    let in_step =
        matches!(&roots[..], [newer, older] if older.generation.checked_add(1) == Some(newer.generation));
    let mut damage = OpenError::Damaged { page: index::ROOT_PAGE };
    for (position, root) in roots.into_iter().enumerate() {
        match Index::load(disk, slot, root, on_damage) {
            Ok(index) => return Ok((index, position > 0 || !in_step)),
            Err(ReadError::Disk(error)) => return Err(error.into()),
            Err(ReadError::Damaged { page }) if position == 0 => damage = OpenError::Damaged { page },
            Err(ReadError::Damaged { .. }) => {}
        }
    }
    Err(damage)
}

/// A vault that doesn't open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The passphrase is right, but a page of the slot's index is damaged; [`Vault::salvage`] reads the rest.
    #[error("page {page} of the vault's index is damaged")]
    Damaged {
        /// Number of the page in its slot.
        page: u32,
    },
    /// The storage failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is no vault of this version.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The machine hasn't the memory that a guess takes.
    #[error("not enough memory to open the vault")]
    Memory,
    /// No slot opens with this passphrase.
    #[error("the vault does not open with this passphrase")]
    Refused,
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { page } => Self::Damaged { page },
            ReadError::Disk(error) => Self::Disk(error),
        }
    }
}

/// A value that can't be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// A page that holds it is damaged: the value that was asked for is lost, the others are not.
    #[error("page {page} of the vault is damaged")]
    Damaged {
        /// Number of the page in its slot.
        page: u32,
    },
    /// The storage failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}
