//! A conversation under a hostile peer and a hostile network: its envelopes are delivered, dropped, changed, repeated
//! and moved, and an end is put into its vault and taken out again.
//!
//! The envelopes come from one conversation of several turns, sealed once, so that a run costs openings only. Whatever
//! happens, an end opens each text once and as it was sealed, what does not open leaves the state as it was, and the
//! bounds hold.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use poterne_client_core::probe::{TODAY, part, talk};
use poterne_client_core::session::{OpenError, Session};
use poterne_protocol::envelope::SealedEnvelope;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::dice::Dice;

/// Messages in each chain of the recorded conversation.
const CHAIN: u32 = 3;
const TURNS: u32 = 3;
const STEPS_MAX: usize = 16;
const SKIPPED_MAX: usize = 512;

/// A message on its way.
struct Message {
    envelope: SealedEnvelope,
    chain: u32,
    n: u32,
    to_requester: bool,
}

struct Recorded {
    /// Both ends, the requester's first, as they were before each turn.
    ends: Vec<[Session; 2]>,
    messages: Vec<Message>,
}

fn text(chain: u32, n: u32) -> String {
    format!("chain {chain}, message {n}")
}

/// A conversation without losses.
fn recorded() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let talk = talk(1);
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let (mut requester, mut volunteer) = (talk.requester, talk.volunteer);
        let (mut messages, mut ends) = (Vec::new(), Vec::new());
        for turn in 0..2 * TURNS {
            ends.push([requester.clone(), volunteer.clone()]);
            let from_requester = turn % 2 == 0;
            let (from, to) = match from_requester {
                true => (&mut requester, &mut volunteer),
                false => (&mut volunteer, &mut requester),
            };
            for n in 0..CHAIN {
                let chain = turn + 1;
                let sealed = from.seal(&part(&text(chain, n)), &mut rng).expect("answers come");
                assert_eq!((sealed.chain, sealed.n), (chain, n));
                to.open(&sealed.envelope, TODAY).expect("a true message opens");
                let envelope = sealed.envelope;
                messages.push(Message { envelope, chain, n, to_requester: !from_requester });
            }
        }
        Recorded { ends, messages }
    })
}

pub(super) fn ratchet(bytes: &[u8]) {
    let recorded = recorded();
    let mut dice = Dice::new(bytes);
    let turn = dice.below(recorded.ends.len());
    let is_requester = dice.one_in(2);
    let mut end = recorded.ends[turn][usize::from(!is_requester)].clone();
    let mut opened = BTreeSet::new();
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            return;
        }
        let step = dice.byte() % 8;
        let message = &recorded.messages[dice.below(recorded.messages.len())];
        match step {
            0 => end = Session::from_stored(&end.to_stored()).expect("what was stored can be loaded"),
            1 => changed(&mut end, message, &mut dice),
            2 => garbage(&mut end, &mut dice),
            3 => drop(end.seal(&part("mine"), &mut ChaCha20Rng::from_seed([dice.byte(); 32]))),
            4 => end.resume(),
            _ => deliver(&mut end, message, is_requester, &mut opened),
        }
        assert!(end.skipped_keys() <= SKIPPED_MAX);
    }
}

fn deliver(end: &mut Session, message: &Message, to_requester: bool, opened: &mut BTreeSet<(u32, u32)>) {
    let before = end.to_stored();
    match end.open(&message.envelope, TODAY) {
        Ok(found) => {
            assert_eq!(message.to_requester, to_requester, "an end opened what it had sealed itself");
            assert_eq!((found.chain, found.n), (message.chain, message.n));
            assert_eq!(found.bytes.as_slice(), text(message.chain, message.n).as_bytes());
            assert!(opened.insert((found.chain, found.n)), "a message was opened twice");
        }
        Err(OpenError::Duplicate { chain, n }) => assert_eq!((chain, n), (message.chain, message.n)),
        Err(_) => assert_eq!(*before, *end.to_stored(), "what did not open has changed the state"),
    }
}

/// A message with a few bits changed opens nowhere and changes nothing.
fn changed(end: &mut Session, message: &Message, dice: &mut Dice) {
    let mut bytes = *message.envelope.as_bytes();
    let bit = dice.below(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    refused(end, &bytes);
}

/// Bytes of the peer's own.
fn garbage(end: &mut Session, dice: &mut Dice) {
    let mut bytes = [dice.byte(); 4096];
    let own = dice.bytes(64);
    bytes[..own.len()].copy_from_slice(own);
    refused(end, &bytes);
}

fn refused(end: &mut Session, bytes: &[u8; 4096]) {
    let before = end.to_stored();
    let envelope = SealedEnvelope::parse(bytes).expect("4096 bytes");
    let error = end.open(&envelope, TODAY).expect_err("nobody sealed this");
    assert!(!matches!(error, OpenError::Decode(_)), "a header that nobody sealed was read");
    assert_eq!(*before, *end.to_stored(), "what did not open has changed the state");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let step = |kind: u8, message: u8| vec![kind, message, 0, 0, 0];
    let run = |turn: u8, end: u8, steps: &[(u8, u8)]| {
        let steps = steps.iter().flat_map(|(kind, message)| step(*kind, *message));
        [turn, 0, end].into_iter().chain(steps).collect::<Vec<u8>>()
    };
    vec![
        run(1, 1, &[(5, 0), (5, 2), (5, 1), (5, 1), (0, 0)]),
        run(0, 1, &[(5, 0), (3, 0), (5, 6), (5, 8), (1, 7), (5, 7)]),
        run(2, 0, &[(4, 0), (5, 9), (5, 3), (3, 0), (2, 0), (5, 15)]),
    ]
}
