//! Commits: many changes, atomically, with one sync (docs/spec/vault.md §6).
//!
//! A commit is planned first, without a write: which leaves change, how their records are packed, what is needed. Then
//! values, leaves, middles and the root are written to pages that the newest durable root does not reach, and synced.
//! What is in memory changes only after the sync. A write that fails leaves the outcome unknown: the vault stops.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::disk::{Disk, DiskError};
use super::index::{FANOUT, LEAVES_MAX, read_leaf};
use super::record::{KEY_BYTES_MAX, LEAF_BYTES, Record, VALUE_BYTES_MAX};
use super::{ReadError, State, Vault};

/// Pages that a batch with a `put` leaves free, so that deleting stays possible in a full slot.
const RESERVE_PAGES: usize = 8;

/// Changes that take effect together. A later change of a key replaces an earlier one.
#[derive(Default)]
pub struct Batch {
    changes: BTreeMap<Vec<u8>, Option<Zeroizing<Vec<u8>>>>,
}

impl Batch {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key (1 to 64 bytes) to a value (at most 256 KiB); lengths are checked by the commit.
    pub fn put(&mut self, key: &[u8], value: impl Into<Zeroizing<Vec<u8>>>) {
        self.changes.insert(key.to_vec(), Some(value.into()));
    }

    /// Removes a key; one that isn't there is no error.
    pub fn delete(&mut self, key: &[u8]) {
        self.changes.insert(key.to_vec(), None);
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn check(&self) -> Result<(), CommitError> {
        for (key, value) in &self.changes {
            let value_bytes = value.as_ref().map_or(0, |value| value.len());
            if !(1..=KEY_BYTES_MAX).contains(&key.len()) {
                return Err(CommitError::KeyLength { actual: key.len() });
            }
            if value_bytes > VALUE_BYTES_MAX {
                return Err(CommitError::ValueLength { actual: value_bytes });
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Batch(..)")
    }
}

/// A leaf to be written.
pub(super) struct Bin {
    pub(super) records: Vec<Record>,
    pub(super) bytes: usize,
}

impl Bin {
    fn takes(&self, bytes: usize) -> bool {
        self.bytes + bytes <= LEAF_BYTES
    }

    fn push(&mut self, record: Record) {
        self.bytes += record.leaf_bytes();
        self.records.push(record);
    }
}

/// What a commit will do.
#[derive(Default)]
pub(super) struct Plan {
    /// The leaves to write, by number.
    pub(super) bins: BTreeMap<u16, Bin>,
    /// Leaves whose present pages become free: those that are written anew and those that vanish.
    pub(super) dirty: BTreeSet<u16>,
    /// The middles above any of these.
    pub(super) middles: BTreeSet<u16>,
    /// Keys to forget.
    pub(super) deleted: Vec<Vec<u8>>,
    /// Pages of values that are replaced or deleted.
    pub(super) freed: Vec<u32>,
    /// Whether it stores something, and so must leave the reserve.
    stores: bool,
}

impl Plan {
    fn needed_pages(&self) -> usize {
        let records = self.bins.values().flat_map(|bin| &bin.records);
        records.map(Record::unwritten_pages).sum::<usize>() + self.bins.len() + self.middles.len()
    }
}

impl<D: Disk> Vault<D> {
    /// Makes all changes of the batch durable, or none. Three pages and those of the values, and one sync.
    ///
    /// What is replaced or deleted can be opened by nobody once the *next* commit is done: see [`Vault::settle`].
    pub fn commit(&mut self, batch: Batch, rng: &mut impl CryptoRng) -> Result<(), CommitError> {
        self.check_writable()?;
        batch.check()?;
        let plan = self.plan(batch)?;
        self.check_space(&plan)?;
        self.carry_out(plan, rng).map_err(|error| self.stop(error))
    }

    /// An empty commit: the root that still reached what the commit before deleted is overwritten.
    pub fn settle(&mut self, rng: &mut impl CryptoRng) -> Result<(), CommitError> {
        self.commit(Batch::new(), rng)
    }

    pub(super) fn check_writable(&self) -> Result<(), CommitError> {
        match self.state {
            State::Salvaged => Err(CommitError::ReadOnly),
            State::Stopped => Err(CommitError::Stopped),
            State::Opened | State::Settled => Ok(()),
        }
    }

    pub(super) fn stop(&mut self, error: DiskError) -> CommitError {
        self.state = State::Stopped;
        CommitError::Disk(error)
    }

    fn plan(&self, batch: Batch) -> Result<Plan, CommitError> {
        let mut plan = Plan { stores: batch.changes.values().any(Option::is_some), ..Plan::default() };
        plan.dirty = batch.changes.keys().filter_map(|key| self.index.keys.get(key)).copied().collect();
        let mut records = Vec::new();
        for number in &plan.dirty {
            let (gone, kept): (Vec<_>, Vec<_>) = self
                .records(*number)?
                .into_iter()
                .partition(|record| batch.changes.contains_key(&record.key));
            plan.freed.extend(gone.iter().flat_map(Record::pages));
            records.extend(kept);
        }
        for (key, value) in batch.changes {
            match value {
                None => plan.deleted.push(key),
                Some(value) => records.push(Record::new(key, value)),
            }
        }
        let mut bins = pack(records);
        self.fill_up(&mut bins, &mut plan.dirty)?;
        plan.bins = self.number(bins, &plan.dirty)?;
        plan.middles = plan.dirty.iter().chain(plan.bins.keys()).map(|leaf| leaf / FANOUT).collect();
        Ok(plan)
    }

    fn records(&self, leaf: u16) -> Result<Vec<Record>, ReadError> {
        read_leaf(&self.disk, &self.slot, leaf, &self.index.leaves[&leaf].node)
    }

    /// Joins the emptiest new leaf with the fullest old one that fits, so that leaves don't stay nearly empty.
    fn fill_up(&self, bins: &mut [Bin], dirty: &mut BTreeSet<u16>) -> Result<(), ReadError> {
        let Some(bin) = bins.iter_mut().min_by_key(|bin| bin.bytes) else { return Ok(()) };
        let fitting = self
            .index
            .leaves
            .iter()
            .filter(|(number, leaf)| bin.takes(leaf.bytes) && !dirty.contains(number));
        let Some((number, _)) = fitting.max_by_key(|(_, leaf)| leaf.bytes) else { return Ok(()) };
        self.records(*number)?.into_iter().for_each(|record| bin.push(record));
        dirty.insert(*number);
        Ok(())
    }

    /// Gives each leaf a number: first those that become free, then the lowest unused.
    fn number(&self, bins: Vec<Bin>, dirty: &BTreeSet<u16>) -> Result<BTreeMap<u16, Bin>, CommitError> {
        let unused = (0..LEAVES_MAX).filter(|number| !self.index.leaves.contains_key(number));
        let numbers = dirty.iter().copied().chain(unused);
        let wanted = bins.len();
        let numbered: BTreeMap<_, _> = numbers.zip(bins).collect();
        if numbered.len() < wanted { Err(self.full(wanted)) } else { Ok(numbered) }
    }

    fn check_space(&self, plan: &Plan) -> Result<(), CommitError> {
        let reserve = if plan.stores { RESERVE_PAGES } else { 0 };
        let needed = plan.needed_pages() + reserve;
        if needed > self.index.free.len() { Err(self.full(needed)) } else { Ok(()) }
    }

    fn full(&self, needed_pages: usize) -> CommitError {
        CommitError::Full { free_pages: self.index.free.len(), needed_pages }
    }
}

/// First fit, in the order given.
fn pack(records: Vec<Record>) -> Vec<Bin> {
    let mut bins: Vec<Bin> = Vec::new();
    for record in records {
        let bytes = record.leaf_bytes();
        match bins.iter_mut().find(|bin| bin.takes(bytes)) {
            Some(bin) => bin.push(record),
            None => bins.push(Bin { bytes, records: vec![record] }),
        }
    }
    bins
}

/// A commit that did not happen, or whose outcome is unknown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// A leaf that the change needs is damaged; nothing was written.
    #[error("page {page} of the vault is damaged")]
    Damaged {
        /// Number of the page in its slot.
        page: u32,
    },
    /// The storage failed while writing: the outcome is unknown until the vault is opened again.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The slot hasn't the space; nothing was written. Deleting is still possible.
    #[error("the vault is full: {free_pages} pages are free, {needed_pages} are needed")]
    Full {
        /// Pages that no value and no index use.
        free_pages: usize,
        /// Pages that the commit takes, with the reserve that it must leave.
        needed_pages: usize,
    },
    /// A key is empty or longer than 64 bytes; nothing was written.
    #[error("a key is {actual} bytes long")]
    KeyLength {
        /// Its length in bytes.
        actual: usize,
    },
    /// The machine hasn't the memory to stretch a passphrase; nothing was written.
    #[error("not enough memory to set the passphrase")]
    Memory,
    /// The vault was opened by [`Vault::salvage`].
    #[error("the vault is damaged and open for reading only")]
    ReadOnly,
    /// An earlier write failed: the vault must be opened again first.
    #[error("an earlier write to the vault failed")]
    Stopped,
    /// A value is longer than 256 KiB; nothing was written.
    #[error("a value is {actual} bytes long")]
    ValueLength {
        /// Its length in bytes.
        actual: usize,
    },
}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { page } => Self::Damaged { page },
            ReadError::Disk(error) => Self::Disk(error),
        }
    }
}
