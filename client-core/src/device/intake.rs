//! Reading the intakes of the desk (docs/spec/client.md §8.1).
//!
//! A request is kept as soon as it was opened, together with the cursor behind it; so each is opened once, and a long
//! queue outlives the intake's own four days.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::Pin;
use poterne_protocol::limits::IDS_PER_REQUEST;
use poterne_protocol::op::{Answer, EnvelopeStatus, Request, Start, Status};
use poterne_protocol::time::{Day, UnixTime};

use super::case::{Case, Stage, case_id};
use super::{Device, POLL_SECS, Purpose, stored};
use crate::desk::epoch::Epoch;
use crate::records::LocalId;
use crate::vault::Batch;
use crate::watch::{self, Watched};

impl Device {
    /// Asks each relay that is due for its time, new requests, what became of waiting ones, and messages.
    pub(super) fn poll(&mut self, now: UnixTime) {
        for relay in self.relays() {
            if self.poll_due.get(&relay).is_some_and(|due| now < *due) {
                continue;
            }
            self.poll_due.insert(relay, now.plus(POLL_SECS));
            if !self.clock.has_heard(&relay) {
                self.call(relay, Request::Hello, Purpose::Hello);
            }
            for (watched, request) in watch::in_fetches(self.intakes_at(&relay, now.day())) {
                self.call(relay, request, Purpose::Intake { watched });
            }
            for (cases, request) in self.status_requests(&relay) {
                self.call(relay, request, Purpose::Status { cases });
            }
            for (watched, request) in watch::in_fetches(self.watched(&relay)) {
                self.call(relay, request, Purpose::Poll { watched });
            }
        }
    }

    /// The intakes of all epochs that may hold requests, each from where it was read to.
    fn intakes_at(&self, relay: &Pin, today: Day) -> Vec<Watched<Epoch>> {
        let live = self.seats.range(..=Epoch { day: today + 1, generation: u16::MAX });
        let watched = |(epoch, seat): (&Epoch, &super::Seat)| {
            let read = seat.grant.intake_at(seat.grant.relay(relay)?);
            let start = seat.cursors.get(relay).map_or(Start::First, |cursor| Start::After(*cursor));
            Some(Watched { source: *epoch, read, delete: None, start, rounds: 0 })
        };
        live.filter_map(watched).collect()
    }

    pub(super) fn handle_intake(
        &mut self,
        relay: Pin,
        watched: Vec<Watched<Epoch>>,
        answer: Answer,
        now: UnixTime,
    ) {
        let Some(found) = watch::found(watched, answer) else { return };
        let mut more = Vec::new();
        for (watched, fetched) in found {
            if !fetched.envelopes.is_empty() {
                self.take_requests(watched.source, relay, &fetched.envelopes, now);
                self.note_read(watched.source, relay, &fetched);
            }
            more.extend(watch::go_on(watched, &fetched));
        }
        for (watched, request) in watch::in_fetches(more) {
            self.call(relay, request, Purpose::Intake { watched });
        }
        if !self.calls.any(|pin, purpose| *pin == relay && matches!(purpose, Purpose::Intake { .. })) {
            self.intakes_fetched.insert(relay);
        }
    }

    /// Requests first, then the cursor: a crash between the two reads some again.
    fn note_read(&mut self, epoch: Epoch, relay: Pin, fetched: &poterne_protocol::op::Fetched) {
        if let Some(seat) = self.seats.get_mut(&epoch) {
            seat.cursors.insert(relay, fetched.cursor);
        }
        self.save_seat(epoch);
    }

    fn take_requests(&mut self, epoch: Epoch, relay: Pin, envelopes: &[SealedEnvelope], now: UnixTime) {
        let Some(seat) = self.seats.get(&epoch) else { return };
        let (key, notice) = (seat.grant.intake_key(), seat.grant.notice.clone());
        let mut batch = Batch::new();
        let mut places = self.cases.values().map(|case| case.place + 1).max().unwrap_or(0)..;
        for envelope in envelopes {
            let Ok(request) = key.open(envelope) else { continue };
            let id = case_id(&request.handshake.contact_hash);
            match self.cases.get_mut(&id) {
                Some(known) => {
                    if known.note_seen(relay) {
                        stored::write_case(&mut batch, known);
                    }
                }
                None => {
                    let place = places.next().expect("places outlast all requests");
                    let mut case = Case::new(request, &notice, envelope.id(), relay, place, now);
                    if !case.can_be_answered() {
                        continue;
                    }
                    case.show_request(now, &mut batch);
                    stored::write_case(&mut batch, &case);
                    self.cases.insert(id, case);
                    self.poll_due.remove(&relay);
                }
            }
        }
        self.effects.save(batch);
    }

    /// The questions what became of the requests that wait, as far as they were seen at that relay first.
    fn status_requests(&self, relay: &Pin) -> Vec<(Vec<LocalId>, Request)> {
        let mut requests = Vec::new();
        for (epoch, seat) in &self.seats {
            let Some(entry) = seat.grant.relay(relay) else { continue };
            let is_asked = |case: &&Case| {
                case.stage == Stage::Waiting && case.epoch == *epoch && case.seen_at.first() == Some(relay)
            };
            let waiting: Vec<&Case> = self.cases.values().filter(is_asked).collect();
            for some in waiting.chunks(IDS_PER_REQUEST) {
                let ids = some.iter().map(|case| case.m0).collect();
                let status = Status { mailbox: seat.grant.notice.intake_at(entry), ids };
                requests.push((some.iter().map(|case| case.id()).collect(), Request::Status(status)));
            }
        }
        requests
    }

    pub(super) fn handle_status(&mut self, relay: Pin, cases: &[LocalId], statuses: &[EnvelopeStatus]) {
        // While this device claims a request, only the answer to the claim tells whose it is: "claimed" may be its own.
        let is_open = |case: &&mut Case| case.stage == Stage::Waiting && case.claim.is_none();
        for (id, status) in cases.iter().zip(statuses) {
            let Some(case) = self.cases.get_mut(id).filter(is_open) else {
                continue;
            };
            case.leased_elsewhere = *status == EnvelopeStatus::Claimed;
            match status {
                EnvelopeStatus::Gone => case.stage = Stage::Gone,
                EnvelopeStatus::Unknown => case.note_missing(relay),
                _ => continue,
            }
            self.save(*id, Batch::new());
        }
    }
}

impl Case {
    /// It lies in the intake of that relay. Whether that is news.
    fn note_seen(&mut self, relay: Pin) -> bool {
        if self.seen_at.contains(&relay) {
            return false;
        }
        let was_missing = self.seen_at.is_empty();
        self.seen_at.push(relay);
        match self.stage {
            // It was answered or ended here: this copy is erased too.
            Stage::Closed | Stage::Talking => self.erase_at.push(relay),
            Stage::Gone if was_missing => self.stage = Stage::Waiting,
            _ => {}
        }
        true
    }

    /// That relay has it no more, and nobody has erased it there: its time is over, or the relay has lost it.
    fn note_missing(&mut self, relay: Pin) {
        self.seen_at.retain(|pin| *pin != relay);
        if self.seen_at.is_empty() {
            self.stage = Stage::Gone;
        }
    }
}
