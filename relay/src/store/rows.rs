//! Which records stand, owner by owner (docs/spec/store.md §7): the index, and over it in memory what the index has
//! not seen yet.
//!
//! A row is (owner, address of a standing record) and says nothing else; the record is read from the log. Rows are
//! added once and dropped once and never come back, so it does no harm if the index has seen more than its checkpoint
//! says. What it has *lost* shows in the digests: per bucket of owners the sum of its rows' hashes is known from the
//! log's side, and a bucket is summed up when it is first looked at.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::index::{Index, IndexError};
use super::mirror::Mirror;
use super::overlay::{Bucket, Overlay};
use super::page::Address;
use super::record::Owner;

/// Buckets of owners, by their first 12 bits.
pub const BUCKETS: usize = 4096;

/// The beginning of an owner, by which it is found. Whoever makes two that begin alike, which takes some 2^32 tries, has
/// two mailboxes whose records are read for each other: the record tells the whole.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OwnerKey(pub [u8; OWNER_KEY_BYTES]);

/// Bytes of an [`OwnerKey`]: each row of the index takes them, and what the index writes is much of what a put costs.
pub const OWNER_KEY_BYTES: usize = 8;

impl From<&Owner> for OwnerKey {
    fn from(owner: &Owner) -> Self {
        let mut key = [0; OWNER_KEY_BYTES];
        key.copy_from_slice(&owner.0[..OWNER_KEY_BYTES]);
        Self(key)
    }
}

/// A standing record of an owner.
pub type Row = (OwnerKey, Address);

/// The rows of the store.
pub struct Rows {
    index: Arc<dyn Index>,
    active: Overlay,
    frozen: Option<Arc<Overlay>>,
    digests: Vec<u64>,
    checked: Vec<bool>,
    /// No bucket before it is unchecked.
    first_unchecked: usize,
    /// What the index holds, as far as memory goes.
    mirror: Mirror,
    /// The index has seen no row of `active`.
    unseen: bool,
}

/// Rows and digests as they were when the overlay was frozen.
pub struct Frozen {
    /// What the index has not seen.
    pub overlay: Arc<Overlay>,
    /// The digests with the overlay counted in.
    pub digests: Vec<u64>,
}

impl Rows {
    /// Rows over an index whose checkpoint says `digests`; all zero for an empty one. About `mirrored` rows of the index
    /// are kept in memory as well.
    pub fn new(index: Arc<dyn Index>, digests: Vec<u64>, mirrored: usize) -> Self {
        assert_eq!(digests.len(), BUCKETS, "one digest for each bucket");
        Self {
            index,
            active: Overlay::default(),
            frozen: None,
            digests,
            checked: vec![false; BUCKETS],
            first_unchecked: 0,
            mirror: Mirror::new(mirrored),
            unseen: false,
        }
    }

    /// The index behind the rows.
    pub fn index(&self) -> Arc<dyn Index> {
        self.index.clone()
    }

    /// Goes on with an index that holds the same, and gives back the one before.
    pub fn move_to(&mut self, index: Arc<dyn Index>) -> Arc<dyn Index> {
        std::mem::replace(&mut self.index, index)
    }

    /// Adds a row that was never there before.
    pub fn add(&mut self, row: Row) {
        self.count(&row, true);
        self.active.insert(row, true);
    }

    /// Drops a row that is there.
    pub fn drop(&mut self, row: Row) {
        self.count(&row, false);
        match self.active.get(&row) {
            Some(true) if self.unseen => self.active.remove(&row),
            _ => self.active.insert(row, false),
        }
    }

    /// Whether a row is there.
    pub fn contains(&mut self, row: &Row) -> Result<bool, IndexError> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.get(row));
        match self.active.get(row).or_else(frozen) {
            Some(there) => Ok(there),
            None => {
                self.check(bucket(&row.0))?;
                self.mirror.contains(row).map_or_else(|| self.index.contains(row), Ok)
            }
        }
    }

    /// The rows of an owner, in the order of their addresses.
    pub fn of(&mut self, owner: &OwnerKey) -> Result<Vec<Address>, IndexError> {
        self.check(bucket(owner))?;
        let known = self.mirror.of(owner).map(|found| found.collect());
        let known = known.map_or_else(|| self.index.of(owner), Ok)?;
        let mut rows: BTreeMap<Address, bool> = known.into_iter().map(|address| (address, true)).collect();
        for overlay in self.overlays() {
            rows.extend(overlay.of(owner));
        }
        Ok(rows.into_iter().filter_map(|(address, there)| there.then_some(address)).collect())
    }

    /// Rows that the index has not seen yet.
    pub fn waiting(&self) -> usize {
        self.active.rows() + self.frozen.as_ref().map_or(0, |frozen| frozen.rows())
    }

    /// Whether an overlay is on its way to the index.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Sets the overlay aside to be brought into the index. [`Rows::thawed`] must come before the next.
    pub fn freeze(&mut self) -> Frozen {
        assert!(self.frozen.is_none(), "one overlay is frozen at a time");
        let overlay = Arc::new(std::mem::take(&mut self.active));
        self.frozen = Some(overlay.clone());
        self.unseen = true;
        Frozen { overlay, digests: self.digests.clone() }
    }

    /// The rows of some buckets of the frozen overlay are in the index. All are told of before [`Rows::thawed`].
    pub fn brought(&mut self, frozen: &Overlay, buckets: Range<usize>) {
        for bucket in buckets {
            let changes: Vec<(Row, bool)> =
                frozen.bucket(bucket).iter().map(|(row, there)| (*row, *there)).collect();
            if !changes.is_empty() {
                self.mirror.bring(bucket, &changes);
            }
        }
    }

    /// The frozen overlay is in the index, lastingly.
    pub fn thawed(&mut self) {
        self.frozen = None;
    }

    /// The frozen overlay could not be brought into the index: it counts as unseen again.
    pub fn refrozen(&mut self) {
        let Some(frozen) = self.frozen.take() else { return };
        let newer = std::mem::take(&mut self.active);
        self.active = Arc::unwrap_or_clone(frozen);
        self.active.extend(newer);
        self.unseen = false;
    }

    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        self.frozen.as_deref().into_iter().chain([&self.active])
    }

    fn count(&mut self, row: &Row, added: bool) {
        let digest = &mut self.digests[bucket(&row.0)];
        *digest = match added {
            true => digest.wrapping_add(hash(row)),
            false => digest.wrapping_sub(hash(row)),
        };
    }

    /// Sums up the next bucket that was not summed up yet, so that nobody must wait for it. Says whether there was one.
    pub fn check_next(&mut self) -> Result<bool, IndexError> {
        let Some(next) = (self.first_unchecked..BUCKETS).find(|bucket| !self.checked[*bucket]) else {
            self.first_unchecked = BUCKETS;
            return Ok(false);
        };
        self.first_unchecked = next;
        self.check(next).map(|()| true)
    }

    /// Sums up a bucket at its first use: the index must hold all of its rows and no others.
    fn check(&mut self, bucket: usize) -> Result<(), IndexError> {
        if self.checked[bucket] {
            return Ok(());
        }
        let held = self.index.in_bucket(bucket)?;
        let mut changes = Bucket::new();
        for overlay in self.overlays() {
            changes.extend(overlay.bucket(bucket));
        }
        let unchanged = held.iter().filter(|row| !changes.contains_key(row));
        let added = changes.iter().filter(|(_, there)| **there).map(|(row, _)| row);
        if digest(unchanged.chain(added)) != self.digests[bucket] {
            return Err(IndexError::Incomplete);
        }
        self.checked[bucket] = true;
        self.mirror.admit(bucket, &held);
        Ok(())
    }
}

/// The bucket of an owner.
pub fn bucket(owner: &OwnerKey) -> usize {
    usize::from(u16::from_be_bytes([owner.0[0], owner.0[1]]) >> 4)
}

/// The least and the greatest row that can be in a bucket.
pub fn bounds(bucket: usize) -> (Row, Row) {
    let start = (bucket as u16) << 4;
    let (mut least, mut greatest) = ([0; OWNER_KEY_BYTES], [0xff; OWNER_KEY_BYTES]);
    least[..2].copy_from_slice(&start.to_be_bytes());
    greatest[..2].copy_from_slice(&(start | 0xf).to_be_bytes());
    ((OwnerKey(least), Address::from_number(0)), (OwnerKey(greatest), Address::from_number(u64::MAX)))
}

/// The sum of the rows of a bucket.
pub fn digest<'a>(rows: impl IntoIterator<Item = &'a Row>) -> u64 {
    rows.into_iter().fold(0, |sum, row| sum.wrapping_add(hash(row)))
}

/// Rot and lost writes are what this must notice, not malice: the finish of splitmix64 over both parts.
fn hash((owner, address): &Row) -> u64 {
    mix(u64::from_le_bytes(owner.0) ^ mix(address.to_number().wrapping_add(0x9E37_79B9_7F4A_7C15)))
}

fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::index::MemoryIndex;

    /// Room for the rows of some tests and not of others.
    const MIRRORED: usize = 2;

    fn row(owner: u8, address: u64) -> Row {
        (OwnerKey([owner; 8]), Address::from_number(address))
    }

    fn rows() -> (Arc<MemoryIndex>, Rows) {
        let index = Arc::new(MemoryIndex::default());
        (index.clone(), Rows::new(index, vec![0; BUCKETS], MIRRORED))
    }

    /// Brings all that waits into the index.
    fn settle(index: &MemoryIndex, rows: &mut Rows) {
        let frozen = rows.freeze();
        let changes: Vec<(Row, bool)> = frozen.overlay.iter().collect();
        index.apply(&changes).expect("applies");
        rows.brought(&frozen.overlay, 0..BUCKETS);
        rows.thawed();
    }

    #[test]
    fn rows_are_found_wherever_they_are() {
        let (index, mut rows) = rows();
        rows.add(row(1, 10));
        rows.add(row(1, 11));
        settle(&index, &mut rows);
        rows.add(row(1, 12));
        rows.freeze();
        rows.add(row(1, 13));
        rows.drop(row(1, 11));
        let numbers: Vec<u64> =
            rows.of(&OwnerKey([1; 8])).expect("reads").iter().map(|at| at.to_number()).collect();
        assert_eq!(numbers, [10, 12, 13]);
        assert!(!rows.contains(&row(1, 11)).expect("reads"));
    }

    #[test]
    fn what_came_and_went_never_reaches_the_index() {
        let (index, mut rows) = rows();
        settle(&index, &mut rows);
        rows.add(row(1, 10));
        rows.drop(row(1, 10));
        assert_eq!(rows.waiting(), 0);
    }

    #[test]
    fn a_row_that_the_index_lost_is_noticed() {
        let (index, mut rows) = rows();
        rows.add(row(1, 10));
        rows.add(row(1, 11));
        settle(&index, &mut rows);
        index.apply(&[(row(1, 11), false)]).expect("applies");
        assert_eq!(rows.of(&OwnerKey([1; 8])), Err(IndexError::Incomplete));
    }

    #[test]
    fn an_index_that_has_seen_more_than_its_checkpoint_is_complete() {
        let (index, mut rows) = rows();
        rows.add(row(1, 10));
        settle(&index, &mut rows);
        let checkpoint = rows.digests.clone();
        index.apply(&[(row(1, 11), true), (row(1, 10), false)]).expect("applies");
        let mut again = Rows::new(index, checkpoint, MIRRORED);
        again.add(row(1, 11));
        again.drop(row(1, 10));
        assert_eq!(again.of(&OwnerKey([1; 8])), Ok(vec![Address::from_number(11)]));
    }

    #[test]
    fn what_came_and_went_in_a_replay_is_dropped_from_an_index_that_had_seen_it_come() {
        let (index, mut rows) = rows();
        index.apply(&[(row(1, 10), true)]).expect("applies");
        rows.add(row(1, 10));
        rows.drop(row(1, 10));
        assert_eq!(rows.of(&OwnerKey([1; 8])), Ok(Vec::new()));
    }

    #[test]
    fn an_overlay_that_the_index_refused_is_kept() {
        let (_, mut rows) = rows();
        rows.add(row(1, 10));
        rows.freeze();
        rows.drop(row(1, 10));
        rows.refrozen();
        assert_eq!(rows.of(&OwnerKey([1; 8])), Ok(Vec::new()));
    }

    #[test]
    fn every_owner_lies_within_the_bounds_of_its_bucket() {
        for first in [0u8, 1, 0x7f, 0xff] {
            let owner = OwnerKey([first; 8]);
            let (least, greatest) = bounds(bucket(&owner));
            assert!(least.0 <= owner && owner <= greatest.0);
        }
    }
}
