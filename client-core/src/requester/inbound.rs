//! What lies in the mailboxes of a requester, and what it means (docs/spec/client.md §7.3).
//!
//! Invariant: an envelope is erased at the relay only once nothing of it is needed any more; what is not understood, or
//! damaged, stays there until it expires.

use std::collections::BTreeSet;

use poterne_protocol::envelope::{Class, EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Start;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::conversation::{Conversation, Standing, Stop};
use crate::body::Body;
use crate::body::kinds::ForkReport;
use crate::outbox::EntryId;
use crate::session::{Destination, OpenError, Own, Sealed};
use crate::talk::Heard;
use crate::thread::{Asked, Draft};
use crate::transcript::Position;
use crate::vault::Batch;
use crate::watch::Watched;

/// Which of a conversation's mailboxes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// The answer box of the first contact with this H(M0).
    AnswerBox([u8; 32]),
    /// The follow-ups that she has sent herself, to the first contact with this H(M0).
    OwnFollowUps([u8; 32]),
    /// What she has sent, or is to send next, herself.
    OwnMessages,
    /// The volunteer's messages.
    Peer,
}

/// What became of the envelopes of one mailbox.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) changed: bool,
    pub(super) erase: BTreeSet<EnvelopeId>,
}

/// What is to be done with one envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It said something; the state has changed.
    Taken,
    /// It says nothing, or nothing new.
    Useless,
    /// It stays.
    Left,
    /// It stays, and the state has changed.
    LeftButNoted,
}

impl Conversation {
    /// All mailboxes that are read at a relay now.
    pub(super) fn watched(&self, relay: &Pin) -> Vec<Watched<Source>> {
        let is_first = !self.run.polled.contains(relay);
        let mut all = Vec::new();
        // Another copy of this home may need what is there.
        let is_stopped = matches!(self.standing, Standing::Stopped(_));
        let drained = if is_stopped { Watched::looked_at } else { Watched::drained };
        for attempt in &self.attempts {
            if attempt.pending.relays().iter().flatten().any(|chosen| chosen.pin == *relay) {
                let (source, boxed) =
                    (Source::AnswerBox(attempt.pending.handshake.contact_hash), attempt.pending.answer_box());
                let (read, delete) = (boxed.read_from(relay), (!is_stopped).then(|| boxed.delete_at(relay)));
                all.push(Watched { source, read, delete, start: Start::First, rounds: 0 });
            }
        }
        match &self.talk {
            Some(talk) if talk.reads_at(relay) => {
                let read = talk.session.mailboxes_to_read();
                all.extend(read.iter().map(|mailbox| drained(Source::Peer, mailbox, relay)));
                if is_first {
                    let own = talk.session.own_mailboxes();
                    all.extend(
                        own.iter().map(|mailbox| Watched::looked_at(Source::OwnMessages, mailbox, relay)),
                    );
                    let old = talk.session.mailboxes_to_watch();
                    let is_new = |old: &&_| read.iter().all(|new| !same(new, old));
                    let old = old.iter().filter(is_new);
                    all.extend(old.map(|mailbox| Watched::looked_at(Source::Peer, mailbox, relay)));
                }
            }
            None if is_first => all.extend(self.attempts.iter().map(|attempt| {
                let source = Source::OwnFollowUps(attempt.pending.handshake.contact_hash);
                Watched::looked_at(source, &attempt.pending.handshake.follow_up_mailbox(), relay)
            })),
            _ => {}
        }
        all
    }

    /// Takes in what a fetch found in one mailbox.
    pub(super) fn take_all(
        &mut self,
        source: Source,
        envelopes: &[SealedEnvelope],
        now: UnixTime,
        batch: &mut Batch,
    ) -> Seen {
        let mut seen = Seen::default();
        for envelope in envelopes {
            let fate = match source {
                Source::AnswerBox(contact) => self.take_from_answer_box(contact, envelope, now, batch),
                Source::OwnFollowUps(contact) => self.look_at_own(self.judge_follow_up(contact, envelope)),
                Source::OwnMessages => self.look_at_own(self.judge_message(envelope)),
                Source::Peer => self.take_message(envelope, now, batch).unwrap_or(Fate::Useless),
            };
            seen.changed |= matches!(fate, Fate::Taken | Fate::LeftButNoted);
            if matches!(fate, Fate::Taken | Fate::Useless) {
                seen.erase.insert(envelope.id());
            }
        }
        seen
    }

    fn look_at_own(&mut self, own: Own) -> Fate {
        if own == Own::Newer { self.stop(Stop::Rollback) } else { Fate::Left }
    }

    fn judge_follow_up(&self, contact: [u8; 32], envelope: &SealedEnvelope) -> Own {
        let attempt = self.attempts.iter().find(|attempt| attempt.pending.handshake.contact_hash == contact);
        attempt.map_or(Own::NotOurs, |attempt| attempt.pending.follow_ups.judge_own(envelope))
    }

    fn judge_message(&self, envelope: &SealedEnvelope) -> Own {
        self.talk.as_ref().map_or(Own::NotOurs, |talk| talk.session.judge_own(envelope))
    }

    /// Full stop. The first reason stays, and what is known already is no news.
    pub(super) fn stop(&mut self, why: Stop) -> Fate {
        if matches!(self.standing, Standing::Stopped(_)) {
            return Fate::Left;
        }
        self.standing = Standing::Stopped(why);
        Fate::LeftButNoted
    }

    /// Tells the volunteer of a fork of his, so that his copies stop too. Whether anything was sealed.
    pub(super) fn tell_fork(&mut self, now: UnixTime, rng: &mut impl CryptoRng, batch: &mut Batch) -> bool {
        let (Some(fork), Some(talk)) = (self.fork.take(), self.talk.as_mut()) else { return false };
        let Ok(sealed) = talk.seal(&Body::Fork(fork), rng) else { return false };
        self.push_sealed(sealed, now, batch);
        true
    }

    /// Opens a message of the conversation; `None` when it is not one.
    pub(super) fn take_message(
        &mut self,
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Option<Fate> {
        let talk = self.talk.as_mut()?;
        match talk.open(envelope, now.day()) {
            Ok(heard) => Some(self.hear(heard, now, batch)),
            Err(OpenError::Duplicate { .. } | OpenError::KeyGone { .. } | OpenError::TooFarAhead) => {
                Some(Fate::Useless)
            }
            Err(OpenError::Decode(_) | OpenError::Spoilt { .. }) => Some(Fate::Left),
            Err(OpenError::Fork { chain, n }) => {
                self.fork = self.fork.or(Some(ForkReport { chain, n }));
                Some(self.stop(Stop::Fork))
            }
            Err(OpenError::NotOurs | OpenError::OtherAnswer) => None,
        }
    }

    /// Takes in what an opened message says. A word of a fork stays at the relay, for the other copy of this home.
    pub(super) fn hear(&mut self, heard: Heard, now: UnixTime, batch: &mut Batch) -> Fate {
        match self.thread.hear(heard, now, batch) {
            Some(Asked::Close) => self.standing = Standing::Closed,
            Some(Asked::File(descriptor)) => {
                let relays = self.reading_relays();
                self.thread.files.announce(descriptor, relays, now.day(), false);
            }
            Some(Asked::Fork) => {
                self.stop(Stop::Fork);
                return Fate::LeftButNoted;
            }
            Some(Asked::Relays(numbers)) => {
                if let (Some(talk), Some(notice)) = (&mut self.talk, &self.notice) {
                    talk.peer_moves_to(numbers, notice);
                }
            }
            None => {}
        }
        Fate::Taken
    }

    /// Seals a draft as messages of the conversation. On failure the draft comes back.
    pub(super) fn seal_message(
        &mut self,
        draft: Draft,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> Result<(), Draft> {
        let Some(talk) = self.talk.as_mut() else { return Err(draft) };
        let file = draft.file.and_then(|file| self.thread.files.descriptor(file));
        let Ok((text, file)) = talk.seal_letter(&draft.text, file, rng) else { return Err(draft) };
        let relays = talk.relays.clone();
        let position = Position::ratchet(self.thread.number, text[0].chain, text[0].n);
        let entries = self.push_sealed(text, now, batch);
        self.thread.note_sent(position, &draft, entries, batch);
        if let (Some(name), Some(first)) = (draft.file, file.first()) {
            let position = Position::ratchet(self.thread.number, first.chain, first.n);
            let entries = self.push_sealed(file, now, batch);
            self.thread.note_file_sent(position, name, draft.written, entries, batch);
            self.thread.files.begin(name, Class::THIRTY, &relays, now);
        }
        Ok(())
    }

    /// Puts sealed messages of the conversation into the outbox. The first of them binds.
    pub(super) fn push_sealed(
        &mut self,
        sealed: Vec<Sealed>,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Vec<EntryId> {
        let Some(talk) = &self.talk else { return Vec::new() };
        let targets = |to: &Destination| match to {
            Destination::Mailbox(mailbox) => talk.targets(mailbox),
            Destination::AnswerBox => unreachable!("a requester writes into no answer box"),
        };
        let contact = talk.contact;
        let puts: Vec<_> = sealed.into_iter().map(|one| (targets(&one.to), one.envelope)).collect();
        let push = |(targets, envelope)| self.thread.push(envelope, Class::THIRTY, targets, now, batch);
        let entries = puts.into_iter().map(push).collect();
        self.bind(contact);
        entries
    }

    /// Her first message binds: no other answer counts any more, and the key for opening them is erased.
    fn bind(&mut self, contact: [u8; 32]) {
        self.attempts.retain(|attempt| attempt.pending.handshake.contact_hash == contact);
        self.attempts.iter_mut().for_each(|attempt| attempt.pending.bind());
    }
}

fn same(one: &poterne_protocol::keys::MailboxSecret, other: &poterne_protocol::keys::MailboxSecret) -> bool {
    use subtle::ConstantTimeEq;
    one.ct_eq(other).into()
}
