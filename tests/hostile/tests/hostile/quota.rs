//! Many connections at once for one mailbox's quota.

use std::collections::BTreeSet;

use poterne_hostile::crowd::{connect, insist};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::limits::PLAIN_QUOTA_ENVELOPES;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::Answer;
use poterne_tests::cast::{KeyedMailbox, envelope, number};
use poterne_tests::doors::relay::Relay;
use tokio::task::JoinSet;

use crate::rig::{fetch, put};

const CONNECTIONS: u64 = 64;
const PUTS_EACH: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_race_of_64_connections_stores_no_more_than_the_quota() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let relay = Relay::start(&folder.path().join("relay"));
    let address: RelayAddress = relay.address().parse().expect("init tells an address");
    let mailbox = KeyedMailbox::new(Kind::Plain, 1, address.pin);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(connect(&address).await);
    }
    let reader = clients[0].clone();
    let mut racers = JoinSet::new();
    for (client, first) in clients.into_iter().zip((0..).step_by(PUTS_EACH as usize)) {
        for own in first..first + PUTS_EACH {
            let (client, put) = (client.clone(), put(&mailbox, &envelope(own), 4));
            racers.spawn(async move { (own, insist(&client, &put).await) });
        }
    }
    let mut stored = BTreeSet::new();
    while let Some(raced) = racers.join_next().await {
        match raced.expect("no racer panics") {
            (own, Answer::Stored) => assert!(stored.insert(own)),
            (_, answer) => assert!(matches!(answer, Answer::Full), "{answer:?}"),
        }
    }
    assert_eq!(stored.len(), PLAIN_QUOTA_ENVELOPES as usize);
    let Answer::Fetched(fetched) = reader.call(&fetch(&mailbox)).await.expect("answered") else {
        panic!("a fetch is answered")
    };
    let found: BTreeSet<u64> = fetched[0].envelopes.iter().map(number).collect();
    assert_eq!(found, stored);
}
