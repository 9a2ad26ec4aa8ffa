//! Release: a device gives its lease back, and the envelope is free at once (docs/spec/relay.md §5).
//!
//! Always *done*: a lease that is over already is what was asked for.

use poterne_protocol::op::{Answer, ClaimId, LeaseToken};
use poterne_protocol::time::UnixTime;

use crate::change::Change;
use crate::decision::Decision;
use crate::lease::{self, Holder};
use crate::state::MailboxState;

/// Decides on one release of the lease that the store has found for its token.
pub fn decide(state: &MailboxState, claim_id: &ClaimId, token: &LeaseToken, now: UnixTime) -> Decision {
    match lease::holder(state, claim_id, token, now) {
        Holder::Lasting { .. } => {
            Decision::change(Answer::Done, vec![Change::Released { claim_id: *claim_id }])
        }
        Holder::Deleted | Holder::Ended => Decision::answer(Answer::Done),
    }
}
