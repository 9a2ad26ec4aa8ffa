//! Replays, forgeries, guesses and wrong clocks, against the rules over a real store.

use poterne_protocol::inner::encode_answer;
use poterne_protocol::mailbox::{DeleteAt, Kind, ReadFrom};
use poterne_protocol::op::{
    Answer, Claim, ClaimId, ClaimWhat, Claimed, Cursor, Delete, DeleteBy, Extend, Fetch, FetchFrom,
    LeaseToken, Request, Start,
};
use poterne_tests::cast::{KeyedMailbox, envelope};

use crate::rig::{PIN, Rig, TODAY, fetch, put};

fn plain(number: u32) -> KeyedMailbox {
    KeyedMailbox::new(Kind::Plain, number, PIN)
}

/// An opened intake with one envelope.
fn intake(rig: &mut Rig) -> KeyedMailbox {
    let intake = KeyedMailbox::new(Kind::Intake, 1, PIN);
    assert!(matches!(rig.ask(&Request::Open(intake.open(TODAY + 3))), Answer::Opened));
    assert!(matches!(rig.ask(&put(&intake, &envelope(1), 4)), Answer::Stored));
    intake
}

fn claim(intake: &KeyedMailbox, id: u8) -> Request {
    let (claim_id, what) = (ClaimId([id; 16]), ClaimWhat::Oldest);
    Request::Claim(Claim { mailbox: intake.read(), claim_id, what, secs: 900 })
}

fn claimed(answer: Answer) -> Claimed {
    let Answer::Claimed(claimed) = answer else { panic!("{answer:?}") };
    claimed
}

fn delete_by(by: DeleteBy) -> Request {
    Request::Delete(Delete { by, ids: vec![envelope(1).id()] })
}

#[test]
fn a_replayed_put_brings_nothing_back_that_was_deleted() {
    let mut rig = Rig::new();
    let mailbox = plain(1);
    let put = put(&mailbox, &envelope(1), 30);
    assert!(matches!(rig.ask(&put), Answer::Stored));
    assert!(matches!(rig.ask(&delete_by(DeleteBy::Key(mailbox.delete()))), Answer::Done));
    // A request key opens what was recorded on its day and the next.
    for _ in 0..3 {
        rig.restart();
        assert!(matches!(rig.ask(&put), Answer::Stored));
        assert!(rig.fetch(&mailbox).is_empty());
        rig.pass_days(1);
    }
}

#[test]
fn a_replayed_put_brings_nothing_back_that_has_expired() {
    let mut rig = Rig::new();
    let mailbox = plain(1);
    let put = put(&mailbox, &envelope(1), 1);
    assert!(matches!(rig.ask(&put), Answer::Stored));
    rig.pass_days(2);
    for _ in 0..3 {
        rig.restart();
        assert!(matches!(rig.ask(&put), Answer::Stored));
        assert!(rig.fetch(&mailbox).is_empty());
        rig.pass_days(1);
    }
}

#[test]
fn who_has_no_delete_key_deletes_nothing() {
    let mut rig = Rig::new();
    let (mailbox, other) = (plain(1), plain(2));
    assert!(matches!(rig.ask(&put(&mailbox, &envelope(1), 4)), Answer::Stored));
    let DeleteAt { delete, .. } = other.delete();
    let DeleteAt { write, read, .. } = mailbox.delete();
    assert!(matches!(rig.ask(&delete_by(DeleteBy::Key(DeleteAt { delete, write, read }))), Answer::Done));
    assert_eq!(rig.fetch(&mailbox), [envelope(1)]);
}

#[test]
fn no_token_but_the_lease_s_own_extends_releases_or_deletes() {
    let mut rig = Rig::new();
    let intake = intake(&mut rig);
    let token = claimed(rig.ask(&claim(&intake, 1))).token;
    for bit in 0..128 {
        let mut forged = token.0;
        forged[bit / 8] ^= 1 << (bit % 8);
        let forged = LeaseToken(forged);
        assert!(matches!(rig.ask(&delete_by(DeleteBy::Lease(forged))), Answer::Ended));
        assert!(matches!(
            rig.ask(&Request::Extend(Extend { token: forged, secs_from_claim: 3600 })),
            Answer::Ended
        ));
        assert!(matches!(rig.ask(&Request::Release(forged)), Answer::Done));
    }
    assert_eq!(claimed(rig.ask(&claim(&intake, 1))).secs_left, 900);
    assert!(matches!(rig.ask(&claim(&intake, 2)), Answer::Nothing));
}

#[test]
fn a_replayed_claim_is_one_claim() {
    let mut rig = Rig::new();
    let intake = intake(&mut rig);
    let first = claimed(rig.ask(&claim(&intake, 1)));
    for _ in 0..50 {
        assert_eq!(claimed(rig.ask(&claim(&intake, 1))), first);
    }
    rig.restart();
    assert_eq!(claimed(rig.ask(&claim(&intake, 1))), first);
    assert!(matches!(rig.ask(&Request::Release(first.token)), Answer::Done));
    assert!(matches!(rig.ask(&claim(&intake, 1)), Answer::Ended));
    assert_eq!(claimed(rig.ask(&claim(&intake, 2))).number, 2);
    assert!(matches!(rig.ask(&delete_by(DeleteBy::Lease(first.token))), Answer::Ended));
    assert_eq!(rig.fetch(&intake), [envelope(1)]);
}

#[test]
fn a_clock_that_is_set_back_neither_ends_a_lease_nor_makes_it_longer_than_an_hour() {
    let mut rig = Rig::new();
    let intake = intake(&mut rig);
    let lease = claimed(rig.ask(&claim(&intake, 1)));
    for hours in [1, 10, 100] {
        rig.now.0 -= hours * 3600;
        let again = claimed(rig.ask(&claim(&intake, 1)));
        assert_eq!(again.token, lease.token);
        assert!(again.secs_left <= 3600, "{} s are left", again.secs_left);
        assert!(matches!(rig.ask(&claim(&intake, 2)), Answer::Nothing));
    }
}

#[test]
fn guessing_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let before = rig.store().shared().log_bytes();
    for number in 0..2000 {
        assert!(rig.fetch(&plain(number)).is_empty());
        assert!(matches!(rig.ask(&delete_by(DeleteBy::Key(plain(number).delete()))), Answer::Done));
    }
    assert_eq!(rig.store().shared().log_bytes(), before);
    assert_eq!(rig.store().shared().inner().rows.waiting(), 0);
}

/// The bytes of an answer to a fetch, but for its cursor, which is random each time.
fn bytes(rig: &mut Rig, request: &Request) -> Vec<u8> {
    let mut answer = rig.ask(request);
    let Answer::Fetched(fetched) = &mut answer else { panic!("{answer:?}") };
    fetched[0].cursor = Cursor([0; 16]);
    encode_answer(1, &answer).to_vec()
}

#[test]
fn to_a_reader_absent_empty_drained_and_expired_are_the_same() {
    let mut rig = Rig::new();
    let (expired, drained, absent) = (plain(1), plain(2), plain(3));
    let opened = KeyedMailbox::new(Kind::Log, 4, PIN);
    assert!(matches!(rig.ask(&put(&expired, &envelope(1), 1)), Answer::Stored));
    rig.pass_days(2);
    assert!(matches!(rig.ask(&put(&drained, &envelope(1), 4)), Answer::Stored));
    assert!(matches!(rig.ask(&delete_by(DeleteBy::Key(drained.delete()))), Answer::Done));
    assert!(matches!(rig.ask(&Request::Open(opened.open(TODAY + 9))), Answer::Opened));
    let full = plain(5);
    assert!(matches!(rig.ask(&put(&full, &envelope(5), 4)), Answer::Stored));
    let wrong_key = ReadFrom { read: absent.read().read, ..full.read() };
    let start = Start::First;
    let wrong_key = Fetch { from: vec![FetchFrom { mailbox: wrong_key, start }], max: 64, wait_secs: 0 };
    let expected = bytes(&mut rig, &fetch(&absent));
    for request in [fetch(&expired), fetch(&drained), fetch(&opened), Request::Fetch(wrong_key)] {
        assert_eq!(bytes(&mut rig, &request), expected);
    }
    assert_ne!(bytes(&mut rig, &fetch(&full)), expected);
}
