//! The real program over real sockets and a real disk.

mod fixture;

use std::net::UdpSocket;

use fixture::{Home, contents, delete, envelope, fetch, put, rng};
use poterne_protocol::descriptor::NewestDescriptor;
use poterne_protocol::frame::{Fault, HEADER_BYTES, OuterFrame};
use poterne_protocol::limits::FIRST_FRAME_BYTES;
use poterne_protocol::op::{Answer, Request};
use poterne_transport::client::CallError;
use poterne_transport::dial::{DialError, dial};
use poterne_transport::raw;

#[tokio::test]
async fn an_envelope_is_put_fetched_and_deleted() {
    let home = Home::make();
    let _relay = home.start();
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    assert!(matches!(client.call(&put(&pin, 1, 7)).await, Ok(Answer::Stored)));
    assert_eq!(contents(client.call(&fetch(&pin, 1, 0)).await.unwrap()), [7]);
    assert!(matches!(client.call(&delete(&pin, 1, vec![envelope(7).id()])).await, Ok(Answer::Done)));
    assert!(contents(client.call(&fetch(&pin, 1, 0)).await.unwrap()).is_empty());
}

#[tokio::test]
async fn what_was_stored_survives_a_kill_and_what_was_deleted_stays_away() {
    let home = Home::make();
    let mut relay = home.start();
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    for content in 1..=5 {
        assert!(matches!(client.call(&put(&pin, 1, content)).await, Ok(Answer::Stored)));
    }
    assert!(matches!(client.call(&delete(&pin, 1, vec![envelope(2).id()])).await, Ok(Answer::Done)));
    relay.kill();
    let _relay = home.start();
    let client = home.dial().await.unwrap();
    assert_eq!(contents(client.call(&fetch(&pin, 1, 0)).await.unwrap()), [1, 3, 4, 5]);
}

#[tokio::test]
async fn a_known_descriptor_opens_channels_after_a_restart() {
    let home = Home::make();
    let mut relay = home.start();
    let mut newest = NewestDescriptor::default();
    dial(&home.address, &mut newest, &mut rng()).await.unwrap();
    let before = newest.current().cloned();
    relay.kill();
    let _relay = home.start();
    dial(&home.address, &mut newest, &mut rng()).await.unwrap();
    assert_eq!(newest.current().cloned(), before);
}

#[tokio::test]
async fn a_client_of_a_killed_relay_learns_of_it_from_the_next_one() {
    let home = Home::make();
    let mut relay = home.start();
    let client = home.dial().await.unwrap();
    relay.kill();
    let _relay = home.start();
    assert_eq!(client.call(&Request::Hello).await.err(), Some(CallError::Lost));
}

#[tokio::test]
async fn a_put_reaches_a_reader_who_waits() {
    let home = Home::make();
    let _relay = home.start();
    let (reader, writer, pin) = (home.dial().await.unwrap(), home.dial().await.unwrap(), home.address.pin);
    let (waiting, news) = (fetch(&pin, 1, 30), put(&pin, 1, 9));
    let (read, stored) = tokio::join!(reader.call(&waiting), writer.call(&news));
    assert!(matches!(stored, Ok(Answer::Stored)));
    assert_eq!(contents(read.unwrap()), [9]);
}

#[tokio::test]
async fn a_relay_that_is_not_the_one_in_the_address_is_refused() {
    let (home, other) = (Home::make(), Home::make());
    let _relay = home.start();
    let mut address = home.address.clone();
    address.pin = other.address.pin;
    let refused = dial(&address, &mut NewestDescriptor::default(), &mut rng()).await.err();
    assert_eq!(refused, Some(DialError::WrongPin));
}

#[tokio::test]
async fn an_operation_that_nobody_knows_is_unsupported() {
    let home = Home::make();
    let _relay = home.start();
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    assert!(matches!(client.call(&Request::Unknown(0x80)).await, Ok(Answer::Unsupported)));
    assert!(matches!(client.call(&put(&pin, 1, 7)).await, Ok(Answer::Stored)));
}

/// Sends `bytes` on a stream of its own and gives what the relay sends back until it ends the stream.
async fn told(home: &Home, bytes: &[u8]) -> Vec<u8> {
    let (_endpoint, connection) = raw::connect(home.at()).await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(Some(count)) = receive.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..count]);
    }
    answer
}

#[tokio::test]
async fn garbage_is_refused_and_hurts_nobody_else() {
    let home = Home::make();
    let _relay = home.start();
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    let mut oversized = vec![3; HEADER_BYTES];
    oversized[1..].copy_from_slice(&u32::try_from(FIRST_FRAME_BYTES + 1).unwrap().to_le_bytes()[..3]);
    for garbage in [oversized.as_slice(), &[0xff; 2000], b"GET / HTTP/1.1\r\n\r\n"] {
        assert_eq!(told(&home, garbage).await, OuterFrame::Fault(Fault::TooLarge).encode());
    }
    let unopened = OuterFrame::Sealed(vec![0; 64]).encode();
    assert_eq!(told(&home, &unopened).await, OuterFrame::Fault(Fault::ChannelUnknown).encode());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in [0, 1, 20, 1200, 1472] {
        socket.send_to(&vec![0xc3; length], home.at()).unwrap();
    }
    assert!(matches!(client.call(&put(&pin, 1, 7)).await, Ok(Answer::Stored)));
}

#[tokio::test]
async fn a_drain_answers_what_waits_and_ends_well() {
    let home = Home::make();
    let mut relay = home.start();
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    assert!(matches!(client.call(&put(&pin, 2, 1)).await, Ok(Answer::Stored)));
    let waiting = fetch(&pin, 1, 60);
    let (waited, ()) = tokio::join!(client.call(&waiting), async {
        // The fetch is at the relay once a later request has been answered.
        client.call(&Request::Hello).await.unwrap();
        relay.terminate();
    });
    assert!(contents(waited.unwrap()).is_empty());
    assert!(relay.wait().success());
}

#[tokio::test]
async fn a_relay_ends_with_the_input_of_who_started_it() {
    let home = Home::make();
    let mut relay = home.start();
    relay.close_stdin();
    assert!(relay.wait().success());
}

#[tokio::test]
async fn no_log_line_names_an_address_or_a_mailbox_at_any_level() {
    let home = Home::make();
    let mut command = home.run_command();
    command.env("POTERNE_RELAY_LOG_LEVEL", "trace").env("RUST_LOG", "trace");
    let mut relay = fixture::Running::start(command);
    let (client, pin) = (home.dial().await.unwrap(), home.address.pin);
    client.call(&put(&pin, 1, 7)).await.unwrap();
    client.call(&fetch(&pin, 1, 0)).await.unwrap();
    told(&home, &[0xff; 64]).await;
    client.close().await;
    let log = relay.kill();
    assert!(log.contains("the relay is ready"), "{log}");
    for canary in ["127.0.0.1", "[::", "quinn", "rustls", "MailboxId", "KeyHash"] {
        assert!(!log.contains(canary), "{canary} in {log}");
    }
}
