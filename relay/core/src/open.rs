//! Open: an intake or a log comes into being (docs/spec/relay.md §6).
//!
//! Opening again with the same parameters is *opened* and costs no second use of the permit, also after its last day or
//! its closing, neither of which it undoes. Every refusal is the same answer. Which permit opened what is not kept.

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
    let Some(opening) = opening(open, policy) else {
        return Decision::answer(Answer::Refused);
    };
    if let Some(opened) = state.opened() {
        let same = opened.opening == opening;
        return Decision::answer(if same { Answer::Opened } else { Answer::Refused });
    }
    if !is_in_time(opening.last_day, now.day()) || (policy.permits && permit_left == 0) {
        return Decision::answer(Answer::Refused);
    }
    let mut decision = Decision::change(Answer::Opened, vec![Change::Opened(opening)]);
    if policy.permits {
        decision.voucher = Some(VoucherChange { id: VoucherId::permit(&open.permit), left: permit_left - 1 });
    }
    decision
}

/// The parameters with the relay's defaults in place, if they are within its limits.
fn opening(open: &Open, policy: &Policy) -> Option<Opening> {
    let (default, max) = match open.mailbox.kind {
        Kind::Plain => return None,
        Kind::Intake => (policy.intake_day_bytes, policy.intake_day_bytes_max),
        Kind::Log => (policy.log_envelopes.into(), policy.log_envelopes.into()),
    };
    let quota = if open.quota == 0 { default } else { open.quota };
    let is_allowed = open.mailbox.delete == KeyHash::NOBODY && quota <= max;
    is_allowed.then_some(Opening { last_day: open.last_day, quota, gated: open.gated, steward: open.steward })
}

fn is_in_time(last_day: Day, today: Day) -> bool {
    (today..=today + OPEN_AHEAD_DAYS).contains(&last_day)
}
