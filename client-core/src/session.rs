//! The conversation between one requester and one volunteer: a KEM ratchet with sealed headers (docs/spec/ratchet.md).
//!
//! Chains alternate strictly: chain 0 is the volunteer's, in the layout of A1; chain 1 the requester's, and so on. Who
//! has opened a message of the peer's newest chain turns with the next message that it sends.
//!
//! Invariants: an envelope that does not open leaves the state as it was, because opening works on a copy; a message
//! secret is used once; the envelope's nonce is mixed into each message key, so that a state put back never meets a used
//! (key, nonce). Who stores: keep the state before an envelope is put, and before one is deleted at a relay.

pub(crate) mod header;
pub(crate) mod message;
mod open;
mod own;
mod reading;
mod receiving;
mod seal;
mod sending;
pub(crate) mod start;
pub(crate) mod step;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use poterne_protocol::kdf;
use poterne_protocol::kem::KemPublic;
use poterne_protocol::keys::MailboxSecret;

pub use message::{ANSWER_BODY_BYTES, BODY_BYTES};
pub use open::{OpenError, Opened};
pub use own::Own;
pub use seal::{Destination, SealError, Sealed};
pub(crate) use start::establish;
pub use start::{DeviceKeys, StartError};

use crate::desk::certificate::DeviceCertificate;
use crate::labels;
use crate::secret::Secret;
use receiving::Receiving;
use sending::Sending;

/// Messages of one chain at most: without an answer of the peer nothing more is sent.
pub const CHAIN_MESSAGES_MAX: u32 = 256;
/// Messages in one mailbox of a chain.
pub const MAILBOX_MESSAGES: u32 = 64;
/// Mailboxes of one chain.
const CHAIN_MAILBOXES: u32 = CHAIN_MESSAGES_MAX / MAILBOX_MESSAGES;
/// Keys of skipped messages that are kept at most, over all chains: 16 KiB.
const SKIPPED_KEYS_MAX: usize = 512;
/// Older chains of the peer that are still read at most.
const OLD_CHAINS_MAX: usize = 4;
/// Chains of the peer whose mailboxes are watched for forks at most.
const WATCHED_CHAINS_MAX: usize = 16;
/// Days after its last message for which a chain of the peer is remembered: the longest life of an envelope.
const REMEMBERED_DAYS: u32 = 30;
/// How far a resumed state jumps in its chain, past what a newer copy may have sent.
pub const RESUME_STEP: u32 = 32;

/// One end of a conversation.
#[derive(Clone)]
pub struct Session {
    id: [u8; 32],
    role: Role,
    zero: ChainZero,
    root: Secret,
    ahead: Ahead,
    sending: Option<Sending>,
    follow_ups: u32,
    receiving: BTreeMap<u32, Receiving>,
}

crate::secret::silent!(Session);

/// Which end of the conversation this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Sends the odd chains.
    Requester,
    /// Sends the even chains.
    Volunteer,
}

/// What the layout of A1 needs besides the ratchet.
#[derive(Clone, Debug)]
struct ChainZero {
    th0: [u8; 32],
    header: Secret,
    certificate: DeviceCertificate,
    lease: u32,
}

/// The chain that comes next. Its header key and mailbox are known to both since the last root step.
#[derive(Clone, Debug)]
struct Ahead {
    chain: u32,
    header: Secret,
    mailbox: Secret,
    /// The peer's newest key, where the next chain is ours to begin.
    peer_key: Option<KemPublic>,
}

/// The first 16 bytes of H(nonce ‖ header ciphertext): by this a message is known again. The payload is left out, so
/// that a relay that damages a copy of it makes no second message.
type Mark = [u8; 16];

impl Session {
    /// SID: 32 bytes that only this conversation has.
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// H(SID)[..16], which the desk log holds.
    pub fn tag(&self) -> [u8; 16] {
        kdf::hash16(&[&self.id])
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The certificate of the volunteer's device.
    pub fn certificate(&self) -> &DeviceCertificate {
        &self.zero.certificate
    }

    /// The number of the lease under which the volunteer answered.
    pub fn lease(&self) -> u32 {
        self.zero.lease
    }

    /// The newest chain of either side.
    pub fn newest_chain(&self) -> u32 {
        self.ahead.chain - 1
    }

    /// Whether the requester has sent in this conversation, as far as this end knows: no other answer counts from then on.
    pub fn is_bound(&self) -> bool {
        match self.role {
            Role::Requester => self.sending.is_some(),
            Role::Volunteer => !self.receiving.is_empty(),
        }
    }
}

/// KDF(–, MB_i, "chain mailbox", j).
pub(crate) fn chain_mailbox(mailbox: &Secret, j: u32) -> MailboxSecret {
    let j = u8::try_from(j).expect("a chain has 4 mailboxes");
    mailbox.mailbox(labels::CHAIN_MAILBOX, &[&[j]])
}

/// The place among its chain's mailboxes of the mailbox that message `n` lies in; the last one where there is no such n.
fn mailbox_of(n: u32) -> u32 {
    (n / MAILBOX_MESSAGES).min(CHAIN_MAILBOXES - 1)
}
