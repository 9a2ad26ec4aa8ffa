//! Open: an intake or a log comes into being (docs/spec/relay.md §6).
//!
//! Until its last day is over, opening again with the same parameters is *opened* and costs no second use of the permit,
//! also after its closing, which this does not undo. Every refusal is the same answer. Which permit opened what is not kept.

use poterne_protocol::keys::KeyHash;
use poterne_protocol::limits::OPEN_AHEAD_DAYS;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Open};
use poterne_protocol::time::{Day, UnixTime};

use crate::change::{Change, Opening};
use crate::decision::Decision;
use crate::policy::Policy;
use crate::state::MailboxState;
use crate::store::{VoucherChange, VoucherId};

/// Decides on one opening. `permit_left` is what [`VoucherId::permit`] has left.
pub fn decide(
    state: &MailboxState,
    open: &Open,
    permit_left: u32,
    now: UnixTime,
    policy: &Policy,
) -> Decision {
    let Some(opening) = opening(open, now.day(), policy) else {
        return Decision::answer(Answer::Refused);
    };
    if let Some(opened) = state.opened() {
        let same = opened.opening == opening;
        return Decision::answer(if same { Answer::Opened } else { Answer::Refused });
    }
    if policy.permits && permit_left == 0 {
        return Decision::answer(Answer::Refused);
    }
    let mut decision = Decision::change(Answer::Opened, vec![Change::Opened(opening)]);
    if policy.permits {
        decision.voucher = Some(VoucherChange { id: VoucherId::permit(&open.permit), left: permit_left - 1 });
    }
    decision
}

/// The parameters with the relay's defaults in place, if they are within its limits.
fn opening(open: &Open, today: Day, policy: &Policy) -> Option<Opening> {
    let (default, max) = match open.mailbox.kind {
        Kind::Plain => return None,
        Kind::Intake => (policy.intake_day_bytes, policy.intake_day_bytes_max),
        Kind::Log => (policy.log_envelopes.into(), policy.log_envelopes.into()),
    };
    let quota = if open.quota == 0 { default } else { open.quota };
    let is_allowed =
        open.mailbox.delete == KeyHash::NOBODY && quota <= max && is_in_time(open.last_day, today);
    is_allowed.then_some(Opening { last_day: open.last_day, quota, gated: open.gated, steward: open.steward })
}

fn is_in_time(last_day: Day, today: Day) -> bool {
    (today..=today + OPEN_AHEAD_DAYS).contains(&last_day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake, log, plain, steward};
    use poterne_protocol::keys::Permit;

    #[test]
    fn opening_again_with_the_same_parameters_is_opened() {
        let mut relay = Fixture::opened(&log(1));
        assert!(matches!(relay.open(log(1).opening()), Answer::Opened));
        let explicit = Open { quota: 1024, ..log(1).opening() };
        assert!(matches!(relay.open(explicit), Answer::Opened));
    }

    #[test]
    fn opening_again_with_other_parameters_is_refused() {
        let mut relay = Fixture::opened(&log(1));
        let last_day = log(1).opening().last_day + 1;
        assert!(matches!(relay.open(Open { last_day, ..log(1).opening() }), Answer::Refused));
        assert!(matches!(relay.open(Open { gated: true, ..log(1).opening() }), Answer::Refused));
        assert!(matches!(relay.open(Open { quota: 5, ..log(1).opening() }), Answer::Refused));
        assert!(matches!(
            relay.open(Open { steward: KeyHash([1; 32]), ..log(1).opening() }),
            Answer::Refused
        ));
    }

    #[test]
    fn what_is_beyond_the_limits_is_refused() {
        let mut relay = Fixture::new();
        let today = relay.now.day();
        let mut mailbox_with_delete_key = log(1).hashes();
        mailbox_with_delete_key.delete = KeyHash([1; 32]);
        for open in [
            Open { last_day: today - 1, ..log(1).opening() },
            Open { last_day: today + OPEN_AHEAD_DAYS + 1, ..log(1).opening() },
            Open { quota: 1025, ..log(1).opening() },
            Open { quota: (1 << 30) + 1, ..intake(1).opening() },
            Open { mailbox: mailbox_with_delete_key, ..log(1).opening() },
            Open { ..plain(1).opening() },
        ] {
            assert!(matches!(relay.open(open), Answer::Refused));
        }
        assert_eq!(relay.relay.store().mailboxes(), 0);
    }

    #[test]
    fn nothing_is_opened_again_after_its_last_day() {
        let mut relay = Fixture::opened(&log(1));
        relay.wait_days(2);
        assert!(matches!(relay.open(log(1).opening()), Answer::Refused));
    }

    #[test]
    fn what_was_forgotten_opens_anew_and_stays_open_through_a_replay() {
        let mut relay = Fixture::opened(&log(1));
        relay.close(&log(1), steward());
        relay.wait_days(2);
        let today = relay.now.day();
        relay.relay.store_mut().pass_day(today);
        assert!(matches!(relay.open(Open { last_day: today, ..log(1).opening() }), Answer::Opened));
        relay.crash();
        assert!(matches!(relay.put(&log(1), 1), Answer::Stored));
    }

    #[test]
    fn opening_again_does_not_undo_a_closing() {
        let mut relay = Fixture::opened(&log(1));
        relay.close(&log(1), steward());
        assert!(matches!(relay.open(log(1).opening()), Answer::Opened));
        assert!(matches!(relay.put(&log(1), 1), Answer::Moved));
    }

    #[test]
    fn a_permit_opens_as_many_mailboxes_as_it_is_good_for() {
        let mut relay = Fixture::with(Policy { permits: true, ..Policy::default() });
        assert!(matches!(relay.open(log(1).opening()), Answer::Refused));
        relay.relay.store_mut().grant(VoucherId::permit(&Permit::from_bytes(&[1; 32])), 2);
        for mailbox in [log(1), log(1), log(2)] {
            assert!(matches!(relay.open(mailbox.opening()), Answer::Opened));
            relay.crash();
        }
        assert!(matches!(relay.open(log(3).opening()), Answer::Refused));
        assert!(matches!(relay.open(log(2).opening()), Answer::Opened));
    }
}
