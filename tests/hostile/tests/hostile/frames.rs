//! Frames of the wrong size, and pieces of them in the wrong order: what the relay holds for them is bounded, and honest
//! clients are served meanwhile.

use std::time::Duration;

use poterne_hostile::count::{count, tell};
use poterne_hostile::crowd::connect;
use poterne_hostile::leaky::LeakySocket;
use poterne_hostile::stranger::at;
use poterne_protocol::op::{Answer, Request};
use poterne_tests::cast::envelope;
use poterne_transport::{RELAY_WINDOW_BYTES, raw};
use tokio::time::{sleep, timeout};

use crate::door::{Door, PATIENCE, SLACK_BYTES};
use crate::rig::put;

/// Bytes that a hostile connection holds at most, beside those of an idle one (docs/operators/relay.md §3).
const HOSTILE_BYTES: u64 = 300 << 10;
/// The type of a frame with which a channel begins, of one that is sealed, and of a fault.
const CHANNEL: u8 = 3;
const SEALED: u8 = 4;
const FAULT: u8 = 6;
/// The fault of a frame that is too large (docs/spec/wire.md §5).
const TOO_LARGE: u8 = 4;

/// Streams whose first byte never comes, with every second piece behind it, until the window is full.
async fn leave_gaps(connections: u64, piece_bytes: usize) {
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    door.serves(&honest, 1).await;
    let before = door.holding();
    let (socket, endpoint) = LeakySocket::endpoint().expect("a socket");
    let piece = vec![0; piece_bytes];
    let mut held = Vec::new();
    for _ in 0..connections {
        socket.write_through();
        let connection = raw::connect_on(&endpoint, at(&door.address)).await.expect("connects");
        let (mut send, receive) = connection.open_bi().await.expect("a stream");
        let mut written = 0;
        let mut arrives = false;
        while written + piece_bytes <= RELAY_WINDOW_BYTES as usize && connection.close_reason().is_none() {
            // A relay that has had enough of the holes closes the connection.
            let wrote = timeout(Duration::from_millis(500), socket.write(&mut send, &piece, arrives)).await;
            if !matches!(wrote, Ok(Ok(()))) {
                break;
            }
            written += piece_bytes;
            arrives = !arrives;
        }
        held.push((connection, send, receive));
    }
    socket.lose_all();
    door.serves(&honest, 2).await;
    let grown = door.holding().memory_bytes.saturating_sub(before.memory_bytes);
    tell(format_args!(
        "{connections} streams with a hole behind each piece of {piece_bytes} bytes: {} KiB more",
        grown >> 10
    ));
    let allowed = connections * HOSTILE_BYTES + SLACK_BYTES;
    assert!(grown <= allowed, "{grown} bytes more, {allowed} allowed");
}

#[tokio::test]
async fn streams_with_holes_hold_no_more_than_their_windows() {
    leave_gaps(count("POTERNE_GAPPY", 40), 1000).await;
}

#[tokio::test]
async fn streams_of_single_bytes_with_holes_between_hold_no_more_than_their_windows() {
    leave_gaps(count("POTERNE_GAPPY", 8), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_pieces_of_one_byte_are_answered() {
    const STRANGERS: u32 = 8;
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    door.serves(&honest, 1).await;
    let before = door.holding();
    let way = door.way_in().await;
    for number in 0..STRANGERS {
        let mut stranger = way.open().await;
        let frame = stranger.sealed(&put(&door.mailbox(100 + number), &envelope(1), 4)).expect("seals");
        for byte in frame {
            stranger.send(&[byte]).await.expect("the relay reads");
            tokio::task::yield_now().await;
        }
        assert!(matches!(stranger.answer().await, Ok((_, Answer::Stored))));
    }
    door.serves(&honest, 2).await;
    assert!(door.holding().memory_bytes <= before.memory_bytes + SLACK_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_the_smallest_requests_are_each_answered() {
    const AT_ONCE: usize = 2000;
    const TIMES: usize = 5;
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    door.serves(&honest, 1).await;
    let before = door.holding();
    let way = door.way_in().await;
    let mut stranger = way.open().await;
    for _ in 0..TIMES {
        for _ in 0..AT_ONCE {
            stranger.ask(&Request::Hello).await.expect("the relay reads");
        }
        for _ in 0..AT_ONCE {
            let answer = stranger.answer().await;
            assert!(matches!(answer, Ok((_, Answer::Hello(_) | Answer::Busy { .. }))), "{answer:?}");
        }
    }
    door.serves(&honest, 2).await;
    assert!(door.holding().memory_bytes <= before.memory_bytes + SLACK_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_says_it_is_too_large_is_refused_before_its_body() {
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    let (_endpoint, connection) = raw::connect(at(&door.address)).await.expect("connects");
    for length in [8 * 1024 + 1, 16 << 10, 300 << 10, 0xff_ffff_u32] {
        let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
        let [low, middle, high, _] = length.to_le_bytes();
        send.write_all(&[CHANNEL, low, middle, high]).await.expect("a header");
        let mut answer = [0; 5];
        timeout(PATIENCE, receive.read_exact(&mut answer)).await.expect("in time").expect("a fault");
        assert_eq!(answer, [FAULT, 1, 0, 0, TOO_LARGE]);
    }
    door.serves(&honest, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_takes_no_frame_that_is_longer_than_any_request() {
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    let way = door.way_in().await;
    for length in [0_u32, 15, (16 << 10) + 1, 0xff_ffff] {
        let mut stranger = way.open().await;
        let [low, middle, high, _] = length.to_le_bytes();
        stranger.send(&[SEALED, low, middle, high]).await.expect("a header");
        // What is no frame of the channel ends it; a short body is awaited, and then opens nothing.
        stranger.send(&[0; 15]).await.ok();
        let ended = timeout(PATIENCE, stranger.answer()).await.expect("the relay ends the channel");
        assert!(ended.is_err(), "a frame of {length} bytes was taken");
    }
    door.serves(&honest, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_frames_that_never_end_hold_no_more_than_the_windows() {
    const STRANGERS: u64 = 60;
    let door = Door::open(&[]);
    let honest = connect(&door.address).await;
    door.serves(&honest, 1).await;
    let before = door.holding();
    let way = door.way_in().await;
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut stranger = way.open().await;
        // One frame of the largest size but for its last byte, and seven more streams of such beginnings.
        stranger.send(&[SEALED, 0, 0x40, 0]).await.expect("a header");
        stranger.send(&vec![0; (16 << 10) - 1]).await.expect("the relay reads");
        for _ in 0..7 {
            let (mut send, receive) = stranger.connection().open_bi().await.expect("a stream");
            send.write_all(&[CHANNEL, 0, 0x20, 0]).await.expect("a header");
            send.write_all(&vec![0; (8 << 10) - 1]).await.expect("the relay reads");
            stranger.keep(send, receive);
        }
        strangers.push(stranger);
    }
    sleep(Duration::from_millis(500)).await;
    let grown = door.holding().memory_bytes.saturating_sub(before.memory_bytes);
    tell(format_args!("{STRANGERS} strangers with eight large frames each: {} KiB more", grown >> 10));
    assert!(grown <= STRANGERS * HOSTILE_BYTES + SLACK_BYTES, "{grown} bytes more");
    door.serves(&honest, 2).await;
    drop(strangers);
}
