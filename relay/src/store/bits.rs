//! One bit for each page of a segment.

use std::ops::Range;

use super::page::PageNumber;

/// A set of page numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Bits {
    words: Vec<u64>,
    count: u32,
}

impl Bits {
    /// The set of those words, 64 pages each, the lowest page in the lowest bit.
    pub fn from_words(words: Vec<u64>) -> Self {
        let count = words.iter().map(|word| word.count_ones()).sum();
        Self { words, count }
    }

    /// The words; see [`Bits::from_words`].
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many pages are in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether a page is in it.
    pub fn has(&self, page: PageNumber) -> bool {
        self.words.get(page as usize / 64).is_some_and(|word| word & (1 << (page % 64)) != 0)
    }

    /// Adds a page. Says whether it was not there.
    pub fn insert(&mut self, page: PageNumber) -> bool {
        let word = page as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let new = !self.has(page);
        self.words[word] |= 1 << (page % 64);
        self.count += u32::from(new);
        new
    }

    /// Takes a page out. Says whether it was there.
    pub fn remove(&mut self, page: PageNumber) -> bool {
        let there = self.has(page);
        if there {
            self.words[page as usize / 64] &= !(1 << (page % 64));
            self.count -= 1;
        }
        there
    }

    /// The pages, rising.
    pub fn iter(&self) -> impl Iterator<Item = PageNumber> {
        let pages = |(index, word): (usize, &u64)| {
            let (start, word) = (index as PageNumber * 64, *word);
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| start + bit)
        };
        self.words.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(pages)
    }

    /// The pages that are in this set and not in `other`, as runs.
    pub fn runs_without(&self, other: &Self) -> Vec<Range<PageNumber>> {
        let mut runs: Vec<Range<PageNumber>> = Vec::new();
        for page in self.iter().filter(|page| !other.has(*page)) {
            match runs.last_mut() {
                Some(run) if run.end == page => run.end += 1,
                _ => runs.push(page..page + 1),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_and_go() {
        let mut bits = Bits::default();
        assert!(bits.insert(3) && bits.insert(200) && !bits.insert(3));
        assert_eq!((bits.count(), bits.has(200), bits.has(201)), (2, true, false));
        assert!(bits.remove(3) && !bits.remove(3) && !bits.remove(9999));
        assert_eq!(bits.iter().collect::<Vec<_>>(), [200]);
        assert_eq!(Bits::from_words(bits.words().to_vec()), bits);
    }

    #[test]
    fn what_one_set_has_more_than_another_comes_in_runs() {
        let (mut all, mut some) = (Bits::default(), Bits::default());
        for page in (60..70).chain(80..82) {
            all.insert(page);
        }
        some.insert(65);
        assert_eq!(all.runs_without(&some), [60..65, 66..70, 80..82]);
    }
}
