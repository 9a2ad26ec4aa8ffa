//! One entry of the outbox: at which of its places it is to be put, and when (docs/spec/client.md §3).

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Payment, Put, Request};
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{
    COPY_WHEN_SILENT_SECS, EntryId, RETRY_FIRST_SECS, RETRY_MAX_SECS, SECOND_COPY_AFTER_SECS,
    SECOND_RELAY_AFTER_SECS, Target,
};
use crate::reach::Reach;

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
    pub(super) fn has_come(self, all_earlier_are_stored: bool) -> bool {
        match self {
            Self::AfterAll => all_earlier_are_stored,
            Self::Held => false,
            Self::Now => true,
        }
    }
}

/// A sealed envelope and the places that it is meant for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) envelope: SealedEnvelope,
    pub(super) class: Class,
    pub(super) turn: Turn,
    pub(super) last_day: Day,
    pub(super) first_try: Option<UnixTime>,
    pub(super) places: Vec<Place>,
}

/// One relay's mailbox, and how far the envelope has come there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) state: PlaceState,
    pub(super) tries: u32,
    pub(super) due: UnixTime,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PlaceState {
    Waiting,
    UnderWay,
    Stored(UnixTime),
}

impl Entry {
    pub(super) fn is_stored(&self) -> bool {
        self.places.iter().any(|place| matches!(place.state, PlaceState::Stored(_)))
    }

    pub(super) fn take_due(
        &mut self,
        id: EntryId,
        reach: &Reach,
        now: UnixTime,
        due: &mut Vec<(EntryId, usize, Pin, Request)>,
    ) {
        for number in 0..self.places.len() {
            if self.place_due(number, reach).is_some_and(|at| at <= now) {
                self.first_try.get_or_insert(now);
                let place = &mut self.places[number];
                place.state = PlaceState::UnderWay;
                place.tries += 1;
                due.push((id, number, place.target.relay, self.put(number)));
            }
        }
    }

    /// When that place is to be put at; `None` when it needs no put.
    fn place_due(&self, number: usize, reach: &Reach) -> Option<UnixTime> {
        let place = &self.places[number];
        if place.state != PlaceState::Waiting {
            return None;
        }
        let copied_from = self.places.iter().find_map(|other| other.copied_from(reach));
        match (number, copied_from, self.first_try) {
            (_, Some(from), _) => Some(place.due.max(from)),
            (0, None, _) => Some(place.due),
            (_, None, _) if reach.is_silent(&self.places[0].target.relay) => Some(place.due),
            (_, None, Some(tried)) => Some(place.due.max(tried.plus(SECOND_RELAY_AFTER_SECS))),
            (_, None, None) => None,
        }
    }

    pub(super) fn due_times(&self, reach: &Reach) -> impl Iterator<Item = UnixTime> {
        (0..self.places.len()).filter_map(|number| self.place_due(number, reach))
    }

    fn put(&self, number: usize) -> Request {
        let to = self.places[number].target.to.clone();
        Request::Put(Put { to, class: self.class, payment: Payment::None, envelope: self.envelope.clone() })
    }
}

impl Place {
    /// Where it is stored: from when on a copy belongs at the other relay.
    fn copied_from(&self, reach: &Reach) -> Option<UnixTime> {
        let PlaceState::Stored(at) = self.state else { return None };
        let unopened = at.plus(SECOND_COPY_AFTER_SECS);
        let silent = reach.silent_since(&self.target.relay).map(|since| since.plus(COPY_WHEN_SILENT_SECS));
        Some(silent.map_or(unopened, |silent| silent.min(unopened)))
    }

    pub(super) fn wait(&mut self, now: UnixTime, at_least_secs: u64) {
        let backoff = RETRY_FIRST_SECS << self.tries.saturating_sub(1).min(8);
        self.state = PlaceState::Waiting;
        self.due = now.plus(backoff.min(RETRY_MAX_SECS).max(at_least_secs));
    }
}
