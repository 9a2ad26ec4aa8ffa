//! Requests and answers with their bytes written out, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::envelope::{Class, EnvelopeId, SealedEnvelope};
use crate::keys::{DeleteForm, KeyHash, Permit, ReadForm, StewardKey, WriteForm};
use crate::limits::FETCH_WAIT_SECS;
use crate::mailbox::{DeleteAt, Kind, MailboxHashes, ReadFrom, WriteTo};
use crate::op::*;
use crate::time::{Day, UnixTime};

fn hash(byte: u8) -> KeyHash {
    KeyHash([byte; 32])
}

fn write_to() -> WriteTo {
    WriteTo { kind: Kind::Plain, write: WriteForm::from_bytes(&[1; 32]), read: hash(2), delete: hash(3) }
}

fn read_from(kind: Kind) -> ReadFrom {
    ReadFrom { kind, read: ReadForm::from_bytes(&[1; 32]), write: hash(2), delete: hash(3) }
}

fn hashes() -> MailboxHashes {
    MailboxHashes { kind: Kind::Log, write: hash(1), read: hash(2), delete: KeyHash::NOBODY }
}

fn envelope(byte: u8) -> SealedEnvelope {
    SealedEnvelope::parse(&[byte; 4096]).unwrap()
}

/// The three keys or hashes of the mailboxes above.
fn keys() -> Vec<u8> {
    [[1; 32], [2; 32], [3; 32]].concat()
}

fn check_request(request: &Request, body: &[&[u8]]) {
    let expected = [&[4, 3, 2, 1, request.op()], body.concat().as_slice()].concat();
    assert_eq!(*encode_request(0x0102_0304, request), expected);
    let (number, decoded) = decode_request(&expected).unwrap();
    assert_eq!(*encode_request(number, &decoded), expected);
    let odd_tlv = [&expected[..], &[0x71, 2, 0, 9, 9]].concat();
    assert!(decode_request(&odd_tlv).is_ok());
    let even_tlv = [&expected[..], &[0x70, 0, 0]].concat();
    let error = DecodeError::UnknownType { value: 0x70 };
    assert_eq!(decode_request(&even_tlv).unwrap_err(), InnerError::Body { number, error });
    for length in 4..expected.len() {
        assert!(matches!(decode_request(&expected[..length]), Err(InnerError::Body { .. })), "{length}");
    }
}

fn check_answer(answer: &Answer, status: u8, body: &[&[u8]]) {
    let expected = [&[4, 3, 2, 1, status], body.concat().as_slice()].concat();
    assert_eq!(*encode_answer(0x0102_0304, answer), expected);
    let (number, decoded) = decode_answer(&expected).unwrap();
    assert_eq!(*encode_answer(number, &decoded), expected);
    for length in 4..expected.len() {
        assert!(matches!(decode_answer(&expected[..length]), Err(InnerError::Body { .. })), "{length}");
    }
}

#[test]
fn hello_is_its_number_alone() {
    check_request(&Request::Hello, &[]);
}

#[test]
fn put_names_mailbox_class_payment_and_envelope() {
    let put =
        |payment| Request::Put(Put { to: write_to(), class: Class::THIRTY, payment, envelope: envelope(7) });
    check_request(&put(Payment::None), &[&[0], &keys(), &[30], &[0, 0, 0], &[7; 4096]]);
    let credit = Payment::Credit(vec![9, 8].into());
    check_request(&put(credit), &[&[0], &keys(), &[30], &[1, 2, 0, 9, 8], &[7; 4096]]);
    let steward = Payment::Steward(StewardKey::from_bytes(&[6; 32]));
    check_request(&put(steward), &[&[0], &keys(), &[30], &[5, 32, 0], &[6; 32], &[7; 4096]]);
    let later = Payment::Other(4, vec![1].into());
    check_request(&put(later), &[&[0], &keys(), &[30], &[4, 1, 0, 1], &[7; 4096]]);
}

#[test]
fn fetch_names_each_mailbox_and_where_to_begin() {
    let from = |start| FetchFrom { mailbox: read_from(Kind::Log), start };
    let fetch = Fetch {
        from: vec![from(Start::First), from(Start::After(Cursor([8; 16]))), from(Start::Last(5))],
        max: 2,
        wait_secs: 60,
    };
    let body: &[&[u8]] = &[
        &[3],
        &[2],
        &keys(),
        &[0],
        &[2],
        &keys(),
        &[1],
        &[8; 16],
        &[2],
        &keys(),
        &[2, 5, 0],
        &[2, 0, 60, 0],
    ];
    check_request(&Request::Fetch(fetch), body);
}

#[test]
fn claim_names_intake_claim_envelope_and_seconds() {
    let claim = |what| {
        Request::Claim(Claim {
            mailbox: read_from(Kind::Intake),
            claim_id: ClaimId([4; 16]),
            what,
            secs: 900,
        })
    };
    check_request(&claim(ClaimWhat::Oldest), &[&[1], &keys(), &[4; 16], &[0], &[0x84, 3, 0, 0]]);
    let id = ClaimWhat::Id(EnvelopeId([5; 16]));
    check_request(&claim(id), &[&[1], &keys(), &[4; 16], &[1], &[5; 16], &[0x84, 3, 0, 0]]);
}

#[test]
fn extend_and_release_show_the_token() {
    let token = LeaseToken([6; 16]);
    check_request(
        &Request::Extend(Extend { token, secs_from_claim: 3600 }),
        &[&[6; 16], &[0x10, 0x0e, 0, 0]],
    );
    check_request(&Request::Release(token), &[&[6; 16]]);
}

#[test]
fn delete_shows_a_key_or_a_token_and_the_ids() {
    let at = DeleteAt { delete: DeleteForm::from_bytes(&[1; 32]), write: hash(2), read: hash(3) };
    let ids = vec![EnvelopeId([8; 16]), EnvelopeId([9; 16])];
    let by_key = Delete { by: DeleteBy::Key(at), ids: ids.clone() };
    check_request(&Request::Delete(by_key), &[&[0], &keys(), &[2], &[8; 16], &[9; 16]]);
    let by_lease = Delete { by: DeleteBy::Lease(LeaseToken([6; 16])), ids };
    check_request(&Request::Delete(by_lease), &[&[1], &[6; 16], &[2], &[8; 16], &[9; 16]]);
}

#[test]
fn open_and_close_name_the_mailbox_by_its_hashes() {
    let open = Open {
        permit: Permit::from_bytes(&[5; 32]),
        mailbox: hashes(),
        last_day: Day(0x0102),
        quota: 64,
        gated: true,
        steward: hash(6),
    };
    let mailbox: &[u8] = &[&[2][..], &[1; 32], &[2; 32], &[0; 32]].concat();
    let body: &[&[u8]] = &[&[5; 32], mailbox, &[2, 1, 0, 0], &[64, 0, 0, 0, 0, 0, 0, 0], &[1], &[6; 32]];
    check_request(&Request::Open(open.clone()), body);
    let body = [&body[..4], &[&[0], &[6; 32]]].concat();
    check_request(&Request::Open(Open { gated: false, ..open }), &body);
    let close = Close { steward: StewardKey::from_bytes(&[7; 32]), mailbox: hashes() };
    check_request(&Request::Close(close), &[&[7; 32], mailbox]);
}

#[test]
fn status_names_mailbox_and_ids() {
    let status = Status { mailbox: write_to(), ids: vec![EnvelopeId([4; 16])] };
    check_request(&Request::Status(status), &[&[0], &keys(), &[1], &[4; 16]]);
}

#[test]
fn an_unknown_operation_is_told_as_such_whatever_follows() {
    for op in (11..=255).chain([0]) {
        let (number, request) = decode_request(&[7, 0, 0, 0, op, 1, 2, 3]).unwrap();
        assert!(number == 7 && matches!(request, Request::Unknown(unknown) if unknown == op));
    }
}

#[test]
fn every_bound_of_a_request_is_enforced() {
    let refused = |request: &Request| match decode_request(&encode_request(1, request)) {
        Err(InnerError::Body { error: DecodeError::Invalid { field }, .. }) => field,
        other => panic!("{other:?}"),
    };
    let fetch = |count, max, wait_secs| {
        let from = FetchFrom { mailbox: read_from(Kind::Plain), start: Start::First };
        Request::Fetch(Fetch { from: vec![from; count], max, wait_secs })
    };
    assert_eq!(refused(&fetch(0, 1, 0)), "mailboxes");
    assert_eq!(refused(&fetch(65, 1, 0)), "mailboxes");
    assert_eq!(refused(&fetch(1, 0, 0)), "max");
    assert_eq!(refused(&fetch(1, 1, FETCH_WAIT_SECS + 1)), "wait");
    let claim = |secs| {
        let mailbox = read_from(Kind::Intake);
        Request::Claim(Claim { mailbox, claim_id: ClaimId([0; 16]), what: ClaimWhat::Oldest, secs })
    };
    assert_eq!(refused(&claim(59)), "seconds");
    assert_eq!(refused(&claim(3601)), "seconds");
    let extend = Extend { token: LeaseToken([0; 16]), secs_from_claim: 3601 };
    assert_eq!(refused(&Request::Extend(extend)), "seconds");
    let status =
        |count| Request::Status(Status { mailbox: write_to(), ids: vec![EnvelopeId([0; 16]); count] });
    assert_eq!(refused(&status(0)), "ids");
    assert_eq!(refused(&status(65)), "ids");
    let paid = Put {
        to: write_to(),
        class: Class::ONE,
        payment: Payment::Work(vec![0; 513].into()),
        envelope: envelope(0),
    };
    assert_eq!(refused(&Request::Put(paid)), "payment");
    let plain = MailboxHashes { kind: Kind::Plain, ..hashes() };
    let close = Close { steward: StewardKey::from_bytes(&[7; 32]), mailbox: plain };
    assert_eq!(refused(&Request::Close(close)), "kind");
}

#[test]
fn a_refused_request_is_answered_under_its_number() {
    let malformed = decode_request(&[7, 0, 0, 0, 6, 1]).unwrap_err();
    assert!(matches!(malformed.answer(), Some((7, Answer::Malformed))));
    let newer = decode_request(&[8, 0, 0, 0, 1, 2, 0, 0]).unwrap_err();
    assert!(matches!(newer.answer(), Some((8, Answer::Unsupported))));
    let nothing = decode_request(&[1, 2, 3]).unwrap_err();
    assert_eq!(nothing, InnerError::Number { actual: 3 });
    assert!(nothing.answer().is_none());
}

#[test]
fn answers_without_a_body_are_their_status() {
    let answers: [(Answer, u8); 13] = [
        (Answer::Done, 0x01),
        (Answer::Stored, 0x02),
        (Answer::Opened, 0x06),
        (Answer::Closed, 0x07),
        (Answer::Unsupported, 0x40),
        (Answer::Malformed, 0x41),
        (Answer::ReadOnly, 0x43),
        (Answer::Full, 0x44),
        (Answer::Moved, 0x46),
        (Answer::NotOpen, 0x47),
        (Answer::Nothing, 0x48),
        (Answer::Ended, 0x49),
        (Answer::Refused, 0x4a),
    ];
    for (answer, status) in answers {
        check_answer(&answer, status, &[]);
    }
}

#[test]
fn answers_with_a_body() {
    check_answer(&Answer::Busy { retry_after_secs: 5 }, 0x42, &[&[5, 0]]);
    check_answer(&Answer::Extended { secs_left: 6 }, 0x05, &[&[6, 0, 0, 0]]);
    check_answer(&Answer::Price { effort: 7 }, 0x45, &[&[7, 0, 0, 0]]);
    let statuses =
        vec![EnvelopeStatus::Stored, EnvelopeStatus::Gone, EnvelopeStatus::Claimed, EnvelopeStatus::Unknown];
    check_answer(&Answer::Status(statuses), 0x08, &[&[4, 0, 1, 2, 3]]);
    let claimed = Claimed { token: LeaseToken([1; 16]), number: 2, secs_left: 3, envelope: envelope(4) };
    check_answer(&Answer::Claimed(claimed), 0x04, &[&[1; 16], &[2, 0, 0, 0], &[3, 0, 0, 0], &[4; 4096]]);
}

#[test]
fn a_fetch_is_answered_mailbox_by_mailbox() {
    let full = Fetched { envelopes: vec![envelope(1), envelope(2)], cursor: Cursor([3; 16]), more: true };
    let empty = Fetched { envelopes: vec![], cursor: Cursor([4; 16]), more: false };
    let body: &[&[u8]] = &[&[2], &[3; 16], &[1, 2], &[1; 4096], &[2; 4096], &[4; 16], &[0, 0]];
    check_answer(&Answer::Fetched(vec![full, empty]), 0x03, body);
}

#[test]
fn hello_is_answered_with_version_operations_time_and_limits() {
    let hello = HelloAnswer {
        version: 1,
        ops: vec![1, 2, 3],
        time: UnixTime(0x0a0b),
        base_effort: 4,
        fetch_envelopes: 64,
        fetch_wait_secs: 60,
        permits: true,
    };
    let body: &[&[u8]] =
        &[&[1, 3, 1, 2, 3], &[0x0b, 0x0a, 0, 0, 0, 0, 0, 0], &[4, 0, 0, 0], &[64, 0], &[60, 0], &[1]];
    check_answer(&Answer::Hello(hello.clone()), 0x09, body);
    let body = [&body[..5], &[&[0]]].concat();
    check_answer(&Answer::Hello(HelloAnswer { permits: false, ..hello }), 0x09, &body);
}

#[test]
fn an_answer_holds_at_most_64_envelopes_over_all_mailboxes() {
    let mailbox =
        |count| Fetched { envelopes: vec![envelope(1); count], cursor: Cursor([3; 16]), more: false };
    let decoded = |counts: &[usize]| {
        let answer = Answer::Fetched(counts.iter().map(|count| mailbox(*count)).collect());
        decode_answer(&encode_answer(1, &answer)).map(|_| ())
    };
    assert_eq!(decoded(&[40, 24]), Ok(()));
    let error = DecodeError::Invalid { field: "envelopes" };
    assert_eq!(decoded(&[40, 25]), Err(InnerError::Body { number: 1, error }));
}

#[test]
fn an_unknown_status_keeps_its_number() {
    let error = DecodeError::UnknownType { value: 0x7f };
    assert_eq!(decode_answer(&[9, 0, 0, 0, 0x7f]).unwrap_err(), InnerError::Body { number: 9, error });
}

/// Whether a buffer of `capacity` bytes never grows, and is no waste.
fn is_fitting(capacity: usize, bytes: &[u8]) -> bool {
    (bytes.len()..bytes.len() + 512).contains(&capacity)
}

#[test]
fn a_request_is_written_into_a_buffer_that_it_fits() {
    let ids = || vec![EnvelopeId([4; 16]); 64];
    let mailbox = FetchFrom { mailbox: read_from(Kind::Log), start: Start::After(Cursor([8; 16])) };
    let at = DeleteAt { delete: DeleteForm::from_bytes(&[1; 32]), write: hash(2), read: hash(3) };
    let payment = Payment::Work(vec![0; 512].into());
    let requests = [
        Request::Hello,
        Request::Put(Put { to: write_to(), class: Class::ONE, payment, envelope: envelope(0) }),
        Request::Fetch(Fetch { from: vec![mailbox; 64], max: 1, wait_secs: 0 }),
        Request::Delete(Delete { by: DeleteBy::Key(at), ids: ids() }),
        Request::Status(Status { mailbox: write_to(), ids: ids() }),
    ];
    for request in requests {
        assert!(is_fitting(request::capacity(&request), &encode_request(1, &request)), "{}", request.op());
    }
}

#[test]
fn an_answer_is_written_into_a_buffer_that_it_fits() {
    let mailbox =
        |count| Fetched { envelopes: vec![envelope(1); count], cursor: Cursor([3; 16]), more: false };
    let claimed = Claimed { token: LeaseToken([1; 16]), number: 2, secs_left: 3, envelope: envelope(4) };
    let answers = [
        Answer::Stored,
        Answer::Claimed(claimed),
        Answer::Fetched(vec![mailbox(40), mailbox(24)]),
        Answer::Fetched(vec![mailbox(0); 64]),
    ];
    for answer in answers {
        assert!(is_fitting(answer::capacity(&answer), &encode_answer(1, &answer)));
    }
}

proptest! {
    #[test]
    fn a_request_decoder_survives_any_input(op in 0u8..16, body in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let bytes = [&[1, 0, 0, 0, op][..], &body].concat();
        if let Ok((number, request)) = decode_request(&bytes) {
            prop_assert!(decode_request(&encode_request(number, &request)).is_ok());
        }
        let _ = decode_request(&body);
    }

    #[test]
    fn an_answer_decoder_survives_any_input(status in 0u8..0x50, body in proptest::collection::vec(any::<u8>(), 0..9000)) {
        let bytes = [&[1, 0, 0, 0, status][..], &body].concat();
        if let Ok((number, answer)) = decode_answer(&bytes) {
            prop_assert!(decode_answer(&encode_answer(number, &answer)).is_ok());
        }
        let _ = decode_answer(&body);
    }
}
