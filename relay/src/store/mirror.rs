//! The rows of the index in memory, bucket by bucket, as far as the memory for them goes: so that a put asks no disk
//! (docs/spec/store.md §7).
//!
//! A row takes 16 bytes here: its owner stands in it by a hash with a key of this process. Whoever reads a row's record
//! sees whose it is. What a bucket holds here is what the index holds of it, or less by rows that are still in the
//! overlays.

use std::hash::{BuildHasher, RandomState};

use super::page::Address;
use super::rows::{BUCKETS, OwnerKey, Row, bucket};

/// A row: the hash of its owner, and its address.
type Short = (u64, Address);

/// Buckets in memory.
pub struct Mirror {
    key: RandomState,
    buckets: Vec<Option<Vec<Short>>>,
    /// Rows in all buckets.
    rows: usize,
    bound: usize,
    /// The bucket that is let go of next.
    next_out: usize,
}

impl Mirror {
    /// An empty one, of at most about `bound` rows.
    pub fn new(bound: usize) -> Self {
        Self { key: RandomState::new(), buckets: vec![None; BUCKETS], rows: 0, bound, next_out: 0 }
    }

    /// Takes a bucket in, whole, as the index holds it.
    pub fn admit(&mut self, bucket: usize, rows: &[Row]) {
        let mut short: Vec<Short> = rows.iter().map(|row| self.short(row)).collect();
        short.sort_unstable();
        self.replace(bucket, Some(short));
        self.trim();
    }

    /// The addresses of an owner's rows, rising; none where its bucket is not here.
    pub fn of(&self, owner: &OwnerKey) -> Option<impl Iterator<Item = Address>> {
        let rows = self.buckets[bucket(owner)].as_ref()?;
        let hash = self.key.hash_one(owner);
        let first = rows.partition_point(|(other, _)| *other < hash);
        Some(rows[first..].iter().take_while(move |(other, _)| *other == hash).map(|(_, address)| *address))
    }

    /// Whether a row is there; none where its bucket is not here.
    pub fn contains(&self, row: &Row) -> Option<bool> {
        let rows = self.buckets[bucket(&row.0)].as_ref()?;
        Some(rows.binary_search(&self.short(row)).is_ok())
    }

    /// The index was brought these rows, of one bucket: added (true) or dropped (false).
    pub fn bring(&mut self, bucket: usize, changes: &[(Row, bool)]) {
        let Some(rows) = &self.buckets[bucket] else { return };
        let mut changes: Vec<(Short, bool)> =
            changes.iter().map(|(row, there)| (self.short(row), *there)).collect();
        changes.sort_unstable();
        let merged = merge(rows, &changes);
        self.replace(bucket, Some(merged));
        self.trim();
    }

    fn short(&self, (owner, address): &Row) -> Short {
        (self.key.hash_one(owner), *address)
    }

    fn replace(&mut self, bucket: usize, rows: Option<Vec<Short>>) {
        self.rows += rows.as_ref().map_or(0, Vec::len);
        let before = std::mem::replace(&mut self.buckets[bucket], rows);
        self.rows -= before.map_or(0, |before| before.len());
    }

    /// Lets go of buckets in turn while there is too much.
    fn trim(&mut self) {
        while self.rows > self.bound {
            let out = self.next_out;
            self.next_out = (out + 1) % BUCKETS;
            self.replace(out, None);
        }
    }
}

/// The rows with the changes in them. Both are sorted; a row may be added that is there, and dropped that is not.
fn merge(rows: &[Short], changes: &[(Short, bool)]) -> Vec<Short> {
    let mut merged = Vec::with_capacity(rows.len() + changes.len());
    let mut rest = rows;
    for (row, there) in changes {
        let before = rest.partition_point(|other| other < row);
        merged.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first() == Some(row) {
            rest = &rest[1..];
        }
        if *there {
            merged.push(*row);
        }
    }
    merged.extend_from_slice(rest);
    merged.shrink_to_fit();
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(owner: u8, address: u64) -> Row {
        (OwnerKey([owner; 8]), Address::from_number(address))
    }

    fn addresses(mirror: &Mirror, owner: u8) -> Option<Vec<u64>> {
        mirror.of(&OwnerKey([owner; 8])).map(|found| found.map(|at| at.to_number()).collect())
    }

    #[test]
    fn a_bucket_that_is_not_here_says_so() {
        let mut mirror = Mirror::new(100);
        assert_eq!(addresses(&mirror, 1), None);
        mirror.admit(bucket(&OwnerKey([1; 8])), &[]);
        assert_eq!(addresses(&mirror, 1), Some(Vec::new()));
        assert_eq!(mirror.contains(&row(2, 1)), None);
    }

    #[test]
    fn changes_count_once_however_often_they_are_brought() {
        let mut mirror = Mirror::new(100);
        let place = bucket(&OwnerKey([1; 8]));
        mirror.admit(place, &[row(1, 7), row(1, 3)]);
        for _ in 0..2 {
            mirror.bring(place, &[(row(1, 3), false), (row(1, 5), true), (row(1, 9), true)]);
        }
        assert_eq!(addresses(&mirror, 1), Some(vec![5, 7, 9]));
        assert_eq!((mirror.contains(&row(1, 5)), mirror.contains(&row(1, 3))), (Some(true), Some(false)));
        assert_eq!(mirror.rows, 3);
    }

    #[test]
    fn more_rows_than_the_bound_are_never_kept() {
        let mut mirror = Mirror::new(100);
        for owner in 0..=255 {
            let rows: Vec<Row> = (0..10).map(|address| row(owner, address)).collect();
            mirror.admit(bucket(&OwnerKey([owner; 8])), &rows);
            assert!(mirror.rows <= 100);
        }
        assert_eq!(mirror.buckets.iter().flatten().map(Vec::len).sum::<usize>(), mirror.rows);
    }
}
