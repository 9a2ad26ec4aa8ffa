//! Rows of one bucket as the index keeps them: chunk upon chunk, each with the rows that one settling added and dropped
//! (docs/spec/store.md §7).
//!
//! A row comes once, goes once and never comes back, so what chunks stand for does not hang on their order: all rows
//! added, less all that were dropped. An address is one record's and so one row's alone; a drop needs no owner. Drops
//! must stay until they meet every chunk that is older.

use super::index::IndexError;
use super::page::Address;
use super::rows::{OWNER_KEY_BYTES, OwnerKey, Row};

/// Chunks of about one size that become one.
const FAN_IN: usize = 4;

const ADDRESS_BYTES: usize = 8;
const ROW_BYTES: usize = OWNER_KEY_BYTES + ADDRESS_BYTES;
const COUNT_BYTES: usize = 4;

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

    /// Bytes of [`Chunk::encode`].
    pub fn bytes(&self) -> usize {
        COUNT_BYTES + self.added.len() * ROW_BYTES + self.dropped.len() * ADDRESS_BYTES
    }

    /// count of rows added u32 | (owner's first 16 bytes, address u64) … | addresses dropped u64 …
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        out.extend((self.added.len() as u32).to_le_bytes());
        for (owner, address) in &self.added {
            out.extend(owner.0);
            out.extend(address.to_number().to_le_bytes());
        }
        for address in &self.dropped {
            out.extend(address.to_number().to_le_bytes());
        }
        out
    }

    /// Reads the bytes of [`Chunk::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let (count, rest) = bytes.split_first_chunk::<COUNT_BYTES>().ok_or(IndexError::Incomplete)?;
        let added_bytes = (u32::from_le_bytes(*count) as usize).saturating_mul(ROW_BYTES);
        let (added, dropped) = rest.split_at_checked(added_bytes).ok_or(IndexError::Incomplete)?;
        let (added, _) = added.as_chunks::<ROW_BYTES>();
        let (dropped, left) = dropped.as_chunks::<ADDRESS_BYTES>();
        if !left.is_empty() {
            return Err(IndexError::Incomplete);
        }
        let dropped = dropped.iter().map(|bytes| address(*bytes)).collect();
        Ok(Self { added: added.iter().map(row).collect(), dropped })
    }
}

fn row(bytes: &[u8; ROW_BYTES]) -> Row {
    let (mut owner, mut number) = ([0; OWNER_KEY_BYTES], [0; ADDRESS_BYTES]);
    owner.copy_from_slice(&bytes[..OWNER_KEY_BYTES]);
    number.copy_from_slice(&bytes[OWNER_KEY_BYTES..]);
    (OwnerKey(owner), address(number))
}

fn address(bytes: [u8; ADDRESS_BYTES]) -> Address {
    Address::from_number(u64::from_le_bytes(bytes))
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
        (OwnerKey([owner; 16]), Address::from_number(address))
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
        for bytes in [&whole[..3], &whole[..20], &whole[..whole.len() - 1], &more_than_any_has] {
            assert!(Chunk::decode(bytes).is_err(), "{} bytes", bytes.len());
        }
    }

    #[test]
    fn a_drop_outlives_the_chunk_in_which_its_row_is_not() {
        let newer = Chunk::joined([Chunk::of(&[(row(1, 5), false)]), Chunk::of(&[(row(1, 6), true)])]);
        let all = Chunk::joined([newer, Chunk::of(&[(row(1, 5), true)])]);
        assert!(all.into_rows() == [row(1, 6)]);
    }

    #[test]
    fn four_of_a_size_become_one() {
        assert_eq!(to_join(&[24]), 1);
        assert_eq!(to_join(&[24, 24, 24]), 1);
        assert_eq!(to_join(&[24, 24, 24, 24]), 4);
        assert_eq!(to_join(&[960, 24, 24, 24]), 1);
        assert_eq!(to_join(&[100, 100, 100, 24, 24, 24, 24]), 7);
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
        assert!(sizes.len() <= 18);
        assert!(written <= 4096 * 24 * 8);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_chunk_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(chunk) = Chunk::decode(&bytes) {
                prop_assert!(chunk.encode().len() <= bytes.len());
            }
        }
    }
}
