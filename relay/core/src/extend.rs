//! Extend: a lease ends later (docs/spec/relay.md §5).
//!
//! The new end is counted from the claim, so a repeat adds nothing, and never lies before the old one, so a replayed
//! request takes nothing away. Who wants an earlier end releases.

use poterne_protocol::limits::LEASE_MAX_SECS;
use poterne_protocol::op::{Answer, ClaimId, Extend};
use poterne_protocol::time::UnixTime;

use crate::change::Change;
use crate::claim::secs_left;
use crate::decision::Decision;
use crate::lease::{self, Holder};
use crate::state::MailboxState;

/// Decides on one extension of the lease that the store has found for its token.
pub fn decide(state: &MailboxState, claim_id: &ClaimId, extend: &Extend, now: UnixTime) -> Decision {
    if extend.secs_from_claim > LEASE_MAX_SECS {
        return Decision::answer(Answer::Malformed);
    }
    let Holder::Lasting { claimed_at, ends, .. } = lease::holder(state, claim_id, &extend.token, now) else {
        return Decision::answer(Answer::Ended);
    };
    let wanted = claimed_at.plus(u64::from(extend.secs_from_claim));
    let change = Change::Extended { claim_id: *claim_id, ends: wanted };
    let answer = Answer::Extended { secs_left: secs_left(wanted.max(ends), now) };
    Decision::change(answer, if wanted > ends { vec![change] } else { Vec::new() })
}
