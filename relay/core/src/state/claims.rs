//! What only an intake or log has: what it was opened with, how much it took today, and its leases.
//!
//! A claim is remembered by its id after its lease has ended, so that a repeat is told *ended* instead of getting a
//! second envelope. Its times are dropped with the lease.

use std::collections::BTreeMap;

use poterne_protocol::kdf;
use poterne_protocol::limits::{CLAIM_MEMORY_DAYS, ENVELOPE_BYTES};
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};

use crate::change::{Lease, Opening, Position};

/// By which a store finds the mailbox of a lease: H(token)\[..16\]. The look-up tells nothing of the token itself by its
/// timing; the token is then compared in constant time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeaseTag(pub [u8; 16]);

impl LeaseTag {
    /// The tag of a token.
    pub fn of(token: &LeaseToken) -> Self {
        Self(kdf::hash16(&[&token.0]))
    }
}

/// An intake or log that was opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// What it was opened with.
    pub opening: Opening,
    /// Its steward takes nothing more.
    pub closed: bool,
    pub(super) used: (Day, u64),
    pub(super) claims: BTreeMap<ClaimId, Claim>,
    pub(super) leases: BTreeMap<Position, Leased>,
}

/// The last lease of an envelope that still waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Leased {
    pub(super) number: u32,
    pub(super) claim_id: ClaimId,
}

/// A claim that got a lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// What the holder of the lease shows.
    pub token: LeaseToken,
    /// The leased envelope.
    pub position: Position,
    /// The day of the claim.
    pub day: Day,
    /// What became of the lease.
    pub state: ClaimState,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimState {
    /// Its holder deleted the envelope.
    Deleted,
    /// It was given and not given back; it may have run out.
    Leased {
        /// Rising per envelope.
        number: u32,
        /// When it began.
        claimed_at: UnixTime,
        /// The first second in which it is over.
        ends: UnixTime,
    },
    /// Its holder gave it back, or the envelope is gone.
    Released,
}

impl Opened {
    pub(super) fn new(opening: Opening) -> Self {
        Self { opening, closed: false, used: (Day(0), 0), claims: BTreeMap::new(), leases: BTreeMap::new() }
    }

    /// Bytes that it took today.
    pub fn used(&self, today: Day) -> u64 {
        if self.used.0 >= today { self.used.1 } else { 0 }
    }

    /// The claim of that id, while it is remembered.
    pub fn claim(&self, id: &ClaimId, today: Day) -> Option<&Claim> {
        self.claims.get(id).filter(|claim| claim.is_remembered(today))
    }

    /// How many claims are remembered, with those that have ended.
    pub fn claims(&self) -> usize {
        self.claims.len()
    }

    /// The claim whose lease on the envelope at `position` lasts.
    pub fn holder(&self, position: Position, now: UnixTime) -> Option<ClaimId> {
        let claim_id = self.leases.get(&position)?.claim_id;
        self.claims.get(&claim_id)?.lasts(now).then_some(claim_id)
    }

    /// The number of the next lease of the envelope at `position`.
    pub fn next_number(&self, position: Position) -> u32 {
        self.leases.get(&position).map_or(1, |leased| leased.number.saturating_add(1))
    }

    /// Whether nothing can come in or be asked for any more, as far as the claims go.
    pub(super) fn is_over(&self, today: Day) -> bool {
        self.opening.last_day < today && self.claims.is_empty()
    }

    /// In a replay it may have been forgotten and opened anew since.
    pub(super) fn closed(&mut self, last_day: Day) {
        self.closed |= self.opening.last_day == last_day;
    }

    pub(super) fn count(&mut self, day: Day) {
        if day > self.used.0 {
            self.used = (day, 0);
        }
        self.used.1 = self.used.1.saturating_add(ENVELOPE_BYTES as u64);
    }

    /// In a replay the envelope may be gone already: then the claim is only remembered.
    pub(super) fn claimed(&mut self, lease: &Lease, waits: bool) {
        let Lease { claim_id, token, position, number, claimed_at, ends } = *lease;
        let day = claimed_at.day();
        if self.claim(&claim_id, day).is_some() {
            return;
        }
        let leased = ClaimState::Leased { number, claimed_at, ends };
        let state = if waits { leased } else { ClaimState::Released };
        self.claims.insert(claim_id, Claim { token, position, day, state });
        if waits {
            self.leases.insert(position, Leased { number, claim_id });
        }
    }

    /// In a replay a later lease may be known already, or the envelope be gone.
    pub(super) fn numbered(&mut self, position: Position, number: u32, claim_id: ClaimId, waits: bool) {
        if waits && self.next_number(position) <= number {
            self.leases.insert(position, Leased { number, claim_id });
        }
    }

    /// The number of the last lease of the envelope at `position`, if its claim was that one.
    pub fn number_of(&self, position: Position, claim_id: &ClaimId) -> Option<u32> {
        self.leases.get(&position).filter(|leased| leased.claim_id == *claim_id).map(|leased| leased.number)
    }

    pub(super) fn extended(&mut self, id: &ClaimId, until: UnixTime) {
        if let Some(Claim { state: ClaimState::Leased { ends, .. }, .. }) = self.claims.get_mut(id) {
            *ends = until.max(*ends);
        }
    }

    pub(super) fn released(&mut self, id: &ClaimId) {
        self.end(id, ClaimState::Released);
    }

    pub(super) fn deleted(&mut self, position: Position) {
        if let Some(leased) = self.leases.get(&position) {
            let id = leased.claim_id;
            self.end(&id, ClaimState::Deleted);
        }
    }

    pub(super) fn entry_gone(&mut self, position: Position) {
        if let Some(leased) = self.leases.remove(&position) {
            self.end(&leased.claim_id, ClaimState::Released);
        }
    }

    pub(super) fn forget_claims(&mut self, today: Day, forgotten: &mut Vec<LeaseTag>) {
        self.claims.retain(|_, claim| {
            let keep = claim.is_remembered(today);
            if !keep {
                forgotten.push(LeaseTag::of(&claim.token));
            }
            keep
        });
    }

    fn end(&mut self, id: &ClaimId, state: ClaimState) {
        if let Some(claim) = self.claims.get_mut(id)
            && matches!(claim.state, ClaimState::Leased { .. })
        {
            claim.state = state;
        }
    }
}

impl Claim {
    /// Whether its lease lasts.
    pub fn lasts(&self, now: UnixTime) -> bool {
        matches!(self.state, ClaimState::Leased { ends, .. } if now < ends)
    }

    /// A lease may end on the day after its claim, and is remembered for four whole days from then.
    fn is_remembered(&self, today: Day) -> bool {
        self.day + 1 + CLAIM_MEMORY_DAYS >= today
    }
}
