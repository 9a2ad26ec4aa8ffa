//! A client and a relay over connections that lose and repeat what they carry.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::channel::{ChannelError, RelayChannel, RequestKeys};
use crate::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits, VerifiedDescriptor};
use crate::frame::{ChannelId, Continued, Fault, OuterFrame};
use crate::kem::KemSecret;
use crate::time::{Day, UnixTime};

const NOW: UnixTime = UnixTime(1_000_000);

/// A relay that answers each request with its bytes reversed, and counts what it carries out.
struct Relay {
    keys: RequestKeys,
    descriptor: VerifiedDescriptor,
    channels: ContinuedChannels,
    carried_out: usize,
    rng: ChaCha20Rng,
}

impl Relay {
    fn new(limits: ContinuedLimits) -> Self {
        let identity = RelayIdentity::from_seed(&[1; 32]);
        let keys = RequestKeys::new(identity.pin(), Day(1), KemSecret::from_seed(&[2; 32]));
        let limits_told = RelayLimits {
            fetch_envelopes: 64,
            fetch_wait_secs: 60,
            continued_idle_secs: 3600,
            permits: false,
        };
        let (day, request_key) = keys.newest();
        let operator = Operator::new(1, "").unwrap();
        let descriptor = Descriptor { day, request_key, operator, addresses: vec![], limits: limits_told };
        let descriptor = Descriptor::parse_verified(&descriptor.sign(&identity), &identity.pin()).unwrap();
        let rng = ChaCha20Rng::seed_from_u64(1);
        Self { keys, descriptor, channels: ContinuedChannels::new(limits), carried_out: 0, rng }
    }

    fn turn(&mut self, frame: &OuterFrame, now: UnixTime) -> Result<Turn, Fault> {
        match frame {
            OuterFrame::Channel(opening) => {
                if let Some(turn) = self.channels.repeated_opening(opening, now) {
                    return turn;
                }
                let (channel, inner) = RelayChannel::accept(&self.keys, opening, &mut self.rng)
                    .map_err(|error| error.fault())?;
                self.channels.begin(opening, channel, inner, now)
            }
            OuterFrame::Continued(continued) => self.channels.go_on(continued, now),
            other => panic!("{other:?}"),
        }
    }

    fn serve(&mut self, frame: &OuterFrame, now: UnixTime) -> Result<OuterFrame, Fault> {
        match self.turn(frame, now)? {
            Turn::Request { channel, inner } => {
                self.carried_out += 1;
                Ok(self.answer(&channel, &inner, now))
            }
            Turn::Repeat(answer) => Ok(answer),
            Turn::Pending(_) => panic!("nothing is carried out meanwhile"),
        }
    }

    fn answer(&mut self, channel: &ChannelId, inner: &[u8], now: UnixTime) -> OuterFrame {
        let reversed: Vec<u8> = inner.iter().rev().copied().collect();
        self.channels.answer(channel, &reversed, now).unwrap()
    }

    /// One request and its answer, neither of them lost.
    fn exchange(&mut self, client: &mut ContinuedClient, inner: &[u8], now: UnixTime) -> Vec<u8> {
        let request = client.request(inner).unwrap().clone();
        let answer = self.serve(&request, now).unwrap();
        client.open_answer(&answer).unwrap().to_vec()
    }

    fn client(&mut self) -> ContinuedClient {
        ContinuedClient::open(&self.descriptor, &mut self.rng)
    }
}

fn relay() -> Relay {
    Relay::new(ContinuedLimits::default())
}

fn continued(frame: &OuterFrame) -> Continued {
    match frame {
        OuterFrame::Continued(continued) => continued.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_channel_goes_on_from_request_to_request() {
    let mut relay = relay();
    let mut client = relay.client();
    for round in 0u8..4 {
        let request = client.request(&[round, 7]).unwrap().clone();
        assert_eq!(matches!(request, OuterFrame::Channel(_)), round == 0);
        let answer = relay.serve(&request, NOW).unwrap();
        assert_eq!(client.open_answer(&answer).unwrap()[..], [7, round]);
    }
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_is_carried_out_once() {
    let mut relay = relay();
    let mut client = relay.client();
    for round in 1u8..4 {
        let request = client.request(&[round]).unwrap().clone();
        let lost = relay.serve(&request, NOW).unwrap();
        assert_eq!(client.request(b"another"), Err(RequestError::Waiting));
        let again = relay.serve(client.waiting().unwrap(), NOW).unwrap();
        assert_eq!(lost, again);
        assert!(client.open_answer(&again).is_ok());
        assert_eq!(relay.carried_out, usize::from(round));
    }
}

#[test]
fn an_answer_that_nobody_waits_for_does_not_open() {
    let mut relay = relay();
    let mut client = relay.client();
    let answer = relay.serve(&client.request(b"one").unwrap().clone(), NOW).unwrap();
    assert!(client.open_answer(&answer).is_ok());
    assert_eq!(client.open_answer(&answer), Err(ChannelError::NotOpened));
    client.request(b"two").unwrap();
    assert_eq!(client.open_answer(&answer), Err(ChannelError::NotOpened));
    assert!(client.waiting().is_some());
}

#[test]
fn a_request_that_is_still_carried_out_is_pending_for_its_repetition() {
    let mut relay = relay();
    let mut client = relay.client();
    let first = client.request(b"long poll").unwrap().clone();
    let Ok(Turn::Request { channel, inner }) = relay.turn(&first, NOW) else { panic!() };
    assert!(matches!(relay.turn(&first, NOW), Ok(Turn::Pending(id)) if id == channel));
    let answer = relay.answer(&channel, &inner, NOW);
    assert!(relay.channels.answer(&channel, b"a second answer", NOW).is_none());
    assert!(matches!(relay.turn(&first, NOW), Ok(Turn::Repeat(repeated)) if repeated == answer));
}

#[test]
fn the_next_request_waits_for_the_answer_to_the_last() {
    let mut relay = relay();
    let mut client = relay.client();
    let first = client.request(b"one").unwrap().clone();
    let answer = relay.serve(&first, NOW).unwrap();
    client.open_answer(&answer).unwrap();
    let second = client.request(b"two").unwrap().clone();
    assert!(matches!(relay.turn(&second, NOW), Ok(Turn::Request { .. })));
    let early = Continued { counter: 2, ..continued(&second) };
    assert_eq!(relay.turn(&OuterFrame::Continued(early), NOW).unwrap_err(), Fault::Busy);
}

#[test]
fn nobody_else_can_move_or_end_a_channel() {
    let mut relay = relay();
    let mut client = relay.client();
    let first = client.request(b"one").unwrap().clone();
    client.open_answer(&relay.serve(&first, NOW).unwrap()).unwrap();
    let second = client.request(b"two").unwrap().clone();
    let true_frame = continued(&second);
    let forged = |counter, sealed| Continued { channel: true_frame.channel, counter, sealed };
    for frame in [forged(1, vec![0; 40]), forged(2, true_frame.sealed.clone()), forged(0, vec![0; 40])] {
        assert_eq!(relay.turn(&OuterFrame::Continued(frame), NOW).unwrap_err(), Fault::ChannelUnknown);
    }
    assert_eq!(client.open_answer(&relay.serve(&second, NOW).unwrap()).unwrap()[..], *b"owt");
    // The opening, replayed when the channel has gone on, neither resets it nor is carried out again.
    assert_eq!(relay.turn(&first, NOW).unwrap_err(), Fault::ChannelUnknown);
    let third = client.request(b"three").unwrap().clone();
    assert!(relay.serve(&third, NOW).is_ok());
    assert_eq!(relay.carried_out, 3);
}

#[test]
fn two_acceptances_of_one_opening_become_one_channel() {
    let mut relay = relay();
    let mut client = relay.client();
    let OuterFrame::Channel(opening) = client.request(b"one").unwrap().clone() else { panic!() };
    let mut accept = || RelayChannel::accept(&relay.keys, &opening, &mut relay.rng).unwrap();
    let ((left, inner), (right, same)) = (accept(), accept());
    let Ok(Turn::Request { channel, .. }) = relay.channels.begin(&opening, left, inner, NOW) else {
        panic!()
    };
    let second = relay.channels.begin(&opening, right, same, NOW);
    assert!(matches!(second, Ok(Turn::Pending(id)) if id == channel));
    assert_eq!(relay.channels.len(), 1);
}

#[test]
fn an_unknown_channel_is_a_fault() {
    let frame = Continued { channel: ChannelId([0; 16]), counter: 1, sealed: vec![0; 16] };
    assert_eq!(relay().turn(&OuterFrame::Continued(frame), NOW).unwrap_err(), Fault::ChannelUnknown);
}

#[test]
fn an_idle_channel_ends_after_an_hour() {
    let mut relay = relay();
    let mut client = relay.client();
    relay.exchange(&mut client, b"one", NOW);
    assert_eq!(relay.channels.poll_timeout(), Some(NOW.plus(3600)));
    relay.channels.handle_timeout(NOW.plus(3599));
    let second = client.request(b"two").unwrap().clone();
    assert!(relay.serve(&second, NOW.plus(3599)).is_ok());
    relay.channels.handle_timeout(NOW.plus(3600));
    assert_eq!(relay.channels.len(), 1);
    relay.channels.handle_timeout(NOW.plus(3599 + 3600));
    assert!(relay.channels.is_empty() && relay.channels.answer_bytes() == 0);
    assert_eq!(relay.channels.poll_timeout(), None);
    assert_eq!(relay.turn(&second, NOW.plus(9000)).unwrap_err(), Fault::ChannelUnknown);
}

#[test]
fn a_channel_ends_when_its_request_key_is_erased() {
    let mut relay = relay();
    let mut client = relay.client();
    relay.exchange(&mut client, b"one", NOW);
    relay.keys.rotate(Day(2), &mut relay.rng);
    relay.channels.handle_rotation(&relay.keys);
    assert_eq!(relay.channels.len(), 1);
    relay.keys.rotate(Day(3), &mut relay.rng);
    relay.channels.handle_rotation(&relay.keys);
    assert!(relay.channels.is_empty() && relay.channels.answer_bytes() == 0);
}

#[test]
fn the_channel_idle_longest_makes_room() {
    let mut relay = Relay::new(ContinuedLimits { channels: 2, answer_bytes: usize::MAX, idle_secs: 3600 });
    let mut clients = [relay.client(), relay.client(), relay.client()];
    for (client, secs) in clients.iter_mut().zip(0..) {
        relay.exchange(client, b"x", NOW.plus(secs));
    }
    assert_eq!(relay.channels.len(), 2);
    let mut turn = |client: &mut ContinuedClient| {
        let frame = client.request(b"y").unwrap().clone();
        relay.turn(&frame, NOW.plus(9)).map(|_| ())
    };
    assert_eq!(clients.each_mut().map(&mut turn), [Err(Fault::ChannelUnknown), Ok(()), Ok(())]);
}

#[test]
fn remembered_answers_are_bounded_in_bytes() {
    let mut relay = Relay::new(ContinuedLimits { channels: 100, answer_bytes: 3000, idle_secs: 3600 });
    for secs in 0..10 {
        let mut client = relay.client();
        let answer = relay.serve(&client.request(&[7; 1000]).unwrap().clone(), NOW.plus(secs)).unwrap();
        assert!(client.open_answer(&answer).is_ok());
        assert!(relay.channels.answer_bytes() <= 3000);
    }
    assert_eq!(relay.channels.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each step sends the waiting request; the request or the answer may be lost, and old frames come again.
    #[test]
    fn loss_and_repetition_carry_out_each_request_once(steps in proptest::collection::vec((any::<bool>(), any::<bool>(), any::<prop::sample::Index>()), 1..40)) {
        let mut relay = relay();
        let mut client = relay.client();
        let mut sent: Vec<OuterFrame> = vec![];
        let mut answered = 0usize;
        let mut asked = 0u8;
        for (request_arrives, answer_arrives, old) in steps {
            let frame = match client.waiting() {
                Some(frame) => frame.clone(),
                None => {
                    asked += 1;
                    client.request(&[asked]).unwrap().clone()
                }
            };
            if request_arrives {
                let answer = relay.serve(&frame, NOW).unwrap();
                sent.push(frame);
                let carried_out = relay.carried_out;
                let _ = relay.serve(old.get(&sent), NOW);
                prop_assert_eq!(relay.carried_out, carried_out);
                if answer_arrives {
                    let opened = client.open_answer(&answer).unwrap();
                    prop_assert_eq!(&opened[..], &[asked]);
                    answered += 1;
                }
            }
        }
        prop_assert!(relay.carried_out == answered || relay.carried_out == answered + 1);
    }
}
