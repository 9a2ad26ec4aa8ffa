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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, TODAY, envelope, intake, log, plain, steward};
    use poterne_protocol::envelope::Class;
    use poterne_protocol::keys::StewardKey;
    use poterne_protocol::op::Open;
    use zeroize::Zeroizing;

    #[test]
    fn a_repeated_put_is_stored_once() {
        let mut relay = Fixture::new();
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert_eq!(relay.waiting(&plain(1)), [1]);
    }

    #[test]
    fn a_put_repeated_after_its_deletion_is_stored_and_stays_gone_for_seven_days() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.delete(&plain(1), &[1]);
        relay.wait_days(7);
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert!(relay.waiting(&plain(1)).is_empty());
        relay.wait_days(1);
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert_eq!(relay.waiting(&plain(1)), [1]);
    }

    #[test]
    fn a_put_repeated_after_its_last_day_stays_gone_too() {
        let mut relay = Fixture::new();
        relay.put_with(&plain(1), 1, Class::ONE, Payment::None);
        relay.wait_days(8);
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert!(relay.waiting(&plain(1)).is_empty());
        relay.wait_days(1);
        relay.put(&plain(1), 1);
        assert_eq!(relay.waiting(&plain(1)), [1]);
    }

    #[test]
    fn a_plain_mailbox_holds_64() {
        let mut relay = Fixture::new();
        for number in 0..64 {
            assert!(matches!(relay.put(&plain(1), number), Answer::Stored));
        }
        assert!(matches!(relay.put(&plain(1), 64), Answer::Full));
        assert!(matches!(relay.put(&plain(1), 63), Answer::Stored));
        relay.delete(&plain(1), &[0]);
        assert!(matches!(relay.put(&plain(1), 64), Answer::Stored));
    }

    #[test]
    fn what_has_expired_takes_no_room() {
        let mut relay = Fixture::new();
        for number in 0..64 {
            relay.put_with(&plain(1), number, Class::ONE, Payment::None);
        }
        relay.wait_days(2);
        assert!(matches!(relay.put(&plain(1), 64), Answer::Stored));
    }

    #[test]
    fn a_plain_mailbox_remembers_a_bounded_number_of_ids() {
        let mut relay = Fixture::with(Policy { plain_ids: 3, ..Policy::default() });
        for number in 0..3 {
            relay.put(&plain(1), number);
            relay.delete(&plain(1), &[number]);
        }
        assert!(matches!(relay.put(&plain(1), 3), Answer::Full));
        relay.wait_days(8);
        relay.relay.store_mut().pass_day(TODAY + 8);
        assert!(matches!(relay.put(&plain(1), 3), Answer::Stored));
    }

    #[test]
    fn an_intake_takes_its_bytes_a_day() {
        let mut relay = Fixture::new();
        relay.open(Open { quota: 8192, ..intake(1).opening() });
        relay.put(&intake(1), 1);
        assert!(matches!(relay.put(&intake(1), 2), Answer::Stored));
        assert!(matches!(relay.put(&intake(1), 3), Answer::Full));
        relay.wait_days(1);
        assert!(matches!(relay.put(&intake(1), 3), Answer::Stored));
    }

    #[test]
    fn deleting_gives_nothing_back_to_the_day_of_an_intake() {
        let mut relay = Fixture::new();
        relay.open(Open { quota: 4096, ..intake(1).opening() });
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        relay.delete_leased(token, 1);
        assert!(matches!(relay.put(&intake(1), 2), Answer::Full));
    }

    #[test]
    fn an_intake_takes_no_class_beyond_four_days() {
        let mut relay = Fixture::opened(&intake(1));
        let answer = relay.put_with(&intake(1), 1, Class::FOURTEEN, Payment::None);
        assert!(matches!(answer, Answer::Malformed));
    }

    #[test]
    fn a_log_holds_its_quota() {
        let mut relay = Fixture::new();
        relay.open(Open { quota: 2, ..log(1).opening() });
        relay.put(&log(1), 1);
        relay.put(&log(1), 2);
        assert!(matches!(relay.put(&log(1), 3), Answer::Full));
    }

    #[test]
    fn an_intake_or_log_exists_only_when_opened_and_until_its_last_day() {
        let mut relay = Fixture::opened(&log(1));
        assert!(matches!(relay.put(&log(2), 1), Answer::NotOpen));
        assert!(matches!(relay.put(&intake(2), 1), Answer::NotOpen));
        relay.wait_days(1);
        assert!(matches!(relay.put(&log(1), 1), Answer::Stored));
        relay.wait_days(1);
        assert!(matches!(relay.put(&log(1), 2), Answer::NotOpen));
        assert_eq!(relay.waiting(&log(1)), [1]);
    }

    #[test]
    fn a_gated_log_takes_envelopes_from_its_steward_only() {
        let mut relay = Fixture::new();
        relay.open(Open { gated: true, ..log(1).opening() });
        assert!(matches!(relay.put(&log(1), 1), Answer::NotOpen));
        let wrong = Payment::Steward(StewardKey::from_bytes(&[6; 32]));
        assert!(matches!(relay.put_with(&log(1), 1, Class::FOUR, wrong), Answer::NotOpen));
        let right = Payment::Steward(steward());
        assert!(matches!(relay.put_with(&log(1), 1, Class::FOUR, right), Answer::Stored));
    }

    #[test]
    fn a_full_disk_refuses_what_is_new_and_nothing_else() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.relay.set_full(true);
        assert!(matches!(relay.put(&plain(1), 1), Answer::Stored));
        assert!(matches!(relay.put(&plain(1), 2), Answer::Full));
        assert!(matches!(relay.delete(&plain(1), &[1]), Answer::Done));
    }

    #[test]
    fn payments_are_ignored_where_prices_are_off() {
        let mut relay = Fixture::new();
        let payment = Payment::Work(Zeroizing::new(vec![1, 2, 3]));
        assert!(matches!(relay.put_with(&plain(1), 1, Class::FOUR, payment), Answer::Stored));
    }

    #[test]
    fn a_credit_pays_for_one_mailbox_for_thirty_days_however_often_it_is_shown() {
        let mut relay = Fixture::with(Policy { base_effort: 8, ..Policy::default() });
        let credit = || Payment::Credit(Zeroizing::new(b"code".to_vec()));
        relay.relay.store_mut().grant(VoucherId::credit(b"code"), 1);
        assert!(matches!(relay.put(&plain(1), 1), Answer::Price { effort: 8 }));
        assert!(matches!(relay.put_with(&plain(1), 1, Class::FOUR, credit()), Answer::Stored));
        assert!(matches!(relay.put_with(&plain(1), 2, Class::FOUR, credit()), Answer::Stored));
        assert!(matches!(relay.put_with(&plain(2), 3, Class::FOUR, credit()), Answer::Price { effort: 8 }));
        relay.wait_days(30);
        relay.crash();
        assert!(matches!(relay.put(&plain(1), 4), Answer::Stored));
        relay.wait_days(1);
        assert!(matches!(relay.put(&plain(1), 5), Answer::Price { effort: 8 }));
    }

    #[test]
    fn nothing_is_stored_by_a_commit_that_failed() {
        let mut relay = Fixture::new();
        relay.relay.store_mut().fail_commits(2);
        assert!(matches!(relay.put(&plain(1), 1), Answer::ReadOnly));
        assert!(matches!(relay.put(&plain(1), 1), Answer::ReadOnly));
        relay.crash();
        assert!(relay.waiting(&plain(1)).is_empty());
    }

    #[test]
    fn what_is_stored_is_the_envelope_itself() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 77);
        relay.crash();
        let fetched = relay.fetch(&plain(1), poterne_protocol::op::Start::First, 1);
        assert_eq!(fetched.envelopes, [envelope(77)]);
    }
}
