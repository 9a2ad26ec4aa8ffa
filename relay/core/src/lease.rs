//! Who shows a lease token, and what the lease is worth now (docs/spec/relay.md §5).

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::UnixTime;
use subtle::ConstantTimeEq;

use crate::change::Position;
use crate::state::{ClaimState, MailboxState};

/// What a lease token is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// Its holder has deleted the envelope.
    Deleted,
    /// It has run out, was given back, or never was.
    Ended,
    /// It lasts.
    Lasting {
        /// Where the leased envelope stands.
        position: Position,
        /// The leased envelope.
        id: EnvelopeId,
        /// When it began.
        claimed_at: UnixTime,
        /// The first second in which it is over.
        ends: UnixTime,
    },
}

/// Looks a lease up by the claim that a store has found for its token.
pub fn holder(state: &MailboxState, claim_id: &ClaimId, token: &LeaseToken, now: UnixTime) -> Holder {
    let Some(claim) = state.opened().and_then(|opened| opened.claim(claim_id, now.day())) else {
        return Holder::Ended;
    };
    if !bool::from(claim.token.0.ct_eq(&token.0)) {
        return Holder::Ended;
    }
    match claim.state {
        ClaimState::Deleted => Holder::Deleted,
        ClaimState::Leased { claimed_at, ends, .. } if now < ends => {
            let waiting = state.entries().get(claim.position).filter(|entry| entry.last_day >= now.day());
            waiting.map_or(Holder::Ended, |entry| Holder::Lasting {
                position: claim.position,
                id: entry.id,
                claimed_at,
                ends,
            })
        }
        ClaimState::Leased { .. } | ClaimState::Released => Holder::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake};
    use crate::store::Store;

    #[test]
    fn a_claim_with_another_token_is_worth_nothing() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        let state = relay.relay.store().load(&intake(1).hashes().id()).expect("memory can be read");
        let worth = |token| holder(&state, &ClaimId([1; 16]), &token, relay.now);
        assert!(matches!(worth(token), Holder::Lasting { .. }));
        assert_eq!(worth(LeaseToken([0; 16])), Holder::Ended);
    }
}
