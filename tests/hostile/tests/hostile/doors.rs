//! Strangers at the door of the real program: floods of connections and streams, frames that never end, readers that
//! never read. The bound is what the relay holds, and that an honest client is served meanwhile.

use std::net::TcpStream;
use std::time::Duration;

use poterne_hostile::count::{is_soak, tell};
use poterne_hostile::crowd::connect;
use poterne_hostile::stranger::at;
use poterne_protocol::op::Answer;
use poterne_tests::cast::envelope;
use poterne_transport::raw;
use tokio::time::timeout;

use crate::door::{Door, PATIENCE, SLACK_BYTES, closed};
use crate::rig::{fetch, put};

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_never_read_hold_no_more_than_the_formula() {
    const READERS: u64 = 20;
    const ANSWERS_MIB: u64 = 4;
    let door = Door::open(&[("answers_mib", ANSWERS_MIB)]);
    let honest = connect(&door.address).await;
    let mailbox = door.mailbox(1);
    for number in 0..64 {
        let put = put(&mailbox, &envelope(number), 4);
        assert!(matches!(honest.call(&put).await, Ok(Answer::Stored)));
    }
    let before = door.holding();
    let way = door.way_in().await;
    let mut strangers = Vec::new();
    for _ in 0..READERS {
        let mut stranger = way.open().await;
        // 256 answers of 256 KiB: 1.3 GB for all of them.
        for _ in 0..256 {
            stranger.ask(&fetch(&mailbox)).await.expect("the relay reads");
        }
        strangers.push(stranger);
    }
    for number in 100..110 {
        door.serves(&honest, number).await;
    }
    let after = door.holding();
    let allowed = READERS * (300 << 10) + (ANSWERS_MIB << 20) + SLACK_BYTES;
    let grown = after.memory_bytes.saturating_sub(before.memory_bytes);
    tell(format_args!("{READERS} readers that never read: {} KiB more", grown >> 10));
    assert!(grown <= allowed, "{grown} bytes more, {allowed} allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_never_end_take_places_for_half_a_minute_only() {
    const PLACES: u64 = 40;
    let door = Door::open(&[("connections", PLACES)]);
    let honest = connect(&door.address).await;
    let endpoint = raw::endpoint(at(&door.address)).expect("a socket");
    let mut slow = Vec::new();
    for _ in 0..PLACES - 1 {
        let connection = raw::connect_on(&endpoint, at(&door.address)).await.expect("there is a place");
        let (mut send, receive) = connection.open_bi().await.expect("a stream");
        send.write_all(&[3]).await.expect("a byte");
        slow.push((connection, send, receive));
    }
    assert!(raw::connect_on(&endpoint, at(&door.address)).await.is_err(), "there is no place");
    door.serves(&honest, 1).await;
    if is_soak() {
        for (_, send, _) in &mut slow {
            // A byte from time to time does not help.
            send.write_all(&[0]).await.ok();
        }
        for (connection, ..) in &slow {
            closed(connection).await;
        }
        door.serves(&connect(&door.address).await, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_streams_finds_eight_places_and_its_end() {
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    let (_endpoint, connection) = raw::connect(at(&door.address)).await.expect("connects");
    let mut streams = Vec::new();
    for _ in 0..8 {
        let (mut send, receive) = connection.open_bi().await.expect("a stream");
        send.write_all(&[3]).await.expect("a byte");
        streams.push((send, receive));
    }
    assert!(
        timeout(Duration::from_millis(300), connection.open_bi()).await.is_err(),
        "there is a ninth stream"
    );
    // What is no frame ends each stream, and so many streams without a channel end the connection.
    for (send, _) in &mut streams {
        send.write_all(&[0xff; 8]).await.ok();
    }
    assert_eq!(closed(&connection).await, 2);
    door.serves(&honest, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_connections_gets_no_more_places_than_there_are() {
    const PLACES: usize = 30;
    let door = Door::open(&[("connections", PLACES as u64), ("handshakes", 4)]);
    let honest = connect(&door.address).await;
    let endpoint = raw::endpoint(at(&door.address)).expect("a socket");
    let storm = (0..150).map(|_| {
        let (endpoint, at) = (endpoint.clone(), at(&door.address));
        tokio::spawn(async move { timeout(PATIENCE, raw::connect_on(&endpoint, at)).await })
    });
    let mut inside = Vec::new();
    for one in storm.collect::<Vec<_>>() {
        inside.extend(one.await.expect("no task panics").ok().and_then(Result::ok));
    }
    assert!(inside.len() < PLACES, "{} are inside", inside.len());
    door.serves(&honest, 1).await;
    drop(inside);
    endpoint.close(0u32.into(), b"");
    // Their places are free again as soon as the relay has heard of it.
    door.serves(&connect(&door.address).await, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_take_no_descriptors_from_the_store() {
    const DESCRIPTORS: usize = 64;
    let port = 20_000 + u64::from(std::process::id() % 10_000);
    let limit = format!("--nofile={DESCRIPTORS}");
    let door = Door::open_in(&[("metrics_port", port)], &["prlimit", &limit]);
    let honest = connect(&door.address).await;
    let endpoint = raw::endpoint(at(&door.address)).expect("a socket");
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(raw::connect_on(&endpoint, at(&door.address)).await.expect("connects"));
    }
    // The metrics' port may be taken by another program; then these reach that.
    let scrapers: Vec<_> =
        (0..100).filter_map(|_| TcpStream::connect(("127.0.0.1", port as u16)).ok()).collect();
    for number in 0..600 {
        door.serves(&honest, number).await;
    }
    let held = door.holding().descriptors;
    assert!(
        held < DESCRIPTORS,
        "{held} descriptors for {} connections and {} scrapers",
        crowd.len(),
        scrapers.len()
    );
}
