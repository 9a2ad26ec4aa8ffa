//! One conversation of a requester: her texts, her first contacts, and who answers (docs/spec/client.md §7).
//!
//! A text is a draft until it may be sealed; then it has a place in the conversation and its envelopes are in the outbox.
//! Invariant: everything here that a put depends on is in the vault before the put.

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::card::Card;
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::Pin;
use poterne_protocol::time::{Day, UnixTime};
use zeroize::Zeroizing;

use crate::body::kinds::ForkReport;
use crate::notice::{Notice, NoticeError, NoticeTrust, relays};
use crate::outbox::EntryId;
use crate::records::LocalId;
use crate::request::{PendingRequest, Reveal};
use crate::talk::Talk;
use crate::thread::Thread;
use crate::transcript::Author;
use crate::unique::unique;
use crate::vault::Batch;

/// First contacts of one conversation that may wait for an answer at the same time.
pub(super) const ATTEMPTS_MAX: usize = 3;

/// How a conversation stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The volunteer has closed it.
    Closed,
    /// Messages can be written.
    Open,
    /// Full stop; only a new first contact helps.
    Stopped(Stop),
}

/// Why a conversation came to a full stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Two different messages claim one place: a key of either side lives twice.
    Fork,
    /// A newer copy of this home has sent something that this one does not know.
    Rollback,
}

/// A first contact that was sealed.
pub(super) struct Attempt {
    pub(super) pending: PendingRequest,
    /// All that she has written in it, for sealing it anew. At rest it is in the transcript.
    pub(super) text: Zeroizing<String>,
    /// The notice that it echoes.
    pub(super) notice: Notice,
    /// The entry of the outbox that carries M0.
    pub(super) entry: EntryId,
    /// The last day on which it waits in the intake.
    pub(super) last_day: Day,
    /// Since when its relay does not know it any more, or can't be asked.
    pub(super) trouble_since: Option<UnixTime>,
}

/// What is known for this run of the program only.
#[derive(Default)]
pub(super) struct Run {
    /// Relays from which all that waits was fetched, own sending mailboxes and old ones of the volunteer among it. Anew
    /// every day.
    pub(super) polled: BTreeSet<Pin>,
    /// Relays that did not answer when they were asked for that.
    pub(super) silent: BTreeSet<Pin>,
    /// The day of `polled`.
    pub(super) day: Option<Day>,
    /// When each relay is to be polled next.
    pub(super) poll_due: BTreeMap<Pin, UnixTime>,
    /// Relays that have shown a valid notice, and when.
    pub(super) notice_from: BTreeMap<Pin, UnixTime>,
    /// When to ask each relay for notices again.
    pub(super) notice_due: BTreeMap<Pin, UnixTime>,
    /// Why the last notice was not believed.
    pub(super) notice_trouble: Option<NoticeError>,
    /// Texts of answers that wait for the newest notice.
    pub(super) unchecked: BTreeMap<EnvelopeId, Zeroizing<String>>,
    /// A relay wants to be paid.
    pub(super) price_wanted: bool,
    /// A message that says nothing is to go out, unless one that says something does.
    pub(super) cover_wanted: bool,
}

impl Run {
    /// A new day begins with a look at everything.
    pub(super) fn begin_day(&mut self, today: Day) {
        if self.day != Some(today) {
            self.day = Some(today);
            self.look_again();
        }
    }

    /// All that waits is to be fetched once more.
    pub(super) fn look_again(&mut self) {
        self.polled.clear();
        self.poll_due.clear();
    }
}

/// A conversation.
pub(super) struct Conversation {
    pub(super) card: Card,
    pub(super) trust: NoticeTrust,
    pub(super) notice: Option<Notice>,
    pub(super) language: [u8; 4],
    pub(super) attempts: Vec<Attempt>,
    /// What proves that the next first contact comes from the same person.
    pub(super) reveal: Option<Reveal>,
    pub(super) talk: Option<Talk>,
    /// How often another volunteer's answer has taken the place of an earlier one.
    pub(super) replaced: u8,
    pub(super) standing: Standing,
    pub(super) thread: Thread,
    /// Calls by the lifeline that are kept.
    pub(super) calls: Vec<EnvelopeId>,
    /// Since when an answer waits for the newest notice.
    pub(super) unchecked_since: Option<UnixTime>,
    /// A fork that the volunteer is still to be told of.
    pub(super) fork: Option<ForkReport>,
    pub(super) run: Run,
}

impl Conversation {
    pub(super) fn new(id: LocalId, card: Card, language: [u8; 4]) -> Self {
        Self {
            trust: NoticeTrust::new(*card.desk(), card.secret().clone()),
            card,
            notice: None,
            language,
            attempts: Vec::new(),
            reveal: None,
            talk: None,
            replaced: 0,
            standing: Standing::Open,
            thread: Thread::new(id, Author::Requester),
            calls: Vec::new(),
            unchecked_since: None,
            fork: None,
            run: Run::default(),
        }
    }

    /// The relays at which something is read for this conversation, the preferred one first.
    pub(super) fn reading_relays(&self) -> Vec<Pin> {
        let mut pins: Vec<Pin> = self.talk.iter().flat_map(Talk::reading_relays).collect();
        let asked = self.attempts.iter().flat_map(|attempt| attempt.pending.relays().iter().flatten());
        pins.extend(asked.map(|relay| relay.pin));
        unique(pins)
    }

    /// The relays that may have the desk's notices.
    pub(super) fn notice_relays(&self) -> Vec<Pin> {
        let mut pins: Vec<Pin> = self.card.relays().iter().map(|relay| relay.pin).collect();
        pins.extend(self.notice.iter().flat_map(Notice::relays).map(|relay| relay.pin));
        unique(pins)
    }

    /// Where a relay can be reached, as far as card and notice tell.
    pub(super) fn addresses(&self, pin: &Pin) -> Vec<String> {
        let by_notice = relays::hosts(self.notice.iter().flat_map(Notice::relays), pin);
        let by_card = self.card.relays().iter().filter(|relay| relay.pin == *pin);
        unique(by_notice.chain(by_card.map(|relay| relay.at.to_string())))
    }

    /// Gives up what was sealed so far, for a new first contact.
    pub(super) fn begin_anew(&mut self, batch: &mut Batch) {
        self.thread.begin_anew(batch);
        self.attempts.clear();
        self.talk = None;
        self.replaced = 0;
        self.calls.clear();
        self.unchecked_since = None;
        self.fork = None;
        self.standing = Standing::Open;
        self.run = Run::default();
    }
}
