//! What the rules need of a store (docs/spec/relay.md §8).
//!
//! A store shows what is staged at once and makes it durable in [`Store::commit`], for many operations together. Nobody
//! is answered before the commit that follows their operation, also one that changed nothing: a repeated put says
//! *stored* because of an earlier one, which must be on the disk by then. Who only looks at what is written need not
//! wait ([`Store::has_unwritten`]).
//!
//! Guarantees that every store gives, and the one suite of tests checks: what was committed survives a crash; an error
//! of a commit means that its outcome is unknown; after one, the store either shows only what is durable or refuses
//! every further commit; what was deleted by a committed change never comes back; a group commits as a whole or not.

use std::borrow::Cow;

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::kdf;
use poterne_protocol::keys::Permit;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::ClaimId;

use crate::change::{Change, Locator};
use crate::state::{LeaseTag, MailboxState};

/// One step towards the disk.
#[derive(Clone, Debug)]
pub enum Write {
    /// A mailbox changes.
    Mailbox {
        /// Which one.
        id: MailboxId,
        /// How. An arrival is placed by the store.
        change: Change,
        /// What arrives, with [`Change::Put`] and only with it.
        envelope: Option<SealedEnvelope>,
    },
    /// A permit or credit was used.
    Voucher(VoucherChange),
}

/// How many uses a permit or credit has left. An absolute number: replaying it is harmless.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VoucherChange {
    /// Which one.
    pub id: VoucherId,
    /// Uses left. At 0 it may be forgotten.
    pub left: u32,
}

/// By what a relay knows a permit or credit code: H("poterne/1 permit" or "poterne/1 credit" ‖ it).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VoucherId(pub [u8; 32]);

impl VoucherId {
    /// Of a permit.
    pub fn permit(permit: &Permit) -> Self {
        Self(kdf::hash(&[b"poterne/1 permit", permit.expose()]))
    }

    /// Of a credit code.
    pub fn credit(code: &[u8]) -> Self {
        Self(kdf::hash(&[b"poterne/1 credit", code]))
    }
}

/// Called when a group has come to its end.
pub type Bell = Box<dyn FnOnce() + Send>;

/// The outcome of a commit is unknown: the writes may be on the disk or not. The caller answers nobody *stored*.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is unknown whether the writes are on the disk")]
pub struct CommitError;

/// A state could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the store could not be read")]
pub struct LoadError;

/// An envelope could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// The record is not what was written: rotten bytes. It is lost for good.
    #[error("the record of an envelope is damaged")]
    Damaged,
    /// The disk did not answer; another try may.
    #[error("the store could not be read")]
    Unavailable,
}

/// Keeps mailboxes and envelopes.
pub trait Store {
    /// The state of a mailbox with all that is staged; the default where nothing is known of it.
    fn load(&self, id: &MailboxId) -> Result<Cow<'_, MailboxState>, LoadError>;

    /// The intake and the claim to which a lease token of that tag belongs.
    fn find_lease(&self, tag: &LeaseTag) -> Result<Option<(MailboxId, ClaimId)>, LoadError>;

    /// How many uses a permit or credit has left; 0 where it is not known.
    fn voucher(&self, id: &VoucherId) -> Result<u32, LoadError>;

    /// Whether one more envelope can be staged. A store may wait a moment for room.
    fn has_room(&mut self) -> bool {
        true
    }

    /// Whether something of what it tells of a mailbox may not be durable yet: it is staged or under way.
    fn has_unwritten(&self, _id: &MailboxId) -> bool {
        true
    }

    /// Adds a write to the group; it shows at once and is durable after the next commit.
    fn stage(&mut self, write: Write);

    /// Makes durable all that is staged. Nothing may be under way.
    fn commit(&mut self) -> Result<(), CommitError>;

    /// Begins to make durable all that is staged; what is staged from now on belongs to the next group. Nothing may be
    /// under way. Some outcome means that it is known already. Else `ended` is called once, from any thread, and
    /// [`Store::end_commit`] says what it is.
    fn begin_commit(&mut self, _ended: Bell) -> Option<Result<(), CommitError>> {
        Some(self.commit())
    }

    /// Lets all that is staged follow the group that is under way, as soon as that is on the disk: what is staged from now
    /// on belongs to the group behind it. `ended` as in [`Store::begin_commit`]. One group at most may be under way, and
    /// none be waiting. False means that nothing was done, as where nothing is staged or the group is going to fail.
    fn queue_commit(&mut self, _ended: Bell) -> bool {
        false
    }

    /// Takes back the group that waits behind the one that is under way, so that more can be staged to it: its bell will
    /// not ring. False means that it is under way by now, or something is staged behind it.
    fn unqueue_commit(&mut self) -> bool {
        false
    }

    /// Waits for the first group that is under way, if one is. Where it failed, what was staged since fails with it.
    fn end_commit(&mut self) -> Result<(), CommitError> {
        Ok(())
    }

    /// The envelope of that id. A decision told the place; one that a later decision of the same group has deleted can
    /// be read until the next commit. What is there and has another id is damaged.
    fn read(&self, at: Locator, id: &EnvelopeId) -> Result<SealedEnvelope, ReadError>;
}
