//! Claims and leases (docs/spec/client.md §8.2, PROTOCOL §6).
//!
//! A claim's id is kept before it is used, so that a claim that was repeated after a crash is one claim.

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::limits::LEASE_DEFAULT_SECS;
use poterne_protocol::op::{Answer, Claim, ClaimId, ClaimWhat, Claimed, Delete, DeleteBy, Request};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::case::{Case, Lease, Stage};
use super::{Device, DeviceError, Outcome, Purpose, Ticket, Work};
use crate::records::LocalId;
use crate::vault::Batch;

/// Seconds before a case is called for again after a relay has failed.
const AGAIN_SECS: u64 = 5;

impl Device {
    /// Goes on with everything that was asked for.
    pub(super) fn advance_tickets(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        for ticket in self.tickets.keys().copied().collect::<Vec<_>>() {
            match self.tickets.get(&ticket).cloned() {
                Some(Work::Claim { wanted, tried }) => self.advance_claim(ticket, wanted, tried, now, rng),
                Some(Work::Close { case }) => self.advance_close(case, now, rng),
                Some(Work::Release { case }) => self.advance_release(case, now),
                Some(Work::Reply { .. }) | None => {}
            }
        }
    }

    fn advance_claim(
        &mut self,
        ticket: Ticket,
        wanted: Option<LocalId>,
        mut tried: Vec<LocalId>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) {
        if wanted.is_none() && !self.has_read_intakes() {
            return;
        }
        let current = tried.last().copied().filter(|id| self.is_being_claimed(*id)).or(wanted);
        let Some(id) = current.or_else(|| self.oldest_waiting(&tried)) else {
            return self.end(ticket, Err(DeviceError::NothingWaits));
        };
        let Some(case) = self.cases.get_mut(&id) else { return self.end(ticket, Err(DeviceError::Unknown)) };
        match case.stage {
            Stage::Claimed | Stage::Adopting if case.is_caught_up() => {
                self.end(ticket, Ok(Outcome::Claimed(id)))
            }
            Stage::Claimed | Stage::Adopting => {}
            Stage::Talking => self.end(ticket, Ok(Outcome::Claimed(id))),
            Stage::Closed | Stage::Stopped => self.end(ticket, Err(DeviceError::Over)),
            Stage::Gone => self.end(ticket, Err(DeviceError::Taken)),
            Stage::Waiting if wanted.is_some() && case.leased_elsewhere && tried.contains(&id) => {
                self.end(ticket, Err(DeviceError::Taken));
            }
            Stage::Waiting => {
                if !tried.contains(&id) {
                    tried.push(id);
                    case.leased_elsewhere = false;
                    self.tickets.insert(ticket, Work::Claim { wanted, tried });
                }
                self.call_claim(id, None, now, rng);
            }
        }
    }

    fn end(&mut self, ticket: Ticket, outcome: Result<Outcome, DeviceError>) {
        self.tickets.remove(&ticket);
        self.outcomes.insert(ticket, outcome);
    }

    /// Whether some relay has shown all its intakes in this run, and none is still being read.
    fn has_read_intakes(&self) -> bool {
        !self.intakes_fetched.is_empty()
            && !self
                .calls
                .any(|_, purpose| matches!(purpose, Purpose::Intake { .. } | Purpose::Status { .. }))
    }

    fn is_being_claimed(&self, id: LocalId) -> bool {
        self.cases.get(&id).is_some_and(|case| case.claim.is_some() && !case.leased_elsewhere)
    }

    fn oldest_waiting(&self, tried: &[LocalId]) -> Option<LocalId> {
        let is_free = |case: &&Case| {
            case.stage == Stage::Waiting
                && !case.leased_elsewhere
                && !tried.contains(&case.id())
                && self.seats.contains_key(&case.epoch)
        };
        self.cases.values().filter(is_free).min_by_key(|case| case.place).map(Case::id)
    }

    /// Claims the request at a relay: the given one, or the first at which it was seen that may answer.
    pub(super) fn call_claim(
        &mut self,
        id: LocalId,
        at: Option<Pin>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) {
        let is_claim = |_: &Pin, purpose: &Purpose| matches!(purpose, Purpose::Claim { case } if *case == id);
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.retry_at <= now) else { return };
        if self.calls.any(is_claim) {
            return;
        }
        let relay = at.or(self.reach.first(&case.seen_at));
        let seat = self.seats.get(&case.epoch);
        let entry = relay.and_then(|relay| seat?.grant.relay(&relay));
        let (Some(relay), Some(seat), Some(entry)) = (relay, seat, entry) else {
            return self.note_taken(relay, id);
        };
        let claim_id = *case.claim.get_or_insert_with(|| fresh_claim(rng));
        let claim = Claim {
            mailbox: seat.grant.intake_at(entry),
            claim_id,
            what: ClaimWhat::Id(case.m0),
            secs: LEASE_DEFAULT_SECS,
        };
        self.save(id, Batch::new());
        self.call(relay, Request::Claim(claim), Purpose::Claim { case: id });
    }

    pub(super) fn handle_claimed(
        &mut self,
        relay: Pin,
        id: LocalId,
        answer: Answer,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        match answer {
            Answer::Claimed(claimed) if claimed.envelope.id() == case.m0 => {
                let mut batch = Batch::new();
                case.note_lease(relay, &claimed, now, rng, &mut batch);
                self.save(id, batch);
                case_relays_due(self, id);
            }
            Answer::Ended => {
                case.claim = None;
                case.retry_at = now.plus(AGAIN_SECS);
            }
            Answer::Nothing | Answer::NotOpen => self.note_taken(Some(relay), id),
            _ => case.retry_at = now.plus(AGAIN_SECS),
        }
    }

    /// Nobody gets the request there now: somebody has it, or it is gone, or no relay can have it any more.
    fn note_taken(&mut self, relay: Option<Pin>, id: LocalId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        (case.claim, case.lease) = (None, None);
        match case.stage {
            // Whoever has it there erases it, or has done so.
            Stage::Talking | Stage::Closed => case.erase_at.retain(|pin| Some(*pin) != relay),
            Stage::Claimed | Stage::Adopting | Stage::Waiting => {
                case.stage = Stage::Waiting;
                case.leased_elsewhere = true;
            }
            Stage::Gone | Stage::Stopped => {}
        }
        self.save(id, Batch::new());
        self.note_erased(id);
        if self.cases.get(&id).is_some_and(|case| case.stage == Stage::Waiting) {
            self.settle(Err(DeviceError::Taken), |work| matches!(work, Work::Reply { case } if *case == id));
        }
    }

    fn advance_release(&mut self, id: LocalId, now: UnixTime) {
        let is_release =
            |_: &Pin, purpose: &Purpose| matches!(purpose, Purpose::Release { case } if *case == id);
        if self.calls.any(is_release) {
            return;
        }
        let Some(case) = self.cases.get(&id) else { return };
        match case.lease {
            Some(_) if now < case.retry_at => {}
            Some(lease) => {
                self.call(lease.relay, Request::Release(lease.token), Purpose::Release { case: id })
            }
            None => self.handle_released(id),
        }
    }

    /// Nothing is to be given back any more: what was asked for later counts.
    pub(super) fn forget_release(&mut self, id: LocalId) {
        let is_release = |work: &Work| matches!(work, Work::Release { case } if *case == id);
        self.settle(Err(DeviceError::NotClaimed), is_release);
    }

    /// The lease is over. Where an answer was written since, nobody wants that any more: the request is claimed again.
    pub(super) fn handle_released(&mut self, id: LocalId) {
        let is_wanted = |work: &Work| matches!(work, Work::Release { case } if *case == id);
        if !self.tickets.values().any(is_wanted) {
            return;
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        if !matches!(case.stage, Stage::Adopting | Stage::Claimed | Stage::Waiting) {
            return self.forget_release(id);
        }
        let mut batch = Batch::new();
        case.withdraw_answer(&mut batch);
        case.stage = Stage::Waiting;
        case.thread.drafts.clear();
        self.save(id, batch);
        self.settle(Ok(Outcome::Released), |work| matches!(work, Work::Release { case } if *case == id));
    }

    /// Erases M0 wherever it was seen, under a lease there.
    pub(super) fn erase_request(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let is_erasing =
            |_: &Pin, purpose: &Purpose| matches!(purpose, Purpose::EraseRequest { case } if *case == id);
        let Some(case) = self.cases.get(&id).filter(|case| case.retry_at <= now) else { return };
        let Some(relay) = case.erase_at.first().copied() else { return };
        if !self.seats.contains_key(&case.epoch) {
            return self.note_expired(id);
        }
        match case.live_lease(now).filter(|lease| lease.relay == relay) {
            Some(lease) if !self.calls.any(is_erasing) => {
                let delete = Delete { by: DeleteBy::Lease(lease.token), ids: vec![case.m0] };
                self.call(relay, Request::Delete(delete), Purpose::EraseRequest { case: id });
            }
            Some(_) => {}
            None => {
                let case = self.cases.get_mut(&id).expect("it was just there");
                case.claim = case.claim.filter(|_| case.lease.is_none());
                case.lease = None;
                self.call_claim(id, Some(relay), now, rng);
            }
        }
    }

    pub(super) fn handle_request_erased(&mut self, id: LocalId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if let Some(lease) = case.lease.take() {
            case.erase_at.retain(|pin| *pin != lease.relay);
        }
        case.claim = None;
        self.note_erased(id);
    }

    /// The request's epoch is over: no relay holds it any more.
    fn note_expired(&mut self, id: LocalId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.erase_at.clear();
        self.note_erased(id);
    }

    fn note_erased(&mut self, id: LocalId) {
        let Some(case) = self.cases.get(&id) else { return };
        let is_closed = case.stage == Stage::Closed && case.erase_at.is_empty();
        self.save(id, Batch::new());
        if is_closed {
            self.settle(Ok(Outcome::Closed), |work| matches!(work, Work::Close { case } if *case == id));
        }
    }

    /// A claim has failed. Where the request lies at another relay too, it is claimed there at once.
    pub(super) fn note_claim_failed(&mut self, id: LocalId, now: UnixTime) {
        let may_go_elsewhere = self.cases.get(&id).is_some_and(|case| {
            matches!(case.stage, Stage::Claimed | Stage::Waiting)
                && case.seen_at.iter().any(|relay| !self.reach.is_silent(relay))
        });
        if !may_go_elsewhere {
            self.note_failed(id, now);
        }
    }

    /// A relay has failed in the middle of something about a case.
    pub(super) fn note_failed(&mut self, id: LocalId, now: UnixTime) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.retry_at = now.plus(AGAIN_SECS);
            // Another relay's copy is not kept because this one is down.
            let copies = case.erase_at.len();
            case.erase_at.rotate_left(copies.min(1));
        }
    }
}

/// What waits for a case is fetched at once.
fn case_relays_due(device: &mut Device, id: LocalId) {
    let Some(case) = device.cases.get_mut(&id) else { return };
    case.polled.clear();
    case.silent = device.reach.silent().collect();
    for relay in case.relays.iter().flatten() {
        device.poll_due.remove(relay);
    }
}

impl Case {
    /// Notes a lease, and tells the requester that a person has her request.
    fn note_lease(
        &mut self,
        relay: Pin,
        claimed: &Claimed,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) {
        let ends = now.plus(claimed.secs_left.into());
        let claimed_at = UnixTime(ends.0.saturating_sub(LEASE_DEFAULT_SECS.into()));
        let (token, number) = (claimed.token, claimed.number);
        self.lease = Some(Lease { relay, token, number, claimed_at, ends });
        if matches!(self.stage, Stage::Talking | Stage::Closed) {
            return;
        }
        self.stage = Stage::Claimed;
        let receipt = self.request.seal_claimed(crate::claimed::Claimed { lease: number }, rng);
        let targets = self.answer_box();
        if !targets.is_empty() {
            self.thread.push(receipt, Class::FOURTEEN, targets, now, batch);
        }
    }
}

fn fresh_claim(rng: &mut impl CryptoRng) -> ClaimId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    ClaimId(id)
}
