//! Rows that the index has not seen yet, in memory, with what became of each (docs/spec/store.md §7).
//!
//! They lie in trees by bucket: a put looks into its owner's tree several times, and in one tree of all rows nearly
//! every step would miss the processor's cache. Trees and not lists, because a bucket is soon found by trying keys: who
//! puts only to one must not slow the others.

use std::collections::BTreeMap;
use std::iter::repeat_with;

use super::page::Address;
use super::rows::{BUCKETS, OwnerKey, Row, bucket};

/// Rows of a bucket with what became of each: true added, false dropped.
pub type Bucket = BTreeMap<Row, bool>;

/// Rows with what became of each.
#[derive(Clone)]
pub struct Overlay {
    buckets: Vec<Bucket>,
    /// Rows in all buckets.
    rows: usize,
}

impl Default for Overlay {
    fn default() -> Self {
        Self { buckets: repeat_with(Bucket::new).take(BUCKETS).collect(), rows: 0 }
    }
}

impl Overlay {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What became of a row; none where it is not here.
    pub fn get(&self, row: &Row) -> Option<bool> {
        self.buckets[bucket(&row.0)].get(row).copied()
    }

    /// Sets what became of a row.
    pub fn insert(&mut self, row: Row, there: bool) {
        let before = self.buckets[bucket(&row.0)].insert(row, there);
        self.rows += usize::from(before.is_none());
    }

    /// Knows nothing of a row any more.
    pub fn remove(&mut self, row: &Row) {
        let before = self.buckets[bucket(&row.0)].remove(row);
        self.rows -= usize::from(before.is_some());
    }

    /// The rows of a bucket.
    pub fn bucket(&self, bucket: usize) -> &Bucket {
        &self.buckets[bucket]
    }

    /// An owner's addresses, rising, with what became of each.
    pub fn of(&self, owner: &OwnerKey) -> impl Iterator<Item = (Address, bool)> {
        let range = (*owner, Address::from_number(0))..=(*owner, Address::from_number(u64::MAX));
        self.buckets[bucket(owner)].range(range).map(|((_, address), there)| (*address, *there))
    }

    /// All rows, rising.
    pub fn iter(&self) -> impl Iterator<Item = (Row, bool)> {
        self.buckets.iter().flatten().map(|(row, there)| (*row, *there))
    }

    /// Takes in what is newer.
    pub fn extend(&mut self, newer: Self) {
        for (row, there) in newer.buckets.into_iter().flatten() {
            self.insert(row, there);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first byte of an owner, of a few buckets, among them the first and the last; and an address.
    fn any_row() -> impl Strategy<Value = (u8, u64)> {
        (proptest::sample::select(vec![0, 0x0f, 0x10, 0x80, 0xff]), 0..4u64)
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_the_order_of_its_rows(
            steps in proptest::collection::vec((any_row(), any::<Option<bool>>()), 0..60),
        ) {
            let (mut overlay, mut map) = (Overlay::default(), Bucket::new());
            for ((first, address), step) in steps {
                let row = (OwnerKey([first; 8]), Address::from_number(address));
                match step {
                    Some(there) => {
                        overlay.insert(row, there);
                        map.insert(row, there);
                    }
                    None => {
                        overlay.remove(&row);
                        map.remove(&row);
                    }
                }
                prop_assert_eq!(overlay.get(&row), map.get(&row).copied());
                prop_assert_eq!(overlay.rows(), map.len());
                let same = map.iter().filter(|(other, _)| other.0 == row.0);
                prop_assert!(overlay.of(&row.0).eq(same.map(|((_, at), there)| (*at, *there))));
            }
            prop_assert!(overlay.iter().eq(map));
        }
    }
}
