//! Whether a reader can tell a mailbox that never was from one that was drained, that has expired, that is empty, or
//! whose key is another: by the bytes of the answer, and by its time. `POTERNE_PAIRS` sets the number of pairs of each
//! kind; a soak judges times.

use std::time::{Duration, Instant, SystemTime};

use poterne_hostile::count::{count, is_soak, skip, tell};
use poterne_hostile::crowd::insist;
use poterne_hostile::preload::SteppedClock;
use poterne_protocol::inner::encode_answer;
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::{Kind, ReadFrom};
use poterne_protocol::op::{Answer, Cursor, Delete, DeleteBy, Fetch, FetchFrom, Request, Start};
use poterne_protocol::time::{Day, UnixTime};
use poterne_protocol::{envelope::Class, op::Payment, op::Put};
use poterne_tests::cast::{KeyedMailbox, envelope};
use poterne_transport::client::RelayClient;
use tokio::task::JoinSet;

use crate::stage::Stage;

/// Mailboxes that are made at the same time.
const AT_ONCE: usize = 64;
/// The chance that an answer takes longer than one about an absent mailbox; a half says nothing.
const SAYS_NOTHING: std::ops::RangeInclusive<f64> = 0.45..=0.55;
/// Mailboxes of one kind, by their numbers.
const OF_A_KIND: u32 = 1_000_000;
/// What puts for a day do not outlive.
const LATER_SECS: i64 = 3 * 86_400;
/// The last day of an empty log, which is to come then too.
const LOG_DAYS: u32 = 5;

/// What a mailbox is beside absent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Was {
    Drained,
    Empty,
    Expired,
    OfAnotherKey,
}

impl Was {
    fn mailbox(self, number: u32, pin: Pin) -> KeyedMailbox {
        let kind = if self == Self::Empty { Kind::Log } else { Kind::Plain };
        KeyedMailbox::new(kind, (self as u32 + 1) * OF_A_KIND + number, pin)
    }

    /// Makes a mailbox what it is to be.
    async fn make(self, client: RelayClient, mailbox: KeyedMailbox) {
        if self == Self::Empty {
            let opened = insist(&client, &Request::Open(mailbox.open(today() + LOG_DAYS))).await;
            return assert!(matches!(opened, Answer::Opened), "{opened:?}");
        }
        let class = Class::parse(if self == Self::Expired { 1 } else { 30 }).expect("a class");
        let put = Put { to: mailbox.write(), class, payment: Payment::None, envelope: envelope(1) };
        assert!(matches!(insist(&client, &Request::Put(put)).await, Answer::Stored));
        if self == Self::Drained {
            let delete = Delete { by: DeleteBy::Key(mailbox.delete()), ids: vec![envelope(1).id()] };
            assert!(matches!(insist(&client, &Request::Delete(delete)).await, Answer::Done));
        }
    }

    /// How a reader names it: by its key, or by the hashes of its other keys and a key that he made up.
    fn read(self, mailbox: &KeyedMailbox, absent: &KeyedMailbox) -> ReadFrom {
        match self {
            Self::OfAnotherKey => ReadFrom { read: absent.read().read, ..mailbox.read() },
            _ => mailbox.read(),
        }
    }
}

#[test]
fn neither_bytes_nor_time_of_an_answer_tell_whether_a_mailbox_ever_was() {
    let mut stage = Stage::new();
    let pairs = u32::try_from(count("POTERNE_PAIRS", 100)).expect("a number of pairs");
    let mut kinds = vec![Was::Drained, Was::Empty, Was::OfAnotherKey];
    match SteppedClock::make(stage.folder()) {
        Some(clock) => {
            stage.relay.wrap_in(&clock.wrapper()).run();
            make(&stage, Was::Expired, pairs);
            clock.set(LATER_SECS);
            assert!(stage.relay.terminate().success());
            kinds.push(Was::Expired);
        }
        None => skip("existence of what expired", "no C compiler here, which makes the clock"),
    }
    stage.relay.run();
    for was in kinds.iter().filter(|was| **was != Was::Expired) {
        make(&stage, *was, pairs);
    }
    for was in kinds {
        // From a store that has read none of them.
        assert!(stage.relay.terminate().success());
        stage.relay.run();
        let chance = chance_of_longer(&mut times(&stage, was, pairs));
        tell(format_args!("{pairs} pairs of absent and {was:?}: AUC {chance:.3}"));
        assert!(SAYS_NOTHING.contains(&chance) || !is_soak(), "{was:?}: AUC {chance:.3}");
    }
}

/// By the clock that this test has not set.
fn today() -> Day {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    UnixTime(since.as_secs()).day()
}

fn make(stage: &Stage, was: Was, count: u32) {
    let client = stage.connect();
    stage.runtime.block_on(async {
        for some in (0..count).collect::<Vec<_>>().chunks(AT_ONCE) {
            let made = some.iter().map(|number| was.make(client.clone(), was.mailbox(*number, stage.pin())));
            made.collect::<JoinSet<_>>().join_all().await;
        }
    });
}

/// The times of all pairs, with whether each is about a mailbox that is not absent.
fn times(stage: &Stage, was: Was, pairs: u32) -> Vec<(Duration, bool)> {
    let client = stage.connect();
    let mut expected = None;
    let mut times = Vec::new();
    for number in 0..pairs {
        let used = was.mailbox(number, stage.pin());
        let absent = KeyedMailbox::new(Kind::Plain, number, stage.pin());
        let read = was.read(&used, &absent);
        // An absent one of the same kind.
        let absent = was.mailbox(OF_A_KIND / 2 + number, stage.pin()).read();
        let mut ask = |read: &ReadFrom, is_used: bool| {
            let (time, bytes) = stage.runtime.block_on(fetch(&client, read));
            assert_eq!(*expected.get_or_insert_with(|| bytes.clone()), bytes, "{was:?}: other bytes");
            times.push((time, is_used));
        };
        // Which one comes first changes, as it would for somebody who asks.
        let used_first = number.wrapping_mul(0x9E37_79B9) >> 31 == 0;
        for is_used in [used_first, !used_first] {
            ask(if is_used { &read } else { &absent }, is_used);
        }
    }
    times
}

/// The time of an answer, and its bytes but for the cursor, which is random each time.
async fn fetch(client: &RelayClient, mailbox: &ReadFrom) -> (Duration, Vec<u8>) {
    let from = vec![FetchFrom { mailbox: mailbox.clone(), start: Start::First }];
    let request = Request::Fetch(Fetch { from, max: 64, wait_secs: 0 });
    let begun = Instant::now();
    let answer = client.call(&request).await;
    let time = begun.elapsed();
    let Ok(Answer::Fetched(mut fetched)) = answer else { panic!("a fetch is answered") };
    assert!(fetched[0].envelopes.is_empty() && !fetched[0].more);
    fetched[0].cursor = Cursor([0; 16]);
    (time, encode_answer(1, &Answer::Fetched(fetched)).to_vec())
}

/// The area under the curve: of all pairs of a used and an absent mailbox, the share in which the used one took longer
/// (Mann and Whitney, 1947).
fn chance_of_longer(times: &mut [(Duration, bool)]) -> f64 {
    times.sort_unstable();
    let used = times.iter().filter(|(_, is_used)| *is_used).count() as f64;
    let ranks = (1..).zip(times.iter()).filter(|(_, (_, is_used))| *is_used);
    let sum: f64 = ranks.map(|(rank, _)| f64::from(rank)).sum();
    (sum - used * (used + 1.0) / 2.0) / (used * (times.len() as f64 - used))
}
