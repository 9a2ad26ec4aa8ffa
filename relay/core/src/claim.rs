//! Claim: one device gets one envelope of an intake for itself, for a while (docs/spec/relay.md §5).
//!
//! Invariants: at most one lease of an envelope lasts at any time; its number is higher than that of every lease before.
//! A repeated claim id gets the lease that it got, with the seconds that are left, whatever it asks for now; when that
//! lease is over it is told so, and gets no second envelope.

use poterne_protocol::limits::{LEASE_MAX_SECS, LEASE_MIN_SECS};
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Claim, ClaimWhat, LeaseToken};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use crate::change::{Change, Lease, Position};
use crate::decision::{Decision, Reply};
use crate::policy::Policy;
use crate::state::{self, ClaimState, MailboxState, Opened};

/// Decides on one claim; the token of a new lease comes from `rng`.
pub fn decide(
    state: &MailboxState,
    claim: &Claim,
    now: UnixTime,
    policy: &Policy,
    rng: &mut impl CryptoRng,
) -> Decision {
    if claim.mailbox.kind != Kind::Intake || !(LEASE_MIN_SECS..=LEASE_MAX_SECS).contains(&claim.secs) {
        return Decision::answer(Answer::Malformed);
    }
    let Some(opened) = state.opened() else {
        return Decision::answer(Answer::Nothing);
    };
    if let Some(earlier) = opened.claim(&claim.claim_id) {
        return repeat(state, earlier, now);
    }
    let Some(position) = choose(state, opened, claim.what, now) else {
        return Decision::answer(Answer::Nothing);
    };
    if opened.claims() >= policy.intake_claims {
        return Decision::answer(Answer::Busy { retry_after_secs: policy.retry_after_secs });
    }
    give(Lease {
        claim_id: claim.claim_id,
        token: fresh_token(rng),
        position,
        number: opened.next_number(position),
        claimed_at: now,
        ends: now.plus(u64::from(claim.secs)),
    })
}

fn choose(state: &MailboxState, opened: &Opened, what: ClaimWhat, now: UnixTime) -> Option<Position> {
    let (position, _) = match what {
        ClaimWhat::Id(id) => state.find(&id, now.day())?,
        ClaimWhat::Oldest => state.oldest_free(now)?,
    };
    opened.holder(position, now).is_none().then_some(position)
}

fn repeat(state: &MailboxState, earlier: &state::Claim, now: UnixTime) -> Decision {
    let waits = state.entries().get(earlier.position).is_some_and(|entry| entry.last_day >= now.day());
    match earlier.state {
        ClaimState::Leased { number, ends, .. } if waits && now < ends => Decision {
            reply: Reply::Claimed {
                position: earlier.position,
                token: earlier.token,
                number,
                secs_left: secs_left(ends, now),
            },
            changes: Vec::new(),
            voucher: None,
        },
        _ => Decision::answer(Answer::Ended),
    }
}

fn give(lease: Lease) -> Decision {
    let Lease { position, token, number, ends, claimed_at, .. } = lease;
    let reply = Reply::Claimed { position, token, number, secs_left: secs_left(ends, claimed_at) };
    Decision { reply, changes: vec![Change::Claimed(lease)], voucher: None }
}

/// A clock that was set back makes no lease look longer than it may be.
pub(crate) fn secs_left(ends: UnixTime, now: UnixTime) -> u32 {
    u32::try_from(ends.since(now)).unwrap_or(u32::MAX).min(LEASE_MAX_SECS)
}

fn fresh_token(rng: &mut impl CryptoRng) -> LeaseToken {
    let mut token = LeaseToken([0; 16]);
    rng.fill_bytes(&mut token.0);
    token
}
