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
mod polls;
mod run;
mod sealing;
mod stored;
mod view;

use std::collections::BTreeMap;

use poterne_protocol::card::Card;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

pub use calls::CALLS_MAX;
pub use contact::REQUEST_BYTES_MAX;
pub use conversation::{Standing, Stop};
pub use forget::{ANSWERABLE_DAYS, LIFELINE_DAYS};
pub use polls::POLL_SECS;
pub use view::{Summary, Unchecked, Warning};

use crate::clock::Clock;
use crate::cover::PollShape;
use crate::effect::{Calls, Effects};
use crate::files::room::Room;
use crate::files::{ChunkPut, FileSource, Letter};
use crate::outbox::EntryId;
use crate::reach::Reach;
use crate::records::{LocalId, Records};
use crate::stored::StoredError;
use crate::vault::Batch;
use crate::watch::Watched;
use conversation::Conversation;
use inbound::Source;

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
        conversation.thread.write_draft(letter, now, rng, &mut batch);
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
        check(letter.text, conversation.thread.waiting_bytes())?;
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
            conversation.thread.drafts.pop_back();
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
        check(letter.text, conversation.thread.waiting_bytes())?;
        self.make_room(letter, &mut batch)?;
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.begin_anew(&mut batch);
            conversation.thread.write_draft(letter, now, rng, &mut batch);
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
            conversation.thread.drop_unnamed_files(&mut batch);
            stored::write(&mut batch, conversation);
        }
        self.effects.save(batch);
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
