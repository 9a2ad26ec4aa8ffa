//! Clients that wait for news and do nothing else: what each makes the relay hold, and how soon all of them wait again
//! after a restart. `POTERNE_IDLE_CLIENTS` sets how many; a soak judges.

use std::sync::Arc;
use std::time::{Duration, Instant};

use poterne_hostile::count::{count, is_soak, tell};
use poterne_hostile::process::Holding;
use poterne_hostile::stranger::{Stranger, at, descriptor};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::descriptor::VerifiedDescriptor;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Fetch, FetchFrom, Request, Start};
use poterne_tests::cast::KeyedMailbox;
use poterne_transport::raw;
use quinn::Endpoint;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::stage::{Stage, pause};

/// Clients that share a socket.
const CLIENTS_PER_SOCKET: u64 = 500;
/// Dials under way at once.
const DIALS: usize = 48;
/// What one idle client may make the relay hold.
const CLIENT_BYTES: u64 = 40 << 10;
/// Until all wait again after a restart.
const BACK_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn idle_clients_are_cheap_and_soon_back_after_a_restart() {
    let mut stage = Stage::new();
    let clients = count("POTERNE_IDLE_CLIENTS", 40);
    stage.relay.run();
    let address = stage.address();
    let descriptor = stage.runtime.block_on(descriptor(&address));
    let before = Holding::of(stage.relay.process_id());
    let waiting = stage.runtime.block_on(subscribe(clients, &address, &descriptor));
    pause(2000);
    let after = Holding::of(stage.relay.process_id());
    let each = after.memory_bytes.saturating_sub(before.memory_bytes) / clients;
    tell(format_args!("{clients} idle clients: {:.1} KiB each, {after:?}", each as f64 / 1024.0));
    assert!(after.descriptors <= before.descriptors + 4, "{before:?}, {after:?}");
    assert!(each <= CLIENT_BYTES || !is_soak(), "{each} bytes each");
    stage.relay.kill();
    drop(waiting);
    stage.relay.run();
    let begun = Instant::now();
    let waiting = stage.runtime.block_on(subscribe(clients, &address, &descriptor));
    let time = begun.elapsed();
    tell(format_args!("{} wait again {time:?} after the restart", waiting.len()));
    assert_eq!(waiting.len() as u64, clients);
    assert!(time < BACK_WITHIN || !is_soak(), "{time:?}");
}

/// Lets so many clients dial and wait for news.
async fn subscribe(
    clients: u64,
    address: &RelayAddress,
    descriptor: &VerifiedDescriptor,
) -> Vec<(Stranger, Endpoint)> {
    let places = Arc::new(Semaphore::new(DIALS));
    let mut dials = JoinSet::new();
    let mut endpoint = None;
    for number in 0..clients {
        if number % CLIENTS_PER_SOCKET == 0 {
            endpoint = Some(raw::endpoint(at(address)).expect("a socket"));
        }
        let endpoint = endpoint.clone().expect("the first one makes it");
        let (address, descriptor) = (address.clone(), descriptor.clone());
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        dials.spawn(async move {
            let stranger = wait_for_news(&endpoint, &address, &descriptor, number).await;
            drop(place);
            (stranger, endpoint)
        });
    }
    dials.join_all().await
}

async fn wait_for_news(
    endpoint: &Endpoint,
    address: &RelayAddress,
    descriptor: &VerifiedDescriptor,
    number: u64,
) -> Stranger {
    let mut stranger = Stranger::open(endpoint, at(address), descriptor).await.expect("the relay has room");
    let number = u32::try_from(number).expect("a number of clients");
    let mailbox = KeyedMailbox::new(Kind::Plain, number, address.pin).read();
    let from = vec![FetchFrom { mailbox, start: Start::First }];
    stranger.ask(&Request::Fetch(Fetch { from, max: 64, wait_secs: 60 })).await.expect("the relay reads");
    // What is answered at once shows that the fetch before it has come.
    stranger.ask(&Request::Hello).await.expect("the relay reads");
    assert!(matches!(stranger.answer().await, Ok((_, Answer::Hello(_)))));
    stranger
}
