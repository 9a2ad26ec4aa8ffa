//! The inner channel under a hostile carrier: frames are lost, repeated, moved and changed between a true client and a
//! true relay. Whatever the carrier does, a side opens what the other sealed, each text once and in order.

use std::sync::OnceLock;

use poterne_protocol::channel::{ClientChannel, RelayChannel, RequestKeys};
use poterne_protocol::continued::{ContinuedChannels, ContinuedClient, ContinuedLimits, Turn};
use poterne_protocol::descriptor::{Descriptor, Operator, RelayIdentity, RelayLimits, VerifiedDescriptor};
use poterne_protocol::frame::{Fault, OuterFrame};
use poterne_protocol::kem::KemSecret;
use poterne_protocol::limits::OUTER_FRAME_BYTES;
use poterne_protocol::time::{Day, UnixTime};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::dice::Dice;

const TODAY: Day = Day(7);
const NOW: UnixTime = UnixTime(7 * 86_400);
/// What one run does at most.
const STEPS_MAX: usize = 24;

struct Relay {
    keys: RequestKeys,
    descriptor: VerifiedDescriptor,
}

/// One relay for all runs: its key is expanded once.
fn relay() -> &'static Relay {
    static RELAY: OnceLock<Relay> = OnceLock::new();
    RELAY.get_or_init(|| {
        let identity = RelayIdentity::from_seed(&[3; 32]);
        let secret = KemSecret::from_seed(&[4; 32]);
        let limits = RelayLimits {
            fetch_envelopes: 64,
            fetch_wait_secs: 60,
            continued_idle_secs: 3600,
            permits: false,
        };
        let operator = Operator::new(1, "").expect("a short name");
        let request_key = secret.public();
        let descriptor = Descriptor { day: TODAY, request_key, operator, addresses: vec![], limits };
        let signed = descriptor.sign(&identity);
        let descriptor = Descriptor::parse_verified(&signed, &identity.pin()).expect("it was just signed");
        Relay { keys: RequestKeys::new(identity.pin(), TODAY, secret), descriptor }
    })
}

/// A frame with one bit changed, as far as it is still a frame.
fn flipped(frame: &OuterFrame, dice: &mut Dice) -> Option<OuterFrame> {
    let mut bytes = frame.encode();
    let bit = dice.below(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    OuterFrame::decode(&bytes, OUTER_FRAME_BYTES).ok()
}

/// One direction: what was sealed, in order, and how much of it was opened.
#[derive(Default)]
struct Direction {
    sealed: Vec<(OuterFrame, Vec<u8>)>,
    opened: usize,
}

impl Direction {
    fn choose(&self, dice: &mut Dice) -> Option<usize> {
        (!self.sealed.is_empty()).then(|| dice.below(self.sealed.len()))
    }

    /// What came of delivering a frame: only the next one in order opens, as it was sealed.
    fn judge(&mut self, delivered: Option<usize>, text: Option<&[u8]>) {
        match (delivered, text) {
            (Some(place), Some(text)) => {
                assert_eq!(place, self.opened, "a frame opened out of order");
                assert_eq!(text, self.sealed[place].1);
                self.opened += 1;
            }
            (Some(place), None) => assert_ne!(place, self.opened, "the next frame did not open"),
            (None, Some(_)) => panic!("a frame that nobody sealed has opened"),
            (None, None) => {}
        }
    }
}

/// A channel on a stream.
pub(super) fn channel(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let mut rng = ChaCha20Rng::from_seed([dice.byte(); 32]);
    let mut client = ClientChannel::open(&relay().descriptor, &mut rng);
    let mut accepted: Option<RelayChannel> = None;
    let (mut requests, mut answers) = (Direction::default(), Direction::default());
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            return;
        }
        match dice.byte() % 6 {
            0 => {
                let text = dice.bytes(300).to_vec();
                requests.sealed.push((client.seal(&text).expect("a short text"), text));
            }
            1 => {
                let Some(channel) = &mut accepted else { continue };
                let text = dice.bytes(300).to_vec();
                answers.sealed.push((channel.seal(&text).expect("a short text"), text));
            }
            2 => {
                let Some(place) = requests.choose(&mut dice) else { continue };
                let frame = requests.sealed[place].0.clone();
                let text = to_relay(&mut accepted, &frame, &mut client, answers.opened > 0, &mut rng);
                requests.judge(Some(place).filter(|_| text.is_some() || place > 0), text.as_deref());
            }
            3 => {
                let Some(place) = answers.choose(&mut dice) else { continue };
                let text = client.open_answer(&answers.sealed[place].0).ok();
                answers.judge(Some(place), text.as_deref());
            }
            4 => {
                let Some(place) = requests.choose(&mut dice) else { continue };
                let Some(frame) = flipped(&requests.sealed[place].0, &mut dice) else { continue };
                let (OuterFrame::Sealed(_), Some(channel)) = (&frame, &mut accepted) else { continue };
                assert!(channel.open_request(&frame).is_err(), "a changed request has opened");
            }
            _ => {
                let Some(place) = answers.choose(&mut dice) else { continue };
                let Some(frame) = flipped(&answers.sealed[place].0, &mut dice) else { continue };
                assert!(client.open_answer(&frame).is_err(), "a changed answer has opened");
            }
        }
    }
}

/// Delivers a request. A repeated opening is accepted, and its answers open for nobody who has had one.
fn to_relay(
    accepted: &mut Option<RelayChannel>,
    frame: &OuterFrame,
    client: &mut ClientChannel,
    client_has_opened: bool,
    rng: &mut ChaCha20Rng,
) -> Option<Vec<u8>> {
    match (frame, accepted) {
        (OuterFrame::Channel(opening), accepted @ None) => {
            let (channel, text) = RelayChannel::accept(&relay().keys, opening, rng).expect("a true opening");
            *accepted = Some(channel);
            Some(text.to_vec())
        }
        (OuterFrame::Channel(opening), Some(_)) => {
            let (mut other, _) = RelayChannel::accept(&relay().keys, opening, rng).expect("a true opening");
            let answer = other.seal(b"again").expect("a short text");
            assert!(!client_has_opened || client.open_answer(&answer).is_err());
            None
        }
        (_, None) => None,
        (frame, Some(channel)) => channel.open_request(frame).ok().map(|text| text.to_vec()),
    }
}

/// A channel that is continued from request to request.
pub(super) fn continued(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let mut rng = ChaCha20Rng::from_seed([dice.byte(); 32]);
    let limits = ContinuedLimits { channels: 2, answer_bytes: 2000, idle_secs: 100 };
    let mut table = ContinuedChannels::new(limits);
    let mut client = ContinuedClient::open(&relay().descriptor, &mut rng);
    let mut sent: Vec<(OuterFrame, Vec<u8>)> = Vec::new();
    let (mut carried_out, mut now) = (0, NOW);
    let mut answer = None;
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            return;
        }
        match dice.byte() % 5 {
            0 => {
                let text = dice.bytes(200).to_vec();
                if let Ok(frame) = client.request(&text) {
                    sent.push((frame.clone(), text));
                }
            }
            1 | 2 if !sent.is_empty() => {
                let place = dice.below(sent.len());
                match deliver(&mut table, &sent[place].0, now, &mut rng) {
                    Ok(Turn::Request { channel, inner }) => {
                        assert!(place == carried_out || place == 0, "a request out of order");
                        assert_eq!(*inner, sent[place].1);
                        carried_out = place + 1;
                        answer = table.answer(&channel, dice.bytes(200), now).or(answer);
                    }
                    Ok(Turn::Repeat(frame)) => answer = Some(frame),
                    Ok(Turn::Pending(_)) => panic!("every request was answered at once"),
                    Err(fault) => assert_eq!(fault, Fault::ChannelUnknown),
                }
            }
            3 => {
                let Some(frame) = answer.take() else { continue };
                let _ = client.open_answer(&frame);
            }
            _ => {
                let Some((frame, _)) = sent.last() else { continue };
                if let Some(frame) = flipped(frame, &mut dice) {
                    let is_opening = matches!(frame, OuterFrame::Channel(_));
                    let turn = deliver(&mut table, &frame, now, &mut rng);
                    assert!(is_opening || !matches!(turn, Ok(Turn::Request { .. })), "a changed request");
                }
                now = UnixTime(now.0 + u64::from(dice.byte()));
                table.handle_timeout(now);
            }
        }
        assert!(table.len() <= limits.channels && table.answer_bytes() <= limits.answer_bytes.max(300));
    }
}

fn deliver(
    table: &mut ContinuedChannels,
    frame: &OuterFrame,
    now: UnixTime,
    rng: &mut ChaCha20Rng,
) -> Result<Turn, Fault> {
    match frame {
        OuterFrame::Continued(frame) => table.go_on(frame, now),
        OuterFrame::Channel(opening) => match table.repeated_opening(opening, now) {
            Some(turn) => turn,
            None => match RelayChannel::accept(&relay().keys, opening, rng) {
                Ok((channel, inner)) => table.begin(opening, channel, inner, now),
                Err(_) => Err(Fault::ChannelUnknown),
            },
        },
        _ => Err(Fault::ChannelUnknown),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![1, 0, 5, 0, 1, 2, 3, 4, 5, 2, 0, 0, 1, 3, 0, 9, 9, 9, 3, 0, 0],
        vec![2, 0, 2, 0, 7, 7, 2, 0, 0, 2, 0, 0, 1, 1, 0, 8, 3, 0, 0, 0, 1, 0, 6, 2, 1, 0, 4, 1, 0, 40, 0],
        vec![3, 0, 4, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 5, 3, 0, 3, 0, 2, 2, 2, 1, 1, 0, 4, 9, 9, 9],
    ]
}
