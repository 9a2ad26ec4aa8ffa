//! Sealed envelopes that nobody is known to have opened yet (docs/spec/client.md §3).
//!
//! An envelope and the state that sealed it are in the vault before the first put; only these bytes are ever put again.
//! Where there are two relays it is put at the first, and at the second when the first has not said *stored* within 15
//! seconds, when nothing has shown within 4 hours that it was opened, or when the first can't be reached for 10 minutes.
//!
//! Invariant: an entry leaves the outbox only when it is shown to have been opened, is withdrawn, or has expired; so a
//! crash can repeat a put but never lose one.

use std::collections::BTreeMap;

use poterne_protocol::envelope::{Class, EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, Pin, WriteForm};
use poterne_protocol::mailbox::{Kind, WriteTo};
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::effect::CallResult;
use crate::stored::StoredError;

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
    /// Relays that can't be reached, since when, in this run.
    silent: BTreeMap<Pin, UnixTime>,
}

/// When an entry may be put.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, Zeroize)]
pub enum Turn {
    /// When all earlier entries are stored.
    AfterAll,
    /// Not before [`Outbox::let_go`].
    Held,
    /// At once.
    Now,
}

impl Turn {
    fn has_come(self, all_earlier_are_stored: bool) -> bool {
        match self {
            Self::AfterAll => all_earlier_are_stored,
            Self::Held => false,
            Self::Now => true,
        }
    }
}

#[derive(Debug)]
struct Entry {
    envelope: SealedEnvelope,
    class: Class,
    turn: Turn,
    last_day: Day,
    first_try: Option<UnixTime>,
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    target: Target,
    state: PlaceState,
    tries: u32,
    due: UnixTime,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PlaceState {
    Waiting,
    UnderWay,
    Stored(UnixTime),
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
    pub fn take_due(&mut self, now: UnixTime) -> Vec<(EntryId, usize, Pin, Request)> {
        let mut due = Vec::new();
        let mut all_stored = true;
        for (id, entry) in &mut self.entries {
            if entry.turn.has_come(all_stored) {
                entry.take_due(*id, &self.silent, now, &mut due);
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
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let mut all_stored = true;
        let mut due = Vec::new();
        for entry in self.entries.values() {
            due.extend(entry.due_times(&self.silent).filter(|_| entry.turn.has_come(all_stored)));
            all_stored &= entry.is_stored();
        }
        due.into_iter().min()
    }

    /// A relay has answered anything at all, or can't be reached.
    pub fn note_reached(&mut self, relay: &Pin, is_reached: bool, now: UnixTime) {
        if is_reached {
            self.silent.remove(relay);
        } else {
            self.silent.entry(*relay).or_insert(now);
        }
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

impl Entry {
    fn is_stored(&self) -> bool {
        self.places.iter().any(|place| matches!(place.state, PlaceState::Stored(_)))
    }

    fn take_due(
        &mut self,
        id: EntryId,
        silent: &BTreeMap<Pin, UnixTime>,
        now: UnixTime,
        due: &mut Vec<(EntryId, usize, Pin, Request)>,
    ) {
        for number in 0..self.places.len() {
            if self.place_due(number, silent).is_some_and(|at| at <= now) {
                self.first_try.get_or_insert(now);
                let place = &mut self.places[number];
                place.state = PlaceState::UnderWay;
                place.tries += 1;
                due.push((id, number, place.target.relay, self.put(number)));
            }
        }
    }

    /// When that place is to be put at; `None` when it needs no put.
    fn place_due(&self, number: usize, silent: &BTreeMap<Pin, UnixTime>) -> Option<UnixTime> {
        let place = &self.places[number];
        if place.state != PlaceState::Waiting {
            return None;
        }
        let copied_from = self.places.iter().find_map(|other| other.copied_from(silent));
        match (number, copied_from, self.first_try) {
            (_, Some(from), _) => Some(place.due.max(from)),
            (0, None, _) => Some(place.due),
            (_, None, Some(tried)) => Some(place.due.max(tried.plus(SECOND_RELAY_AFTER_SECS))),
            (_, None, None) => None,
        }
    }

    fn due_times(&self, silent: &BTreeMap<Pin, UnixTime>) -> impl Iterator<Item = UnixTime> {
        (0..self.places.len()).filter_map(|number| self.place_due(number, silent))
    }

    fn put(&self, number: usize) -> Request {
        let to = self.places[number].target.to.clone();
        Request::Put(Put { to, class: self.class, payment: Payment::None, envelope: self.envelope.clone() })
    }
}

impl Place {
    /// Where it is stored: from when on a copy belongs at the other relay.
    fn copied_from(&self, silent: &BTreeMap<Pin, UnixTime>) -> Option<UnixTime> {
        let PlaceState::Stored(at) = self.state else { return None };
        let unopened = at.plus(SECOND_COPY_AFTER_SECS);
        let silent = silent.get(&self.target.relay).map(|since| since.plus(COPY_WHEN_SILENT_SECS));
        Some(silent.map_or(unopened, |silent| silent.min(unopened)))
    }

    fn wait(&mut self, now: UnixTime, at_least_secs: u64) {
        let backoff = RETRY_FIRST_SECS << self.tries.saturating_sub(1).min(8);
        self.state = PlaceState::Waiting;
        self.due = now.plus(backoff.min(RETRY_MAX_SECS).max(at_least_secs));
    }
}

/// An outbox at rest, without its envelopes, which lie in records of their own.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct OutboxPlain {
    next: EntryId,
    entries: Vec<EntryPlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct EntryPlain {
    id: EntryId,
    class: u8,
    turn: Turn,
    last_day: u32,
    first_try: Option<u64>,
    places: Vec<PlacePlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlacePlain {
    relay: [u8; 16],
    kind: u8,
    write: [u8; 32],
    read: [u8; 32],
    delete: [u8; 32],
    stored: Option<u64>,
}

impl Outbox {
    /// The form at rest. What was under way counts as waiting.
    pub(crate) fn to_plain(&self) -> OutboxPlain {
        let entries = self.entries.iter().map(|(id, entry)| entry.to_plain(*id)).collect();
        OutboxPlain { next: self.next, entries }
    }

    /// The outbox of a form; `envelope` finds the bytes of an entry in its record.
    pub(crate) fn from_plain(
        plain: &OutboxPlain,
        mut envelope: impl FnMut(EntryId) -> Result<SealedEnvelope, StoredError>,
    ) -> Result<Self, StoredError> {
        let mut entries = BTreeMap::new();
        for entry in &plain.entries {
            entries.insert(entry.id, Entry::from_plain(entry, envelope(entry.id)?)?);
        }
        Ok(Self { next: plain.next, entries, silent: BTreeMap::new() })
    }
}

impl Entry {
    fn to_plain(&self, id: EntryId) -> EntryPlain {
        EntryPlain {
            id,
            class: self.class.days(),
            turn: self.turn,
            last_day: self.last_day.0,
            first_try: self.first_try.map(|time| time.0),
            places: self.places.iter().map(Place::to_plain).collect(),
        }
    }

    fn from_plain(plain: &EntryPlain, envelope: SealedEnvelope) -> Result<Self, StoredError> {
        let places = plain.places.iter().map(Place::from_plain).collect::<Result<_, _>>()?;
        Ok(Self {
            envelope,
            class: Class::parse(plain.class).map_err(|_| StoredError::Damaged)?,
            turn: plain.turn,
            last_day: Day(plain.last_day),
            first_try: plain.first_try.map(UnixTime),
            places,
        })
    }
}

impl Place {
    fn to_plain(&self) -> PlacePlain {
        let WriteTo { kind, write, read, delete } = &self.target.to;
        PlacePlain {
            relay: self.target.relay.0,
            kind: kind.number(),
            write: *write.expose(),
            read: read.0,
            delete: delete.0,
            stored: match self.state {
                PlaceState::Stored(at) => Some(at.0),
                PlaceState::UnderWay | PlaceState::Waiting => None,
            },
        }
    }

    fn from_plain(plain: &PlacePlain) -> Result<Self, StoredError> {
        let to = WriteTo {
            kind: Kind::parse(plain.kind).map_err(|_| StoredError::Damaged)?,
            write: WriteForm::from_bytes(&plain.write),
            read: KeyHash(plain.read),
            delete: KeyHash(plain.delete),
        };
        let state = plain.stored.map_or(PlaceState::Waiting, |at| PlaceState::Stored(UnixTime(at)));
        Ok(Self { target: Target { relay: Pin(plain.relay), to }, state, tries: 0, due: UnixTime(0) })
    }
}

#[cfg(test)]
mod tests {
    use poterne_protocol::keys::MailboxSecret;

    use super::*;
    use crate::effect::CallError;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DEAD: CallResult = Err(CallError::Unreachable);

    #[test]
    fn an_envelope_goes_to_the_first_relay_only_when_it_is_stored_there() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
        assert_eq!(places(outbox.take_due(NOW)), [(id, 0)]);
        assert_eq!(outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW), PutOutcome::Stored);
        assert!(outbox.is_stored(id));
        assert_eq!(places(outbox.take_due(NOW.plus(SECOND_RELAY_AFTER_SECS))), []);
    }

    #[test]
    fn the_second_relay_is_asked_when_the_first_is_silent_for_15_seconds() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
        outbox.take_due(NOW);
        assert_eq!(places(outbox.take_due(NOW.plus(14))), []);
        assert_eq!(places(outbox.take_due(NOW.plus(15))), [(id, 1)]);
    }

    #[test]
    fn an_unopened_envelope_is_put_at_the_second_relay_after_four_hours() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
        outbox.take_due(NOW);
        outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW);
        assert_eq!(places(outbox.take_due(NOW.plus(SECOND_COPY_AFTER_SECS - 1))), []);
        assert_eq!(places(outbox.take_due(NOW.plus(SECOND_COPY_AFTER_SECS))), [(id, 1)]);
    }

    #[test]
    fn an_envelope_is_put_at_the_second_relay_when_the_first_has_been_dead_for_ten_minutes() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
        outbox.take_due(NOW);
        outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW);
        outbox.note_reached(&targets()[0].relay, false, NOW.plus(60));
        assert_eq!(places(outbox.take_due(NOW.plus(659))), []);
        assert_eq!(places(outbox.take_due(NOW.plus(660))), [(id, 1)]);
    }

    #[test]
    fn a_failed_put_is_repeated_ever_more_slowly() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::THIRTY, vec![targets().remove(0)], NOW);
        let mut now = NOW;
        for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(places(outbox.take_due(now)), [(id, 0)]);
            assert_eq!(outbox.handle_outcome(id, 0, &DEAD, now), PutOutcome::Again);
            assert_eq!(outbox.poll_timeout(), Some(now.plus(pause)));
            now = now.plus(pause);
        }
    }

    #[test]
    fn what_goes_after_all_waits_until_the_others_are_stored() {
        let mut outbox = Outbox::default();
        let part = outbox.push(envelope(1), Class::FOUR, targets(), NOW);
        let last = outbox.push(envelope(2), Class::FOUR, targets(), NOW);
        outbox.set_turn(last, Turn::AfterAll);
        assert_eq!(places(outbox.take_due(NOW)), [(part, 0)]);
        assert_eq!(outbox.poll_timeout(), Some(NOW.plus(SECOND_RELAY_AFTER_SECS)));
        outbox.handle_outcome(part, 0, &Ok(Answer::Stored), NOW);
        assert_eq!(places(outbox.take_due(NOW)), [(last, 0)]);
    }

    #[test]
    fn an_outbox_at_rest_repeats_the_same_bytes() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(7), Class::THIRTY, targets(), NOW);
        outbox.take_due(NOW);
        let mut again = Outbox::from_plain(&outbox.to_plain(), |_| Ok(envelope(7))).unwrap();
        assert_eq!(places(again.take_due(NOW)), [(id, 0)]);
        assert_eq!(again.envelope(id), Some(&envelope(7)));
    }

    #[test]
    fn an_envelope_leaves_after_its_last_day() {
        let mut outbox = Outbox::default();
        let id = outbox.push(envelope(1), Class::ONE, targets(), NOW);
        assert!(outbox.expire((NOW.day() + 1).start()).is_empty());
        assert_eq!(outbox.expire((NOW.day() + 1).end()), [id]);
    }

    fn places(due: Vec<(EntryId, usize, Pin, Request)>) -> Vec<(EntryId, usize)> {
        due.into_iter().map(|(id, place, ..)| (id, place)).collect()
    }

    fn envelope(byte: u8) -> SealedEnvelope {
        SealedEnvelope::from(Box::new([byte; 4096]))
    }

    fn targets() -> Vec<Target> {
        let keys = MailboxSecret::from_bytes(&[5; 32]).keys();
        let target = |pin: Pin| Target { relay: pin, to: WriteTo::plain(&keys, &pin) };
        vec![target(Pin([1; 16])), target(Pin([2; 16]))]
    }
}
