//! The machine of a volunteer's device: the queue of its desk, claims, answers (docs/spec/client.md §8).
//!
//! A device may be its desk's coordinator too; then it also publishes the notices. Fed by `handle_*`, drained by
//! `poll_effect`; see [`crate::effect`]. What a person asks for is a [`Ticket`]; its outcome is there when the relays have
//! answered, and not before.
//!
//! Invariants: an answer is sealed, kept, and put only after its lease was checked once more; a request is erased at its
//! relay only after the answer is stored; nothing is sent in a conversation before the own mailbox was looked at.

mod adopt;
mod case;
mod claim;
mod coordinator;
mod inbound;
mod intake;
mod publish;
mod seat;
mod stored;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::address::RelayAddress;
use poterne_protocol::card::Card;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

pub use case::{KEPT_DAYS, Stage};
pub use coordinator::{Coordinator, DeskRelay, PUBLISHED_AHEAD_DAYS, WARNING_DAYS};
pub use seat::{EpochGrant, Identity};
pub use view::{CaseSummary, DeskWarning, QueueItem};

use crate::clock::Clock;
use crate::desk::epoch::Epoch;
use crate::dh::DhSecret;
use crate::effect::{CallId, CallResult, Calls, Effect, Effects, Machine};
use crate::outbox::{EntryId, PutOutcome};
use crate::records::{LocalId, Records};
use crate::requester::{REQUEST_BYTES_MAX, WAITING_BYTES_MAX};
use crate::stored::StoredError;
use crate::thread::Draft;
use crate::transcript::SentState;
use crate::vault::Batch;
use crate::watch::Watched;
use case::Case;
use coordinator::Step;
use inbound::Source;
use seat::Seat;

/// Seconds between two polls while the program runs.
pub const POLL_SECS: u64 = 15;
/// Relays of a desk at most.
pub const RELAYS_MAX: usize = 8;

/// The machine.
pub struct Device {
    identity: DhSecret,
    index: u16,
    coordinator: Option<Coordinator>,
    /// Other devices of the desk, for which grants are made.
    others: Vec<Identity>,
    /// Grants for other devices that wait to be fetched.
    granted: Vec<(u16, EpochGrant)>,
    seats: BTreeMap<Epoch, Seat>,
    cases: BTreeMap<LocalId, Case>,
    calls: Calls<Purpose>,
    effects: Effects,
    clock: Clock,
    poll_due: BTreeMap<Pin, UnixTime>,
    publish_due: BTreeMap<Pin, UnixTime>,
    publish_refused: bool,
    /// Relays whose intakes were all fetched in this run.
    intakes_fetched: BTreeSet<Pin>,
    /// When it last did what was due in this run.
    stepped: Option<UnixTime>,
    tickets: BTreeMap<Ticket, Work>,
    outcomes: BTreeMap<Ticket, Result<Outcome, DeviceError>>,
    next_ticket: u64,
}

/// Something that was asked of the device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// What is still to be done for a ticket.
#[derive(Clone, Debug)]
enum Work {
    Claim { wanted: Option<LocalId>, tried: Vec<LocalId> },
    Close { case: LocalId },
    Release { case: LocalId },
    Reply { case: LocalId },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The case is this device's until the lease ends.
    Claimed(LocalId),
    /// The conversation is closed, or the request was ended without an answer.
    Closed,
    /// The request is in the queue again.
    Released,
    /// The answer has come so far.
    Replied(SentState),
}

/// Why it can't be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// The desk has given this device nothing for today.
    #[error("the desk has given this device no key for today")]
    NoGrant,
    /// This device has no lease on the request.
    #[error("the request is not claimed by this device")]
    NotClaimed,
    /// No request waits.
    #[error("no request waits")]
    NothingWaits,
    /// The case is closed, or came to a full stop.
    #[error("the case is closed or stopped")]
    Over,
    /// Another device has the request now. A text that was written stays as a draft.
    #[error("another device has the request now")]
    Taken,
    /// There is no text, or it is longer than one message can be, or more text waits than the vault should hold.
    #[error("a text has 1 to {REQUEST_BYTES_MAX} bytes, and {WAITING_BYTES_MAX} at most may wait")]
    Text,
    /// So much was sent without an answer that no more can be. A text that was written stays as a draft.
    #[error("so much was sent without an answer that no more can be")]
    Unanswered,
    /// There is no such case.
    #[error("there is no such case")]
    Unknown,
}

/// What a call is for.
enum Purpose {
    Claim { case: LocalId },
    Erase,
    EraseRequest { case: LocalId },
    Extend { case: LocalId },
    Hello,
    Intake { watched: Vec<Watched<Epoch>> },
    Poll { watched: Vec<Watched<Source>> },
    Publish { step: Step },
    Put { case: LocalId, entry: EntryId, place: usize },
    Release { case: LocalId },
    Status { cases: Vec<LocalId> },
}

/// Why a desk can't be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CreateError {
    /// A desk has 1–8 relays, each named once, with addresses that fit into a card.
    #[error("a desk has 1 to {RELAYS_MAX} relays, each named once, with short addresses")]
    Relays,
}

impl Device {
    /// Makes a desk with this device as its coordinator and first volunteer.
    pub fn create(
        name: &str,
        relays: &[RelayAddress],
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CreateError> {
        let coordinator = Coordinator::create(name, relays, now.day(), rng)?;
        let mut device = Self::with(DhSecret::generate(rng), 0, Some(coordinator));
        device.save_desk(Batch::new());
        device.step(now, rng);
        Ok(device)
    }

    /// Another device of a desk, with what the coordinator has granted it.
    pub fn join(identity: DhSecret, index: u16, grants: Vec<EpochGrant>) -> Self {
        let mut device = Self::with(identity, index, None);
        device.take_grants(grants);
        device
    }

    /// The machine with everything that is in the vault; `None` where there is no desk in it.
    pub fn load(records: &impl Records) -> Result<Option<Self>, StoredError> {
        stored::load(records)
    }

    fn with(identity: DhSecret, index: u16, coordinator: Option<Coordinator>) -> Self {
        Self {
            identity,
            index,
            coordinator,
            others: Vec::new(),
            granted: Vec::new(),
            seats: BTreeMap::new(),
            cases: BTreeMap::new(),
            calls: Calls::default(),
            effects: Effects::default(),
            clock: Clock::default(),
            poll_due: BTreeMap::new(),
            publish_due: BTreeMap::new(),
            publish_refused: false,
            intakes_fetched: BTreeSet::new(),
            stepped: None,
            tickets: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            next_ticket: 0,
        }
    }

    /// What requesters get of this desk; `None` on a device that is not the coordinator's.
    pub fn card(&self) -> Option<Card> {
        self.coordinator.as_ref().map(Coordinator::card)
    }

    /// Who this device is.
    pub fn identity(&self) -> Identity {
        Identity { index: self.index, public: self.identity.public() }
    }

    /// The coordinator admits another device: what it is granted now. Later grants come by [`Device::poll_granted`].
    pub fn admit(&mut self, other: Identity) -> Vec<EpochGrant> {
        self.others.push(other);
        let Some(coordinator) = &self.coordinator else { return Vec::new() };
        let grants = self.seats.keys().filter_map(|epoch| coordinator.grant(*epoch, &other)).collect();
        self.save_desk(Batch::new());
        grants
    }

    /// The next grant for another device of the desk.
    pub fn poll_granted(&mut self) -> Option<(u16, EpochGrant)> {
        self.granted.pop()
    }

    /// Takes what the coordinator has granted.
    pub fn take_grants(&mut self, grants: Vec<EpochGrant>) {
        let mut batch = Batch::new();
        for grant in grants {
            let seat = Seat::new(grant);
            stored::write_seat(&mut batch, &seat, None);
            self.seats.insert(seat.grant.epoch, seat);
        }
        self.save_desk(batch);
    }

    /// Claims a request, or the oldest that nobody has.
    pub fn claim(&mut self, wanted: Option<LocalId>, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match wanted {
            Some(id) if !self.cases.contains_key(&id) => self.refused(DeviceError::Unknown),
            Some(id) if self.is_over(id) => self.refused(DeviceError::Taken),
            _ => {
                self.intakes_fetched.clear();
                self.poll_due.clear();
                self.begin(Work::Claim { wanted, tried: Vec::new() }, now, rng)
            }
        }
    }

    /// Gives a claimed request back to the queue.
    pub fn release(&mut self, case: LocalId, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match self.cases.get(&case).map(|case| case.stage) {
            None => self.refused(DeviceError::Unknown),
            Some(Stage::Claimed | Stage::Adopting) => self.begin(Work::Release { case }, now, rng),
            Some(_) => self.refused(DeviceError::NotClaimed),
        }
    }

    /// Answers a claimed request, or goes on in a conversation.
    pub fn reply(&mut self, case: LocalId, text: &str, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        let now = self.clock.time(now);
        let Some(found) = self.cases.get_mut(&case) else { return self.refused(DeviceError::Unknown) };
        let waiting: usize = found.drafts.iter().map(|draft| draft.text.len()).sum();
        let is_too_long = text.len() > REQUEST_BYTES_MAX || waiting + text.len() > WAITING_BYTES_MAX;
        match found.stage {
            _ if text.is_empty() || is_too_long => self.refused(DeviceError::Text),
            Stage::Claimed | Stage::Adopting | Stage::Talking => {
                found.drafts.push_back(Draft::new(text, now));
                self.save(case, Batch::new());
                self.forget_release(case);
                self.begin(Work::Reply { case }, now, rng)
            }
            Stage::Closed | Stage::Stopped => self.refused(DeviceError::Over),
            Stage::Gone | Stage::Waiting => self.refused(DeviceError::NotClaimed),
        }
    }

    /// Closes a conversation, or ends a claimed request without an answer.
    pub fn close(&mut self, case: LocalId, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match self.cases.get(&case).map(|case| case.stage) {
            None => self.refused(DeviceError::Unknown),
            Some(Stage::Claimed | Stage::Talking | Stage::Stopped) => {
                self.begin(Work::Close { case }, now, rng)
            }
            Some(Stage::Adopting | Stage::Waiting) => self.refused(DeviceError::NotClaimed),
            Some(Stage::Closed | Stage::Gone) => self.refused(DeviceError::Over),
        }
    }

    /// What came of a ticket; `None` while the relays have not answered. Each outcome is told once.
    pub fn outcome(&mut self, ticket: Ticket) -> Option<Result<Outcome, DeviceError>> {
        self.outcomes.remove(&ticket)
    }

    /// Whether a request that waits can't be claimed any more: its epoch is over, and no relay holds it.
    fn is_over(&self, id: LocalId) -> bool {
        let case = self.cases.get(&id);
        case.is_some_and(|case| case.stage == Stage::Waiting && !self.seats.contains_key(&case.epoch))
    }

    fn begin(&mut self, work: Work, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        let now = self.clock.time(now);
        let ticket = self.ticket();
        self.tickets.insert(ticket, work);
        self.step(now, rng);
        ticket
    }

    fn refused(&mut self, error: DeviceError) -> Ticket {
        let ticket = self.ticket();
        self.outcomes.insert(ticket, Err(error));
        ticket
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Ends all tickets whose work `is` picks.
    fn settle(&mut self, outcome: Result<Outcome, DeviceError>, is: impl Fn(&Work) -> bool) {
        let done: Vec<Ticket> =
            self.tickets.iter().filter(|(_, work)| is(work)).map(|(ticket, _)| *ticket).collect();
        for ticket in done {
            self.tickets.remove(&ticket);
            self.outcomes.insert(ticket, outcome);
        }
    }

    /// Puts a case's state and `batch` into one commit.
    fn save(&mut self, case: LocalId, mut batch: Batch) {
        if let Some(case) = self.cases.get(&case) {
            stored::write_case(&mut batch, case);
        }
        self.effects.save(batch);
    }

    /// Puts the desk's state and `batch` into one commit.
    fn save_desk(&mut self, mut batch: Batch) {
        stored::write_desk(&mut batch, self);
        self.effects.save(batch);
    }

    /// Does all that can be done now.
    fn step(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        self.begin_day(now);
        if self.clock.is_confirmed() {
            self.forget_old(now);
            self.publish(now, rng);
        }
        self.advance_tickets(now, rng);
        for id in self.cases.keys().copied().collect::<Vec<_>>() {
            self.advance(id, now, rng);
        }
        self.put_due(now);
        self.poll(now);
    }

    /// A new day begins with a look at everything.
    fn begin_day(&mut self, now: UnixTime) {
        let before = self.stepped.replace(now);
        if before.is_some_and(|before| before.day() != now.day()) {
            self.poll_due.clear();
            self.cases.values_mut().for_each(|case| case.polled.clear());
        }
    }

    fn put_due(&mut self, now: UnixTime) {
        for (id, case) in &mut self.cases {
            for (entry, place, relay, request) in case.thread.outbox.take_due(now) {
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
        let too_old = |case: &Case| {
            matches!(case.stage, Stage::Waiting | Stage::Gone) && now.day() > case.arrived.day() + KEPT_DAYS
        };
        let old: Vec<LocalId> =
            self.cases.iter().filter(|(_, case)| too_old(case)).map(|(id, _)| *id).collect();
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
        let newest = case.thread.sent.values().next_back().map(|sent| sent.state);
        let is_through = case.drafts.is_empty() && case.thread.outbox.is_settled();
        self.save(id, Batch::new());
        if let Some(state) = newest.filter(|_| is_through) {
            self.settle(
                Ok(Outcome::Replied(state)),
                |work| matches!(work, Work::Reply { case } if *case == id),
            );
            self.settle(Ok(Outcome::Closed), |work| matches!(work, Work::Close { case } if *case == id));
        }
    }
}

impl Machine for Device {
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some((relay, purpose)) = self.calls.end(call) else { return };
        self.clock.tick(now);
        let (own, now) = (now, self.clock.time(now));
        for case in self.cases.values_mut() {
            case.thread.outbox.note_reached(&relay, result.is_ok(), now);
        }
        match (purpose, result) {
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
            (Purpose::Poll { watched }, Err(_)) => self.note_silent(relay, &watched),
            (
                Purpose::Claim { case }
                | Purpose::Extend { case }
                | Purpose::EraseRequest { case }
                | Purpose::Release { case },
                _,
            ) => self.note_failed(case, now),
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
        let puts = self.cases.values().filter_map(|case| case.thread.outbox.poll_timeout()).min();
        let polls = self.poll_due.values().chain(self.publish_due.values()).copied().min();
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
            case.thread.outbox.hurry(now);
            case.retry_at = now;
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.is_idle()
    }

    fn addresses(&self, relay: &Pin) -> Vec<String> {
        let own = self.coordinator.iter().flat_map(|coordinator| &coordinator.relays);
        let own = own.filter(|entry| entry.pin == *relay).map(|entry| entry.at.to_string());
        let noticed = self.seats.values().rev().filter_map(|seat| seat.grant.relay(relay));
        let noticed = noticed.flat_map(|entry| entry.addresses.iter().filter_map(|at| at.as_host_port()));
        let mut all: Vec<String> = own.chain(noticed.map(str::to_owned)).collect();
        all.dedup();
        all
    }
}

impl Device {
    /// All relays of the desk, as far as this device knows.
    fn relays(&self) -> Vec<Pin> {
        let own = self.coordinator.iter().flat_map(|coordinator| &coordinator.relays).map(|relay| relay.pin);
        let noticed = self.seats.values().flat_map(|seat| seat.grant.notice.relays()).map(|relay| relay.pin);
        let all: BTreeSet<Pin> = own.chain(noticed).collect();
        all.into_iter().collect()
    }

    /// A call about a case.
    fn call(&mut self, relay: Pin, request: Request, purpose: Purpose) {
        self.effects.push(self.calls.begin(relay, request, purpose));
    }
}
