//! The machine of a requester: she asks a desk for help, and talks with whoever answers (docs/spec/client.md §7).
//!
//! Fed by `handle_*`, drained by `poll_effect`; see [`crate::effect`]. Invariants: nothing is sealed before the own
//! sending mailbox was seen to hold nothing unknown, and before answers that wait were fetched; no answer is believed
//! before the newest notice was asked for; an envelope is deleted at the relay only after what it said is in the vault.

mod answers;
mod contact;
mod conversation;
mod inbound;
mod notices;
mod stored;
mod view;

use std::collections::{BTreeMap, VecDeque};

use poterne_protocol::card::Card;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, EnvelopeStatus, Request, Status};
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

pub use contact::REQUEST_BYTES_MAX;
pub use conversation::{Standing, Stop};
pub use view::{Summary, Unchecked, Warning};

use crate::clock::{Clock, Verdict};
use crate::effect::{CallId, CallResult, Calls, Effect, Machine};
use crate::outbox::{EntryId, PutOutcome};
use crate::records::{LocalId, Records};
use crate::stored::StoredError;
use crate::thread::Draft;
use crate::vault::Batch;
use crate::watch::{self, Watched};
use conversation::{ATTEMPTS_MAX, Conversation};
use inbound::Source;
use notices::NoticeOutcome;

/// Seconds between two polls of the first relay while the program runs; the second has four times as long.
pub const POLL_SECS: u64 = 30;
/// Seconds without a sign of a request after which it is sealed anew.
const LOST_AFTER_SECS: u64 = 3600;

/// All conversations of one home.
#[derive(Default)]
pub struct Requester {
    conversations: BTreeMap<LocalId, Conversation>,
    calls: Calls<Purpose>,
    effects: VecDeque<Effect>,
    clock: Clock,
}

/// What a call is for.
enum Purpose {
    Erase,
    Hello { id: LocalId },
    Notice { id: LocalId, today: Day, whole: bool },
    Poll { id: LocalId, watched: Vec<Watched<Source>> },
    Put { id: LocalId, entry: EntryId, place: usize },
    Status { id: LocalId, entry: EntryId },
}

/// Why nothing can be asked or said.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SayError {
    /// The volunteer has closed the conversation.
    #[error("the conversation is closed")]
    Closed,
    /// There is no text.
    #[error("there is no text")]
    Empty,
    /// A fork or a rollback was noticed: only a new first contact helps.
    #[error("the conversation has come to a full stop")]
    Stopped,
    /// The text is longer than one message can be.
    #[error("the text is {bytes} bytes long, the most is {REQUEST_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// There is no such conversation.
    #[error("there is no such conversation")]
    Unknown,
}

impl Requester {
    /// The machine with everything that is in the vault.
    pub fn load(records: &impl Records) -> Result<Self, StoredError> {
        let conversations = stored::load_all(records)?;
        Ok(Self { conversations, ..Self::default() })
    }

    /// Begins a conversation with the desk of the card. The text waits until a notice is there.
    pub fn ask(
        &mut self,
        card: Card,
        text: &str,
        language: [u8; 4],
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<LocalId, SayError> {
        check(text)?;
        let id = LocalId::generate(rng);
        let mut conversation = Conversation::new(id, card, language);
        conversation.drafts.push_back(Draft::new(text, now));
        self.conversations.insert(id, conversation);
        self.save(id, Batch::new());
        self.step(id, now, rng);
        Ok(id)
    }

    /// Says something more. The text waits until it may be sealed.
    pub fn say(
        &mut self,
        id: LocalId,
        text: &str,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SayError> {
        check(text)?;
        let conversation = self.conversations.get_mut(&id).ok_or(SayError::Unknown)?;
        match conversation.standing {
            Standing::Closed => return Err(SayError::Closed),
            Standing::Stopped(_) => return Err(SayError::Stopped),
            Standing::Open => conversation.drafts.push_back(Draft::new(text, now)),
        }
        self.save(id, Batch::new());
        self.step(id, now, rng);
        Ok(())
    }

    /// Makes a new first contact with the same desk, which it can tell to come from the same person. What was sealed
    /// for the old one is given up.
    pub fn ask_again(
        &mut self,
        id: LocalId,
        text: &str,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SayError> {
        check(text)?;
        let conversation = self.conversations.get_mut(&id).ok_or(SayError::Unknown)?;
        let mut batch = Batch::new();
        conversation.begin_anew(&mut batch);
        conversation.drafts.push_back(Draft::new(text, now));
        self.save(id, batch);
        self.step(id, now, rng);
        Ok(())
    }

    /// The person has said that the relays' clock is to be believed rather than the own one.
    pub fn believe_relays_clock(&mut self) {
        self.clock.believe_relays();
    }

    /// Forgets a conversation and everything that belongs to it.
    pub fn forget(&mut self, id: LocalId, records: &impl Records) {
        self.conversations.remove(&id);
        let mut batch = Batch::new();
        crate::records::forget(records, id, &mut batch);
        self.effects.push_back(Effect::Save(batch));
    }

    /// Puts the conversation's state and `batch` into one commit.
    fn save(&mut self, id: LocalId, mut batch: Batch) {
        if let Some(conversation) = self.conversations.get(&id) {
            stored::write(&mut batch, conversation);
        }
        self.effects.push_back(Effect::Save(batch));
    }

    /// Does all that can be done for a conversation now: seal, save, put, ask. In that order.
    fn step(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let mut batch = Batch::new();
        let mut changed = conversation.thread.expire(now, &mut batch);
        if let Verdict::Agreed(time) = self.clock.verdict(now) {
            changed |= conversation.seal_what_may_be(time, now, rng, &mut batch);
        }
        if changed {
            self.save(id, batch);
        }
        self.put_due(id, now);
        self.ask_for_notices(id, now);
        self.poll_due(id, now);
    }

    fn put_due(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        for (entry, place, relay, request) in conversation.thread.outbox.take_due(now) {
            self.effects.push_back(self.calls.begin(relay, request, Purpose::Put { id, entry, place }));
        }
    }

    fn ask_for_notices(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if !conversation.wants_notice(now) {
            return;
        }
        let Verdict::Agreed(time) = self.clock.verdict(now) else { return };
        for relay in conversation.notice_wanted_from(now) {
            let today = time.day();
            let fetch =
                conversation.notice_fetch(&relay, today, false).filter(|_| self.clock.has_heard(&relay));
            self.effects.push_back(match fetch {
                Some(request) => {
                    self.calls.begin(relay, request, Purpose::Notice { id, today, whole: false })
                }
                None => self.calls.begin(relay, Request::Hello, Purpose::Hello { id }),
            });
        }
    }

    fn poll_due(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        for (place, relay) in conversation.reading_relays().into_iter().enumerate() {
            let due = conversation.run.poll_due.entry(relay).or_insert(now);
            if now < *due {
                continue;
            }
            *due = now.plus(if place == 0 { POLL_SECS } else { 4 * POLL_SECS });
            for (watched, request) in watch::in_fetches(conversation.watched(&relay)) {
                self.effects.push_back(self.calls.begin(relay, request, Purpose::Poll { id, watched }));
            }
            for (entry, request) in conversation.status_requests(&relay) {
                self.effects.push_back(self.calls.begin(relay, request, Purpose::Status { id, entry }));
            }
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
            PutOutcome::NotTaken => conversation.note_trouble(entry, now),
            PutOutcome::Again | PutOutcome::Known => {}
        }
    }

    /// The relay's time is known: its notices can be asked for.
    fn handle_hello(&mut self, id: LocalId, relay: Pin, its_time: UnixTime, now: UnixTime) {
        self.clock.handle_hello(relay, its_time, now);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.run.notice_due.remove(&relay);
        }
    }

    fn handle_notice(
        &mut self,
        id: LocalId,
        relay: Pin,
        today: Day,
        whole: bool,
        answer: Answer,
        now: UnixTime,
    ) {
        let Verdict::Agreed(time) = self.clock.verdict(now) else { return };
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match conversation.handle_notices(relay, today, answer, time) {
            NoticeOutcome::Believed => {
                if conversation.has_newest_notice(time) && !conversation.run.unchecked.is_empty() {
                    conversation.run.unchecked.clear();
                    conversation.run.poll_due.clear();
                }
                self.save(id, Batch::new());
            }
            NoticeOutcome::WholeLogWanted if !whole => {
                if let Some(request) = conversation.notice_fetch(&relay, today, true) {
                    let purpose = Purpose::Notice { id, today, whole: true };
                    self.effects.push_back(self.calls.begin(relay, request, purpose));
                }
            }
            NoticeOutcome::Nothing | NoticeOutcome::WholeLogWanted => {}
        }
    }

    fn handle_poll(
        &mut self,
        id: LocalId,
        relay: Pin,
        watched: Vec<Watched<Source>>,
        answer: Answer,
        now: UnixTime,
    ) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let Some(found) = watch::found(watched, answer) else { return };
        let (mut batch, mut erase, mut more) = (Batch::new(), Vec::new(), Vec::new());
        let mut changed = false;
        for (watched, fetched) in found {
            let seen = conversation.take_all(watched.source, &fetched.envelopes, now, &mut batch);
            changed |= seen.changed;
            erase.extend(watch::erase(&watched, &seen.erase));
            if fetched.more {
                more.push(watch::go_on(watched, &fetched));
            }
        }
        if changed {
            self.save(id, batch);
        }
        for request in erase {
            self.effects.push_back(self.calls.begin(relay, request, Purpose::Erase));
        }
        for (watched, request) in watch::in_fetches(more) {
            self.effects.push_back(self.calls.begin(relay, request, Purpose::Poll { id, watched }));
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
            conversation.run.caught_up = true;
        }
    }

    fn handle_status(&mut self, id: LocalId, entry: EntryId, result: CallResult, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        match result {
            Ok(Answer::Status(statuses))
                if matches!(statuses[..], [EnvelopeStatus::Stored | EnvelopeStatus::Claimed]) =>
            {
                conversation.note_no_trouble(entry);
            }
            _ => conversation.note_trouble(entry, now),
        }
    }
}

impl Machine for Requester {
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some((relay, purpose)) = self.calls.end(call) else { return };
        let id = match purpose {
            Purpose::Erase => return,
            Purpose::Hello { id } => {
                if let Ok(Answer::Hello(hello)) = result {
                    self.handle_hello(id, relay, hello.time, now);
                }
                id
            }
            Purpose::Notice { id, today, whole } => {
                if let Ok(answer) = result {
                    self.handle_notice(id, relay, today, whole, answer, now);
                }
                id
            }
            Purpose::Poll { id, watched } => {
                if let Ok(answer) = result {
                    self.handle_poll(id, relay, watched, answer, now);
                }
                id
            }
            Purpose::Put { id, entry, place } => {
                self.handle_put(id, entry, place, &result, now);
                id
            }
            Purpose::Status { id, entry } => {
                self.handle_status(id, entry, result, now);
                id
            }
        };
        self.step(id, now, rng);
    }

    fn handle_timeout(&mut self, now: UnixTime, rng: &mut impl CryptoRng) {
        let ids: Vec<LocalId> = self.conversations.keys().copied().collect();
        for id in ids {
            self.step(id, now, rng);
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.conversations.values().filter_map(Conversation::poll_timeout).min()
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn refresh(&mut self, now: UnixTime) {
        for conversation in self.conversations.values_mut() {
            conversation.thread.outbox.hurry(now);
            conversation.run.poll_due.clear();
            conversation.run.notice_due.clear();
        }
    }

    fn is_idle(&self) -> bool {
        self.calls.is_idle()
    }

    fn addresses(&self, relay: &Pin) -> Vec<String> {
        let all = self.conversations.values().flat_map(|conversation| conversation.addresses(relay));
        conversation::unique(all.collect())
    }
}

impl Conversation {
    /// Seals drafts as far as that is allowed. `time` is what the clocks agree on. Whether anything was sealed.
    fn seal_what_may_be(
        &mut self,
        time: UnixTime,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> bool {
        let mut sealed = false;
        if self.is_lost(time) && self.has_notice(time) {
            self.seal_anew(time, rng, batch);
            sealed = true;
        }
        while self.may_seal(time) {
            let Some(draft) = self.drafts.pop_front() else { break };
            let outcome = match (&self.talk, self.attempts.is_empty()) {
                (Some(_), _) => self.seal_message(draft, now, rng, batch),
                (None, false) => self.seal_follow_up(draft, now, rng, batch),
                (None, true) => self.seal_contact(draft, time, rng, batch),
            };
            match outcome {
                Ok(()) => sealed = true,
                Err(draft) => {
                    self.drafts.push_front(draft);
                    break;
                }
            }
        }
        sealed
    }

    fn may_seal(&self, time: UnixTime) -> bool {
        if self.standing != Standing::Open || self.drafts.is_empty() {
            return false;
        }
        match (&self.talk, self.attempts.is_empty()) {
            (None, true) => self.has_notice(time),
            _ => self.run.caught_up && self.run.unchecked.is_empty(),
        }
    }

    fn wants_notice(&self, now: UnixTime) -> bool {
        let first_contact = !self.drafts.is_empty() && self.attempts.is_empty() && !self.has_notice(now);
        let judging = !self.run.unchecked.is_empty() && !self.has_newest_notice(now);
        first_contact || judging || (self.is_lost(now) && !self.has_notice(now))
    }

    /// Whether nobody knows of the newest first contact any more, for an hour.
    fn is_lost(&self, now: UnixTime) -> bool {
        let lost = |since: UnixTime| now.since(since) >= LOST_AFTER_SECS;
        self.standing == Standing::Open
            && self.talk.is_none()
            && self.attempts.len() < ATTEMPTS_MAX
            && self.attempts.last().and_then(|attempt| attempt.trouble_since).is_some_and(lost)
    }

    /// The question what became of each first contact that waits at that relay.
    fn status_requests(&self, relay: &Pin) -> Vec<(EntryId, Request)> {
        let request = |entry: EntryId| {
            let (target, envelope) = self.thread.outbox.location(entry)?;
            let is_asked = target.relay == *relay && self.thread.outbox.is_stored(entry);
            let status = Status { mailbox: target.to.clone(), ids: vec![envelope] };
            is_asked.then_some((entry, Request::Status(status)))
        };
        self.attempts.iter().filter_map(|attempt| request(attempt.entry)).collect()
    }

    fn note_trouble(&mut self, entry: EntryId, now: UnixTime) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.entry == entry) {
            if now < attempt.last_day.end() {
                attempt.trouble_since.get_or_insert(now);
            }
        }
    }

    fn note_no_trouble(&mut self, entry: EntryId) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.entry == entry) {
            attempt.trouble_since = None;
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        let polls = self.run.poll_due.values().copied().min();
        let lost =
            self.attempts.last().and_then(|attempt| attempt.trouble_since).map(|at| at.plus(LOST_AFTER_SECS));
        let wanted = !self.drafts.is_empty() || !self.run.unchecked.is_empty();
        let notice = self.run.notice_due.values().copied().min().filter(|_| wanted);
        [polls, lost, notice, self.thread.outbox.poll_timeout()].into_iter().flatten().min()
    }
}

fn check(text: &str) -> Result<(), SayError> {
    match text.len() {
        0 => Err(SayError::Empty),
        bytes if bytes > REQUEST_BYTES_MAX => Err(SayError::TooLong { bytes }),
        _ => Ok(()),
    }
}
