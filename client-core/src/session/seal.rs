//! Sealing: turning where it is due, and the next message of the own chain (docs/spec/ratchet.md §4).

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::MailboxSecret;
use rand_core::CryptoRng;

use super::header::AnswerHeader;
use super::message::{self, ANSWER_BODY_BYTES, BODY_BYTES, HeaderSeal};
use super::sending::Sending;
use super::step::step;
use super::{Ahead, CHAIN_MESSAGES_MAX, RESUME_STEP, Session, chain_mailbox, mailbox_of};
use crate::body::Part;

/// A message, ready to be put.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// What is put, always the same bytes.
    pub envelope: SealedEnvelope,
    /// Where to.
    pub to: Destination,
    /// The chain of the message.
    pub chain: u32,
    /// Its number in the chain.
    pub n: u32,
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The answer box of the request.
    AnswerBox,
    /// A plain mailbox that both sides derive.
    Mailbox(MailboxSecret),
}

/// Why a message was not sealed. The state is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The body is longer than one message holds.
    #[error("a message has at most {max} bytes of body")]
    BodyTooLong {
        /// What it holds in the present layout.
        max: usize,
    },
    /// 256 messages have been sent without an answer.
    #[error("{CHAIN_MESSAGES_MAX} messages have been sent without an answer")]
    Unanswered,
}

impl Session {
    /// Bytes of body that the next message holds.
    pub fn body_bytes(&self) -> usize {
        if self.sends_answers() { ANSWER_BODY_BYTES } else { BODY_BYTES }
    }

    /// Messages that can be sealed before an answer must come.
    pub fn messages_left(&self) -> u32 {
        match &self.sending {
            Some(sending) if self.ahead.peer_key.is_none() => CHAIN_MESSAGES_MAX - sending.next,
            _ => CHAIN_MESSAGES_MAX,
        }
    }

    fn sends_answers(&self) -> bool {
        self.ahead.peer_key.is_none() && self.sending.as_ref().is_some_and(|chain| chain.index == 0)
    }

    /// Seals the next message. Keep the advanced state and the envelope before the first put; repeat only those bytes.
    pub fn seal(&mut self, part: &Part, rng: &mut impl CryptoRng) -> Result<Sealed, SealError> {
        if part.bytes.len() > self.body_bytes() {
            return Err(SealError::BodyTooLong { max: self.body_bytes() });
        }
        if self.messages_left() == 0 {
            return Err(SealError::Unanswered);
        }
        self.turn_if_due(rng);
        Ok(self.seal_in_chain(part, rng))
    }

    /// Goes on after this state was put back knowingly, or came from another device: it turns if the peer has turned
    /// since, and otherwise leaves out 32 numbers that the other copy may have used.
    pub fn resume(&mut self) {
        if let Some(sending) = &mut self.sending {
            sending.jump(RESUME_STEP.min(CHAIN_MESSAGES_MAX - sending.next));
        }
    }

    fn turn_if_due(&mut self, rng: &mut impl CryptoRng) {
        let Some(peer_key) = self.ahead.peer_key.take() else { return };
        let (ct, shared) = peer_key.encapsulate(rng);
        let secret = KemSecret::generate(rng);
        let step = step(&self.root, &shared, &peer_key, &ct, &secret.public());
        let previous = self.sending.as_ref().map_or(self.follow_ups, |sending| sending.next);
        self.sending = Some(Sending::begin(&self.ahead, step.chain, &secret, ct, previous));
        self.root = step.root;
        self.ahead =
            Ahead { chain: self.ahead.chain + 1, header: step.header, mailbox: step.mailbox, peer_key: None };
    }

    fn seal_in_chain(&mut self, part: &Part, rng: &mut impl CryptoRng) -> Sealed {
        let sending = self.sending.as_mut().expect("a volunteer begins sending, a requester has turned");
        let (chain, n) = (sending.index, sending.next);
        let header = sending.header(part.kind, part.mark);
        let secret = sending.chain.step();
        let (envelope, to, mark) = match &sending.keys {
            None => {
                let by = HeaderSeal { key: &self.zero.header, aad: &self.zero.th0 };
                let header = AnswerHeader {
                    ratchet: header,
                    certificate: self.zero.certificate.clone(),
                    lease: self.zero.lease,
                };
                let (envelope, mark) =
                    message::seal(&by, &header.encode(), &secret, &self.id, &part.bytes, rng);
                (envelope, Destination::AnswerBox, mark)
            }
            Some((key, mailbox)) => {
                let by = HeaderSeal { key, aad: &message::header_aad(&self.id) };
                let (envelope, mark) =
                    message::seal(&by, &header.encode(), &secret, &self.id, &part.bytes, rng);
                (envelope, Destination::Mailbox(chain_mailbox(mailbox, mailbox_of(n))), mark)
            }
        };
        sending.sent.insert(n, mark);
        sending.next += 1;
        Sealed { envelope, to, chain, n }
    }
}
