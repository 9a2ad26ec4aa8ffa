//! Which chunks of a file: one bit for each of at most 320.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Chunks of the longest file, padding included: 1 MiB takes 259, padded to 320.
const CHUNKS_MAX: u32 = 320;
const WORDS: usize = CHUNKS_MAX as usize / 64;

/// Some of the chunks of a file.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, Zeroize)]
pub(super) struct ChunkSet([u64; WORDS]);

impl ChunkSet {
    /// The first `count` chunks.
    pub(super) fn first(count: u32) -> Self {
        let mut all = Self::default();
        (0..count).for_each(|chunk| _ = all.insert(chunk));
        all
    }

    /// Whether that chunk was not there.
    pub(super) fn insert(&mut self, chunk: u32) -> bool {
        let Some(word) = self.0.get_mut(chunk as usize / 64) else { return false };
        let before = *word;
        *word |= 1 << (chunk % 64);
        *word != before
    }

    pub(super) fn remove(&mut self, chunk: u32) {
        if let Some(word) = self.0.get_mut(chunk as usize / 64) {
            *word &= !(1 << (chunk % 64));
        }
    }

    pub(super) fn contains(&self, chunk: u32) -> bool {
        self.0.get(chunk as usize / 64).is_some_and(|word| word >> (chunk % 64) & 1 == 1)
    }

    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// Those that are not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..CHUNKS_MAX).filter(move |chunk| self.contains(*chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_chunks() {
        let mut set = ChunkSet::first(3);
        assert!(set.insert(319) && !set.insert(319) && !set.insert(320));
        set.remove(1);
        assert!(set.iter().eq([0, 2, 319]));
        assert_eq!(set.len(), 3);
        assert!(set.without(&ChunkSet::first(64)).iter().eq([319]));
        assert_eq!(set.union(&ChunkSet::first(2)).len(), 4);
    }
}
