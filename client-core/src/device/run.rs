//! The device at work: what it is fed, and what it does at each step (docs/spec/client.md §1, §8).

use poterne_protocol::keys::Pin;
use poterne_protocol::op::Answer;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::case::{Case, Stage};
use super::ticket::{Outcome, Work};
use super::{Device, Purpose, stored};
use crate::desk::epoch::Epoch;
use crate::effect::{CallId, CallResult, Effect, Machine, Progress};
use crate::notice::relays;
use crate::outbox::{EntryId, PutOutcome};
use crate::records::LocalId;
use crate::unique::unique;
use crate::vault::Batch;

impl Machine for Device {
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some((relay, purpose)) = self.calls.end(call) else { return };
        self.clock.tick(now);
        let (own, now) = (now, self.clock.time(now));
        self.reach.note(&relay, result.is_ok(), now);
        match (purpose, result) {
            (Purpose::Chunk { case, put }, result) => self.handle_chunk(case, put, &result, now),
            (Purpose::ChunksErased { case }, result) => self.handle_chunks_erased(case, relay, &result),
            (Purpose::Files { case, watched }, result) => self.handle_files(case, relay, watched, result),
            (Purpose::Put { case, entry, place }, result) => {
                self.handle_put(case, entry, place, &result, now)
            }
            (Purpose::Publish { step }, result) => self.handle_published(relay, step, result, now),
            (Purpose::Hello, Ok(Answer::Hello(hello))) => self.clock.handle_hello(relay, hello.time, own),
            (Purpose::Intake { watched }, Ok(answer)) => self.handle_intake(relay, watched, answer, now),
            (Purpose::Poll { watched }, Ok(answer)) => self.handle_poll(relay, watched, answer, now),
            (Purpose::Status { cases }, Ok(Answer::Status(statuses))) => {
                self.handle_status(relay, &cases, &statuses)
            }
            (Purpose::Claim { case }, Ok(answer)) => self.handle_claimed(relay, case, answer, now, rng),
            (Purpose::Extend { case }, Ok(answer)) => self.handle_extended(case, answer, now),
            (Purpose::EraseRequest { case }, Ok(Answer::Done)) => self.handle_request_erased(case),
            (Purpose::Release { case }, Ok(Answer::Done)) => self.handle_released(case),
            (Purpose::Look { expected }, Ok(answer)) => self.handle_look(relay, &expected, answer),
            (Purpose::Look { .. }, Err(_)) => self.note_not_looked(relay, now),
            (Purpose::Poll { watched }, Err(_)) => self.note_silent(relay, &watched),
            (Purpose::Claim { case }, Err(_)) => self.note_claim_failed(case, now),
            (Purpose::Extend { case } | Purpose::EraseRequest { case } | Purpose::Release { case }, _) => {
                self.note_failed(case, now)
            }
            _ => {}
        }
        self.step(self.clock.time(own), rng);
    }

    fn handle_timeout(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        self.clock.tick(now);
        self.step(self.clock.time(now), rng);
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        let Some(stepped) = self.stepped else { return Some(UnixTime(0)) };
        let puts = self.cases.values().filter_map(|case| case.thread.poll_timeout(&self.reach)).min();
        let polls = self
            .poll_due
            .values()
            .chain(self.publish_due.values())
            .chain(self.look_due.values())
            .copied()
            .min();
        let retries = self.cases.values().map(|case| case.retry_at).filter(|at| *at > stepped).min();
        let due = puts.into_iter().chain(polls).chain(retries).min();
        due.map(|due| self.clock.own(due.max(stepped.plus(1))))
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.next(self.calls.is_idle())
    }

    fn refresh(&mut self, now: UnixTime) {
        self.clock.tick(now);
        self.clock.listen_again();
        let now = self.clock.time(now);
        self.poll_due.clear();
        self.publish_due.clear();
        for case in self.cases.values_mut() {
            case.thread.hurry(now);
            case.retry_at = now;
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.is_idle()
    }

    fn addresses(&self, relay: &Pin) -> Vec<String> {
        let own = self.coordinator.iter().flat_map(|coordinator| &coordinator.relays);
        let own = own.filter(|entry| entry.pin == *relay).map(|entry| entry.at.to_string());
        let noticed = self.seats.values().rev().flat_map(|seat| seat.grant.notice.relays());
        unique(own.chain(relays::hosts(noticed, relay)))
    }

    fn progress(&self) -> Progress {
        Progress::sum(self.cases.values().map(|case| &case.thread.files))
    }
}

impl Device {
    /// Does all that can be done now.
    pub(super) fn step(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        self.begin_day(now);
        if self.clock.is_confirmed() {
            self.forget_old(now);
            self.publish(now, rng);
            self.look_out(now);
        }
        self.advance_tickets(now, rng);
        for id in self.cases.keys().copied().collect::<Vec<_>>() {
            self.advance(id, now, rng);
        }
        self.put_due(now);
        self.put_chunks(now);
        self.poll(now);
        self.poll_files(now);
    }

    /// A new day begins with a look at everything.
    fn begin_day(&mut self, now: UnixTime) {
        let before = self.stepped.replace(now);
        if before.is_some_and(|before| before.day() != now.day()) {
            self.poll_due.clear();
            self.look_due.clear();
            self.cases.values_mut().for_each(|case| case.polled.clear());
        }
    }

    fn put_due(&mut self, now: UnixTime) {
        for (id, case) in &mut self.cases {
            for (entry, place, relay, request) in case.thread.outbox.take_due(now, &self.reach) {
                let purpose = Purpose::Put { case: *id, entry, place };
                self.effects.push(self.calls.begin(relay, request, purpose));
            }
        }
    }

    /// Erases epochs whose time is over, and requests that nobody answered.
    fn forget_old(&mut self, now: UnixTime) {
        let over: Vec<Epoch> = self.seats.keys().filter(|epoch| now >= epoch.erase_at()).copied().collect();
        let mut batch = Batch::new();
        for epoch in &over {
            self.seats.remove(epoch);
            stored::erase_seat(&mut batch, *epoch);
        }
        let is_old = |case: &&Case| case.is_forgotten(now.day(), self.seats.contains_key(&case.epoch));
        let old: Vec<LocalId> = self.cases.values().filter(is_old).map(Case::id).collect();
        for id in &old {
            if let Some(case) = self.cases.remove(id) {
                stored::erase_case(&mut batch, &case);
            }
        }
        if !over.is_empty() || !old.is_empty() {
            if let Some(coordinator) = &mut self.coordinator {
                coordinator.erase_old(now);
            }
            self.save_desk(batch);
        }
        self.forget_keys(now);
    }

    /// Erases keys of conversations whose time is over; their texts stay.
    fn forget_keys(&mut self, now: UnixTime) {
        for id in self.cases.keys().copied().collect::<Vec<_>>() {
            let mut batch = Batch::new();
            if self.cases.get_mut(&id).is_some_and(|case| case.forget_keys(now.day(), &mut batch)) {
                self.save(id, batch);
            }
        }
    }

    fn handle_put(&mut self, id: LocalId, entry: EntryId, place: usize, result: &CallResult, now: UnixTime) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if case.thread.outbox.handle_outcome(entry, place, result, now) != PutOutcome::Stored {
            return;
        }
        case.thread.note_stored();
        if case.stage == Stage::Talking && case.lease.is_some() && case.thread.outbox.is_settled() {
            case.erase_at = case.seen_at.clone();
        }
        self.save(id, Batch::new());
        self.settle_through(id);
    }

    /// Ends what was asked of a case, when all that was written is stored.
    pub(super) fn settle_through(&mut self, id: LocalId) {
        let Some(case) = self.cases.get(&id) else { return };
        let newest = case.thread.sent.values().next_back().map(|sent| sent.state);
        let is_through = case.thread.drafts.is_empty() && case.thread.is_settled();
        if let Some(state) = newest.filter(|_| is_through) {
            self.settle(
                Ok(Outcome::Replied(state)),
                |work| matches!(work, Work::Reply { case } if *case == id),
            );
            self.settle(Ok(Outcome::Closed), |work| matches!(work, Work::Close { case } if *case == id));
        }
    }
}
