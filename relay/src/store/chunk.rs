//! Rows of one bucket as the index keeps them: chunk upon chunk, each with the rows that one settling added and dropped
//! (docs/spec/store.md §7).
//!
//! A row comes once, goes once and never comes back, so what chunks stand for does not hang on their order: all rows
//! added, less all that were dropped. An address is one record's and so one row's alone; a drop needs no owner. Drops
//! must stay until they meet every chunk that is older.

use serde::{Deserialize, Serialize};

use super::index::IndexError;
use super::page::Address;
use super::rows::{OWNER_KEY_BYTES, OwnerKey, Row};

/// Chunks of about one size that become one.
const FAN_IN: usize = 8;
/// Bytes of the largest chunk of the least size class; each class reaches four times as far as the one below it.
const CLASS_BYTES: usize = 256;
/// Size classes.
pub const CLASSES: u8 = 8;

/// Rows of a bucket that were added and dropped, both sorted.
#[derive(Default)]
pub struct Chunk {
    added: Vec<Row>,
    dropped: Vec<Address>,
}

impl Chunk {
    /// Rows added (true) and dropped (false).
    pub fn of(changes: &[(Row, bool)]) -> Self {
        let added = changes.iter().filter(|(_, there)| *there).map(|(row, _)| *row).collect();
        let dropped = changes.iter().filter(|(_, there)| !there).map(|((_, address), _)| *address).collect();
        Self { added, dropped }.sorted()
    }

    /// What chunks of one bucket say together.
    pub fn joined(chunks: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for chunk in chunks {
            all.added.extend(chunk.added);
            all.dropped.extend(chunk.dropped);
        }
        let mut all = all.sorted();
        if !all.dropped.is_empty() {
            all.added.retain(|(_, address)| all.dropped.binary_search(address).is_err());
        }
        all
    }

    fn sorted(mut self) -> Self {
        self.added.sort_unstable();
        self.added.dedup();
        self.dropped.sort_unstable();
        self.dropped.dedup();
        self
    }

    /// Forgets what was dropped: no older chunk is left that could hold it.
    pub fn forget_drops(&mut self) {
        self.dropped.clear();
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty()
    }

    /// The rows in their order, where this is all that is known of the bucket.
    pub fn into_rows(self) -> Vec<Row> {
        self.added
    }

    /// As it is kept: postcard's varints of [`Kept`].
    pub fn encode(&self) -> Vec<u8> {
        let of_owner = |same: &[Row]| (same[0].0.0, steps(same.iter().map(|(_, address)| *address)));
        let added = self.added.chunk_by(|(one, _), (next, _)| one == next).map(of_owner).collect();
        let kept = Kept { added, dropped: steps(self.dropped.iter().copied()) };
        postcard::to_allocvec(&kept).expect("what is in memory has a length")
    }

    /// Reads the bytes of [`Chunk::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let (kept, left) = postcard::take_from_bytes::<Kept>(bytes).map_err(|_| IndexError::Incomplete)?;
        if !left.is_empty() {
            return Err(IndexError::Incomplete);
        }
        let rows = |(owner, steps): ([u8; OWNER_KEY_BYTES], Vec<u64>)| {
            addresses(steps).map(move |address| (OwnerKey(owner), address))
        };
        let added = kept.added.into_iter().flat_map(rows).collect();
        Ok(Self { added, dropped: addresses(kept.dropped).collect() })
    }
}

/// A chunk on the disk. An owner's key stands once, and addresses as the steps between them: keys and addresses are most
/// of what an index writes.
#[derive(Deserialize, Serialize)]
struct Kept {
    added: Vec<([u8; OWNER_KEY_BYTES], Vec<u64>)>,
    dropped: Vec<u64>,
}

/// Rising addresses as steps from one to the next, the first from 0.
fn steps(addresses: impl Iterator<Item = Address>) -> Vec<u64> {
    let mut last = 0;
    let step = |address: Address| {
        let number = address.to_number();
        number - std::mem::replace(&mut last, number)
    };
    addresses.map(step).collect()
}

/// The addresses of [`steps`]. Of steps that nobody made, any.
fn addresses(steps: Vec<u64>) -> impl Iterator<Item = Address> {
    let sum = |last: &mut u64, step: u64| {
        *last = last.wrapping_add(step);
        Some(Address::from_number(*last))
    };
    steps.into_iter().scan(0, sum)
}

/// The size class of a chunk of so many bytes: see [`CLASSES`].
pub fn class(bytes: usize) -> u8 {
    let times = (bytes / CLASS_BYTES).checked_ilog2().map_or(0, |log| log / 2 + 1);
    (times as u8).min(CLASSES - 1)
}

/// How many of the newest chunks are to become one, by the bytes of all, oldest first: so few that a row is written
/// again only as often as its bucket has grown [`FAN_IN`] times over.
pub fn to_join(sizes: &[usize]) -> usize {
    let mut joined = 1;
    let mut bytes = sizes.last().copied().unwrap_or(0);
    loop {
        let older = &sizes[..sizes.len().saturating_sub(joined)];
        let Some(next) = older.len().checked_sub(FAN_IN - 1).map(|first| &older[first..]) else {
            return joined;
        };
        if next.iter().any(|size| *size > 2 * bytes) {
            return joined;
        }
        joined += next.len();
        bytes += next.iter().sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(owner: u8, address: u64) -> Row {
        (OwnerKey([owner; 8]), Address::from_number(address))
    }

    #[test]
    fn a_chunk_is_read_as_it_was_written() {
        let chunk = Chunk::of(&[(row(1, 5), true), (row(2, 7), true), (row(3, 9), false)]);
        let read = Chunk::decode(&chunk.encode()).expect("reads");
        assert!(read.added == chunk.added && read.dropped == chunk.dropped);
    }

    #[test]
    fn a_chunk_of_which_bytes_are_missing_or_left_over_is_refused() {
        let whole = Chunk::of(&[(row(1, 5), true), (row(3, 9), false)]).encode();
        let more_than_any_has = u32::MAX.to_le_bytes();
        let left_over = [&whole[..], &[0]].concat();
        for bytes in [&whole[..3], &whole[..10], &whole[..whole.len() - 1], &more_than_any_has, &left_over] {
            assert!(Chunk::decode(bytes).is_err(), "{} bytes", bytes.len());
        }
    }

    #[test]
    fn the_key_of_an_owner_stands_once() {
        let rows: Vec<(Row, bool)> = (0..5).map(|address| (row(1, 1 << 40 | address << 14), true)).collect();
        let chunk = Chunk::of(&rows);
        assert_eq!(chunk.encode().len(), 1 + 8 + 1 + 6 + 4 * 3 + 1);
        assert!(Chunk::decode(&chunk.encode()).expect("reads").added == chunk.added);
    }

    #[test]
    fn classes_rise_by_four_times_the_bytes() {
        let at = [0, 255, 256, 1023, 1024, 4096, 16_384, 65_536, 262_144, 1 << 20, 1 << 30];
        assert_eq!(at.map(class), [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7]);
    }

    #[test]
    fn a_drop_outlives_the_chunk_in_which_its_row_is_not() {
        let newer = Chunk::joined([Chunk::of(&[(row(1, 5), false)]), Chunk::of(&[(row(1, 6), true)])]);
        let all = Chunk::joined([newer, Chunk::of(&[(row(1, 5), true)])]);
        assert!(all.into_rows() == [row(1, 6)]);
    }

    #[test]
    fn eight_of_a_size_become_one() {
        assert_eq!(to_join(&[24]), 1);
        assert_eq!(to_join(&[24; 7]), 1);
        assert_eq!(to_join(&[24; 8]), 8);
        assert_eq!(to_join(&[&[960][..], &[24; 7]].concat()), 1);
        assert_eq!(to_join(&[[100; 7].as_slice(), &[24; 8]].concat()), 15);
    }

    #[test]
    fn few_chunks_are_left_however_many_come() {
        let (mut sizes, mut written) = (Vec::<usize>::new(), 0);
        for _ in 0..4096 {
            sizes.push(24);
            let kept = sizes.len() - to_join(&sizes);
            let joined = sizes.split_off(kept).into_iter().sum();
            sizes.push(joined);
            written += joined;
        }
        assert!(sizes.len() <= 4 * (FAN_IN - 1));
        assert!(written <= 4096 * 24 * 5);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_chunk_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(chunk) = Chunk::decode(&bytes) {
                let chunk = chunk.sorted();
                let read = Chunk::decode(&chunk.encode()).expect("reads");
                prop_assert!(read.added == chunk.added && read.dropped == chunk.dropped);
            }
        }
    }
}
