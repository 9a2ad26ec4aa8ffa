//! One mailbox of the model: everything that ever happened to it.

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::KeyHash;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};

/// Everything that ever happened to one mailbox.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    /// Every envelope that was ever taken in, in order.
    pub arrivals: Vec<Arrival>,
    /// Every claim that ever got a lease, in order.
    pub claims: Vec<Claim>,
    /// What it was opened with.
    pub opening: Option<Opening>,
    /// Its steward has closed it.
    pub closed: bool,
}

/// An envelope that was taken in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its id.
    pub id: EnvelopeId,
    /// Its bytes.
    pub envelope: SealedEnvelope,
    /// The day on which it came.
    pub day: Day,
    /// The last day on which it may be read.
    pub last_day: Day,
    /// The day on which it was deleted.
    pub deleted: Option<Day>,
}

/// A claim that got a lease.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its id.
    pub id: ClaimId,
    /// What the relay gave for it; nothing, where the answer was lost in a crash.
    pub token: Option<LeaseToken>,
    /// Which arrival.
    pub arrival: usize,
    /// Its number.
    pub number: u32,
    /// When it began.
    pub at: UnixTime,
    /// When it ends.
    pub ends: UnixTime,
    /// Its holder gave it back.
    pub released: bool,
    /// Its holder deleted the envelope.
    pub deleted: bool,
}

/// What a mailbox was opened with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opening {
    /// The last day on which it takes envelopes.
    pub last_day: Day,
    /// Bytes a day, or envelopes.
    pub quota: u64,
    /// Puts show the steward key.
    pub gated: bool,
    /// H(steward key).
    pub steward: KeyHash,
}

impl Arrival {
    /// Whether it can be read.
    pub fn waits(&self, today: Day) -> bool {
        self.deleted.is_none() && today <= self.last_day
    }

    /// Whether it is gone and still known.
    pub fn is_remembered(&self, today: Day) -> bool {
        let gone = self.deleted.unwrap_or(self.last_day);
        !self.waits(today) && today <= gone + 7
    }
}

impl Claim {
    /// Whether its lease lasts.
    pub fn lasts(&self, now: UnixTime) -> bool {
        !self.released && !self.deleted && now < self.ends
    }

    /// Whether a repeat of it is still known: the day of the claim, the next one, and four more.
    pub fn is_remembered(&self, now: UnixTime) -> bool {
        now.day() <= self.at.day() + 5
    }
}

impl Mailbox {
    /// The newest arrival of that id.
    pub fn find(&self, id: &EnvelopeId) -> Option<usize> {
        self.arrivals.iter().rposition(|arrival| arrival.id == *id)
    }

    /// What waits, by the number of its arrival.
    pub fn waiting(&self, today: Day) -> Vec<usize> {
        (0..self.arrivals.len()).filter(|at| self.arrivals[*at].waits(today)).collect()
    }

    /// The claim whose lease on an arrival lasts.
    pub fn holder(&self, arrival: usize, now: UnixTime) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.arrival == arrival && claim.lasts(now))
    }

    /// Bytes taken in on a day.
    pub fn used(&self, day: Day) -> u64 {
        4096 * self.arrivals.iter().filter(|arrival| arrival.day == day).count() as u64
    }

    /// Ids that are remembered, waiting and gone.
    pub fn ids(&self, today: Day) -> usize {
        self.arrivals.iter().filter(|arrival| arrival.waits(today) || arrival.is_remembered(today)).count()
    }
}
