//! Close: the steward of an intake or log lets nothing more in (docs/spec/relay.md §6).
//!
//! What waits goes on being read, claimed and deleted. Nothing opens it again. A mailbox that is not open and a wrong
//! steward key are refused alike.

use poterne_protocol::op::{Answer, Close};
use subtle::ConstantTimeEq;

use crate::change::Change;
use crate::decision::Decision;
use crate::state::MailboxState;

/// Decides on one closing.
pub fn decide(state: &MailboxState, close: &Close) -> Decision {
    let Some(opened) = state.opened() else {
        return Decision::answer(Answer::Refused);
    };
    if !bool::from(close.steward.hash().0.ct_eq(&opened.opening.steward.0)) {
        return Decision::answer(Answer::Refused);
    }
    Decision::change(Answer::Closed, if opened.closed { Vec::new() } else { vec![Change::Closed] })
}
