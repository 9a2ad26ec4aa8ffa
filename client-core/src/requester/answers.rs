//! The answer box: receipts, answers, and which answer counts (docs/spec/client.md §7.4).
//!
//! The promise is never two live conversations. No answer is believed before the newest notice was asked for; until then
//! its text is shown as not yet checked, and nothing is sent.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::Pin;
use poterne_protocol::time::UnixTime;

use super::conversation::{Attempt, Conversation, Stop};
use super::inbound::Fate;
use crate::answer::{Answer, AnswerError, Verdict};
use crate::body::Body;
use crate::body::kinds::ForkReport;
use crate::desk::certificate::CertificateError;
use crate::talk::Talk;
use crate::transcript::SentState;
use crate::vault::Batch;

impl Conversation {
    /// Takes an envelope out of the answer box of one first contact.
    pub(super) fn take_from_answer_box(
        &mut self,
        contact: [u8; 32],
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Fate {
        let is_of_talk = self.talk.as_ref().is_some_and(|talk| talk.contact == contact);
        let known = if is_of_talk { self.take_message(envelope, now, batch) } else { None };
        if let Some(fate) = known {
            return fate;
        }
        let Some(attempt) =
            self.attempts.iter().find(|attempt| attempt.pending.handshake.contact_hash == contact)
        else {
            return Fate::Left;
        };
        if attempt.pending.open_claimed(envelope).is_ok() {
            return self.note_claimed(contact);
        }
        match attempt.pending.open_answer(envelope, now.day()) {
            Ok(answer) => self.judge(contact, answer, envelope, now, batch),
            Err(AnswerError::Decode(_) | AnswerError::Spoilt) => Fate::Left,
            Err(AnswerError::NotOpened) => self.take_call(contact, envelope, now, batch),
            Err(AnswerError::Bound | AnswerError::Refused) => Fate::Useless,
        }
    }

    fn note_claimed(&mut self, contact: [u8; 32]) -> Fate {
        let thread = self.thread.number;
        self.thread.raise(SentState::Claimed, |position| position.attempt == thread && position.chain == 0);
        for attempt in
            self.attempts.iter_mut().filter(|attempt| attempt.pending.handshake.contact_hash == contact)
        {
            attempt.trouble_since = None;
        }
        Fate::Taken
    }

    /// Whether an answer is believed, and whether it counts beside one that is there.
    fn judge(
        &mut self,
        contact: [u8; 32],
        answer: Answer,
        envelope: &SealedEnvelope,
        now: UnixTime,
        batch: &mut Batch,
    ) -> Fate {
        let (true, Some(newest)) = (self.has_newest_notice(now), &self.notice) else {
            self.run.unchecked.insert(envelope.id(), text_of(&answer));
            return self.note_unchecked(now);
        };
        let Some(attempt) =
            self.attempts.iter().find(|attempt| attempt.pending.handshake.contact_hash == contact)
        else {
            return Fate::Left;
        };
        match answer.certificate.check(&attempt.notice, newest, attempt.notice.epoch()) {
            Ok(()) => {}
            Err(CertificateError::Revoked | CertificateError::RootsChanged) => {
                return self.refuse_revoked(contact);
            }
            Err(CertificateError::Ended | CertificateError::NotSigned) => return Fate::Useless,
        }
        let verdict = match &self.talk {
            Some(talk) if talk.contact == contact => talk.session.judge(&answer, self.replaced),
            Some(_) => Verdict::Ignored,
            None => return self.accept(contact, answer, now, batch),
        };
        match verdict {
            Verdict::Fork => {
                self.fork = self.fork.or(Some(ForkReport { chain: 0, n: answer.opened.n }));
                self.stop(Stop::Fork)
            }
            Verdict::Ignored => Fate::Useless,
            Verdict::Replaces => {
                self.replaced += 1;
                self.thread.number += 1;
                self.accept(contact, answer, now, batch)
            }
        }
    }

    fn note_unchecked(&mut self, now: UnixTime) -> Fate {
        if self.unchecked_since.is_some() {
            return Fate::Left;
        }
        self.unchecked_since = Some(now);
        Fate::LeftButNoted
    }

    /// A device that the desk has revoked answered: the request is sealed anew, for the others.
    fn refuse_revoked(&mut self, contact: [u8; 32]) -> Fate {
        for attempt in
            self.attempts.iter_mut().filter(|attempt| attempt.pending.handshake.contact_hash == contact)
        {
            attempt.trouble_since = Some(UnixTime(0));
        }
        Fate::Taken
    }

    fn accept(&mut self, contact: [u8; 32], answer: Answer, now: UnixTime, batch: &mut Batch) -> Fate {
        let relays = self
            .attempts
            .iter()
            .find(|attempt| attempt.pending.handshake.contact_hash == contact)
            .map(relays);
        let mut talk = Talk::new(answer.session, contact, relays.unwrap_or_default());
        let heard = talk.hear(answer.opened);
        self.talk = Some(talk);
        self.run.unchecked.clear();
        self.unchecked_since = None;
        self.hear(heard, now, batch)
    }
}

fn relays(attempt: &Attempt) -> Vec<Pin> {
    attempt.pending.relays().iter().flatten().map(|relay| relay.pin).collect()
}

/// The text of an answer whose device is not checked yet; empty when it is no whole text.
fn text_of(answer: &Answer) -> zeroize::Zeroizing<String> {
    match Body::parse(answer.opened.kind, &answer.opened.bytes) {
        Body::Text(text) => text,
        _ => Default::default(),
    }
}
