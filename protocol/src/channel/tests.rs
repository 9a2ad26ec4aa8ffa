//! Channels between a client and a relay, and everything that must not open.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits, VerifiedDescriptor};
use crate::frame::{ChannelOpening, Fault, OuterFrame};
use crate::kem::KemSecret;
use crate::limits::{CHANNEL_FRAMES, FIRST_FRAME_BYTES, OUTER_FRAME_BYTES, REQUEST_FRAME_BYTES};

const TODAY: Day = Day(20_000);

struct Relay {
    identity: RelayIdentity,
    keys: RequestKeys,
}

impl Relay {
    fn new() -> Self {
        let identity = RelayIdentity::from_seed(&[1; 32]);
        let keys = RequestKeys::new(identity.pin(), TODAY, KemSecret::from_seed(&[2; 32]));
        Self { identity, keys }
    }

    fn descriptor(&self) -> VerifiedDescriptor {
        let (day, request_key) = self.keys.newest();
        let limits = RelayLimits {
            fetch_envelopes: 64,
            fetch_wait_secs: 60,
            continued_idle_secs: 3600,
            permits: false,
        };
        let operator = Operator::new(1, "").unwrap();
        let bytes = Descriptor { day, request_key, operator, addresses: vec![], limits }.sign(&self.identity);
        Descriptor::parse_verified(&bytes, &self.identity.pin()).unwrap()
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn opening(frame: OuterFrame) -> ChannelOpening {
    match frame {
        OuterFrame::Channel(opening) => opening,
        other => panic!("{other:?}"),
    }
}

fn sealed(frame: &OuterFrame) -> &[u8] {
    match frame {
        OuterFrame::Sealed(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// A channel whose first request was "first", before any answer.
fn accepted(relay: &Relay) -> (ClientChannel, RelayChannel) {
    let mut client = ClientChannel::open(&relay.descriptor(), &mut rng(3));
    let opening = opening(client.seal(b"first").unwrap());
    let (channel, inner) = RelayChannel::accept(&relay.keys, &opening, &mut rng(4)).unwrap();
    assert_eq!(*inner, *b"first");
    (client, channel)
}

#[test]
fn requests_and_answers_pass_both_ways() {
    let (mut client, mut relay) = accepted(&Relay::new());
    assert_eq!(client.id(), relay.id());
    for round in 0u8..5 {
        let answer = relay.seal(&[round; 3]).unwrap();
        assert_eq!(client.open_answer(&answer).unwrap()[..], [round; 3]);
        let request = client.seal(&[round; 4]).unwrap();
        assert_eq!(relay.open_request(&request).unwrap()[..], [round; 4]);
    }
}

#[test]
fn the_first_answer_begins_with_the_relay_nonce_and_no_other() {
    let (_, mut relay) = accepted(&Relay::new());
    assert_eq!(sealed(&relay.seal(b"abc").unwrap()).len(), 32 + 3 + 16);
    assert_eq!(sealed(&relay.seal(b"abc").unwrap()).len(), 3 + 16);
}

#[test]
fn the_nonce_of_a_frame_is_its_counter() {
    use chacha20poly1305::aead::Aead;
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
    let relay = Relay::new();
    let descriptor = relay.descriptor();
    let mut client = ClientChannel::open(&descriptor, &mut rng(3));
    let opening = opening(client.seal(b"first").unwrap());
    let second = client.seal(b"second").unwrap();
    let info = [b"poterne/1 channel", &relay.identity.pin().0[..], &[0x20, 0x4e, 0, 0]].concat();
    let secret = relay.keys.secret(TODAY).unwrap();
    let context = crate::hpke::setup_receiver(secret, &opening.encapsulation, &info).unwrap();
    let key = context.export::<32>(b"poterne/1 channel requests");
    let cipher = ChaCha20Poly1305::new_from_slice(&key[..]).unwrap();
    let open = |counter: u8, sealed: &[u8]| {
        let mut nonce = [0; 12];
        nonce[0] = counter;
        cipher.decrypt(&nonce.into(), sealed).unwrap()
    };
    assert_eq!(open(0, &opening.sealed), b"first");
    assert_eq!(open(1, sealed(&second)), b"second");
}

#[test]
fn a_repeated_moved_or_left_out_frame_does_not_open_and_changes_nothing() {
    let (mut client, mut relay) = accepted(&Relay::new());
    let requests = [1u8, 2, 3].map(|byte| client.seal(&[byte]).unwrap());
    assert_eq!(relay.open_request(&requests[1]), Err(ChannelError::NotOpened));
    assert!(relay.open_request(&requests[0]).is_ok());
    assert_eq!(relay.open_request(&requests[0]), Err(ChannelError::NotOpened));
    assert_eq!(relay.open_request(&requests[2]), Err(ChannelError::NotOpened));
    assert!(relay.open_request(&requests[1]).is_ok());
    let answers = [1u8, 2].map(|byte| relay.seal(&[byte]).unwrap());
    assert_eq!(client.open_answer(&answers[1]), Err(ChannelError::NotOpened));
    assert!(client.open_answer(&answers[0]).is_ok());
    assert_eq!(client.open_answer(&answers[0]), Err(ChannelError::NotOpened));
    assert!(client.open_answer(&answers[1]).is_ok());
}

#[test]
fn a_frame_sent_back_to_its_sender_does_not_open() {
    let (mut client, mut relay) = accepted(&Relay::new());
    let request = client.seal(b"request").unwrap();
    assert_eq!(client.open_answer(&request), Err(ChannelError::NotOpened));
    let answer = relay.seal(b"answer").unwrap();
    assert_eq!(relay.open_request(&answer), Err(ChannelError::NotOpened));
}

#[test]
fn frames_of_other_types_have_no_place() {
    let (mut client, mut relay) = accepted(&Relay::new());
    let fault = OuterFrame::Fault(Fault::Busy);
    assert_eq!(client.open_answer(&fault), Err(ChannelError::WrongFrame { kind: 6 }));
    assert_eq!(relay.open_request(&fault), Err(ChannelError::WrongFrame { kind: 6 }));
}

#[test]
fn each_acceptance_of_one_opening_has_its_own_answer_key() {
    let relay = Relay::new();
    let mut client = ClientChannel::open(&relay.descriptor(), &mut rng(3));
    let opening = opening(client.seal(b"first").unwrap());
    let accept = |seed| RelayChannel::accept(&relay.keys, &opening, &mut rng(seed)).unwrap().0;
    let (mut genuine, mut replayed) = (accept(4), accept(5));
    let first = genuine.seal(b"same text").unwrap();
    let other = replayed.seal(b"same text").unwrap();
    assert_ne!(sealed(&first)[32..], sealed(&other)[32..]);
    assert!(client.open_answer(&first).is_ok());
    // The client keeps the nonce whose answer opened: the other acceptance's answers mean nothing to it.
    assert_eq!(client.open_answer(&other), Err(ChannelError::NotOpened));
    assert_eq!(client.open_answer(&replayed.seal(b"more").unwrap()), Err(ChannelError::NotOpened));
    assert!(client.open_answer(&genuine.seal(b"more").unwrap()).is_ok());
}

#[test]
fn a_false_first_answer_leaves_the_client_waiting_for_the_true_one() {
    let (mut client, mut relay) = accepted(&Relay::new());
    for nonsense in [vec![], vec![7; 16], vec![7; 31], vec![7; 32], vec![7; 64]] {
        assert_eq!(client.open_answer(&OuterFrame::Sealed(nonsense)), Err(ChannelError::NotOpened));
    }
    assert!(client.open_answer(&relay.seal(b"true").unwrap()).is_ok());
}

#[test]
fn an_opening_of_another_day_pin_or_key_is_not_accepted() {
    let relay = Relay::new();
    let opened = || opening(ClientChannel::open(&relay.descriptor(), &mut rng(3)).seal(b"first").unwrap());
    let accept = |keys: &RequestKeys, opening: &ChannelOpening| {
        RelayChannel::accept(keys, opening, &mut rng(4)).map(|_| ())
    };
    let secret = || KemSecret::from_seed(&[2; 32]);
    let later = ChannelOpening { day: TODAY + 1, ..opened() };
    assert_eq!(accept(&relay.keys, &later), Err(AcceptError::KeyUnknown { day: TODAY + 1 }));
    let both_days = RequestKeys::new(relay.identity.pin(), TODAY + 1, secret()).with_yesterday(secret());
    assert_eq!(accept(&both_days, &later), Err(AcceptError::NotOpened));
    assert_eq!(accept(&both_days, &opened()), Ok(()));
    let other_pin = RequestKeys::new(Pin([0; 16]), TODAY, secret());
    assert_eq!(accept(&other_pin, &opened()), Err(AcceptError::NotOpened));
    let other_key = RequestKeys::new(relay.identity.pin(), TODAY, KemSecret::from_seed(&[9; 32]));
    assert_eq!(accept(&other_key, &opened()), Err(AcceptError::NotOpened));
    assert_eq!(AcceptError::NotOpened.fault(), Fault::KeyUnknown);
}

#[test]
fn the_keys_of_today_and_yesterday_decrypt_and_older_ones_are_gone() {
    let mut relay = Relay::new();
    assert!(!relay.keys.rotate(TODAY, &mut rng(1)));
    assert!(relay.keys.rotate(TODAY + 1, &mut rng(1)));
    assert!(relay.keys.secret(TODAY).is_some() && relay.keys.secret(TODAY + 1).is_some());
    assert!(!relay.keys.rotate(TODAY, &mut rng(1)));
    assert_eq!(relay.keys.newest().0, TODAY + 1);
    assert!(relay.keys.rotate(TODAY + 2, &mut rng(1)));
    assert!(relay.keys.secret(TODAY).is_none() && relay.keys.secret(TODAY + 1).is_some());
    assert!(relay.keys.rotate(TODAY + 9, &mut rng(1)));
    assert!(relay.keys.secret(TODAY + 2).is_none() && relay.keys.secret(TODAY + 8).is_none());
}

#[test]
fn the_last_counter_ends_the_channel() {
    let (mut client, mut relay) = accepted(&Relay::new());
    client.skip_requests_to(CHANNEL_FRAMES - 1);
    relay.skip_requests_to(CHANNEL_FRAMES - 1);
    let last = client.seal(b"last").unwrap();
    assert!(relay.open_request(&last).is_ok());
    assert_eq!(client.seal(b"one more"), Err(ChannelError::Exhausted));
    assert_eq!(relay.open_request(&last), Err(ChannelError::Exhausted));
}

#[test]
fn texts_that_fit_no_frame_are_refused_before_a_counter_is_used() {
    let relay = Relay::new();
    let mut client = ClientChannel::open(&relay.descriptor(), &mut rng(3));
    let limit = FIRST_REQUEST_BYTES;
    assert_eq!(client.seal(&vec![0; limit + 1]), Err(ChannelError::TooLarge { actual: limit + 1, limit }));
    let first = client.seal(&vec![0; limit]).unwrap();
    assert_eq!(first.body_bytes(), FIRST_FRAME_BYTES);
    let (mut channel, _) = RelayChannel::accept(&relay.keys, &opening(first), &mut rng(4)).unwrap();
    assert!(matches!(client.seal(&vec![0; REQUEST_FRAME_BYTES]), Err(ChannelError::TooLarge { .. })));
    assert!(matches!(channel.seal(&vec![0; OUTER_FRAME_BYTES]), Err(ChannelError::TooLarge { .. })));
    assert!(channel.open_request(&client.seal(b"next").unwrap()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_anywhere_does_not_open(text in proptest::collection::vec(any::<u8>(), 0..300), place in any::<prop::sample::Index>()) {
        let (mut client, mut relay) = accepted(&Relay::new());
        let flip = |frame: &OuterFrame| {
            let mut bytes = sealed(frame).to_vec();
            let bit = place.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            OuterFrame::Sealed(bytes)
        };
        let answer = relay.seal(&text).unwrap();
        prop_assert_eq!(client.open_answer(&flip(&answer)), Err(ChannelError::NotOpened));
        prop_assert_eq!(&*client.open_answer(&answer).unwrap(), &text[..]);
        let request = client.seal(&text).unwrap();
        prop_assert_eq!(relay.open_request(&flip(&request)), Err(ChannelError::NotOpened));
        prop_assert_eq!(&*relay.open_request(&request).unwrap(), &text[..]);
    }

    #[test]
    fn a_flipped_bit_in_an_opening_is_not_accepted(place in any::<prop::sample::Index>()) {
        let relay = Relay::new();
        let mut client = ClientChannel::open(&relay.descriptor(), &mut rng(3));
        let frame = client.seal(b"first").unwrap();
        let mut bytes = frame.encode();
        let bit = 32 + place.index((bytes.len() - 4) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = opening(OuterFrame::decode(&bytes, FIRST_FRAME_BYTES).unwrap());
        // The top bit of an X25519 point is ignored (RFC 7748 §5), but X-Wing hashes the point as it stands.
        prop_assert!(RelayChannel::accept(&relay.keys, &changed, &mut rng(4)).is_err());
    }
}
