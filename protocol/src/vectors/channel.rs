//! A channel from its opening on, on a stream and over POST.

use super::documents::relay;
use super::{DangerFixedRandomness, Vector, hex};
use crate::channel::{ClientChannel, RelayChannel, RequestKeys};
use crate::continued::ContinuedClient;
use crate::descriptor::{Descriptor, VerifiedDescriptor};
use crate::frame::{ChannelOpening, OuterFrame};
use crate::hpke;

pub(super) fn all() -> Vec<Vector> {
    vec![hpke_vector(), stream(), continued()]
}

fn hpke_vector() -> Vector {
    let (_, secret, descriptor) = relay();
    let randomness = DangerFixedRandomness::counting(10, 64);
    let mut rng = DangerFixedRandomness::new(&randomness);
    let (encapsulation, mut sender) = hpke::setup_sender(&descriptor.request_key, b"info", &mut rng);
    let sealed = sender.seal(b"text", b"aad");
    let mut receiver = hpke::setup_receiver(&secret, &encapsulation, b"info").expect("it contributes");
    assert_eq!(receiver.open(&sealed, b"aad").expect("it opens").as_slice(), b"text", "the text comes back");
    Vector::new("HPKE")
        .bytes("key seed", secret.expose_seed())
        .bytes("info", b"info")
        .bytes("randomness", &randomness)
        .bytes("encapsulation", encapsulation.as_bytes())
        .bytes("aad", b"aad")
        .bytes("text", b"text")
        .bytes("sealed", &sealed)
        .bytes("export context", b"context")
        .bytes("exported", &sender.export::<32>(b"context")[..])
}

fn ends() -> (VerifiedDescriptor, RequestKeys) {
    let (identity, secret, descriptor) = relay();
    let keys = RequestKeys::new(identity.pin(), descriptor.day, secret);
    let verified = Descriptor::parse_verified(&descriptor.sign(&identity), &identity.pin());
    (verified.expect("our own signature holds"), keys)
}

fn accept(keys: &RequestKeys, opening: &ChannelOpening, nonce: &[u8]) -> (RelayChannel, Vec<u8>) {
    let (relay, inner) = RelayChannel::accept(keys, opening, &mut DangerFixedRandomness::new(nonce))
        .expect("the opening was made for these keys");
    (relay, inner.to_vec())
}

fn stream() -> Vector {
    let (descriptor, keys) = ends();
    let randomness = DangerFixedRandomness::counting(20, 64);
    let nonce = DangerFixedRandomness::counting(100, 32);
    let mut client = ClientChannel::open(&descriptor, &mut DangerFixedRandomness::new(&randomness));
    let first = client.seal(b"request 0").expect("it fits");
    let OuterFrame::Channel(opening) = &first else { unreachable!("the first frame opens the channel") };
    let (mut relay, inner) = accept(&keys, opening, &nonce);
    assert_eq!(inner, b"request 0", "the first request arrives");
    let second = client.seal(b"request 1").expect("it fits");
    let opened = relay.open_request(&second).expect("it is the next one");
    assert_eq!(*opened, *b"request 1", "the second request arrives");
    let answers = [&b"answer 0"[..], b"answer 1"].map(|inner| {
        let answer = relay.seal(inner).expect("it fits");
        assert_eq!(*client.open_answer(&answer).expect("it opens"), *inner, "the answer arrives");
        answer.encode()
    });
    channel_vector("channel on a stream", &descriptor, &randomness, &nonce)
        .bytes("channel id", &client.id().0)
        .text("encapsulation and first request", long(&first.encode()))
        .bytes("first request sealed", &opening.sealed)
        .bytes("second request, frame 4", &second.encode())
        .bytes("first answer, frame 4", &answers[0])
        .bytes("second answer, frame 4", &answers[1])
}

fn channel_vector(name: &str, descriptor: &VerifiedDescriptor, randomness: &[u8], nonce: &[u8]) -> Vector {
    let (_, secret, _) = relay();
    Vector::new(name)
        .bytes("pin", &descriptor.pin().0)
        .text("day", descriptor.descriptor().day)
        .bytes("request key seed", secret.expose_seed())
        .bytes("randomness of the encapsulation", randomness)
        .bytes("relay nonce", nonce)
        .text("texts", "request 0, request 1, answer 0, answer 1")
}

fn long(bytes: &[u8]) -> String {
    format!("{} bytes, SHA-256 {}", bytes.len(), hex(&crate::kdf::hash(&[bytes])))
}

fn continued() -> Vector {
    let (descriptor, keys) = ends();
    let randomness = DangerFixedRandomness::counting(30, 64);
    let nonce = DangerFixedRandomness::counting(200, 32);
    let mut client = ContinuedClient::open(&descriptor, &mut DangerFixedRandomness::new(&randomness));
    let first = client.request(b"request 0").expect("nothing waits").clone();
    let OuterFrame::Channel(opening) = &first else { unreachable!("the first frame opens the channel") };
    let (mut relay, _) = accept(&keys, opening, &nonce);
    let first_answer = relay.seal(b"answer 0").expect("it fits");
    client.open_answer(&first_answer).expect("it opens");
    let second = client.request(b"request 1").expect("nothing waits").clone();
    let OuterFrame::Continued(frame) = &second else { unreachable!("later frames continue the channel") };
    relay.open_sealed(&frame.sealed).expect("it is the next one");
    let second_answer = relay.seal(b"answer 1").expect("it fits");
    client.open_answer(&second_answer).expect("it opens");
    channel_vector("channel continued over POST", &descriptor, &randomness, &nonce)
        .bytes("channel id", &frame.channel.0)
        .bytes("first request sealed", &opening.sealed)
        .bytes("second request, frame 5", &second.encode())
        .bytes("first answer, frame 4", &first_answer.encode())
        .bytes("second answer, frame 4", &second_answer.encode())
}
