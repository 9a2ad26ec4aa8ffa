//! One connection that asks for all it may, again and again, of a relay whose disk is slow. The bound is what others
//! are told meanwhile: it is the greedy one that is told *busy* (docs/spec/relay.md §1.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use poterne_hostile::count::{skip, tell};
use poterne_hostile::crowd::{connect, put};
use poterne_hostile::preload::{Pace, slow_disk};
use poterne_hostile::stranger::Stranger;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Answer;
use poterne_transport::client::RelayClient;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::door::{Door, PATIENCE};

/// About 700 puts a second: a group of 64, the fewest that may always wait, takes a tenth of a second.
const SLOW: Pace = Pace { bytes_per_sec: 4_000_000, sync_millis: 20 };
/// All channels and requests that one connection may have.
const CHANNELS: usize = 8;
const UNDER_WAY: usize = 256;
/// Enough that an eighth is more than one connection can have under way: it is the disk that turns away.
const REQUESTS_MIB: u64 = 128;
/// So often the greedy one was turned away when the others come: the relay knows its disk by then.
const TURNED_AWAY: u64 = 500;
/// And so many of its puts are stored: all that it may have got in before the relay knew.
const STORED: u64 = (CHANNELS * UNDER_WAY) as u64;
/// Connections that have one put under way each, and how many they put.
const MODEST: u64 = 10;
const PUTS_EACH: u64 = 10;
/// Envelopes of each connection and channel, by number.
const APART: u64 = 1 << 32;

/// What the greedy one was told.
#[derive(Default)]
struct Told {
    busy: AtomicU64,
    stored: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_slow_disk_one_greedy_connection_takes_nothing_from_modest_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(words) = slow_disk(folder.path(), SLOW) else {
        return skip("greed", "no C compiler here, which makes the slow disk");
    };
    let door = Door::open_in(&[("segment_mib", 4), ("requests_mib", REQUESTS_MIB)], &words);
    let mut modest = Vec::new();
    for _ in 0..MODEST {
        modest.push(connect(&door.address).await);
    }
    let (told, pin) = (Arc::<Told>::default(), door.address.pin);
    let mut greedy = JoinSet::new();
    for (channel, first) in
        door.way_in().await.open_channels(CHANNELS).await.into_iter().zip((APART..).step_by(APART as usize))
    {
        greedy.spawn(grab(channel, first, pin, told.clone()));
    }
    let is_known = async {
        while told.busy.load(Ordering::Relaxed) < TURNED_AWAY || told.stored.load(Ordering::Relaxed) < STORED
        {
            sleep(PATIENCE / 1000).await;
        }
    };
    timeout(PATIENCE, is_known).await.expect("the greedy one is turned away");
    let (busy, stored) = (told.busy.load(Ordering::Relaxed), told.stored.load(Ordering::Relaxed));
    let mut puts = JoinSet::new();
    for (client, first) in modest.into_iter().zip((0..).step_by(PUTS_EACH as usize)) {
        puts.spawn(put_modestly(client, first, pin));
    }
    let turned_away: u64 = puts.join_all().await.into_iter().sum();
    tell(format_args!(
        "beside {MODEST} modest connections with {} puts, of which {turned_away} were turned away, the greedy one has \
         {} stored and {} turned away",
        MODEST * PUTS_EACH,
        told.stored.load(Ordering::Relaxed) - stored,
        told.busy.load(Ordering::Relaxed) - busy,
    ));
    assert_eq!(turned_away, 0, "modest connections were told busy");
    assert!(told.busy.load(Ordering::Relaxed) > busy, "the greedy one was not told busy");
}

/// Has as many puts under way as a channel may, whatever it is told.
async fn grab(mut channel: Stranger, first: u64, pin: Pin, told: Arc<Told>) -> std::io::Result<()> {
    for number in first.. {
        channel.ask(&put(number, pin)).await?;
        if number < first + UNDER_WAY as u64 {
            continue;
        }
        match channel.answer().await?.1 {
            Answer::Busy { .. } => told.busy.fetch_add(1, Ordering::Relaxed),
            Answer::Stored => told.stored.fetch_add(1, Ordering::Relaxed),
            answer => panic!("{answer:?}"),
        };
    }
    Ok(())
}

/// One put after the other. Gives how many were turned away.
async fn put_modestly(client: RelayClient, first: u64, pin: Pin) -> u64 {
    let mut turned_away = 0;
    for number in first..first + PUTS_EACH {
        match client.call(&put(number, pin)).await.expect("the connection stands") {
            Answer::Busy { .. } => turned_away += 1,
            answer => assert!(matches!(answer, Answer::Stored), "{answer:?}"),
        }
    }
    turned_away
}
