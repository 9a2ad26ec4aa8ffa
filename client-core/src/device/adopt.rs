//! Adoption: the first answer, and everything that is written after it (docs/spec/client.md §8.4, PROTOCOL §6).
//!
//! seal A1 -> keep it -> extend the lease so that 120 s remain -> put, wait for stored -> erase M0 by the lease token.
//! Where the lease has ended meanwhile, what was sealed is withdrawn unput, and the same request is claimed again.

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::limits::{LEASE_DEFAULT_SECS, LEASE_MAX_SECS};
use poterne_protocol::op::{Answer, Extend, Request};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::case::{Case, Lease, Stage};
use super::{Device, DeviceError, Outcome, Purpose, Work};
use crate::body::Body;
use crate::body::kinds::Close;
use crate::outbox::{EntryId, Target, Turn};
use crate::records::LocalId;
use crate::session::{Destination, DeviceKeys, Sealed, Session};
use crate::talk::{Talk, Unanswered};
use crate::thread::Draft;
use crate::transcript::Position;
use crate::vault::Batch;

/// Seconds that must remain of a lease when the answer is put.
const REMAIN_SECS: u64 = 120;

impl Device {
    /// Goes on with a case: adoption, messages, erasing M0.
    pub(super) fn advance(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let mut batch = Batch::new();
        if self.clock.is_confirmed() && case.thread.expire(now, &mut batch) {
            self.save(id, batch);
        }
        let Some(case) = self.cases.get(&id) else { return };
        let is_over = matches!(case.stage, Stage::Closed | Stage::Stopped) && !case.thread.drafts.is_empty();
        match case.stage {
            _ if is_over => self
                .settle(Err(DeviceError::Over), |work| matches!(work, Work::Reply { case } if *case == id)),
            Stage::Stopped => self.tell_fork(id, now, rng),
            Stage::Claimed if !case.thread.drafts.is_empty() => match case.live_lease(now) {
                Some(lease) => self.adopt(id, lease, now, rng),
                None => self.claim_again(id, now, rng),
            },
            Stage::Adopting => self.call_extend(id, now),
            Stage::Talking => self.seal_drafts(id, now, rng),
            _ => {}
        }
        self.erase_request(id, now, rng);
    }

    fn claim_again(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let relay = case.lease.take().map(|lease| lease.relay);
        if relay.is_some() {
            case.claim = None;
        }
        let relay = relay.filter(|relay| !self.reach.is_silent(relay));
        self.call_claim(id, relay, now, rng);
    }

    /// Seals the first answer under the lease, and keeps it unput.
    fn adopt(&mut self, id: LocalId, lease: Lease, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(certificate) = self.certificate(now) else {
            return self.settle(
                Err(DeviceError::NoGrant),
                |work| matches!(work, Work::Reply { case } if *case == id),
            );
        };
        let keys = DeviceKeys { identity: self.identity.clone(), certificate };
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Ok(session) = Session::for_volunteer(&case.request, &keys, lease.number, rng) else {
            case.stage = Stage::Stopped;
            self.save(id, Batch::new());
            return self
                .settle(Err(DeviceError::Over), |work| matches!(work, Work::Reply { case } if *case == id));
        };
        let relays = case.relays.iter().flatten().copied().collect();
        case.talk = Some(Talk::new(session, case.request.handshake.contact_hash, relays));
        let (draft, mut batch) = (case.thread.drafts[0].clone(), Batch::new());
        if let Ok(sealed) = case.seal_draft(&draft, now, rng, &mut batch) {
            let entries = sealed.all();
            entries.iter().for_each(|entry| case.thread.outbox.set_turn(*entry, Turn::Held));
            case.held = entries;
            case.stage = Stage::Adopting;
        }
        self.save(id, batch);
        self.call_extend(id, now);
    }

    /// The certificate of today's epoch, or of the newest one before it.
    fn certificate(&self, now: UnixTime) -> Option<crate::desk::certificate::DeviceCertificate> {
        let seat = self.seats.iter().rev().find(|(epoch, _)| epoch.day <= now.day());
        seat.map(|(_, seat)| seat.grant.certificate.clone())
    }

    fn call_extend(&mut self, id: LocalId, now: UnixTime) {
        let is_extend =
            |_: &Pin, purpose: &Purpose| matches!(purpose, Purpose::Extend { case } if *case == id);
        let Some(case) = self.cases.get(&id).filter(|case| case.retry_at <= now) else { return };
        let Some(lease) = case.lease else { return };
        if self.calls.any(is_extend) {
            return;
        }
        let wanted = now.since(lease.claimed_at) + REMAIN_SECS;
        let secs = u32::try_from(wanted).unwrap_or(u32::MAX).max(LEASE_DEFAULT_SECS);
        if secs > LEASE_MAX_SECS {
            return self.handle_extended(id, Answer::Ended, now);
        }
        let extend = Extend { token: lease.token, secs_from_claim: secs };
        self.call(lease.relay, Request::Extend(extend), Purpose::Extend { case: id });
    }

    /// The lease holds: the answer is put. It does not: the answer is withdrawn.
    pub(super) fn handle_extended(&mut self, id: LocalId, answer: Answer, now: UnixTime) {
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.stage == Stage::Adopting) else { return };
        let mut batch = Batch::new();
        match answer {
            Answer::Extended { secs_left } => case.adopted(now.plus(secs_left.into()), now, &mut batch),
            Answer::Ended => case.withdraw_answer(&mut batch),
            _ => return self.note_failed(id, now),
        }
        self.save(id, batch);
    }

    /// Seals what was written, once the own mailbox was looked at.
    fn seal_drafts(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.is_caught_up()) else { return };
        let (mut batch, mut changed, mut is_full) = (Batch::new(), false, false);
        while let Some(draft) = case.thread.drafts.front().cloned() {
            let Ok(sealed) = case.seal_draft(&draft, now, rng, &mut batch) else {
                is_full = true;
                break;
            };
            case.thread.drafts.pop_front();
            case.note_sealed(&draft, sealed, now, &mut batch);
            (changed, case.cover_wanted) = (true, false);
        }
        changed |= case.seal_cover(now, rng, &mut batch);
        if changed {
            self.save(id, batch);
        }
        if is_full {
            self.settle(
                Err(DeviceError::Unanswered),
                |work| matches!(work, Work::Reply { case } | Work::Close { case } if *case == id),
            );
        }
    }

    /// Tells the requester of a fork of hers, so that her copies stop too.
    fn tell_fork(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Some(fork) = case.fork.take() else { return };
        let mut batch = Batch::new();
        // Where no more can be sent, she learns it when she asks anew.
        let _ = case.seal_body(&Body::Fork(fork), now, rng, &mut batch);
        self.save(id, batch);
    }

    /// A conversation ends with a word of its own; a claimed request without an answer is erased.
    pub(super) fn advance_close(&mut self, id: LocalId, now: UnixTime, rng: &mut impl CryptoRng) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let mut batch = Batch::new();
        match case.stage {
            Stage::Claimed => {
                case.erase_at = case.seen_at.clone();
                case.thread.drafts.clear();
            }
            Stage::Talking if case.is_caught_up() && case.thread.drafts.is_empty() => {
                let close = Body::Close(Close { reason: 0, text: String::new() });
                if case.seal_body(&close, now, rng, &mut batch).is_err() {
                    return self.settle(
                        Err(DeviceError::Unanswered),
                        |work| matches!(work, Work::Close { case } if *case == id),
                    );
                }
            }
            Stage::Stopped => {}
            _ => return,
        }
        let is_stopped = case.stage == Stage::Stopped;
        case.stage = Stage::Closed;
        self.save(id, batch);
        if is_stopped {
            self.settle(Ok(Outcome::Closed), |work| matches!(work, Work::Close { case } if *case == id));
        }
    }
}

/// A draft in the outbox: where text and file stand, and their entries.
struct SealedDraft {
    text: (Position, Vec<EntryId>),
    file: Option<(Position, Vec<EntryId>)>,
}

impl SealedDraft {
    /// The first answer, which was held: an announcement is one message, its last.
    fn first(attempt: u16, mut entries: Vec<EntryId>, has_file: bool) -> Self {
        let file = if has_file { entries.pop() } else { None };
        let n = u32::try_from(entries.len()).expect("a text has at most 256 messages");
        let file = file.map(|entry| (Position::ratchet(attempt, 0, n), vec![entry]));
        Self { text: (Position::ratchet(attempt, 0, 0), entries), file }
    }

    fn all(self) -> Vec<EntryId> {
        let file = self.file.into_iter().flat_map(|(_, entries)| entries);
        self.text.1.into_iter().chain(file).collect()
    }
}

impl Case {
    /// Seals a body, and puts its envelopes into the outbox. The position of its first message.
    fn seal_body(
        &mut self,
        body: &Body,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<(Position, Vec<EntryId>), Unanswered> {
        let sealed = self.talk.as_mut().ok_or(Unanswered)?.seal(body, rng)?;
        Ok(self.push_placed(sealed, now, batch))
    }

    /// Seals a draft, and the announcement of the file that goes with it, all or nothing.
    fn seal_draft(
        &mut self,
        draft: &Draft,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<SealedDraft, Unanswered> {
        let file = draft.file.and_then(|file| self.thread.files.descriptor(file));
        let talk = self.talk.as_mut().ok_or(Unanswered)?;
        let (text, file) = talk.seal_letter(&draft.text, file, rng)?;
        let text = self.push_placed(text, now, batch);
        let file = if file.is_empty() { None } else { Some(self.push_placed(file, now, batch)) };
        Ok(SealedDraft { text, file })
    }

    /// Puts sealed messages into the outbox. The position of the first, and the entries.
    fn push_placed(
        &mut self,
        sealed: Vec<Sealed>,
        now: UnixTime,
        batch: &mut Batch,
    ) -> (Position, Vec<EntryId>) {
        let position = Position::ratchet(self.thread.number, sealed[0].chain, sealed[0].n);
        (position, self.push_sealed(sealed, now, batch))
    }

    /// Puts sealed messages into the outbox.
    pub(super) fn push_sealed(
        &mut self,
        sealed: Vec<Sealed>,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Vec<EntryId> {
        let mut entries = Vec::new();
        for Sealed { envelope, to, .. } in sealed {
            let targets = self.targets(&to);
            entries.push(self.thread.push(envelope, Class::THIRTY, targets, now, batch));
        }
        entries
    }

    /// Gives what was sealed its place, and lets the chunks of its file go.
    fn note_sealed(&mut self, draft: &Draft, sealed: SealedDraft, now: UnixTime, batch: &mut Batch) {
        let (position, entries) = sealed.text;
        self.thread.note_sent(position, draft, entries, batch);
        if let (Some(file), Some((position, entries))) = (draft.file, sealed.file) {
            self.thread.note_file_sent(position, file, draft.written, entries, batch);
            let relays = self.talk.as_ref().map(|talk| talk.relays.clone()).unwrap_or_default();
            self.thread.files.begin(file, Class::THIRTY, &relays, now);
        }
    }

    fn targets(&self, to: &Destination) -> Vec<Target> {
        match (to, &self.talk) {
            (Destination::AnswerBox, _) => self.answer_box(),
            (Destination::Mailbox(mailbox), Some(talk)) => talk.targets(mailbox),
            (Destination::Mailbox(_), None) => Vec::new(),
        }
    }

    /// The lease was checked: the answer goes out, and M0 is erased once it is stored.
    fn adopted(&mut self, ends: UnixTime, now: UnixTime, batch: &mut Batch) {
        self.stage = Stage::Talking;
        self.lease = self.lease.map(|lease| Lease { ends, ..lease });
        self.thread.outbox.let_go();
        let entries = std::mem::take(&mut self.held);
        if let Some(draft) = self.thread.drafts.pop_front() {
            let sealed = SealedDraft::first(self.thread.number, entries, draft.file.is_some());
            self.note_sealed(&draft, sealed, now, batch);
        }
    }
}
