//! Both sides over real sockets on loopback, with a service that does what the test says.

mod fixture;

use std::sync::atomic::Ordering;
use std::time::Duration;

use poterne_protocol::channel::ClientChannel;
use poterne_protocol::descriptor::NewestDescriptor;
use poterne_protocol::frame::{Fault, FrameDecoder, OuterFrame};
use poterne_protocol::inner::{decode_answer, encode_request};
use poterne_protocol::limits::FIRST_FRAME_BYTES;
use poterne_protocol::op::{Answer, Delete, DeleteBy, LeaseToken, Request};
use poterne_protocol::time::Day;

use crate::client::CallError;
use crate::dial::{DialError, dial};
use crate::frames::FrameReader;
use crate::listen::Event;
use fixture::{Relay, TODAY, put, rng};

#[tokio::test]
async fn a_hello_brings_what_the_relay_says_of_itself() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    assert_eq!(client.hello().version, 1);
    assert!(!client.is_lost());
}

#[tokio::test]
async fn many_calls_run_side_by_side() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let calls: Vec<_> = (0..600)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(&put(&[])).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Ok(Answer::Stored)));
    }
    assert_eq!(relay.service.puts.load(Ordering::Relaxed), 600);
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.call(&Request::Release(LeaseToken([0; 16]))).await }
    });
    assert!(matches!(client.call(&put(&[])).await, Ok(Answer::Stored)));
    assert!(!slow.is_finished());
    relay.service.gate.notify_one();
    assert!(matches!(slow.await.unwrap(), Ok(Answer::Done)));
}

#[tokio::test]
async fn an_unknown_operation_is_unsupported_and_the_channel_goes_on() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    assert!(matches!(client.call(&Request::Unknown(0x99)).await, Ok(Answer::Unsupported)));
    assert!(matches!(client.call(&put(&[])).await, Ok(Answer::Stored)));
}

#[tokio::test]
async fn a_malformed_request_is_answered_and_the_channel_goes_on() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let empty = Delete { by: DeleteBy::Lease(LeaseToken([0; 16])), ids: Vec::new() };
    assert!(matches!(client.call(&Request::Delete(empty)).await, Ok(Answer::Malformed)));
    assert!(matches!(client.call(&put(&[])).await, Ok(Answer::Stored)));
}

#[tokio::test]
async fn a_request_that_fits_no_frame_is_not_sent() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    assert_eq!(client.call(&put(&[0; 20_000])).await.err(), Some(CallError::TooLarge));
    assert!(matches!(client.call(&put(&[])).await, Ok(Answer::Stored)));
}

#[tokio::test]
async fn a_relay_with_another_key_is_refused() {
    let relay = Relay::start().await;
    let mut address = relay.address();
    address.pin.0[0] ^= 1;
    let error = dial(&address, &mut NewestDescriptor::default(), &mut rng()).await.err();
    assert_eq!(error, Some(DialError::WrongPin));
}

#[tokio::test]
async fn a_descriptor_older_than_one_seen_before_is_refused() {
    let relay = Relay::start().await;
    let mut newest = NewestDescriptor::since(TODAY + 1);
    let error = dial(&relay.address(), &mut newest, &mut rng()).await.err();
    assert!(matches!(error, Some(DialError::OlderDescriptor(_))), "{error:?}");
}

#[tokio::test]
async fn a_descriptor_whose_key_is_gone_is_fetched_anew() {
    let relay = Relay::start().await;
    let mut newest = NewestDescriptor::default();
    dial(&relay.address(), &mut newest, &mut rng()).await.unwrap();
    relay.turn_to(TODAY + 2);
    dial(&relay.address(), &mut newest, &mut rng()).await.unwrap();
    assert_eq!(newest.highest(), Some(TODAY + 2));
    assert_eq!(relay.count(Event::ChannelRefused), 1);
}

#[tokio::test]
async fn a_known_descriptor_is_not_fetched_again() {
    let relay = Relay::start().await;
    let mut newest = NewestDescriptor::default();
    dial(&relay.address(), &mut newest, &mut rng()).await.unwrap();
    dial(&relay.address(), &mut newest, &mut rng()).await.unwrap();
    assert_eq!(relay.service.descriptors.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn calls_on_a_lost_connection_say_so() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(&Request::Release(LeaseToken([0; 16]))).await }
    });
    relay.kill();
    assert_eq!(waiting.await.unwrap().err(), Some(CallError::Lost));
    assert!(client.is_lost());
    assert_eq!(client.call(&Request::Hello).await.err(), Some(CallError::Lost));
}

#[tokio::test]
async fn a_drain_answers_what_was_asked_and_turns_the_rest_away() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.call(&Request::Release(LeaseToken([0; 16]))).await }
    });
    relay.service.reached.notified().await;
    relay.drain();
    let late = loop {
        match client.call(&put(&[])).await {
            Ok(Answer::Stored) => {}
            late => break late,
        }
    };
    assert!(matches!(late, Ok(Answer::Busy { .. })), "{late:?}");
    relay.service.gate.notify_one();
    assert!(matches!(asked.await.unwrap(), Ok(Answer::Done)));
    relay.ended().await;
    assert!(client.is_lost());
}

#[tokio::test]
async fn a_relay_whose_threads_are_behind_is_busy_before_it_decapsulates() {
    let relay = Relay::start_with(|limits| (limits.channel_threads, limits.channels_waiting) = (0, 1)).await;
    let (mut send, receive) = relay.raw_stream().await;
    let opening = ClientChannel::open(&relay.verified(), &mut rng()).seal(b"").unwrap();
    send.write_all(&opening.encode()).await.unwrap();
    let mut first = FrameReader::new(receive, FrameDecoder::for_client());
    assert!(tokio::time::timeout(Duration::from_millis(300), first.next()).await.is_err());
    assert_eq!(relay.dial().await.err(), Some(DialError::Busy));
    assert_eq!(relay.count(Event::ChannelBusy), 1);
}

/// Sends `bytes` on a stream of its own; gives what comes back.
async fn told(relay: &Relay, bytes: &[u8]) -> Option<OuterFrame> {
    let (mut send, receive) = relay.raw_stream().await;
    send.write_all(bytes).await.unwrap();
    FrameReader::new(receive, FrameDecoder::for_client()).next().await.ok()
}

#[tokio::test]
async fn garbage_is_told_and_hurts_nobody_else() {
    let relay = Relay::start().await;
    let client = relay.dial().await.unwrap();
    let oversized = [&[3][..], &(FIRST_FRAME_BYTES as u32 + 1).to_le_bytes()[..3]].concat();
    for garbage in [&[0xff; 64][..], &[0; 4], &oversized, b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(told(&relay, garbage).await, Some(OuterFrame::Fault(Fault::TooLarge)), "{garbage:?}");
    }
    assert_eq!(
        told(&relay, &OuterFrame::Sealed(vec![0; 40]).encode()).await,
        Some(OuterFrame::Fault(Fault::ChannelUnknown))
    );
    assert!(matches!(client.call(&put(&[])).await, Ok(Answer::Stored)));
    assert_eq!(relay.count(Event::StreamFault), 4);
}

#[tokio::test]
async fn a_repeated_frame_ends_the_channel() {
    let relay = Relay::start().await;
    let (mut send, receive) = relay.raw_stream().await;
    let mut channel = ClientChannel::open(&relay.verified(), &mut rng());
    let hello = channel.seal(&encode_request(0, &Request::Hello)).unwrap();
    let second = channel.seal(&encode_request(1, &Request::Hello)).unwrap();
    for frame in [&hello, &second, &second] {
        send.write_all(&frame.encode()).await.unwrap();
    }
    let mut reader = FrameReader::new(receive, FrameDecoder::for_client());
    let mut numbers = Vec::new();
    let fault = loop {
        match reader.next().await.unwrap() {
            OuterFrame::Fault(fault) => break fault,
            frame => numbers.push(decode_answer(&channel.open_answer(&frame).unwrap()).unwrap().0),
        }
    };
    assert_eq!(fault, Fault::ChannelUnknown);
    numbers.sort_unstable();
    assert!(numbers.iter().all(|number| *number < 2), "{numbers:?}");
}

#[tokio::test]
async fn a_replayed_opening_gets_an_answer_that_only_its_maker_opens() {
    let relay = Relay::start().await;
    let mut channel = ClientChannel::open(&relay.verified(), &mut rng());
    let hello = channel.seal(&encode_request(0, &Request::Hello)).unwrap().encode();
    let (first, replayed) = (told(&relay, &hello).await.unwrap(), told(&relay, &hello).await.unwrap());
    assert_ne!(first, replayed);
    assert!(channel.open_answer(&first).is_ok());
    assert!(channel.open_answer(&replayed).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dead_address_is_given_up_in_time() {
    let mut address = Relay::start().await.address();
    address.at = "192.0.2.1:9".parse().unwrap();
    let error = dial(&address, &mut NewestDescriptor::since(Day(0)), &mut rng()).await.err();
    assert!(matches!(error, Some(DialError::Timeout | DialError::Unreachable)), "{error:?}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_at_once() {
    let relay = Relay::start().await;
    let address = relay.address();
    relay.drain();
    relay.ended().await;
    let error = dial(&address, &mut NewestDescriptor::default(), &mut rng()).await.err();
    assert_eq!(error, Some(DialError::Unreachable));
}
