//! Put: an envelope comes into the relay's custody (docs/spec/relay.md §3).
//!
//! *Stored* is final: from then on the envelope is served until it is deleted or its last day is over. The same envelope
//! put again is *stored* again and stays one, while it waits and for as long as its tombstone lasts, whatever has become
//! of the mailbox meanwhile.

use poterne_protocol::limits::{ENVELOPE_BYTES, INTAKE_CLASS_MAX_DAYS, PAID_DAYS};
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Payment, Put};
use poterne_protocol::time::{Day, UnixTime};
use subtle::ConstantTimeEq;

use crate::change::{Arrival, Change, Locator};
use crate::decision::Decision;
use crate::policy::Policy;
use crate::state::{MailboxState, Opened};
use crate::store::{VoucherChange, VoucherId};

/// The voucher that the shell must look up before [`decide`].
pub fn voucher(put: &Put) -> Option<VoucherId> {
    match &put.payment {
        Payment::Credit(code) => Some(VoucherId::credit(code)),
        _ => None,
    }
}

/// Decides on one put. `credit_left` is what [`voucher`] has left; 0 where there is none.
pub fn decide(state: &MailboxState, put: &Put, credit_left: u32, now: UnixTime, policy: &Policy) -> Decision {
    let (id, today) = (put.envelope.id(), now.day());
    if state.find(&id, today).is_some() || state.gone_until(&id, today).is_some() {
        return Decision::answer(Answer::Stored);
    }
    if let Err(refusal) = admit(state, put, today, policy) {
        return Decision::answer(refusal);
    }
    let arrival = Change::Put(Arrival {
        position: state.next_position(today),
        id,
        day: today,
        last_day: put.class.last_day(today),
        at: Locator::UNPLACED,
    });
    let mut decision = Decision::change(Answer::Stored, vec![arrival]);
    if must_pay(state, put, today, policy) {
        let Some(voucher) = voucher(put).filter(|_| credit_left > 0) else {
            return Decision::answer(Answer::Price { effort: policy.base_effort });
        };
        decision.changes.insert(0, Change::Paid { until: today + PAID_DAYS });
        decision.voucher = Some(VoucherChange { id: voucher, left: credit_left - 1 });
    }
    decision
}

/// A plain mailbox stays paid for its days, drained or not, so that a code is spent on one mailbox once.
fn must_pay(state: &MailboxState, put: &Put, today: Day, policy: &Policy) -> bool {
    policy.base_effort > 0 && put.to.kind == Kind::Plain && !state.is_paid(today)
}

fn admit(state: &MailboxState, put: &Put, today: Day, policy: &Policy) -> Result<(), Answer> {
    match put.to.kind {
        Kind::Plain => admit_plain(state, today, policy),
        Kind::Intake => admit_opened(state, put, today).and_then(|opened| admit_intake(opened, put, today)),
        Kind::Log => admit_opened(state, put, today).and_then(|opened| admit_log(state, opened, today)),
    }
}

fn admit_plain(state: &MailboxState, today: Day, policy: &Policy) -> Result<(), Answer> {
    let has_room = state.waiting(today) < policy.plain_envelopes as usize && state.ids() < policy.plain_ids;
    has_room.then_some(()).ok_or(Answer::Full)
}

/// A gated mailbox tells one without the steward key that it is not open: a thief of the write key learns nothing.
fn admit_opened<'a>(state: &'a MailboxState, put: &Put, today: Day) -> Result<&'a Opened, Answer> {
    let opened = state.opened().filter(|opened| opened.opening.last_day >= today).ok_or(Answer::NotOpen)?;
    if opened.opening.gated && !shows_steward_key(opened, &put.payment) {
        return Err(Answer::NotOpen);
    }
    if opened.closed { Err(Answer::Moved) } else { Ok(opened) }
}

fn shows_steward_key(opened: &Opened, payment: &Payment) -> bool {
    match payment {
        Payment::Steward(key) => key.hash().0.ct_eq(&opened.opening.steward.0).into(),
        _ => false,
    }
}

/// An intake holds what came within four days, each day up to its quota.
fn admit_intake(opened: &Opened, put: &Put, today: Day) -> Result<(), Answer> {
    if put.class.days() > INTAKE_CLASS_MAX_DAYS {
        return Err(Answer::Malformed);
    }
    let used = opened.used(today).saturating_add(ENVELOPE_BYTES as u64);
    (used <= opened.opening.quota).then_some(()).ok_or(Answer::Full)
}

fn admit_log(state: &MailboxState, opened: &Opened, today: Day) -> Result<(), Answer> {
    ((state.waiting(today) as u64) < opened.opening.quota).then_some(()).ok_or(Answer::Full)
}
