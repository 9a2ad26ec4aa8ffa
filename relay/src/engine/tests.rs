//! The engine over a store in memory.

use std::sync::mpsc;

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::{MailboxKeys, MailboxSecret, Pin};
use poterne_protocol::limits::ENVELOPE_BYTES;
use poterne_protocol::mailbox::{DeleteAt, ReadFrom, WriteTo};
use poterne_protocol::op::{Delete, DeleteBy, Fetch, FetchFrom, Fetched, Payment, Put, Start};
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::memory::MemoryStore;
use poterne_relay_core::policy::Policy;
use tokio::time::timeout;

use super::*;
use crate::store::sim::{Faults, SimDisk, Unsynced};
use crate::store::sim_index::SimIndexes;
use crate::store::{Config, EmbeddedStore, open};

const SOURCE: Source = Source(0);
const PIN: Pin = Pin([0; 16]);

fn engine() -> Engine {
    engine_over(MemoryStore::default())
}

fn engine_over(store: MemoryStore) -> Engine {
    let cursors = CursorKey::generate(&mut UnwrapErr(getrandom::SysRng));
    Engine::start(Relay::new(store, Policy::default(), cursors), Box::new(|_| ()))
}

/// An engine whose groups are written while the next ones are staged.
fn engine_on_disk(disk: &SimDisk) -> Engine {
    Engine::start(relay_on_disk(disk, 64), Box::new(prepare))
}

/// The same, with room for some hundred puts; whatever uses the disk is a group.
fn engine_alone_on_disk(disk: &SimDisk, tend: Tend<EmbeddedStore>) -> Engine {
    let mut relay = relay_on_disk(disk, 1024);
    prepare(&mut relay);
    Engine::start(relay, tend)
}

fn relay_on_disk(disk: &SimDisk, segment_pages: u32) -> Relay<EmbeddedStore> {
    let config = Config { segment_pages, reserve_bytes: 0, reserve_percent: 0, ..Config::default() };
    let store = open(Arc::new(disk.clone()), Box::new(SimIndexes::default()), config, clock::now().day());
    let cursors = CursorKey::generate(&mut UnwrapErr(getrandom::SysRng));
    Relay::new(store.expect("opens"), Policy::default(), cursors)
}

fn prepare(relay: &mut Relay<EmbeddedStore>) {
    while relay.store_mut().shared().prepare().unwrap_or(false) {}
}

/// Whose sync it is does not matter: a segment may be made ready meanwhile.
fn fail_the_next_sync(disk: &SimDisk) {
    loop {
        let next = disk.syncs();
        disk.set_faults(Faults { failed_sync_at: Some(next), ..Faults::default() });
        if disk.syncs() == next {
            return;
        }
    }
}

/// Asks for all at once; the answers come in the order of the requests.
async fn all(engine: &Arc<Engine>, requests: impl Iterator<Item = Request>) -> Vec<Answer> {
    let ask = |request| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.handle(SOURCE, request).await })
    };
    let asked: Vec<_> = requests.map(ask).collect();
    let mut answers = Vec::new();
    for one in asked {
        answers.push(one.await.unwrap());
    }
    answers
}

fn keys(mailbox: u8) -> MailboxKeys {
    MailboxSecret::from_bytes(&[mailbox; 32]).keys()
}

fn put(mailbox: u8, content: u8) -> Request {
    Request::Put(Put {
        to: WriteTo::plain(&keys(mailbox), &PIN),
        class: Class::parse(1).unwrap(),
        payment: Payment::None,
        envelope: SealedEnvelope::parse(&[content; ENVELOPE_BYTES]).unwrap(),
    })
}

fn fetch(mailboxes: &[u8], wait_secs: u16) -> Request {
    let from =
        |mailbox: &u8| FetchFrom { mailbox: ReadFrom::plain(&keys(*mailbox), &PIN), start: Start::First };
    Request::Fetch(Fetch { from: mailboxes.iter().map(from).collect(), max: 64, wait_secs })
}

/// The first byte of each envelope, by mailbox.
fn contents(answer: Answer) -> Vec<Vec<u8>> {
    let Answer::Fetched(fetched) = answer else { panic!("{answer:?}") };
    let firsts = |one: Fetched| one.envelopes.iter().map(|envelope| envelope.as_bytes()[0]).collect();
    fetched.into_iter().map(firsts).collect()
}

#[tokio::test]
async fn what_was_put_is_fetched() {
    let engine = engine();
    assert!(matches!(engine.handle(SOURCE, put(1, 7)).await, Answer::Stored));
    assert_eq!(contents(engine.handle(SOURCE, fetch(&[1, 2], 0)).await), [vec![7], vec![]]);
}

#[tokio::test]
async fn a_waiting_fetch_is_answered_by_a_put_into_any_of_its_mailboxes() {
    let engine = engine();
    let answer = async {
        let waiting = engine.handle(SOURCE, fetch(&[1, 2, 3], 60));
        let (answer, stored) = tokio::join!(waiting, engine.handle(SOURCE, put(2, 9)));
        assert!(matches!(stored, Answer::Stored));
        answer
    };
    let answer = timeout(Duration::from_secs(10), answer).await.unwrap();
    assert_eq!(contents(answer), [vec![], vec![9], vec![]]);
}

#[tokio::test]
async fn a_put_elsewhere_wakes_nobody() {
    let engine = engine();
    let waiting = engine.handle(SOURCE, fetch(&[1], 60));
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
    engine.handle(SOURCE, put(2, 9)).await;
    assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
    engine.handle(SOURCE, put(1, 8)).await;
    assert_eq!(contents(waiting.await), [vec![8]]);
}

#[tokio::test]
async fn what_is_put_while_a_group_is_on_its_way_is_found_whole() {
    let engine = Arc::new(engine_on_disk(&SimDisk::new(Faults::default())));
    for round in 0..8 {
        let puts = all(&engine, (1..=32).map(|mailbox| put(mailbox, round)));
        let waits = all(&engine, (1..=32).map(|mailbox| fetch(&[mailbox], 60)));
        let (stored, found) = tokio::join!(puts, waits);
        assert!(stored.iter().all(|answer| matches!(answer, Answer::Stored)));
        found.into_iter().for_each(|answer| assert_eq!(contents(answer)[0][0], 0));
    }
    let all: Vec<u8> = (0..8).collect();
    assert_eq!(contents(engine.handle(SOURCE, fetch(&[7], 0)).await), [all]);
}

#[tokio::test]
async fn who_saw_nothing_unwritten_does_not_wait_for_the_disk() {
    let disk = SimDisk::new(Faults::default());
    // What is staged when the engine tends the store is written first, and everybody waits for that. So the put comes
    // while it does, and the next time is a tick away.
    let (begun, begins) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let tend = move |_: &mut Relay<EmbeddedStore>| {
        begun.send(()).ok();
        ends.recv().ok();
    };
    let engine = engine_alone_on_disk(&disk, Box::new(tend));
    begins.recv().unwrap();
    let held = disk.hold();
    let mut stored = engine.submit(SOURCE, put(2, 7)).unwrap();
    drop(end);
    let found = timeout(Duration::from_secs(10), engine.handle(SOURCE, fetch(&[3], 0))).await;
    assert_eq!(contents(found.unwrap()), [Vec::<u8>::new()]);
    let mut found = engine.submit(SOURCE, fetch(&[2], 0)).unwrap();
    assert!(timeout(2 * TICK, &mut found).await.is_err(), "it saw what is not written");
    assert!(stored.try_recv().is_err());
    drop(held);
    assert!(matches!(stored.await, Ok(Answer::Stored)));
    assert_eq!(contents(found.await.unwrap()), [[7]]);
}

#[tokio::test]
async fn what_holds_no_put_shares_its_pages() {
    let disk = SimDisk::new(Faults::default());
    let engine = Arc::new(engine_alone_on_disk(&disk, Box::new(|_| ())));
    let mailboxes = 0..=255;
    let stored = all(&engine, mailboxes.clone().map(|mailbox| put(mailbox, 1))).await;
    assert!(stored.iter().all(|answer| matches!(answer, Answer::Stored)));
    let delete = |mailbox: u8| {
        let ids = vec![SealedEnvelope::parse(&[1; ENVELOPE_BYTES]).unwrap().id()];
        Request::Delete(Delete { by: DeleteBy::Key(DeleteAt::plain(&keys(mailbox), &PIN)), ids })
    };
    let (before, began) = (disk.syncs(), Instant::now());
    let mut deleted = Vec::new();
    for mailbox in mailboxes {
        deleted.push(engine.submit(SOURCE, delete(mailbox)).unwrap());
        thread::sleep(HELD / 8);
    }
    for answer in deleted {
        assert!(matches!(answer.await, Ok(Answer::Done)));
    }
    let (groups, most) = (disk.syncs() - before, began.elapsed().div_duration_f64(HELD) + 3.0);
    assert!(groups as f64 <= most, "{groups} groups instead of {most}");
}

#[tokio::test]
async fn behind_a_sync_that_failed_nobody_is_promised_anything() {
    let disk = SimDisk::new(Faults::default());
    let engine = Arc::new(engine_on_disk(&disk));
    assert!(matches!(engine.handle(SOURCE, put(1, 1)).await, Answer::Stored));
    fail_the_next_sync(&disk);
    let answers = all(&engine, (1..=64).map(|mailbox| put(mailbox, 2))).await;
    assert!(!answers.iter().any(|answer| matches!(answer, Answer::Stored)));
    assert_eq!(contents(engine.handle(SOURCE, fetch(&[1], 0)).await), [vec![1]]);
}

#[tokio::test]
async fn what_was_promised_is_there_whichever_sync_fails() {
    for later in 0..6 {
        let disk = SimDisk::new(Faults::default());
        let engine = Arc::new(engine_on_disk(&disk));
        disk.set_faults(Faults { failed_sync_at: Some(disk.syncs() + later), ..Faults::default() });
        let promised = all(&engine, (0..=255).map(|mailbox| put(mailbox, 3))).await;
        engine.stop();
        let engine = engine_on_disk(&disk.restart(Unsynced::Lost, Faults::default()));
        for (mailbox, promised) in (0..=255).zip(promised) {
            let found = contents(engine.handle(SOURCE, fetch(&[mailbox], 0)).await);
            assert!(found == [[3]] || found == [Vec::<u8>::new()] && !matches!(promised, Answer::Stored));
        }
    }
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let engine = engine();
    assert_eq!(contents(engine.handle(SOURCE, fetch(&[1], 1)).await), [Vec::<u8>::new()]);
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_promised() {
    let mut store = MemoryStore::default();
    store.fail_commits(100);
    let engine = engine_over(store);
    assert!(matches!(engine.handle(SOURCE, put(1, 7)).await, Answer::ReadOnly));
}

#[tokio::test]
async fn a_stopped_engine_has_answered_what_it_had() {
    let engine = engine();
    let answer = engine.submit(SOURCE, put(1, 7)).unwrap();
    engine.stop();
    assert!(matches!(answer.await, Ok(Answer::Stored)));
    assert!(matches!(engine.handle(SOURCE, Request::Hello).await, Answer::Busy { .. }));
}

#[test]
fn a_fetch_whose_asker_is_gone_is_forgotten() {
    let mut waiting = Waiting::new(8);
    let (answer, asker) = oneshot::channel();
    let until = Instant::now() + Duration::from_secs(60);
    assert!(waiting.add(Waiter { request: fetch(&[1], 60), answer, until }).is_none());
    drop(asker);
    assert_eq!(waiting.take_over(Instant::now()).len(), 1);
    assert!(waiting.take_for(&[MailboxId([0; 32])]).is_empty());
}

#[test]
fn a_full_waiting_room_takes_nobody() {
    let mut waiting = Waiting::new(1);
    let mut add = || {
        let (answer, asker) = oneshot::channel();
        std::mem::forget(asker);
        let until = Instant::now() + Duration::from_secs(60);
        waiting.add(Waiter { request: fetch(&[1], 60), answer, until }).is_none()
    };
    assert!(add());
    assert!(!add());
}

#[test]
fn no_more_wait_than_may() {
    let inbox = Inbox::new(3);
    let submit = |content: u8| {
        let (answer, asker) = oneshot::channel();
        std::mem::forget(asker);
        inbox.submit(Job { source: Source(content.into()), request: put(1, content), answer })
    };
    assert!(submit(1) && submit(2));
    assert_eq!(inbox.take(1).len(), 1);
    assert!(submit(3));
    assert!(!submit(4), "one waits for the next group, two wait here");
    inbox.begun(3);
    assert!(submit(5));
    assert!(!submit(6));
}

#[tokio::test]
async fn when_the_engine_panics_nobody_waits_for_ever() {
    let cursors = CursorKey::generate(&mut UnwrapErr(getrandom::SysRng));
    let relay = Relay::new(MemoryStore::default(), Policy::default(), cursors);
    let engine = Engine::start(relay, Box::new(|_| panic!("as it was to be")));
    let answer = timeout(Duration::from_secs(10), engine.handle(SOURCE, put(1, 7))).await.unwrap();
    assert!(matches!(answer, Answer::ReadOnly | Answer::Busy { .. } | Answer::Stored));
    let answer = timeout(Duration::from_secs(10), engine.handle(SOURCE, put(1, 8))).await.unwrap();
    assert!(matches!(answer, Answer::ReadOnly | Answer::Busy { .. }));
}

#[test]
fn how_long_the_store_looked_for_nothing_does_not_show() {
    let since = Instant::now();
    let step = |millis: f64| next_step(since, since + Duration::from_secs_f64(millis / 1000.0));
    assert_eq!(step(0.0), since + EMPTY_STEP);
    assert_eq!(step(0.02), step(4.9));
    assert_eq!(step(5.0), since + EMPTY_STEP * 2);
}
