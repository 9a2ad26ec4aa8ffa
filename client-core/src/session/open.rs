//! Opening: whose message it is, whether it is new, and what it does to the state (docs/spec/ratchet.md §5, §6).
//!
//! A header that opens under no key is cheap and not an error of anybody: the envelope is not ours. Everything else works
//! on a copy, which becomes the state only after the payload has been verified.

use poterne_protocol::codec::DecodeError;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::time::Day;
use zeroize::Zeroizing;

use super::header::{ANSWER_HEADER_BYTES, AnswerHeader, HEADER_BYTES, Header};
use super::message::{self, HeaderSeal};
use super::receiving::Receiving;
use super::step::step;
use super::{
    Ahead, CHAIN_MESSAGES_MAX, OLD_CHAINS_MAX, REMEMBERED_DAYS, Role, SKIPPED_KEYS_MAX, Session,
    WATCHED_CHAINS_MAX,
};
use crate::body::PartMark;
use crate::seal::TwoParts;
use crate::secret::Secret;

/// A message that was opened.
#[derive(Clone, Eq, PartialEq)]
pub struct Opened {
    /// The chain of the message.
    pub chain: u32,
    /// Its number in the chain.
    pub n: u32,
    /// Where it stands in a body of several parts.
    pub mark: PartMark,
    /// The type of its body.
    pub kind: u8,
    /// Its body.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for Opened {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Opened").field("chain", &self.chain).field("n", &self.n).finish_non_exhaustive()
    }
}

/// Why an envelope was not opened. The state is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// It is the peer's, and not of the form of this version.
    #[error("the message is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// This message was opened before.
    #[error("the message was opened before")]
    Duplicate {
        /// Its chain.
        chain: u32,
        /// Its number.
        n: u32,
    },
    /// A copy of the peer's state is in use: two different messages claim this place. Nothing of it is opened.
    #[error("two copies of the other side are in use")]
    Fork {
        /// The chain.
        chain: u32,
        /// The number.
        n: u32,
    },
    /// Its key was dropped: it comes too late.
    #[error("the message comes too late to be opened")]
    KeyGone {
        /// Its chain.
        chain: u32,
        /// Its number.
        n: u32,
    },
    /// It opens under no key of this conversation.
    #[error("the envelope is not of this conversation")]
    NotOurs,
    /// It is another answer to the same request; see `PendingRequest::open_answer`.
    #[error("the envelope is another answer to the same request")]
    OtherAnswer,
    /// Its header opens and its payload does not: it was damaged on its way.
    #[error("the message was damaged on its way")]
    Spoilt {
        /// Its chain.
        chain: u32,
        /// Its number.
        n: u32,
    },
    /// A number above what a chain may hold.
    #[error("the message claims a number that no message has")]
    TooFarAhead,
}

impl Session {
    /// Opens an envelope out of one of the mailboxes of this conversation, or out of the answer box. Keep the state
    /// before the envelope is deleted at the relay.
    pub fn open(&mut self, envelope: &SealedEnvelope, today: Day) -> Result<Opened, OpenError> {
        let (chain, header, parts) = self.find(envelope)?;
        self.check_new(chain, &header, &parts)?;
        let mut copy = self.clone();
        let opened = copy.advance(chain, header, &parts, today)?;
        *self = copy;
        Ok(opened)
    }

    /// Drops what is older than 30 days: keys of skipped messages, and chains that are only watched. Whether there was any.
    pub fn forget(&mut self, today: Day) -> bool {
        let before = (self.receiving.len(), self.skipped_keys());
        let current = self.receiving.keys().next_back().copied();
        let is_recent = |receiving: &Receiving| receiving.last_day + REMEMBERED_DAYS >= today;
        self.receiving.retain(|chain, receiving| Some(*chain) == current || is_recent(receiving));
        for receiving in self.receiving.values_mut().filter(|receiving| !is_recent(receiving)) {
            receiving.skipped.clear();
        }
        (self.receiving.len(), self.skipped_keys()) != before
    }

    /// Finds the header key that opens the envelope's header: newest chains first.
    fn find<'a>(&self, envelope: &'a SealedEnvelope) -> Result<(u32, Header, TwoParts<'a>), OpenError> {
        let aad = message::header_aad(&self.id);
        let parts = TwoParts::of(envelope, HEADER_BYTES);
        let theirs = self.ahead.peer_key.is_none().then_some((self.ahead.chain, &self.ahead.header));
        let known = self.receiving.iter().rev().filter(|(_, receiving)| receiving.mailbox.is_some());
        let keys = theirs.into_iter().chain(known.map(|(chain, receiving)| (*chain, &receiving.header)));
        for (chain, key) in keys {
            if let Ok(header) = message::open_header(&HeaderSeal { key, aad: &aad }, &parts) {
                return Ok((chain, Header::parse(&header)?, parts));
            }
        }
        self.find_answer(envelope)
    }

    fn find_answer<'a>(
        &self,
        envelope: &'a SealedEnvelope,
    ) -> Result<(u32, Header, TwoParts<'a>), OpenError> {
        let zero = self.receiving.get(&0).ok_or(OpenError::NotOurs)?;
        let parts = TwoParts::of(envelope, ANSWER_HEADER_BYTES);
        let by = HeaderSeal { key: &zero.header, aad: &self.zero.th0 };
        let header = message::open_header(&by, &parts).map_err(|_| OpenError::NotOurs)?;
        let header = AnswerHeader::parse(&header)?;
        let is_ours = header.certificate.identity == self.zero.certificate.identity
            && header.certificate.index == self.zero.certificate.index
            && header.lease == self.zero.lease
            && header.ratchet.keys() == zero.keys;
        if is_ours { Ok((0, header.ratchet, parts)) } else { Err(OpenError::OtherAnswer) }
    }

    fn check_new(&self, chain: u32, header: &Header, parts: &TwoParts) -> Result<(), OpenError> {
        let n = header.n;
        if n >= CHAIN_MESSAGES_MAX || header.previous > CHAIN_MESSAGES_MAX {
            return Err(OpenError::TooFarAhead);
        }
        let Some(receiving) = self.receiving.get(&chain) else { return Ok(()) };
        if receiving.keys != header.keys() {
            return Err(OpenError::Fork { chain, n });
        }
        match receiving.seen.get(&n) {
            None => Ok(()),
            Some(mark) if *mark == message::mark(parts.nonce, parts.header) => {
                Err(OpenError::Duplicate { chain, n })
            }
            Some(_) => Err(self.judge_second(receiving, chain, n, parts)),
        }
    }

    /// Another envelope for a used number. The desk knows chain 0's header key: there the payload must prove the fork.
    fn judge_second(&self, receiving: &Receiving, chain: u32, n: u32, parts: &TwoParts) -> OpenError {
        let is_proven = match (chain, receiving.spent.get(&n)) {
            (0, Some(secret)) => message::open_payload(parts, secret, &self.id).is_ok(),
            (0, None) => false,
            _ => true,
        };
        if is_proven { OpenError::Fork { chain, n } } else { OpenError::Spoilt { chain, n } }
    }

    /// Opens a new message whose header was found, on this copy.
    pub(crate) fn advance(
        &mut self,
        chain: u32,
        header: Header,
        parts: &TwoParts,
        today: Day,
    ) -> Result<Opened, OpenError> {
        if !self.receiving.contains_key(&chain) {
            self.begin_chain(chain, &header, today)?;
        }
        let n = header.n;
        let receiving = self.receiving.get_mut(&chain).expect("the chain was begun");
        let secret = receiving.take(chain, n)?;
        let payload =
            message::open_payload(parts, &secret, &self.id).map_err(|_| OpenError::Spoilt { chain, n })?;
        let bytes = message::read_body(&payload)?;
        receiving.seen.insert(n, message::mark(parts.nonce, parts.header));
        receiving.last_day = receiving.last_day.max(today);
        self.keep_spent(chain, n, secret);
        self.bound_memory();
        Ok(Opened { chain, n, mark: header.mark, kind: header.kind, bytes })
    }

    /// The peer has turned: steps the root and finishes its previous chain.
    fn begin_chain(&mut self, chain: u32, header: &Header, today: Day) -> Result<(), OpenError> {
        let n = header.n;
        let sending = self.sending.as_mut().ok_or(OpenError::NotOurs)?;
        let secret = sending.secret.take().ok_or(OpenError::NotOurs)?;
        let shared = secret.decapsulate(&header.ct).map_err(|_| OpenError::Spoilt { chain, n })?;
        let step = step(&self.root, &shared, &sending.ek, &header.ct, &header.ek);
        if chain == 1 {
            self.follow_ups = header.previous;
        } else if let Some(previous) = self.receiving.get_mut(&(chain - 2)) {
            let fork = OpenError::Fork { chain: chain - 2, n: header.previous };
            previous.finish(header.previous).ok_or(fork)?;
        }
        let receiving = Receiving::begin(&self.ahead, step.chain, header.keys(), today);
        self.receiving.insert(chain, receiving);
        self.root = step.root;
        self.ahead = Ahead {
            chain: chain + 1,
            header: step.header,
            mailbox: step.mailbox,
            peer_key: Some(header.ek.clone()),
        };
        Ok(())
    }

    fn keep_spent(&mut self, chain: u32, n: u32, secret: Secret) {
        let is_current = self.role == Role::Requester && self.receiving.len() == 1;
        if let Some(answers) = self.receiving.get_mut(&chain).filter(|_| chain == 0 && is_current) {
            answers.spent.insert(n, secret);
        }
    }

    /// At most 16 chains, 4 of them old and incomplete, and 512 keys; the oldest go first.
    fn bound_memory(&mut self) {
        while self.receiving.len() > WATCHED_CHAINS_MAX {
            self.receiving.pop_first();
        }
        let incomplete = self.receiving.values_mut().rev().skip(1).filter(|old| !old.skipped.is_empty());
        incomplete.skip(OLD_CHAINS_MAX).for_each(|old| old.skipped.clear());
        let mut excess = self.skipped_keys().saturating_sub(SKIPPED_KEYS_MAX);
        for receiving in self.receiving.values_mut() {
            while excess > 0 && receiving.skipped.pop_first().is_some() {
                excess -= 1;
            }
        }
    }

    /// How many keys of skipped messages are kept.
    pub fn skipped_keys(&self) -> usize {
        self.receiving.values().map(|receiving| receiving.skipped.len()).sum()
    }
}

impl Session {
    /// Opens the message with which the requester's end begins.
    pub(crate) fn advance_first(
        &mut self,
        header: Header,
        parts: &TwoParts,
        today: Day,
    ) -> Result<Opened, OpenError> {
        self.check_new(0, &header, parts)?;
        self.advance(0, header, parts, today)
    }
}
