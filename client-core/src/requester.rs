//! The machine of a requester: she asks a desk for help, and talks with whoever answers (docs/spec/client.md §7).
//!
//! Fed by `handle_*`, drained by `poll_effect`; see [`crate::effect`]. Invariants: nothing is sealed before the own
//! sending mailbox was seen to hold nothing unknown, and before answers that wait were fetched; no answer is believed
//! before the newest notice was asked for; an envelope is deleted at the relay only after what it said is in the vault.

mod answers;
mod calls;
mod contact;
mod conversation;
mod cover;
mod files;
mod forget;
mod inbound;
mod lost;
mod notices;
mod sealing;
mod stored;
mod view;

use std::collections::BTreeMap;

use poterne_protocol::card::Card;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, EnvelopeStatus, Fetched, Request};
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

pub use calls::CALLS_MAX;
pub use contact::REQUEST_BYTES_MAX;
pub use conversation::{Standing, Stop};
pub use forget::{ANSWERABLE_DAYS, LIFELINE_DAYS};
pub use view::{Summary, Unchecked, Warning};

use crate::clock::Clock;
use crate::cover::PollShape;
use crate::effect::{CallId, CallResult, Calls, Effect, Effects, Machine, Progress};
use crate::files::room::Room;
use crate::files::{ChunkPut, FileSource, Letter};
use crate::outbox::{EntryId, PutOutcome};
use crate::reach::Reach;
use crate::records::{LocalId, Records};
use crate::stored::StoredError;
use crate::unique::unique;
use crate::vault::Batch;
use crate::watch::{self, Asked, Watched};
use conversation::Conversation;
use inbound::Source;
use notices::NoticeOutcome;

/// Seconds between two polls of the first relay while the program runs; the second has four times as long.
pub const POLL_SECS: u64 = 30;
/// Bytes of text that may wait in one conversation to be sealed: four of the longest.
pub const WAITING_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;

/// All conversations of one home.
#[derive(Default)]
pub struct Requester {
    conversations: BTreeMap<LocalId, Conversation>,
    calls: Calls<Purpose>,
    effects: Effects,
    clock: Clock,
    reach: Reach,
    shape: PollShape,
    /// What its files may take of the vault.
    room: Room,
    /// When it last did what was due in this run.
    stepped: Option<UnixTime>,
}

/// What a call is for.
enum Purpose {
    Chunk { id: LocalId, put: ChunkPut },
    ChunksErased { id: LocalId },
    Erase,
    Files { id: LocalId, watched: Vec<Watched<FileSource>> },
    Hello { id: LocalId },
    Notice { id: LocalId, today: Day, whole: bool },
    Poll { id: LocalId, watched: Vec<Watched<Source>>, nobodys: usize },
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
    /// The vault has no room for the file, beside those that are in it.
    #[error("the vault has no room for the file")]
    FileRoom,
    /// A fork or a rollback was noticed: only a new first contact helps.
    #[error("the conversation has come to a full stop")]
    Stopped,
    /// The text is longer than one message can be, or more text waits than the vault should hold.
    #[error(
        "the text is {bytes} bytes long, the most is {REQUEST_BYTES_MAX}, or {WAITING_BYTES_MAX} with all that waits"
    )]
    TooLong {
        /// Its length, or the length of all that would wait.
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
        let room = Room::of(records.capacity_bytes());
        Ok(Self { conversations, room, ..Self::default() })
    }

    /// Begins a conversation with the desk of the card. The text waits until a notice is there.
    pub fn ask<'a>(
        &mut self,
        card: Card,
        letter: impl Into<Letter<'a>>,
        language: [u8; 4],
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<LocalId, SayError> {
        let letter = letter.into();
        check(letter.text, 0)?;
        let (now, mut batch) = (self.clock.time(now), Batch::new());
        self.make_room(letter, &mut batch)?;
        let id = LocalId::generate(rng);
        let mut conversation = Conversation::new(id, card, language);
        conversation.run.silent.extend(self.reach.silent());
        conversation.write_draft(letter, now, rng, &mut batch);
        self.conversations.insert(id, conversation);
        self.save(id, batch);
        self.step(id, now, rng);
        Ok(id)
    }

    /// Says something more. The text waits until it may be sealed.
    pub fn say<'a>(
        &mut self,
        id: LocalId,
        letter: impl Into<Letter<'a>>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SayError> {
        let (letter, now) = (letter.into(), self.clock.time(now));
        let conversation = self.conversations.get(&id).ok_or(SayError::Unknown)?;
        check(letter.text, conversation.waiting_bytes())?;
        match conversation.standing {
            Standing::Closed => return Err(SayError::Closed),
            Standing::Stopped(_) => return Err(SayError::Stopped),
            Standing::Open => self.write_draft(id, letter, now, rng)?,
        }
        self.step(id, now, rng);
        Ok(())
    }

    /// Takes back the text that was given last, if it is not sealed: it was refused.
    pub fn withdraw_draft(&mut self, id: LocalId) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.drafts.pop_back();
            self.save(id, Batch::new());
        }
    }

    /// Makes a new first contact with the same desk, which it can tell to come from the same person. What was sealed
    /// for the old one is given up.
    pub fn ask_again<'a>(
        &mut self,
        id: LocalId,
        letter: impl Into<Letter<'a>>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SayError> {
        let (letter, now, mut batch) = (letter.into(), self.clock.time(now), Batch::new());
        let conversation = self.conversations.get(&id).ok_or(SayError::Unknown)?;
        check(letter.text, conversation.waiting_bytes())?;
        self.make_room(letter, &mut batch)?;
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.begin_anew(&mut batch);
            conversation.write_draft(letter, now, rng, &mut batch);
        }
        self.save(id, batch);
        self.step(id, now, rng);
        Ok(())
    }

    /// The person has said that the relays' clock is to be believed rather than the own one.
    pub fn believe_relays_clock(&mut self) {
        self.clock.believe_relays();
    }

    /// Forgets a conversation and everything that belongs to it. `records` hold all that was saved so far: the machine
    /// was drained before.
    pub fn forget(&mut self, id: LocalId, records: &impl Records) {
        self.conversations.remove(&id);
        let mut batch = Batch::new();
        crate::records::forget(records, id, &mut batch);
        self.effects.save(batch);
    }

    /// Puts the conversation's state and `batch` into one commit.
    fn save(&mut self, id: LocalId, mut batch: Batch) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.drop_unnamed_files(&mut batch);
            stored::write(&mut batch, conversation);
        }
        self.effects.save(batch);
    }

    /// Does all that can be done for a conversation now: seal, save, put, ask. In that order.
    fn step(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
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

    fn ask_for_notices(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if !conversation.wants_notice(now) {
            return;
        }
        let today = now.day();
        for relay in conversation.notice_wanted_from(now) {
            if !self.clock.has_heard(&relay) {
                self.effects.push(self.calls.begin(relay, Request::Hello, Purpose::Hello { id }));
                continue;
            }
            // By a clock that is off, notices of wrong days would be believed.
            let is_off = self.clock.is_off();
            if let Some(request) = conversation.notice_fetch(&relay, today, false).filter(|_| !is_off) {
                let purpose = Purpose::Notice { id, today, whole: false };
                self.effects.push(self.calls.begin(relay, request, purpose));
            }
        }
    }

    fn poll_due(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
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

    /// That relay can't be asked now what waits there.
    fn note_silent(&mut self, id: LocalId, relay: Pin) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.run.silent.insert(relay);
        }
    }

    /// The relay's time is known: its notices can be asked for. `own` is what the own clock shows.
    fn handle_hello(&mut self, id: LocalId, relay: Pin, its_time: UnixTime, own: UnixTime) {
        self.clock.handle_hello(relay, its_time, own);
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
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let outcome = conversation.handle_notices(relay, today, answer, now);
        if conversation.has_newest_notice(now) && !conversation.run.unchecked.is_empty() {
            // They are fetched once more, to be judged; nothing is sealed before.
            conversation.run.unchecked.clear();
            conversation.run.look_again();
        }
        match outcome {
            NoticeOutcome::Believed => self.save(id, Batch::new()),
            NoticeOutcome::WholeLogWanted if !whole => {
                if let Some(request) = conversation.notice_fetch(&relay, today, true) {
                    let purpose = Purpose::Notice { id, today, whole: true };
                    self.effects.push(self.calls.begin(relay, request, purpose));
                }
            }
            NoticeOutcome::Nothing | NoticeOutcome::WholeLogWanted => {}
        }
    }

    fn handle_poll(
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

    fn handle_status(&mut self, id: LocalId, entry: EntryId, result: CallResult, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let is_there = matches!(&result, Ok(Answer::Status(statuses))
            if matches!(statuses[..], [EnvelopeStatus::Stored | EnvelopeStatus::Claimed]));
        if conversation.note_status(entry, is_there, now) {
            self.save(id, Batch::new());
        }
    }
}

impl Machine for Requester {
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some((relay, purpose)) = self.calls.end(call) else { return };
        self.clock.tick(now);
        let (own, now) = (now, self.clock.time(now));
        self.reach.note(&relay, result.is_ok(), now);
        let id = match purpose {
            Purpose::Chunk { id, put } => {
                self.handle_chunk(id, put, &result, now);
                id
            }
            Purpose::ChunksErased { id } => {
                self.handle_chunks_erased(id, relay, &result);
                id
            }
            Purpose::Erase => return,
            Purpose::Files { id, watched } => {
                self.handle_files(id, relay, watched, result);
                id
            }
            Purpose::Hello { id } => {
                if let Ok(Answer::Hello(hello)) = result {
                    self.handle_hello(id, relay, hello.time, own);
                }
                id
            }
            Purpose::Notice { id, today, whole } => {
                if let Ok(answer) = result {
                    self.handle_notice(id, relay, today, whole, answer, now);
                }
                id
            }
            Purpose::Poll { id, watched, nobodys } => {
                match result {
                    Ok(answer) => {
                        if let Some(found) = watch::found_before(watched, nobodys, answer) {
                            self.handle_poll(id, relay, found, now, rng);
                        }
                    }
                    Err(_) => self.note_silent(id, relay),
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

fn check(text: &str, waiting: usize) -> Result<(), SayError> {
    match text.len() {
        0 => Err(SayError::Empty),
        bytes if bytes > REQUEST_BYTES_MAX => Err(SayError::TooLong { bytes }),
        bytes if bytes + waiting > WAITING_BYTES_MAX => Err(SayError::TooLong { bytes: bytes + waiting }),
        _ => Ok(()),
    }
}
