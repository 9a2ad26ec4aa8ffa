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

/// Whether the lease would keep its bound.
pub fn is_well_formed(extend: &Extend) -> bool {
    extend.secs_from_claim <= LEASE_MAX_SECS
}

/// Decides on one extension of the lease that the store has found for its token.
pub fn decide(state: &MailboxState, claim_id: &ClaimId, extend: &Extend, now: UnixTime) -> Decision {
    let Holder::Lasting { claimed_at, ends, .. } = lease::holder(state, claim_id, &extend.token, now) else {
        return Decision::answer(Answer::Ended);
    };
    let wanted = claimed_at.plus(u64::from(extend.secs_from_claim));
    let change = Change::Extended { claim_id: *claim_id, ends: wanted };
    let answer = Answer::Extended { secs_left: secs_left(wanted.max(ends), now) };
    Decision::change(answer, if wanted > ends { vec![change] } else { Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake};
    use poterne_protocol::op::{ClaimWhat, LeaseToken, Request};

    fn leased() -> (Fixture, LeaseToken) {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        (relay, token)
    }

    fn extend(relay: &mut Fixture, token: LeaseToken, secs_from_claim: u32) -> Option<u32> {
        match relay.handle(Request::Extend(Extend { token, secs_from_claim })) {
            Answer::Extended { secs_left } => Some(secs_left),
            _ => None,
        }
    }

    #[test]
    fn the_end_is_counted_from_the_claim() {
        let (mut relay, token) = leased();
        relay.wait(600);
        assert_eq!(extend(&mut relay, token, 1800), Some(1200));
        assert_eq!(extend(&mut relay, token, 1800), Some(1200));
        relay.crash();
        relay.wait(1199);
        assert!(matches!(relay.claim(&intake(1), 2, ClaimWhat::Oldest, 900), Answer::Nothing));
        relay.wait(1);
        assert_eq!(relay.lease(&intake(1), 2).number, 2);
    }

    #[test]
    fn an_older_request_that_comes_late_shortens_nothing() {
        let (mut relay, token) = leased();
        extend(&mut relay, token, 3600);
        let before = relay.relay.store().changes(&intake(1).hashes().id()).len();
        assert_eq!(extend(&mut relay, token, 60), Some(3600));
        assert_eq!(extend(&mut relay, token, 3600), Some(3600));
        assert_eq!(relay.relay.store().changes(&intake(1).hashes().id()).len(), before);
    }

    #[test]
    fn a_lease_never_lasts_longer_than_an_hour() {
        let (mut relay, token) = leased();
        let answer = relay.handle(Request::Extend(Extend { token, secs_from_claim: 3601 }));
        assert!(matches!(answer, Answer::Malformed));
    }

    #[test]
    fn a_lease_that_is_over_is_not_extended() {
        let (mut relay, token) = leased();
        relay.wait(900);
        for token in [token, LeaseToken([0; 16])] {
            let answer = relay.handle(Request::Extend(Extend { token, secs_from_claim: 3600 }));
            assert!(matches!(answer, Answer::Ended));
        }
    }
}
