//! The parsers of what a relay and its clients send each other.

use poterne_protocol::address::{HostPort, RelayAddress};
use poterne_protocol::card::{Card, CardExtras, CardRelay};
use poterne_protocol::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits};
use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::frame::{FrameDecoder, OuterFrame};
use poterne_protocol::inner::{decode_answer, decode_request, encode_answer, encode_request};
use poterne_protocol::kdf;
use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::{KeyHash, Pin};
use poterne_protocol::limits::OUTER_FRAME_BYTES;
use poterne_protocol::op::Request;
use poterne_protocol::time::Day;
use poterne_protocol::vectors::{danger_signed_descriptor, sample_answers, sample_requests};

use super::dice::Dice;

const IDENTITY: [u8; 32] = [3; 32];
const SIGNATURE_BYTES: usize = 64;

pub(super) fn address(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(address) = text.parse::<RelayAddress>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
    if let Ok(at) = text.parse::<HostPort>() {
        assert_eq!(at.to_string().parse(), Ok(at));
    }
}

pub(super) fn address_seeds() -> Vec<Vec<u8>> {
    ["relay.example:4433", "[2001:db8::1]:1", "poterne-relay://127.0.0.1:4433#AAECAwQFBgcICQoLDA0ODw"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

/// The text of a card, and the bytes of one behind a check value that holds.
pub(super) fn card(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        judge_card(text);
    }
    let check = kdf::hash(&[bytes]);
    judge_card(&format!("poterne:{}", base64url(&[bytes, &check[..4]].concat())));
}

fn judge_card(text: &str) {
    let Ok(card) = Card::parse(text) else { return };
    let again = Card::parse(&card.expose_link()).expect("a card that was parsed can be written");
    assert_eq!(*again.expose_link(), *card.expose_link());
    assert_eq!(again.relays(), card.relays());
}

fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = |chunk: &[u8]| {
        let value = (0..3).fold(0u32, |value, at| value << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        let count = chunk.len() + 1;
        (0..count).map(|at| char::from(LETTERS[(value >> (18 - 6 * at) & 63) as usize])).collect::<String>()
    };
    bytes.chunks(3).map(letters).collect()
}

pub(super) fn card_seeds() -> Vec<Vec<u8>> {
    let relay = |number: u8| CardRelay {
        pin: Pin([number; 16]),
        notice_log: KeyHash([number; 32]),
        at: "relay.example:4433".parse().expect("a host and a port"),
    };
    let secret = CardSecret::from_bytes(&[9; 16]);
    let card = Card::new(DeskId([1; 32]), secret, vec![relay(1), relay(2)], CardExtras::default());
    let link = card.expect("two relays fit").expose_link().as_bytes().to_vec();
    // The same without letters and check value: version, suite, flags, desk, secret, one relay, a path secret.
    let mut bytes = [&[1, 1, 0][..], &[1; 32], &[9; 16], &[1], &[1; 16], &[1; 32], &[4], b"h:80"].concat();
    bytes.extend([&[1, 16, 0][..], &[7; 16], &[5, 5, 0, 0], b"g:80"].concat());
    vec![link, bytes]
}

/// Descriptors as they come, and what stands behind the identity key in one that is signed.
pub(super) fn descriptor(bytes: &[u8]) {
    let identity = RelayIdentity::from_seed(&IDENTITY);
    let pin = identity.pin();
    let _ = Descriptor::parse_verified(bytes, &pin);
    if let Ok(verified) = Descriptor::parse_verified(&danger_signed_descriptor(&identity, bytes), &pin) {
        let again = verified.descriptor().sign(&identity);
        let again = Descriptor::parse_verified(&again, &pin).expect("what was read can be written");
        assert_eq!(again, verified);
    }
}

pub(super) fn descriptor_seeds() -> Vec<Vec<u8>> {
    let identity = RelayIdentity::from_seed(&IDENTITY);
    let address = |text: &str| text.parse::<HostPort>().expect("a host and a port");
    let descriptor = Descriptor {
        day: Day(7),
        request_key: KemSecret::from_seed(&[4; 32]).public(),
        operator: Operator::new(5, "Оператор").expect("a short name"),
        addresses: vec![address("relay.example:4433"), address("[::1]:1")],
        limits: RelayLimits {
            fetch_envelopes: 64,
            fetch_wait_secs: 60,
            continued_idle_secs: 3600,
            permits: true,
        },
    };
    let signed = descriptor.sign(&identity);
    let inside = signed[38..signed.len() - SIGNATURE_BYTES].to_vec();
    vec![signed, inside]
}

/// One frame in one piece, and a stream of frames in pieces of every size.
pub(super) fn frame(bytes: &[u8]) {
    let whole = OuterFrame::decode(bytes, OUTER_FRAME_BYTES);
    if let Ok(frame) = &whole {
        assert_eq!(frame.encode(), bytes);
    }
    let mut dice = Dice::new(bytes);
    let mut decoder = if dice.one_in(2) { FrameDecoder::for_relay() } else { FrameDecoder::for_client() };
    while !dice.is_empty() {
        if dice.byte() == 0 {
            decoder.channel_stands();
        }
        decoder.push(dice.bytes(500));
        while let Ok(Some(frame)) = decoder.next() {
            assert_eq!(OuterFrame::decode(&frame.encode(), OUTER_FRAME_BYTES).as_ref(), Ok(&frame));
        }
    }
}

pub(super) fn frame_seeds() -> Vec<Vec<u8>> {
    let sealed = |kind: u8, front: usize| {
        let body = vec![9; front + 20];
        [&[kind, body.len() as u8, (body.len() >> 8) as u8, 0][..], &body].concat()
    };
    vec![vec![1, 0, 0, 0], vec![6, 1, 0, 0, 3], sealed(2, 0), sealed(3, 1124), sealed(4, 0), sealed(5, 24)]
}

pub(super) fn request(bytes: &[u8]) {
    let Ok((number, request)) = decode_request(bytes) else { return };
    if matches!(request, Request::Unknown(_)) {
        return;
    }
    let written = encode_request(number, &request);
    let (again_number, again) = decode_request(&written).expect("what was read can be written");
    assert_eq!((number, &*written), (again_number, &*encode_request(number, &again)));
}

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
    sample_requests().iter().map(|request| encode_request(1, request).to_vec()).collect()
}

pub(super) fn answer(bytes: &[u8]) {
    let Ok((number, answer)) = decode_answer(bytes) else { return };
    let written = encode_answer(number, &answer);
    let (_, again) = decode_answer(&written).expect("what was read can be written");
    assert_eq!(*written, *encode_answer(number, &again));
}

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    sample_answers().iter().map(|answer| encode_answer(1, answer).to_vec()).collect()
}
