//! The requester at work: what she is fed, and what she does at each step (docs/spec/client.md §1, §7).

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, EnvelopeStatus};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::{Purpose, Requester};
use crate::effect::{CallId, CallResult, Effect, Machine, Progress};
use crate::outbox::{EntryId, PutOutcome};
use crate::records::LocalId;
use crate::unique::unique;
use crate::vault::Batch;
use crate::watch;

impl Machine for Requester {
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some((relay, purpose)) = self.calls.end(call) else { return };
        self.clock.tick(now);
        let (own, now) = (now, self.clock.time(now));
        self.reach.note(&relay, result.is_ok(), now);
        let Some(id) = purpose.conversation() else { return };
        match (purpose, result) {
            (Purpose::Chunk { put, .. }, result) => self.handle_chunk(id, put, &result, now),
            (Purpose::ChunksErased { .. }, result) => self.handle_chunks_erased(id, relay, &result),
            (Purpose::Files { watched, .. }, result) => self.handle_files(id, relay, watched, result),
            (Purpose::Put { entry, place, .. }, result) => self.handle_put(id, entry, place, &result, now),
            (Purpose::Status { entry, .. }, result) => self.handle_status(id, entry, result, now),
            (Purpose::Hello { .. }, Ok(Answer::Hello(hello))) => {
                self.handle_hello(id, relay, hello.time, own)
            }
            (Purpose::Notice { today, whole, .. }, Ok(answer)) => {
                self.handle_notice(id, relay, today, whole, answer, now);
            }
            (Purpose::Poll { watched, nobodys, .. }, Ok(answer)) => {
                if let Some(found) = watch::found_before(watched, nobodys, answer) {
                    self.handle_poll(id, relay, found, now, rng);
                }
            }
            (Purpose::Poll { .. }, Err(_)) => self.note_silent(id, relay),
            (Purpose::Erase | Purpose::Hello { .. } | Purpose::Notice { .. }, _) => {}
        }
        self.step(id, self.clock.time(own), rng);
    }

    fn handle_timeout(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        self.clock.tick(now);
        let now = self.clock.time(now);
        let ids: Vec<LocalId> = self.conversations.keys().copied().collect();
        for id in ids {
            self.step(id, now, rng);
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        if self.conversations.is_empty() {
            return None;
        }
        let Some(stepped) = self.stepped else { return Some(UnixTime(0)) };
        let due = self
            .conversations
            .values()
            .filter_map(|conversation| conversation.poll_timeout(stepped, &self.reach))
            .min();
        due.map(|due| self.clock.own(due.max(stepped.plus(1))))
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.next(self.calls.is_idle())
    }

    fn refresh(&mut self, now: UnixTime) {
        self.clock.tick(now);
        self.clock.listen_again();
        let now = self.clock.time(now);
        for conversation in self.conversations.values_mut() {
            conversation.thread.hurry(now);
            conversation.run.poll_due.clear();
            conversation.run.notice_due.clear();
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.is_idle()
    }

    fn addresses(&self, relay: &Pin) -> Vec<String> {
        let all = self.conversations.values().flat_map(|conversation| conversation.addresses(relay));
        unique(all)
    }

    fn progress(&self) -> Progress {
        Progress::sum(self.conversations.values().map(|conversation| &conversation.thread.files))
    }
}

impl Purpose {
    /// Whose call it is, where something follows from its answer.
    fn conversation(&self) -> Option<LocalId> {
        match self {
            Self::Chunk { id, .. }
            | Self::ChunksErased { id }
            | Self::Files { id, .. }
            | Self::Hello { id }
            | Self::Notice { id, .. }
            | Self::Poll { id, .. }
            | Self::Put { id, .. }
            | Self::Status { id, .. } => Some(*id),
            Self::Erase => None,
        }
    }
}

impl Requester {
    /// Does all that can be done for a conversation now: seal, save, put, ask. In that order.
    pub(super) fn step(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        self.stepped = Some(now);
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.run.begin_day(now.day());
        let mut batch = Batch::new();
        let mut changed = false;
        if self.clock.is_confirmed() {
            changed |= conversation.thread.expire(now, &mut batch);
            changed |= conversation.forget_old(now.day(), &mut batch);
        }
        if !self.clock.is_off() {
            changed |= conversation.seal_what_may_be(now, rng, &mut batch);
        }
        if changed {
            self.save(id, batch);
        }
        self.put_due(id, now);
        self.put_chunks(id, now);
        self.ask_for_notices(id, now);
        self.poll_due(id, now, rng);
        self.poll_files(id, now);
    }

    fn put_due(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        for (entry, place, relay, request) in conversation.thread.outbox.take_due(now, &self.reach) {
            self.effects.push(self.calls.begin(relay, request, Purpose::Put { id, entry, place }));
        }
    }

    fn handle_put(&mut self, id: LocalId, entry: EntryId, place: usize, result: &CallResult, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.thread.outbox.handle_outcome(entry, place, result, now) {
            PutOutcome::Stored => {
                conversation.thread.note_stored();
                self.save(id, Batch::new());
            }
            PutOutcome::Price => conversation.run.price_wanted = true,
            PutOutcome::NotTaken => {
                conversation.note_not_taken(entry, now);
                self.save(id, Batch::new());
            }
            PutOutcome::Again | PutOutcome::Known => {}
        }
    }

    fn handle_status(&mut self, id: LocalId, entry: EntryId, result: CallResult, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let is_there = matches!(&result, Ok(Answer::Status(statuses))
            if matches!(statuses[..], [EnvelopeStatus::Stored | EnvelopeStatus::Claimed]));
        if conversation.note_status(entry, is_there, now) {
            self.save(id, Batch::new());
        }
    }
}
