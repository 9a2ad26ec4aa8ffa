//! What a rule decides: the changes to commit, and what to answer once they are on the disk.

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::op::{Answer, LeaseToken};

use crate::change::{Change, Locator, Position};
use crate::store::VoucherChange;

/// The outcome of one operation on one mailbox. Nothing of it holds before the changes are committed.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What to answer after the commit.
    pub reply: Reply,
    /// What to commit, in order.
    pub changes: Vec<Change>,
    /// A permit or credit that was used, committed together with the changes.
    pub voucher: Option<VoucherChange>,
}

/// An answer, or where the rest of it lies: the rules never see the bytes of an envelope.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The whole answer.
    Answer(Answer),
    /// A lease; the store adds the envelope.
    Claimed {
        /// The leased envelope.
        found: Found,
        /// Shown to extend, release, delete.
        token: LeaseToken,
        /// Rising per envelope.
        number: u32,
        /// Seconds until the lease ends.
        secs_left: u32,
    },
}

impl Decision {
    /// Answers and changes nothing.
    pub fn answer(answer: Answer) -> Self {
        Self::change(answer, Vec::new())
    }

    /// Changes the mailbox and answers.
    pub fn change(answer: Answer, changes: Vec<Change>) -> Self {
        Self { reply: Reply::Answer(answer), changes, voucher: None }
    }

    /// Whether an envelope comes in: what a store with a full disk refuses, and nothing else.
    pub fn takes_custody(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Put(_)))
    }
}

/// An envelope that a fetch found, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its place in the mailbox.
    pub position: Position,
    /// Its id.
    pub id: EnvelopeId,
    /// Where the store keeps it.
    pub at: Locator,
}
