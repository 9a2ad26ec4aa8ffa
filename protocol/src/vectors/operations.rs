//! Every request and every answer.

use super::Vector;
use crate::envelope::{Class, EnvelopeId, SealedEnvelope};
use crate::inner::{decode_answer, decode_request, encode_answer, encode_request};
use crate::keys::{DeleteForm, KeyHash, Permit, ReadForm, StewardKey, WriteForm};
use crate::limits::ENVELOPE_BYTES;
use crate::mailbox::{DeleteAt, Kind, MailboxHashes, ReadFrom, WriteTo};
use crate::op::{
    Answer, Claim, ClaimId, ClaimWhat, Claimed, Close, Cursor, Delete, DeleteBy, EnvelopeStatus, Extend,
    Fetch, FetchFrom, Fetched, HelloAnswer, LeaseToken, OPS, Open, Payment, Put, Request, Start, Status,
};
use crate::time::{Day, UnixTime};

const NUMBER: u32 = 0x0403_0201;

pub(super) fn all() -> Vec<Vector> {
    let requests = requests().into_iter().map(|(name, request)| request_vector(name, &request));
    let answers = answers().into_iter().map(|(name, answer)| answer_vector(name, &answer));
    requests.chain(answers).collect()
}

fn request_vector(name: &str, request: &Request) -> Vector {
    let bytes = encode_request(NUMBER, request);
    let (number, decoded) = decode_request(&bytes).expect("a request of ours decodes");
    assert_eq!(*encode_request(number, &decoded), *bytes, "what was decoded encodes to the same bytes");
    Vector::new(format!("request {name}")).text("op", request.op()).bytes("bytes", &bytes)
}

fn answer_vector(name: &str, answer: &Answer) -> Vector {
    let bytes = encode_answer(NUMBER, answer);
    let (number, decoded) = decode_answer(&bytes).expect("an answer of ours decodes");
    assert_eq!(*encode_answer(number, &decoded), *bytes, "what was decoded encodes to the same bytes");
    Vector::new(format!("answer {name}")).bytes("bytes", &bytes)
}

fn write_to(kind: Kind) -> WriteTo {
    let delete = if kind == Kind::Plain { KeyHash([3; 32]) } else { KeyHash::NOBODY };
    WriteTo { kind, write: WriteForm::from_bytes(&[1; 32]), read: KeyHash([2; 32]), delete }
}

fn read_from(kind: Kind) -> ReadFrom {
    let WriteTo { delete, .. } = write_to(kind);
    ReadFrom { kind, read: ReadForm::from_bytes(&[1; 32]), write: KeyHash([2; 32]), delete }
}

fn delete_at() -> DeleteAt {
    DeleteAt { delete: DeleteForm::from_bytes(&[1; 32]), write: KeyHash([2; 32]), read: KeyHash([3; 32]) }
}

fn hashes(kind: Kind) -> MailboxHashes {
    MailboxHashes { kind, write: KeyHash([1; 32]), read: KeyHash([2; 32]), delete: KeyHash::NOBODY }
}

fn envelope(byte: u8) -> SealedEnvelope {
    SealedEnvelope::parse(&[byte; ENVELOPE_BYTES]).expect("an envelope has 4096 bytes")
}

fn put(kind: Kind, payment: Payment) -> Request {
    Request::Put(Put { to: write_to(kind), class: Class::FOUR, payment, envelope: envelope(7) })
}

fn claim(what: ClaimWhat) -> Request {
    Request::Claim(Claim { mailbox: read_from(Kind::Intake), claim_id: ClaimId([4; 16]), what, secs: 900 })
}

fn delete(by: DeleteBy) -> Request {
    Request::Delete(Delete { by, ids: vec![EnvelopeId([8; 16]), EnvelopeId([9; 16])] })
}

fn fetch() -> Request {
    let from = |kind, start| FetchFrom { mailbox: read_from(kind), start };
    let from = vec![
        from(Kind::Plain, Start::First),
        from(Kind::Intake, Start::After(Cursor([8; 16]))),
        from(Kind::Log, Start::Last(5)),
    ];
    Request::Fetch(Fetch { from, max: 2, wait_secs: 60 })
}

fn open(kind: Kind, gated: bool) -> Request {
    Request::Open(Open {
        permit: Permit::from_bytes(&[5; 32]),
        mailbox: hashes(kind),
        last_day: Day(20_000),
        quota: 1 << 30,
        gated,
        steward: KeyHash([6; 32]),
    })
}

fn close() -> Request {
    Request::Close(Close { steward: StewardKey::from_bytes(&[7; 32]), mailbox: hashes(Kind::Intake) })
}

pub(super) fn requests() -> Vec<(&'static str, Request)> {
    let value = || vec![9, 8].into();
    let steward = StewardKey::from_bytes(&[6; 32]);
    let token = LeaseToken([6; 16]);
    let status = Status { mailbox: write_to(Kind::Intake), ids: vec![EnvelopeId([4; 16])] };
    vec![
        ("Hello", Request::Hello),
        ("Put", put(Kind::Plain, Payment::None)),
        ("Put paid by a credit", put(Kind::Plain, Payment::Credit(value()))),
        ("Put paid by work", put(Kind::Intake, Payment::Work(value()))),
        ("Put paid by a ticket", put(Kind::Intake, Payment::Ticket(value()))),
        ("Put paid by a kind to come", put(Kind::Plain, Payment::Other(4, value()))),
        ("Put into a gated log", put(Kind::Log, Payment::Steward(steward))),
        ("Fetch", fetch()),
        ("Claim of the oldest", claim(ClaimWhat::Oldest)),
        ("Claim of an envelope", claim(ClaimWhat::Id(EnvelopeId([5; 16])))),
        ("Extend", Request::Extend(Extend { token, secs_from_claim: 3600 })),
        ("Release", Request::Release(token)),
        ("Delete by key", delete(DeleteBy::Key(delete_at()))),
        ("Delete by lease", delete(DeleteBy::Lease(token))),
        ("Open an intake", open(Kind::Intake, false)),
        ("Open a gated log", open(Kind::Log, true)),
        ("Close", close()),
        ("Status", Request::Status(status)),
        ("of an unknown operation", Request::Unknown(0x80)),
    ]
}

fn fetched() -> Answer {
    let full = Fetched { envelopes: vec![envelope(1), envelope(2)], cursor: Cursor([3; 16]), more: true };
    let empty = Fetched { envelopes: vec![], cursor: Cursor([4; 16]), more: false };
    Answer::Fetched(vec![full, empty])
}

fn claimed() -> Answer {
    Answer::Claimed(Claimed { token: LeaseToken([1; 16]), number: 2, secs_left: 900, envelope: envelope(4) })
}

fn hello() -> Answer {
    Answer::Hello(HelloAnswer {
        version: 1,
        ops: OPS.to_vec(),
        time: UnixTime(1_728_000_000),
        base_effort: 4,
        fetch_envelopes: 64,
        fetch_wait_secs: 60,
        permits: true,
    })
}

fn statuses() -> Answer {
    use EnvelopeStatus::{Claimed, Gone, Stored, Unknown};
    Answer::Status(vec![Stored, Gone, Claimed, Unknown])
}

pub(super) fn answers() -> Vec<(&'static str, Answer)> {
    vec![
        ("done", Answer::Done),
        ("stored", Answer::Stored),
        ("fetched", fetched()),
        ("claimed", claimed()),
        ("extended", Answer::Extended { secs_left: 60 }),
        ("opened", Answer::Opened),
        ("closed", Answer::Closed),
        ("status", statuses()),
        ("hello", hello()),
        ("unsupported", Answer::Unsupported),
        ("malformed", Answer::Malformed),
        ("busy", Answer::Busy { retry_after_secs: 5 }),
        ("read only", Answer::ReadOnly),
        ("full", Answer::Full),
        ("price", Answer::Price { effort: 7 }),
        ("moved", Answer::Moved),
        ("not open", Answer::NotOpen),
        ("nothing", Answer::Nothing),
        ("ended", Answer::Ended),
        ("refused", Answer::Refused),
    ]
}
