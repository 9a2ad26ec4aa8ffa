//! One request at a device, from the intake to the last message (docs/spec/client.md §8).
//!
//! A case's id is the beginning of H(M0), so that all devices and all runs call it the same. Invariant: at most one answer
//! of this device is live: what was sealed under a lease that ended is withdrawn before it was ever put.

use std::collections::BTreeSet;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};
use zeroize::Zeroizing;

use crate::body::kinds::ForkReport;
use crate::body::{Assembler, Body, Part, PartMark, Whole};
use crate::desk::epoch::Epoch;
use crate::follow_up::{FOLLOW_UPS_MAX, FollowUp};
use crate::intake::OpenedRequest;
use crate::notice::Notice;
use crate::outbox::{EntryId, Target};
use crate::records::LocalId;
use crate::talk::Talk;
use crate::thread::Thread;
use crate::transcript::{Author, Content, Position};
use crate::vault::Batch;

/// Days for which an unanswered request is kept, and the keys of an ended conversation after its last message.
pub const KEPT_DAYS: u32 = 30;

/// How far a case has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The answer is sealed; the lease is being checked once more before it is put.
    Adopting,
    /// This device has the lease.
    Claimed,
    /// Closed here.
    Closed,
    /// Somebody else has it, or it has expired.
    Gone,
    /// A fork or a rollback was noticed: full stop.
    Stopped,
    /// Answered from here.
    Talking,
    /// In the queue.
    Waiting,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Claimed,
        Self::Adopting,
        Self::Talking,
        Self::Closed,
        Self::Gone,
        Self::Stopped,
    ];

    /// Its number in the vault.
    pub(super) fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|stage| *stage == self).expect("all stages are listed");
        u8::try_from(place).expect("there are seven")
    }

    pub(super) fn parse(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A lease of this device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) relay: Pin,
    pub(super) token: LeaseToken,
    pub(super) number: u32,
    pub(super) claimed_at: UnixTime,
    pub(super) ends: UnixTime,
}

/// A request and what became of it here.
pub(super) struct Case {
    pub(super) request: OpenedRequest,
    pub(super) epoch: Epoch,
    pub(super) m0: EnvelopeId,
    /// The relays whose intakes it was seen in.
    pub(super) seen_at: Vec<Pin>,
    pub(super) arrived: UnixTime,
    /// Its place in the order of arrival at this device, which many share a second of.
    pub(super) place: u64,
    pub(super) parts: Assembler,
    /// The whole text of the request is here.
    pub(super) complete: bool,
    pub(super) stage: Stage,
    /// The claim under way or in force.
    pub(super) claim: Option<ClaimId>,
    pub(super) lease: Option<Lease>,
    pub(super) talk: Option<Talk>,
    /// The entries of the answer that waits for its lease to be checked.
    pub(super) held: Vec<EntryId>,
    /// The relays at which M0 is still to be erased: the answer is stored, or there will be none.
    pub(super) erase_at: Vec<Pin>,
    /// All follow-ups were read and erased.
    pub(super) follow_ups_done: bool,
    /// The relays of the request's answer box and of the conversation.
    pub(super) relays: [Option<Pin>; 2],
    pub(super) thread: Thread,
    /// Another device has a lease on it, as far as its relay said in this run.
    pub(super) leased_elsewhere: bool,
    /// The requester's next chain lies at the relays of these numbers; which they are, a notice tells.
    pub(super) peer_moves_to: Option<[u8; 2]>,
    /// Relays from which all that waits for it was fetched since the day began, or since it was claimed.
    pub(super) polled: BTreeSet<Pin>,
    /// Relays that did not answer when they were asked for that.
    pub(super) silent: BTreeSet<Pin>,
    /// A fork that the requester is still to be told of.
    pub(super) fork: Option<ForkReport>,
    /// Not to be called for before then: a relay has failed.
    /// A message that says nothing is to go out, unless one that says something does.
    pub(super) cover_wanted: bool,
    pub(super) retry_at: UnixTime,
}

/// The id of a request's case: H(M0)\[..8\].
pub(super) fn case_id(contact_hash: &[u8; 32]) -> LocalId {
    LocalId(contact_hash[..8].try_into().expect("a hash has 32 bytes"))
}

impl Case {
    pub(super) fn new(
        request: OpenedRequest,
        notice: &Notice,
        m0: EnvelopeId,
        relay: Pin,
        place: u64,
        now: UnixTime,
    ) -> Self {
        let id = case_id(&request.handshake.contact_hash);
        let relays = request.answer_box().relays().map(|relay| Some(notice.relay(relay.number)?.pin));
        Self {
            request,
            epoch: notice.epoch(),
            m0,
            seen_at: vec![relay],
            arrived: now,
            place,
            parts: Assembler::default(),
            complete: false,
            stage: Stage::Waiting,
            claim: None,
            lease: None,
            talk: None,
            held: Vec::new(),
            erase_at: Vec::new(),
            follow_ups_done: false,
            relays,
            thread: Thread::new(id, Author::Volunteer),
            leased_elsewhere: false,
            peer_moves_to: None,
            polled: BTreeSet::new(),
            silent: BTreeSet::new(),
            fork: None,
            cover_wanted: false,
            retry_at: UnixTime(0),
        }
    }

    pub(super) fn id(&self) -> LocalId {
        self.thread.id
    }

    /// Shows the request's text, if all of it stands in M0.
    pub(super) fn show_request(&mut self, now: UnixTime, batch: &mut Batch) {
        if !self.request.flags().goes_on() {
            self.show_part(0, self.first_part(PartMark::WHOLE), now, batch);
        }
    }

    /// Takes in a follow-up. The first one tells how many parts the request has.
    pub(super) fn take_follow_up(&mut self, follow_up: FollowUp, now: UnixTime, batch: &mut Batch) {
        let FollowUp { n, mark, kind, text } = follow_up;
        if n == 0 && mark.continues {
            let left = mark.left.saturating_add(1);
            self.show_part(0, self.first_part(PartMark { continues: false, left }), now, batch);
        }
        self.show_part(u32::from(n) + 1, Part { kind, mark, bytes: text }, now, batch);
    }

    fn first_part(&self, mark: PartMark) -> Part {
        Part { kind: Body::TEXT, mark, bytes: Zeroizing::new(self.request.text().to_vec()) }
    }

    /// Part 0 is M0's, part n + 1 that of follow-up n.
    fn show_part(&mut self, place: u32, part: Part, now: UnixTime, batch: &mut Batch) {
        let Some(Whole { range, kind, bytes, .. }) = self.parts.insert(0, place, part) else { return };
        self.complete |= range.0 == 0;
        let position = Position { attempt: self.thread.number, chain: 0, number: range.0 };
        let content = match Body::parse(kind, &bytes) {
            Body::Text(text) => Content::Text(text.to_string()),
            Body::Attachment(descriptor) => {
                let content = Content::file(&descriptor);
                let relays = self.reading_relays();
                self.thread.files.announce(descriptor, relays, now.day(), true);
                content
            }
            other => Content::Newer { kind: other.kind(), body: other.encode().to_vec() },
        };
        self.thread.show(position, content, now, batch);
    }

    /// Where messages of the request may have been shown: M0 and all follow-ups.
    pub(super) fn shown_positions(&self) -> impl Iterator<Item = Position> {
        let attempt = self.thread.number;
        (0..=u32::from(FOLLOW_UPS_MAX)).map(move |number| Position { attempt, chain: 0, number })
    }

    /// The answer box at each of its relays.
    pub(super) fn answer_box(&self) -> Vec<Target> {
        let boxed = self.request.answer_box();
        let places = self.relays.iter().zip(boxed.relays());
        let target = |(pin, relay): (&Option<Pin>, _)| {
            pin.map(|pin| Target { relay: pin, to: boxed.write_to(relay, &pin) })
        };
        places.filter_map(target).collect()
    }

    /// The lease, while it lasts.
    pub(super) fn live_lease(&self, now: UnixTime) -> Option<Lease> {
        self.lease.filter(|lease| now < lease.ends)
    }

    /// Whether follow-ups may still come: until all that she says she has sent are here.
    pub(super) fn reads_follow_ups(&mut self) -> bool {
        let told = self.talk.as_ref().and_then(|talk| talk.session.follow_ups_told());
        !told.is_some_and(|told| self.request.follow_ups().has_first(told))
    }

    /// Whether a follow-up was opened that her first message, which counts them, does not know: an older copy of her home
    /// has sent it.
    pub(super) fn has_foreign_follow_up(&mut self) -> bool {
        let told = self.talk.as_ref().and_then(|talk| talk.session.follow_ups_told());
        told.is_some_and(|told| self.request.follow_ups().has_beyond(told))
    }

    /// Whether her first message has bound the conversation.
    pub(super) fn is_bound(&self) -> bool {
        self.talk.as_ref().is_some_and(|talk| talk.session.is_bound())
    }

    /// Whether the preferred relay has shown all that waits there for this case; where it is silent, the other one.
    pub(super) fn is_caught_up(&self) -> bool {
        let relays = self.reading_relays();
        let is_heard = |relay: &&Pin| self.polled.contains(relay) || !self.silent.contains(relay);
        relays.iter().find(is_heard).is_some_and(|relay| self.polled.contains(relay))
    }

    /// The relays at which something is read for this case, the preferred one first.
    pub(super) fn reading_relays(&self) -> Vec<Pin> {
        let talk = self.talk.iter().flat_map(Talk::reading_relays);
        talk.chain(self.relays.iter().flatten().copied()).collect()
    }

    /// Whether any relay of the desk is to have the answer.
    pub(super) fn can_be_answered(&self) -> bool {
        self.relays.iter().any(Option::is_some)
    }

    /// Whether the case is at work here: its mailboxes are read.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Adopting | Stage::Claimed | Stage::Talking)
    }

    /// Whether a request that was never answered here has had its time: it was closed and can't come back, or nobody has
    /// taken it for 30 days.
    pub(super) fn is_forgotten(&self, today: Day, can_come_back: bool) -> bool {
        let is_answered = self.talk.is_some() || !self.thread.sent.is_empty();
        let is_old = today > self.arrived.day() + KEPT_DAYS;
        match self.stage {
            _ if is_answered => false,
            Stage::Closed => !can_come_back,
            Stage::Claimed | Stage::Gone | Stage::Stopped | Stage::Waiting => {
                is_old && self.thread.drafts.is_empty()
            }
            Stage::Adopting | Stage::Talking => false,
        }
    }

    /// Erases the keys that nothing can need any more. Whether there were any.
    pub(super) fn forget_keys(&mut self, today: Day, batch: &mut Batch) -> bool {
        let is_over = matches!(self.stage, Stage::Closed | Stage::Stopped);
        if is_over && self.talk.is_some() && self.thread.is_silent_for(KEPT_DAYS, today) {
            self.talk = None;
            self.thread.withdraw_all(batch);
            return true;
        }
        let is_read = self.stage == Stage::Talking && self.is_caught_up();
        self.talk.as_mut().is_some_and(|talk| is_read && talk.session.forget(today))
    }

    /// Withdraws an answer that was sealed and never put.
    pub(super) fn withdraw_answer(&mut self, batch: &mut Batch) {
        for entry in std::mem::take(&mut self.held) {
            self.thread.withdraw(entry, batch);
        }
        self.talk = None;
        self.lease = None;
        self.claim = None;
        self.stage = Stage::Claimed;
    }
}
