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

use crate::change::{Change, Lease};
use crate::decision::{Decision, Found, Reply};
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
    if let Some(earlier) = opened.claim(&claim.claim_id, now.day()) {
        return repeat(state, earlier, now);
    }
    let Some(found) = choose(state, opened, claim.what, now) else {
        return Decision::answer(Answer::Nothing);
    };
    if opened.claims() >= policy.intake_claims {
        return Decision::answer(Answer::Busy { retry_after_secs: policy.retry_after_secs });
    }
    let lease = Lease {
        claim_id: claim.claim_id,
        token: fresh_token(rng),
        position: found.position,
        number: opened.next_number(found.position),
        claimed_at: now,
        ends: now.plus(u64::from(claim.secs)),
    };
    give(found, lease)
}

fn choose(state: &MailboxState, opened: &Opened, what: ClaimWhat, now: UnixTime) -> Option<Found> {
    let (position, entry) = match what {
        ClaimWhat::Id(id) => state.find(&id, now.day())?,
        ClaimWhat::Oldest => state.oldest_free(now)?,
    };
    opened.holder(position, now).is_none().then_some(Found { position, id: entry.id, at: entry.at })
}

fn repeat(state: &MailboxState, earlier: &state::Claim, now: UnixTime) -> Decision {
    let waiting = state.entries().get(earlier.position).filter(|entry| entry.last_day >= now.day());
    match (waiting, earlier.state) {
        (Some(entry), ClaimState::Leased { number, ends, .. }) if now < ends => {
            let found = Found { position: earlier.position, id: entry.id, at: entry.at };
            let reply =
                Reply::Claimed { found, token: earlier.token, number, secs_left: secs_left(ends, now) };
            Decision { reply, changes: Vec::new(), voucher: None }
        }
        _ => Decision::answer(Answer::Ended),
    }
}

fn give(found: Found, lease: Lease) -> Decision {
    let Lease { token, number, ends, claimed_at, .. } = lease;
    let reply = Reply::Claimed { found, token, number, secs_left: secs_left(ends, claimed_at) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, id, intake, log, number, plain};

    #[test]
    fn two_devices_get_two_envelopes_and_the_third_nothing() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        let (first, second) = (relay.lease(&intake(1), 1), relay.lease(&intake(1), 2));
        assert_eq!((number(&first.envelope), number(&second.envelope)), (1, 2));
        assert_ne!(first.token, second.token);
        assert!(matches!(relay.claim(&intake(1), 3, ClaimWhat::Oldest, 900), Answer::Nothing));
    }

    #[test]
    fn a_repeated_claim_gets_its_own_lease_with_the_seconds_that_are_left() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        let first = relay.lease(&intake(1), 1);
        relay.wait(100);
        relay.crash();
        let again = relay.lease(&intake(1), 1);
        assert_eq!((again.token, again.number, again.secs_left), (first.token, 1, 800));
        assert_eq!(again.envelope, first.envelope);
    }

    #[test]
    fn a_lease_is_over_in_the_second_in_which_it_ends() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.lease(&intake(1), 1);
        relay.wait(899);
        assert_eq!(relay.lease(&intake(1), 1).secs_left, 1);
        relay.wait(1);
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 900), Answer::Ended));
    }

    #[test]
    fn a_claim_repeated_after_its_lease_is_told_so_for_five_days() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.lease(&intake(1), 1);
        for _ in 0..5 {
            relay.wait_days(1);
            relay.relay.store_mut().pass_day(relay.now.day());
            assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 900), Answer::Ended));
        }
        relay.wait_days(1);
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 900), Answer::Nothing));
    }

    #[test]
    fn the_number_rises_with_each_lease_of_an_envelope() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        for claim in 1..5 {
            assert_eq!(relay.lease(&intake(1), claim).number, u32::from(claim));
            relay.wait(900);
            relay.crash();
        }
    }

    #[test]
    fn an_envelope_is_claimed_by_its_id_unless_it_is_leased() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        let what = ClaimWhat::Id(id(2));
        assert!(matches!(relay.claim(&intake(1), 1, what, 900), Answer::Claimed(_)));
        assert!(matches!(relay.claim(&intake(1), 2, what, 900), Answer::Nothing));
        assert!(matches!(relay.claim(&intake(1), 3, ClaimWhat::Id(id(9)), 900), Answer::Nothing));
    }

    #[test]
    fn a_leased_envelope_can_still_be_read() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.lease(&intake(1), 1);
        assert_eq!(relay.waiting(&intake(1)), [1]);
    }

    #[test]
    fn a_lease_ends_with_the_last_day_of_its_envelope() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.wait(4 * 86_400 + 82_000);
        relay.claim(&intake(1), 1, ClaimWhat::Oldest, 3600);
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 3600), Answer::Claimed(_)));
        relay.wait(1000);
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 3600), Answer::Ended));
        assert!(matches!(relay.claim(&intake(1), 2, ClaimWhat::Oldest, 3600), Answer::Nothing));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_lease_longer_than_an_hour() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.claim(&intake(1), 1, ClaimWhat::Oldest, 3600);
        relay.now = UnixTime(relay.now.0 - 1000);
        assert_eq!(relay.lease(&intake(1), 1).secs_left, 3600);
    }

    #[test]
    fn only_an_intake_and_only_a_minute_to_an_hour_can_be_claimed() {
        let mut relay = Fixture::opened(&intake(1));
        for (mailbox, secs) in [(intake(1), 59), (intake(1), 3601), (log(1), 900), (plain(1), 900)] {
            assert!(matches!(relay.claim(&mailbox, 1, ClaimWhat::Oldest, secs), Answer::Malformed));
        }
        assert!(matches!(relay.claim(&intake(2), 1, ClaimWhat::Oldest, 900), Answer::Nothing));
    }

    #[test]
    fn an_intake_remembers_a_bounded_number_of_claims() {
        let mut relay = Fixture::with(Policy { intake_claims: 1, ..Policy::default() });
        relay.open(intake(1).opening());
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        relay.lease(&intake(1), 1);
        assert!(matches!(relay.claim(&intake(1), 2, ClaimWhat::Oldest, 900), Answer::Busy { .. }));
    }

    #[test]
    fn a_damaged_envelope_ends_its_lease_and_the_next_claim_gets_another() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        relay.relay.store_mut().damage(crate::change::Locator(1));
        assert!(matches!(relay.claim(&intake(1), 1, ClaimWhat::Oldest, 900), Answer::Ended));
        assert_eq!(number(&relay.lease(&intake(1), 2).envelope), 2);
    }
}
