//! Close: the steward of an intake or log lets nothing more in (docs/spec/relay.md §6).
//!
//! What waits goes on being read, claimed and deleted. Nothing opens it again. A mailbox that is not open, one
//! whose last day is over, and a wrong steward key are refused alike.

use poterne_protocol::op::{Answer, Close};
use poterne_protocol::time::UnixTime;
use subtle::ConstantTimeEq;

use crate::change::Change;
use crate::decision::Decision;
use crate::state::MailboxState;

/// Decides on one closing.
pub fn decide(state: &MailboxState, close: &Close, now: UnixTime) -> Decision {
    let Some(opened) = state.opened().filter(|opened| opened.opening.last_day >= now.day()) else {
        return Decision::answer(Answer::Refused);
    };
    if !bool::from(close.steward.hash().0.ct_eq(&opened.opening.steward.0)) {
        return Decision::answer(Answer::Refused);
    }
    Decision::change(
        Answer::Closed,
        if opened.closed { Vec::new() } else { vec![Change::Closed { last_day: opened.opening.last_day }] },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake, log, steward};
    use poterne_protocol::keys::StewardKey;

    #[test]
    fn later_puts_have_to_move_and_what_waits_is_served() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        assert!(matches!(relay.close(&intake(1), steward()), Answer::Closed));
        assert!(matches!(relay.close(&intake(1), steward()), Answer::Closed));
        relay.crash();
        assert!(matches!(relay.put(&intake(1), 2), Answer::Moved));
        assert!(matches!(relay.put(&intake(1), 1), Answer::Stored));
        let token = relay.lease(&intake(1), 1).token;
        assert!(matches!(relay.delete_leased(token, 1), Answer::Done));
    }

    #[test]
    fn nothing_is_closed_after_its_last_day() {
        let mut relay = Fixture::opened(&log(1));
        relay.wait_days(2);
        assert!(matches!(relay.close(&log(1), steward()), Answer::Refused));
    }

    #[test]
    fn a_wrong_key_and_an_unknown_mailbox_are_refused_alike() {
        let mut relay = Fixture::opened(&log(1));
        assert!(matches!(relay.close(&log(1), StewardKey::from_bytes(&[6; 32])), Answer::Refused));
        assert!(matches!(relay.close(&log(2), steward()), Answer::Refused));
        assert!(matches!(relay.put(&log(1), 1), Answer::Stored));
    }
}
