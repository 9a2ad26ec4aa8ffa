//! What was put and what became of it: the oracle of loss, of return, and of repetition.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::Pin;
use poterne_protocol::limits::ENVELOPE_BYTES;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Fetch, FetchFrom, Request, Start};
use poterne_tests::cast::KeyedMailbox;
use poterne_transport::client::RelayClient;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Envelopes that are put into one mailbox: half its quota.
const ENVELOPES_PER_MAILBOX: u64 = 32;
/// Mailboxes in one fetch of a check: two fill an answer.
const MAILBOXES_PER_FETCH: usize = 2;

/// What was acknowledged of an envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// Its delete was acknowledged.
    Deleted,
    /// Its delete was sent.
    Leaving,
    /// Its put was acknowledged.
    Stored,
}

/// Answers to puts that were none of *stored*.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refusals {
    /// *busy*
    pub busy: u64,
    /// *full*
    pub full: u64,
    /// *read-only*
    pub read_only: u64,
    /// No answer: the connection was lost.
    pub unanswered: u64,
}

/// The books of a crowd, over all lives of a relay.
#[derive(Default)]
pub struct Ledger(Mutex<Books>);

#[derive(Default)]
struct Books {
    next: u64,
    fates: BTreeMap<u64, Fate>,
    refusals: Refusals,
}

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().expect("nothing panics while it holds the books")
    }

    /// The next number, which nobody has used.
    pub fn next(&self) -> u64 {
        let mut books = self.books();
        books.next += 1;
        books.next
    }

    /// The highest number so far.
    pub fn last(&self) -> u64 {
        self.books().next
    }

    /// Acknowledged puts so far.
    pub fn stored(&self) -> usize {
        self.books().fates.len()
    }

    /// Acknowledged deletes so far.
    pub fn deleted(&self) -> usize {
        self.books().fates.values().filter(|fate| **fate == Fate::Deleted).count()
    }

    /// Numbers whose delete was acknowledged.
    pub fn gone(&self) -> Vec<u64> {
        self.of_fate(Fate::Deleted)
    }

    /// Numbers whose put was acknowledged and whose delete was never asked for.
    pub fn waiting(&self) -> Vec<u64> {
        self.of_fate(Fate::Stored)
    }

    fn of_fate(&self, wanted: Fate) -> Vec<u64> {
        let books = self.books();
        books.fates.iter().filter(|(_, fate)| **fate == wanted).map(|(number, _)| *number).collect()
    }

    /// What puts were answered beside *stored*, since the last call.
    pub fn take_refusals(&self) -> Refusals {
        std::mem::take(&mut self.books().refusals)
    }

    /// Takes down what a put was answered. Says whether it is stored.
    pub fn put_was(&self, number: u64, answer: Option<&Answer>) -> bool {
        let mut books = self.books();
        match answer {
            Some(Answer::Stored) => {
                books.fates.insert(number, Fate::Stored);
                return true;
            }
            Some(Answer::Busy { .. }) => books.refusals.busy += 1,
            Some(Answer::Full) => books.refusals.full += 1,
            Some(Answer::ReadOnly) => books.refusals.read_only += 1,
            None => books.refusals.unanswered += 1,
            Some(other) => panic!("a put was answered {other:?}"),
        }
        false
    }

    /// A delete is about to be sent.
    pub fn leaves(&self, number: u64) {
        self.books().fates.insert(number, Fate::Leaving);
    }

    /// A delete was acknowledged.
    pub fn left(&self, number: u64) {
        self.books().fates.insert(number, Fate::Deleted);
    }

    /// Reads every mailbox from that number on and compares.
    ///
    /// # Panics
    /// When an acknowledged put is lost, spoilt or doubled, or what was deleted is back.
    pub async fn check_since(&self, first: u64, client: &RelayClient, pin: Pin) {
        let mailboxes: Vec<u32> = (mailbox_number(first)..=mailbox_number(self.last())).collect();
        for some in mailboxes.chunks(MAILBOXES_PER_FETCH) {
            let found = fetch(client, pin, some).await;
            self.compare(some, &found);
        }
    }

    fn compare(&self, mailboxes: &[u32], found: &[SealedEnvelope]) {
        let mut present = BTreeMap::new();
        for one in found {
            let number = number(one);
            assert_eq!(*one, envelope(number), "{number} is spoilt");
            assert!(present.insert(number, ()).is_none(), "{number} is there twice");
        }
        let books = self.books();
        let first = u64::from(mailboxes[0]) * ENVELOPES_PER_MAILBOX;
        let behind = first + mailboxes.len() as u64 * ENVELOPES_PER_MAILBOX;
        for (number, fate) in books.fates.range(first..behind) {
            match fate {
                Fate::Stored => assert!(present.contains_key(number), "{number} is lost"),
                Fate::Deleted => assert!(!present.contains_key(number), "{number} is back"),
                Fate::Leaving => {}
            }
        }
    }
}

async fn fetch(client: &RelayClient, pin: Pin, mailboxes: &[u32]) -> Vec<SealedEnvelope> {
    let from = |number: &u32| FetchFrom { mailbox: plain(*number, pin).read(), start: Start::First };
    let fetch = Fetch { from: mailboxes.iter().map(from).collect(), max: 64, wait_secs: 0 };
    let request = Request::Fetch(fetch);
    loop {
        match client.call(&request).await {
            Ok(Answer::Fetched(fetched)) => {
                return fetched.into_iter().flat_map(|one| one.envelopes).collect();
            }
            Ok(Answer::Busy { .. }) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            other => panic!("a fetch was answered {other:?}"),
        }
    }
}

/// The mailbox of the n-th envelope.
pub fn mailbox_of(number: u64, pin: Pin) -> KeyedMailbox {
    plain(mailbox_number(number), pin)
}

fn mailbox_number(number: u64) -> u32 {
    u32::try_from(number / ENVELOPES_PER_MAILBOX).expect("a test puts less")
}

fn plain(number: u32, pin: Pin) -> KeyedMailbox {
    KeyedMailbox::new(Kind::Plain, number, pin)
}

/// The n-th envelope: its number and dice, so that no sector of it stands in another.
pub fn envelope(number: u64) -> SealedEnvelope {
    let mut bytes = [0; ENVELOPE_BYTES];
    ChaCha20Rng::seed_from_u64(number).fill_bytes(&mut bytes);
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    SealedEnvelope::parse(&bytes).expect("an envelope has 4096 bytes")
}

fn number(envelope: &SealedEnvelope) -> u64 {
    u64::from_le_bytes(envelope.as_bytes()[..8].try_into().expect("8 of 4096 bytes"))
}
