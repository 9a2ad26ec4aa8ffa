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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake};
    use poterne_protocol::op::{ClaimWhat, Request};

    #[test]
    fn a_released_envelope_is_free_and_its_claim_is_over() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        assert!(matches!(relay.handle(Request::Release(token)), Answer::Done));
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 900), Answer::Ended));
        assert_eq!(relay.lease(&intake(1), 2).number, 2);
    }

    #[test]
    fn a_release_that_comes_late_ends_no_other_lease() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let first = relay.lease(&intake(1), 1).token;
        relay.wait(900);
        let second = relay.lease(&intake(1), 2);
        assert!(matches!(relay.handle(Request::Release(first)), Answer::Done));
        assert_eq!(relay.lease(&intake(1), 2).token, second.token);
    }

    #[test]
    fn an_unknown_lease_is_released() {
        assert!(matches!(Fixture::new().handle(Request::Release(LeaseToken([0; 16]))), Answer::Done));
    }
}
