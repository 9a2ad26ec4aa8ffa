//! The operations of a relay, as values (docs/spec/wire.md §6). Their bytes: [`crate::inner`].
//!
//! Every operation is safe to repeat for longer than a request key lives. A request that names a mailbox shows one
//! relay form and the hashes of the others; see [`crate::mailbox`].

use core::fmt;

use zeroize::Zeroizing;

use crate::envelope::{Class, EnvelopeId, SealedEnvelope};
use crate::keys::{KeyHash, Permit, StewardKey};
use crate::mailbox::{DeleteAt, Kind, MailboxHashes, ReadFrom, WriteTo};
use crate::time::{Day, UnixTime};

/// What a client asks of a relay.
#[derive(Clone, Debug)]
pub enum Request {
    /// 9: takes no more envelopes in an intake or log.
    Close(Close),
    /// 4: leases one envelope of an intake.
    Claim(Claim),
    /// 7: erases envelopes.
    Delete(Delete),
    /// 5: sets the end of a lease.
    Extend(Extend),
    /// 3: reads from mailboxes, waiting for news where asked to.
    Fetch(Fetch),
    /// 1: asks what the relay offers and what time it has.
    Hello,
    /// 8: opens an intake or a log.
    Open(Open),
    /// 2: gives an envelope into the relay's custody.
    Put(Put),
    /// 6: ends a lease.
    Release(LeaseToken),
    /// 10: asks what became of envelopes.
    Status(Status),
    /// An operation that this build does not know; it is answered [`Answer::Unsupported`].
    Unknown(u8),
}

/// 2 Put.
#[derive(Clone, Debug)]
pub struct Put {
    /// Where to.
    pub to: WriteTo,
    /// How long it lives.
    pub class: Class,
    /// What it is paid with.
    pub payment: Payment,
    /// What is put.
    pub envelope: SealedEnvelope,
}

/// How a put is paid for. The value is at most 512 bytes, wiped on drop. `Debug` hides it.
#[derive(Clone, Default)]
pub enum Payment {
    /// 1: a one-time code.
    Credit(Zeroizing<Vec<u8>>),
    /// 0: nothing.
    #[default]
    None,
    /// A kind that this build does not know, with its value.
    Other(u8, Zeroizing<Vec<u8>>),
    /// 5: the steward key of a gated log.
    Steward(StewardKey),
    /// 3: a printed ticket in the relay's form.
    Ticket(Zeroizing<Vec<u8>>),
    /// 2: the solution of a puzzle.
    Work(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payment(..)")
    }
}

/// 3 Fetch.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// 1–64 mailboxes and where to begin in each.
    pub from: Vec<FetchFrom>,
    /// Envelopes in the answer at most, over all mailboxes; at least 1.
    pub max: u16,
    /// Seconds to wait for a first envelope, at most 60. 0 answers at once.
    pub wait_secs: u16,
}

/// One mailbox of a fetch.
#[derive(Clone, Debug)]
pub struct FetchFrom {
    /// Which mailbox.
    pub mailbox: ReadFrom,
    /// Where to begin in it.
    pub start: Start,
}

/// Where a fetch begins in a mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// 1: behind what the cursor's answer held. A foreign cursor reads from the first envelope.
    After(Cursor),
    /// 0: at the first envelope.
    First,
    /// 2: at the k-th from the end.
    Last(u16),
}

/// An opaque place in a mailbox, 16 bytes; made by the relay, valid at the same instance of it only.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Cursor(pub [u8; 16]);

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

/// 4 Claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The intake.
    pub mailbox: ReadFrom,
    /// Chosen by the device; a repeated claim of one id is one claim.
    pub claim_id: ClaimId,
    /// Which envelope.
    pub what: ClaimWhat,
    /// Seconds that the lease lasts, 60–3600.
    pub secs: u32,
}

/// 16 random bytes by which a repeated claim is known.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClaimId(pub [u8; 16]);

impl fmt::Debug for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimId(..)")
    }
}

/// Which envelope a claim means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimWhat {
    /// 1: this one.
    Id(EnvelopeId),
    /// 0: the oldest that nobody has leased.
    Oldest,
}

/// 16 bytes that only the holder of a lease knows. Compared in constant time by the relay.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeaseToken(pub [u8; 16]);

impl fmt::Debug for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseToken(..)")
    }
}

/// 5 Extend.
#[derive(Clone, Debug)]
pub struct Extend {
    /// Whose lease.
    pub token: LeaseToken,
    /// When it shall end, in seconds counted from the claim, at most 3600.
    pub secs_from_claim: u32,
}

/// 7 Delete.
#[derive(Clone, Debug)]
pub struct Delete {
    /// By what right.
    pub by: DeleteBy,
    /// 1–64 envelopes. By lease token: the leased one only.
    pub ids: Vec<EnvelopeId>,
}

/// By what right envelopes are deleted.
#[derive(Clone, Debug)]
pub enum DeleteBy {
    /// 0: the delete key of a plain mailbox.
    Key(DeleteAt),
    /// 1: the lease of an envelope in an intake.
    Lease(LeaseToken),
}

/// 8 Open.
#[derive(Clone, Debug)]
pub struct Open {
    /// The operator's leave; any where permits are off.
    pub permit: Permit,
    /// Which intake or log.
    pub mailbox: MailboxHashes,
    /// The last day on which it takes envelopes.
    pub last_day: Day,
    /// Intake: bytes per day. Log: envelopes. 0 stands for the relay's default; above its limit it is refused.
    pub quota: u64,
    /// Puts must show the steward key.
    pub gated: bool,
    /// H(steward key).
    pub steward: KeyHash,
}

/// 9 Close.
#[derive(Clone, Debug)]
pub struct Close {
    /// Whose hash was left at the opening.
    pub steward: StewardKey,
    /// Which intake or log.
    pub mailbox: MailboxHashes,
}

/// 10 Status.
#[derive(Clone, Debug)]
pub struct Status {
    /// The mailbox, named by its writer.
    pub mailbox: WriteTo,
    /// 1–64 envelopes.
    pub ids: Vec<EnvelopeId>,
}

/// What a relay answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Claim: the envelope is the device's until the lease ends.
    Claimed(Claimed),
    /// Close: later puts get [`Answer::Moved`].
    Closed,
    /// Put: there is no such intake or log, or its last day is over.
    NotOpen,
    /// Release, Delete: it is so.
    Done,
    /// Any: too much at once; nothing was done.
    Busy {
        /// Seconds after which to ask again.
        retry_after_secs: u16,
    },
    /// Claim, Extend: that lease has ended.
    Ended,
    /// Extend: the lease lasts.
    Extended {
        /// Seconds that are left.
        secs_left: u32,
    },
    /// Fetch: one entry for each mailbox, in the order asked.
    Fetched(Vec<Fetched>),
    /// Put: the mailbox or the disk is full.
    Full,
    /// Hello.
    Hello(HelloAnswer),
    /// Any: the request is not of its form, or exceeds a limit. Nothing was done.
    Malformed,
    /// Put: the intake or log was closed by its steward; a newer notice tells where to.
    Moved,
    /// Claim: nothing waits.
    Nothing,
    /// Open: it is open.
    Opened,
    /// Put: it costs this effort.
    Price {
        /// Effort in the units of the pricing rule.
        effort: u32,
    },
    /// Open, Close: the permit or steward key is not the one, or a limit is exceeded. One answer for all causes.
    Refused,
    /// Status: one for each id, in the order asked.
    Status(Vec<EnvelopeStatus>),
    /// Put: it is on the disk.
    Stored,
    /// Put, Delete, Claim, …: the relay cannot write now (failed disk). Reading goes on.
    ReadOnly,
    /// The relay does not know this operation.
    Unsupported,
}

/// What a fetch found in one mailbox. To a reader absent, empty, drained and expired are the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fetched {
    /// Oldest first.
    pub envelopes: Vec<SealedEnvelope>,
    /// Where to go on.
    pub cursor: Cursor,
    /// There is more behind the cursor already.
    pub more: bool,
}

/// A lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claimed {
    /// Shown to extend, release, delete.
    pub token: LeaseToken,
    /// Rising per envelope, from 1.
    pub number: u32,
    /// Seconds until the lease ends.
    pub secs_left: u32,
    /// The request.
    pub envelope: SealedEnvelope,
}

/// What a relay says of itself inside the channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HelloAnswer {
    /// The protocol version: 1.
    pub version: u8,
    /// The numbers of the operations that it knows, rising.
    pub ops: Vec<u8>,
    /// The relay's clock.
    pub time: UnixTime,
    /// Effort that an unpaid put costs now; 0 in peace and where prices are off.
    pub base_effort: u32,
    /// Envelopes in one answer at most.
    pub fetch_envelopes: u16,
    /// Seconds that a fetch may wait at most.
    pub fetch_wait_secs: u16,
    /// Whether opening needs a permit of the operator's.
    pub permits: bool,
}

/// What became of an envelope, as far as a relay tells its writer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EnvelopeStatus {
    /// 2: a device has a lease on it (intake).
    Claimed,
    /// 1: it was here and is gone: deleted or expired.
    Gone,
    /// 0: it waits.
    Stored,
    /// 3: nothing is known of it (intake).
    Unknown,
}

impl Request {
    /// The number of the operation on the wire.
    pub fn op(&self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Put(_) => 2,
            Self::Fetch(_) => 3,
            Self::Claim(_) => 4,
            Self::Extend(_) => 5,
            Self::Release(_) => 6,
            Self::Delete(_) => 7,
            Self::Open(_) => 8,
            Self::Close(_) => 9,
            Self::Status(_) => 10,
            Self::Unknown(op) => *op,
        }
    }
}

/// The number of each operation that this build knows, rising.
pub const OPS: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// The kind of mailbox that may be opened: an intake or a log.
pub fn can_be_opened(kind: Kind) -> bool {
    matches!(kind, Kind::Intake | Kind::Log)
}
