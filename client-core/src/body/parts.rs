//! Cutting a body into parts and joining them again (docs/spec/ratchet.md §7).
//!
//! Parts of one body follow each other in one chain. Invariant: a body is delivered once, when all of it is there,
//! whatever the order in which its parts came; texts are cut between characters.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{Part, PartMark};

/// Parts of one body at most: what one chain holds.
const PARTS_MAX: usize = 256;

/// Parts that wait for others at most, some 430 KB, so that they fit into a record. The oldest go first; only a peer
/// that never ends its bodies gets there.
const WAITING_MAX: usize = PARTS_MAX;

/// Cuts `bytes` into parts of at most `first` and then `later` bytes, never inside a UTF-8 character. An empty body is
/// one empty part. None where it takes more than 256 parts.
pub fn split(kind: u8, bytes: &[u8], first: usize, later: usize) -> Option<Vec<Part>> {
    let mut pieces = vec![take(bytes, first)];
    let mut rest = &bytes[pieces[0].len()..];
    while !rest.is_empty() {
        if pieces.len() == PARTS_MAX {
            return None;
        }
        let piece = take(rest, later);
        rest = &rest[piece.len()..];
        pieces.push(piece);
    }
    let count = pieces.len();
    let part = |(place, piece): (usize, &[u8])| Part {
        kind,
        mark: PartMark {
            continues: place > 0,
            left: u16::try_from(count - 1 - place).expect("a body has at most 256 parts"),
        },
        bytes: Zeroizing::new(piece.to_vec()),
    };
    Some(pieces.into_iter().enumerate().map(part).collect())
}

/// The longest beginning of at most `max` bytes that ends between characters; exactly `max` where `bytes` is no text.
fn take(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    let is_boundary = |end: &usize| bytes[*end] & 0xc0 != 0x80;
    let end =
        (max.saturating_sub(3)..=max).rev().find(is_boundary).filter(|end| *end > 0).unwrap_or(max.max(1));
    &bytes[..end]
}

/// Joins the parts of the bodies of one conversation.
#[derive(Clone, Default)]
pub struct Assembler {
    waiting: BTreeMap<(u32, u32), Part>,
}

crate::secret::silent!(Assembler);

/// A body that is complete.
#[derive(Clone)]
pub struct Whole {
    /// The chain of its parts.
    pub chain: u32,
    /// The numbers of its first and last part.
    pub range: (u32, u32),
    /// Its type.
    pub kind: u8,
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
}

crate::secret::silent!(Whole);

impl Assembler {
    /// Takes in a part. Returns the body that it completes.
    pub fn insert(&mut self, chain: u32, n: u32, part: Part) -> Option<Whole> {
        if part.mark == PartMark::WHOLE {
            return Some(Whole { chain, range: (n, n), kind: part.kind, bytes: part.bytes });
        }
        let kind = part.kind;
        let last = n.checked_add(u32::from(part.mark.left))?;
        self.waiting.insert((chain, n), part);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_first();
        }
        let first = self.first_of(chain, n, last)?;
        self.is_complete(chain, first, last).then(|| self.join(chain, first, last, kind))
    }

    /// How many parts wait for others.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The parts that wait, in order, for storing them.
    pub fn parts(&self) -> impl Iterator<Item = (u32, u32, &Part)> {
        self.waiting.iter().map(|((chain, n), part)| (*chain, *n, part))
    }

    /// Walks back from part `n` to the first one of its body.
    fn first_of(&self, chain: u32, n: u32, last: u32) -> Option<u32> {
        let mut place = n;
        loop {
            let part = self.waiting.get(&(chain, place))?;
            if place.checked_add(u32::from(part.mark.left)) != Some(last) {
                return None;
            }
            if !part.mark.continues {
                return Some(place);
            }
            place = place.checked_sub(1)?;
        }
    }

    fn is_complete(&self, chain: u32, first: u32, last: u32) -> bool {
        (first..=last).all(|n| {
            let part = self.waiting.get(&(chain, n));
            part.is_some_and(|part| {
                n + u32::from(part.mark.left) == last && part.mark.continues == (n > first)
            })
        })
    }

    fn join(&mut self, chain: u32, first: u32, last: u32, kind: u8) -> Whole {
        let mut parts = (first..=last).filter_map(|n| self.waiting.remove(&(chain, n)));
        let bytes = parts.by_ref().fold(Zeroizing::new(Vec::new()), |joined, part| {
            Zeroizing::new([joined.as_slice(), &part.bytes].concat())
        });
        Whole { chain, range: (first, last), kind, bytes }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join_in_order(parts: Vec<Part>, order: &[usize]) -> Vec<Whole> {
        let mut assembler = Assembler::default();
        order
            .iter()
            .filter_map(|place| assembler.insert(2, 7 + *place as u32, parts[*place].clone()))
            .collect()
    }

    #[test]
    fn an_empty_body_is_one_empty_part() {
        let parts = split(1, b"", 10, 10).unwrap();
        assert_eq!((parts.len(), parts[0].mark), (1, PartMark::WHOLE));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let text = "ґ€😀".repeat(20);
        for part in split(1, text.as_bytes(), 5, 7).unwrap() {
            assert!(core::str::from_utf8(&part.bytes).is_ok());
        }
    }

    #[test]
    fn what_takes_more_than_256_parts_is_refused() {
        assert!(split(1, &[b'a'; 256], 1, 1).is_some());
        assert!(split(1, &[b'a'; 257], 1, 1).is_none());
    }

    #[test]
    fn a_peer_that_never_ends_its_bodies_fills_no_memory() {
        let mut assembler = Assembler::default();
        let mark = PartMark { continues: true, left: 1 };
        for chain in 0..20 {
            for n in 0..256 {
                assembler.insert(chain, n, Part { kind: 1, mark, bytes: Zeroizing::new(vec![]) });
            }
        }
        assert_eq!(assembler.waiting(), WAITING_MAX);
    }

    #[test]
    fn two_bodies_behind_each_other_stay_two() {
        let (one, two) = (split(1, b"abcd", 2, 2).unwrap(), split(1, b"efgh", 2, 2).unwrap());
        let mut assembler = Assembler::default();
        let parts: Vec<Part> = one.into_iter().chain(two).collect();
        let texts: Vec<Vec<u8>> = [2, 1, 3, 0]
            .iter()
            .filter_map(|n| assembler.insert(0, *n, parts[*n as usize].clone()))
            .map(|whole| whole.bytes.to_vec())
            .collect();
        assert_eq!(texts, [b"efgh".to_vec(), b"abcd".to_vec()]);
    }

    proptest! {
        #[test]
        fn a_body_is_delivered_once_whatever_the_order(
            text in ".{0,300}",
            first in 4usize..40,
            later in 4usize..40,
            seed in any::<u64>(),
        ) {
            let parts = split(1, text.as_bytes(), first, later).unwrap();
            let mut order: Vec<usize> = (0..parts.len()).collect();
            order.sort_by_key(|place| (*place as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
            let wholes = join_in_order(parts, &order);
            prop_assert_eq!(wholes.len(), 1);
            prop_assert_eq!(wholes[0].bytes.as_slice(), text.as_bytes());
        }

        #[test]
        fn hostile_marks_never_panic(marks in proptest::collection::vec((0u32..300, any::<u16>()), 0..50)) {
            let mut assembler = Assembler::default();
            for (n, mark) in marks {
                let mark = PartMark::from_wire(mark);
                assembler.insert(0, n, Part { kind: 1, mark, bytes: Zeroizing::new(vec![0]) });
            }
        }
    }
}
