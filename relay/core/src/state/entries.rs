//! The envelopes of one mailbox, by position and by id.
//!
//! Invariant: an id stands at one position at most, and `ids`, where it exists, names all of them. It exists once there
//! are more envelopes than a search from end to end is good for.

use std::collections::BTreeMap;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::time::Day;

use crate::change::{Locator, Position};
use crate::small_map::SmallMap;

/// Envelopes up to which an id is searched for one by one.
const SEARCHED: usize = 64;

/// An envelope that waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: EnvelopeId,
    /// The last day on which it is served.
    pub last_day: Day,
    /// Where the store keeps it.
    pub at: Locator,
}

/// The envelopes of one mailbox in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    by_position: SmallMap<Position, Entry>,
    #[expect(clippy::box_collection, reason = "a million mailboxes have none: 8 bytes instead of 24")]
    ids: Option<Box<BTreeMap<EnvelopeId, Position>>>,
}

/// The index is a means: two collections with the same envelopes are the same.
impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.by_position == other.by_position
    }
}
impl Eq for Entries {}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_position.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_position.is_empty()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Position, &Entry)> {
        self.by_position.iter().map(|(position, entry)| (*position, entry))
    }

    /// Those from `start` on, oldest first.
    pub fn from(&self, start: Position) -> impl DoubleEndedIterator<Item = (Position, &Entry)> {
        self.by_position.from(start).map(|(position, entry)| (*position, entry))
    }

    /// The envelope at that position.
    pub fn get(&self, position: Position) -> Option<&Entry> {
        self.by_position.get(&position)
    }

    /// The envelope of that id.
    pub fn find(&self, id: &EnvelopeId) -> Option<(Position, &Entry)> {
        match &self.ids {
            Some(ids) => ids.get(id).and_then(|position| Some((*position, self.get(*position)?))),
            None => self.iter().find(|(_, entry)| entry.id == *id),
        }
    }

    /// Adds an envelope. One that has the same id is left as it is.
    pub(super) fn insert(&mut self, position: Position, entry: Entry) {
        if self.find(&entry.id).is_some() || self.get(position).is_some() {
            return;
        }
        if let Some(ids) = &mut self.ids {
            ids.insert(entry.id, position);
        }
        self.by_position.insert(position, entry);
        if self.ids.is_none() && self.len() > SEARCHED {
            self.ids = Some(Box::new(self.iter().map(|(position, entry)| (entry.id, position)).collect()));
        }
    }

    /// Takes the envelope at that position out.
    pub(super) fn remove(&mut self, position: Position) -> Option<Entry> {
        let entry = self.by_position.remove(&position)?;
        if let Some(ids) = &mut self.ids {
            ids.remove(&entry.id);
        }
        Some(entry)
    }

    /// Takes out what has expired before `today`.
    pub(super) fn take_expired(&mut self, today: Day) -> Vec<(Position, Entry)> {
        let is_over = |entry: &Entry| entry.last_day < today;
        let expired: Vec<_> = self
            .iter()
            .filter(|(_, entry)| is_over(entry))
            .map(|(position, entry)| (position, entry.clone()))
            .collect();
        if !expired.is_empty() {
            self.by_position.retain(|_, entry| !is_over(entry));
            self.reindex();
        }
        expired
    }

    pub(super) fn relocate(&mut self, position: Position, at: Locator) {
        if let Some(entry) = self.by_position.get_mut(&position) {
            entry.at = at;
        }
    }

    fn reindex(&mut self) {
        let many = self.len() > SEARCHED;
        self.ids =
            many.then(|| Box::new(self.iter().map(|(position, entry)| (entry.id, position)).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, last_day: u32) -> Entry {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        Entry { id: EnvelopeId(id), last_day: Day(last_day), at: Locator(number) }
    }

    #[test]
    fn an_id_is_found_among_few_and_among_many() {
        let mut entries = Entries::default();
        for number in 0..200 {
            entries.insert(Position(number), entry(number, 1));
            assert_eq!(entries.find(&entry(0, 1).id).map(|(at, _)| at), Some(Position(0)));
            assert_eq!(entries.find(&entry(number, 1).id).map(|(at, _)| at), Some(Position(number)));
        }
        assert_eq!(entries.remove(Position(100)), Some(entry(100, 1)));
        assert_eq!(entries.find(&entry(100, 1).id), None);
        assert_eq!(entries.len(), 199);
        assert_eq!(entries.ids.map(|ids| ids.len()), Some(199));
    }

    #[test]
    fn what_has_expired_is_found_no_more() {
        let mut entries = Entries::default();
        for number in 0..200 {
            entries.insert(Position(number), entry(number, number as u32));
        }
        assert_eq!(entries.take_expired(Day(150)).len(), 150);
        assert_eq!(entries.find(&entry(149, 149).id), None);
        assert!(entries.find(&entry(150, 150).id).is_some());
        assert!(entries.ids.is_none());
    }

    fn with(numbers: core::ops::Range<u64>) -> Entries {
        let mut entries = Entries::default();
        numbers.for_each(|number| entries.insert(Position(number), entry(number, 1)));
        entries
    }

    #[test]
    fn there_is_an_index_from_the_65th_envelope_on() {
        for (count, is_indexed) in [(0, false), (64, false), (65, true), (66, true)] {
            let mut entries = with(0..count);
            assert_eq!(entries.ids.is_some(), is_indexed, "{count} came");
            entries.insert(Position(1000), entry(1000, 0));
            entries.take_expired(Day(1));
            assert_eq!(entries.ids.is_some(), is_indexed, "{count} are left");
        }
    }

    #[test]
    fn collections_are_equal_by_their_envelopes_whether_indexed_or_not() {
        let mut shrunk = with(0..65);
        shrunk.remove(Position(64));
        assert_eq!(shrunk, with(0..64));
        assert_ne!(with(0..2), with(0..3));
    }

    #[test]
    fn one_id_has_one_position() {
        let mut entries = Entries::default();
        entries.insert(Position(1), entry(7, 1));
        entries.insert(Position(2), entry(7, 1));
        assert_eq!(entries.len(), 1);
    }
}
