//! Sealed envelopes that nobody is known to have opened yet (docs/spec/client.md §3).
//!
//! An envelope and the state that sealed it are in the vault before the first put; only these bytes are ever put again.
//! Where there are two relays it is put at the first, and at the second when the first is known to be silent or has not
//! said *stored* within 15 seconds, when nothing has shown within 4 hours that it was opened, or when the relay that has it
//! can't be reached for 10 minutes.
//!
//! Invariant: an entry leaves the outbox only when it is shown to have been opened, is withdrawn, or has expired; so a
//! crash can repeat a put but never lose one.

mod entry;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use poterne_protocol::envelope::{Class, EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::WriteTo;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;

pub use entry::Turn;
pub(crate) use stored::OutboxPlain;

use crate::effect::CallResult;
use crate::reach::Reach;
use entry::{Entry, Place, PlaceState};

/// Seconds that the first relay has to say *stored* before the second is asked.
pub const SECOND_RELAY_AFTER_SECS: u64 = 15;
/// Seconds without a sign that it was opened after which an envelope is put at the second relay too.
pub const SECOND_COPY_AFTER_SECS: u64 = 4 * 3600;
/// Seconds for which a relay that has an envelope can't be reached before it is put at the other one too.
pub const COPY_WHEN_SILENT_SECS: u64 = 600;
/// Seconds before the first repetition of a put; each further one waits twice as long.
const RETRY_FIRST_SECS: u64 = 2;
/// Seconds between repetitions at most.
const RETRY_MAX_SECS: u64 = 300;
/// Relays that one envelope is meant for at most.
const TARGETS: usize = 2;

/// The number of an entry, rising, never used twice in one outbox.
pub type EntryId = u64;

/// A mailbox at a relay, named by its writer.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which relay.
    pub relay: Pin,
    /// Which mailbox.
    pub to: WriteTo,
}

/// What became of one put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutOutcome {
    /// It is on the disk of a relay, for the first time.
    Stored,
    /// It will be tried again.
    Again,
    /// That intake is closed or was never opened: a newer notice is needed.
    NotTaken,
    /// The relay wants to be paid.
    Price,
    /// Nothing new.
    Known,
}

/// What is under way to one relay or another, and what is stored but not yet known to be opened.
#[derive(Debug, Default)]
pub struct Outbox {
    next: EntryId,
    entries: BTreeMap<EntryId, Entry>,
}

impl Outbox {
    /// Takes a sealed envelope for one or two relays.
    pub fn push(
        &mut self,
        envelope: SealedEnvelope,
        class: Class,
        targets: Vec<Target>,
        now: UnixTime,
    ) -> EntryId {
        debug_assert!((1..=TARGETS).contains(&targets.len()), "an envelope goes to one or two relays");
        let place = |target| Place { target, state: PlaceState::Waiting, tries: 0, due: now };
        let last_day = class.last_day(now.day());
        let places = targets.into_iter().map(place).collect();
        let id = self.next;
        self.next += 1;
        self.entries
            .insert(id, Entry { envelope, class, turn: Turn::Now, last_day, first_try: None, places });
        id
    }

    /// When that entry may be put.
    pub fn set_turn(&mut self, id: EntryId, turn: Turn) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.turn = turn;
        }
    }

    /// Lets everything go that was held.
    pub fn let_go(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.turn == Turn::Held) {
            entry.turn = Turn::Now;
        }
    }

    /// Everything that is due, as (entry, place, relay, request); each counts as under way from now on.
    pub fn take_due(&mut self, now: UnixTime, reach: &Reach) -> Vec<(EntryId, usize, Pin, Request)> {
        let mut due = Vec::new();
        let mut all_stored = true;
        for (id, entry) in &mut self.entries {
            if entry.turn.has_come(all_stored) {
                entry.take_due(*id, reach, now, &mut due);
            }
            all_stored &= entry.is_stored();
        }
        due
    }

    /// The outcome of a put that `take_due` handed out.
    pub fn handle_outcome(
        &mut self,
        id: EntryId,
        place: usize,
        outcome: &CallResult,
        now: UnixTime,
    ) -> PutOutcome {
        let Some(entry) = self.entries.get_mut(&id) else { return PutOutcome::Known };
        let was_stored = entry.is_stored();
        let Some(place) = entry.places.get_mut(place) else { return PutOutcome::Known };
        match outcome {
            Ok(Answer::Stored) => {
                place.state = PlaceState::Stored(now);
                return if was_stored { PutOutcome::Known } else { PutOutcome::Stored };
            }
            Ok(Answer::Busy { retry_after_secs }) => place.wait(now, u64::from(*retry_after_secs)),
            _ => place.wait(now, 0),
        }
        match outcome {
            Ok(Answer::NotOpen | Answer::Moved) => PutOutcome::NotTaken,
            Ok(Answer::Price { .. }) => PutOutcome::Price,
            _ => PutOutcome::Again,
        }
    }

    /// When `take_due` next has work to do.
    pub fn poll_timeout(&self, reach: &Reach) -> Option<UnixTime> {
        let mut all_stored = true;
        let mut due = Vec::new();
        for entry in self.entries.values() {
            due.extend(entry.due_times(reach).filter(|_| entry.turn.has_come(all_stored)));
            all_stored &= entry.is_stored();
        }
        due.into_iter().min()
    }

    /// Makes everything that waits for a repetition due at once.
    pub fn hurry(&mut self, now: UnixTime) {
        for place in self.entries.values_mut().flat_map(|entry| &mut entry.places) {
            place.due = place.due.min(now);
        }
    }

    /// Whether a relay has that entry; an entry that is gone was opened.
    pub fn is_stored(&self, id: EntryId) -> bool {
        self.entries.get(&id).is_none_or(Entry::is_stored)
    }

    /// Whether every entry is on the disk of a relay.
    pub fn is_settled(&self) -> bool {
        self.entries.values().all(Entry::is_stored)
    }

    /// The reader has opened it, or it is withdrawn.
    pub fn remove(&mut self, id: EntryId) -> bool {
        self.entries.remove(&id).is_some()
    }

    /// Drops what has expired and returns it.
    pub fn expire(&mut self, now: UnixTime) -> Vec<EntryId> {
        let gone: Vec<EntryId> =
            self.entries.iter().filter(|(_, entry)| now >= entry.last_day.end()).map(|(id, _)| *id).collect();
        for id in &gone {
            self.entries.remove(id);
        }
        gone
    }

    /// The numbers of all entries, rising.
    pub fn ids(&self) -> impl Iterator<Item = EntryId> {
        self.entries.keys().copied()
    }

    /// Where an entry was put, or is to be put first, and the id of its envelope.
    pub fn location(&self, id: EntryId) -> Option<(&Target, EnvelopeId)> {
        let entry = self.entries.get(&id)?;
        let stored = entry.places.iter().find(|place| matches!(place.state, PlaceState::Stored(_)));
        stored.or(entry.places.first()).map(|place| (&place.target, entry.envelope.id()))
    }

    /// The envelope of an entry.
    pub fn envelope(&self, id: EntryId) -> Option<&SealedEnvelope> {
        self.entries.get(&id).map(|entry| &entry.envelope)
    }
}
