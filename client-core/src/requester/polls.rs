//! When the mailboxes of a conversation are asked, and what becomes of what lay in them (docs/spec/client.md §7.3).
//!
//! The first relay is asked at each turn, the second at every fourth. Invariant: what was opened is saved before its
//! envelope is erased at the relay.

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Fetched, Request};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::inbound::Source;
use super::{Purpose, Requester};
use crate::records::LocalId;
use crate::vault::Batch;
use crate::watch::{self, Asked, Watched};

/// Seconds between two polls of the first relay while the program runs; the second has four times as long.
pub const POLL_SECS: u64 = 30;

impl Requester {
    pub(super) fn poll_due(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let relays = conversation.reading_relays();
        let preferred = self.reach.first(&relays);
        for relay in relays {
            let due = conversation.run.poll_due.entry(relay).or_insert(now);
            let cadence = if preferred == Some(relay) { POLL_SECS } else { 4 * POLL_SECS };
            *due = (*due).min(now.plus(cadence));
            if now < *due {
                continue;
            }
            *due = now.plus(cadence);
            if !self.clock.has_heard(&relay) {
                self.effects.push(self.calls.begin(relay, Request::Hello, Purpose::Hello { id }));
            }
            let watched = conversation.watched(&relay);
            for Asked { watched, nobodys, request } in watch::in_fetches_of(self.shape, &relay, watched, rng)
            {
                self.effects.push(self.calls.begin(relay, request, Purpose::Poll { id, watched, nobodys }));
            }
            for (entry, request) in conversation.status_requests(&relay) {
                self.effects.push(self.calls.begin(relay, request, Purpose::Status { id, entry }));
            }
        }
    }

    /// That relay can't be asked now what waits there.
    pub(super) fn note_silent(&mut self, id: LocalId, relay: Pin) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.run.silent.insert(relay);
        }
    }

    pub(super) fn handle_poll(
        &mut self,
        id: LocalId,
        relay: Pin,
        found: Vec<(Watched<Source>, Fetched)>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let (mut batch, mut erase, mut more) = (Batch::new(), Vec::new(), Vec::new());
        let mut changed = false;
        for (watched, fetched) in found {
            let seen = conversation.take_all(watched.source, &fetched.envelopes, now, &mut batch);
            changed |= seen.changed;
            erase.extend(watch::erase(&watched, &seen.erase));
            more.extend(watch::go_on(watched, &fetched));
        }
        if changed {
            // What was opened may lead to further mailboxes.
            conversation.run.poll_due.remove(&relay);
            self.save(id, batch);
        }
        for request in erase {
            self.effects.push(self.calls.begin(relay, request, Purpose::Erase));
        }
        if !more.is_empty() {
            for Asked { watched, nobodys, request } in watch::in_fetches_of(self.shape, &relay, more, rng) {
                self.effects.push(self.calls.begin(relay, request, Purpose::Poll { id, watched, nobodys }));
            }
        }
        self.note_caught_up(id, relay);
    }

    /// When the last fetch of a poll is through, everything that waited at that relay is here.
    fn note_caught_up(&mut self, id: LocalId, relay: Pin) {
        let is_poll = |pin: &Pin, purpose: &Purpose| {
            *pin == relay && matches!(purpose, Purpose::Poll { id: other, .. } if *other == id)
        };
        if self.calls.any(is_poll) {
            return;
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.run.polled.insert(relay);
        }
    }
}
