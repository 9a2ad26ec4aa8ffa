//! Guessing: who knows the hashes of a mailbox but none of its keys is answered as about one that never was, by the same
//! bytes, and leaves nothing behind.

use poterne_protocol::inner::encode_answer;
use poterne_protocol::keys::{ReadForm, StewardKey};
use poterne_protocol::mailbox::{Kind, ReadFrom, WriteTo};
use poterne_protocol::op::{
    Answer, Claim, ClaimId, ClaimWhat, Close, Cursor, Fetch, FetchFrom, Request, Start, Status,
};
use poterne_tests::cast::{KeyedMailbox, envelope};

use crate::rig::{PIN, Rig, TODAY, fetch, put};

/// Keys that a guesser tries.
const GUESSES: u32 = 300;

/// A key that somebody made up, beside the true hashes of the others.
struct Guess {
    read: ReadFrom,
    write: WriteTo,
}

impl Guess {
    fn at(mailbox: &KeyedMailbox, number: u32) -> Self {
        let other = KeyedMailbox::new(Kind::Plain, 1_000_000 + number, PIN);
        Self {
            read: ReadFrom { read: other.read().read, ..mailbox.read() },
            write: WriteTo { write: other.write().write, ..mailbox.write() },
        }
    }

    fn requests(&self) -> [Request; 3] {
        let from = vec![FetchFrom { mailbox: self.read.clone(), start: Start::First }];
        let (claim_id, what) = (ClaimId([9; 16]), ClaimWhat::Oldest);
        [
            Request::Fetch(Fetch { from, max: 64, wait_secs: 0 }),
            Request::Status(Status { mailbox: self.write.clone(), ids: vec![envelope(1).id()] }),
            Request::Claim(Claim { mailbox: self.read.clone(), claim_id, what, secs: 900 }),
        ]
    }
}

/// The bytes of an answer, but for the cursor, which is random each time.
fn bytes(rig: &mut Rig, request: &Request) -> Vec<u8> {
    let mut answer = rig.ask(request);
    if let Answer::Fetched(fetched) = &mut answer {
        fetched.iter_mut().for_each(|one| one.cursor = Cursor([0; 16]));
    }
    encode_answer(1, &answer).to_vec()
}

#[test]
fn a_guessed_key_is_answered_as_about_a_mailbox_that_never_was() {
    for kind in [Kind::Plain, Kind::Intake, Kind::Log] {
        let mut rig = Rig::new();
        let (mailbox, absent) = (KeyedMailbox::new(kind, 1, PIN), KeyedMailbox::new(kind, 2, PIN));
        if kind != Kind::Plain {
            assert!(matches!(rig.ask(&Request::Open(mailbox.open(TODAY + 3))), Answer::Opened));
        }
        assert!(matches!(rig.ask(&put(&mailbox, &envelope(1), 4)), Answer::Stored));
        let before = rig.store().shared().log_bytes();
        let expected = Guess::at(&absent, 0).requests().map(|request| bytes(&mut rig, &request));
        for number in 0..GUESSES {
            let requests = Guess::at(&mailbox, number).requests();
            for (request, expected) in requests.iter().zip(&expected) {
                assert_eq!(bytes(&mut rig, request), *expected, "{request:?}");
            }
        }
        assert_eq!(rig.fetch(&mailbox), [envelope(1)]);
        assert_eq!(rig.store().shared().log_bytes(), before);
    }
}

#[test]
fn a_guessed_steward_key_closes_nothing() {
    let mut rig = Rig::new();
    let (log, absent) = (KeyedMailbox::new(Kind::Log, 1, PIN), KeyedMailbox::new(Kind::Log, 2, PIN));
    assert!(matches!(rig.ask(&Request::Open(log.open(TODAY + 3))), Answer::Opened));
    let close = |mailbox: &KeyedMailbox, guess: u8| {
        Request::Close(Close { steward: StewardKey::from_bytes(&[guess; 32]), mailbox: mailbox.hashes() })
    };
    let expected = bytes(&mut rig, &close(&absent, 0));
    for guess in 100..=u8::MAX {
        assert_eq!(bytes(&mut rig, &close(&log, guess)), expected);
    }
    assert!(matches!(rig.ask(&put(&log, &envelope(1), 4)), Answer::Stored));
}

#[test]
fn the_neighbours_of_a_key_are_tried_in_vain() {
    let mut rig = Rig::new();
    let mailbox = KeyedMailbox::new(Kind::Plain, 1, PIN);
    assert!(matches!(rig.ask(&put(&mailbox, &envelope(1), 4)), Answer::Stored));
    let expected = bytes(&mut rig, &fetch(&KeyedMailbox::new(Kind::Plain, 2, PIN)));
    for bit in 0..256 {
        let mut near = mailbox.read();
        let mut key = *near.read.expose();
        key[bit / 8] ^= 1 << (bit % 8);
        near.read = ReadForm::from_bytes(&key);
        let from = vec![FetchFrom { mailbox: near, start: Start::First }];
        assert_eq!(bytes(&mut rig, &Request::Fetch(Fetch { from, max: 64, wait_secs: 0 })), expected);
    }
}
