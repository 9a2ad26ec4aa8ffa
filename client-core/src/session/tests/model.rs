//! Random histories of two ends under loss, reordering, repetition and damage, against a plain model.
//!
//! The model: each message that was sealed is a text with a number. Whatever the network does, an end opens each text at
//! most once, calls repetitions what they are, never sees a fork, and in the end, when the network delivers all that it
//! still holds, has every text of its peer exactly once, in order within each chain. Ends are stored and loaded at
//! random, as a vault would do it.

use std::collections::BTreeMap;

use poterne_protocol::envelope::SealedEnvelope;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;

use super::super::{Destination, OpenError, SealError, Session};
use crate::fixture::{Pair, TODAY, pair, part};

#[derive(Clone, Debug)]
enum Step {
    /// An end seals a message.
    Seal { by_requester: bool },
    /// The network delivers one of the messages on their way, and may keep a copy.
    Deliver { to_requester: bool, which: usize, keeps: bool },
    /// The network delivers a damaged copy.
    Damage { to_requester: bool, which: usize, bit: usize },
    /// An end goes into the vault and comes out again.
    Restart { requester: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(|by_requester| Step::Seal { by_requester }),
        4 => (any::<bool>(), any::<usize>(), any::<bool>())
            .prop_map(|(to_requester, which, keeps)| Step::Deliver { to_requester, which, keeps }),
        1 => (any::<bool>(), any::<usize>(), 0usize..4096 * 8)
            .prop_map(|(to_requester, which, bit)| Step::Damage { to_requester, which, bit }),
        1 => any::<bool>().prop_map(|requester| Step::Restart { requester }),
    ]
}

/// A message on its way.
#[derive(Clone)]
struct Coming {
    place: (u32, u32),
    envelope: SealedEnvelope,
    /// None: the answer box.
    mailbox: Option<[u8; 32]>,
}

/// One end with what the model expects of it.
struct End {
    session: Session,
    /// Sealed for this end and still held by the network, with the place of the message and where it lies.
    coming: Vec<Coming>,
    /// Texts by place, as the peer sealed them.
    expected: BTreeMap<(u32, u32), String>,
    /// Texts by place, as this end opened them.
    opened: BTreeMap<(u32, u32), String>,
}

impl End {
    fn new(session: Session) -> Self {
        Self { session, coming: vec![], expected: BTreeMap::new(), opened: BTreeMap::new() }
    }

    fn deliver(&mut self, which: usize, keeps: bool) {
        if self.coming.is_empty() {
            return;
        }
        let which = which % self.coming.len();
        let Coming { place, envelope, mailbox } = self.coming[which].clone();
        let fresh = !self.opened.contains_key(&place);
        assert!(!fresh || self.reads(mailbox), "a message that is due lies where nobody reads");
        match self.session.open(&envelope, TODAY) {
            Ok(opened) => {
                assert_eq!((opened.chain, opened.n), place);
                let text = String::from_utf8(opened.bytes.to_vec()).unwrap();
                assert!(self.opened.insert(place, text).is_none(), "a message was opened twice");
            }
            Err(OpenError::Duplicate { chain, n }) => assert!(!fresh && (chain, n) == place),
            Err(error) => panic!("{error:?} for {place:?}"),
        }
        if !keeps {
            self.coming.swap_remove(which);
        }
    }

    /// Whether the mailbox is fetched; the answer box is, as long as the volunteer has not turned or something is missing.
    fn reads(&self, mailbox: Option<[u8; 32]>) -> bool {
        let Some(mailbox) = mailbox else { return true };
        self.session.mailboxes_to_read().iter().any(|read| *read.expose() == mailbox)
    }

    fn damage(&mut self, which: usize, bit: usize) {
        if self.coming.is_empty() {
            return;
        }
        let mut bytes = *self.coming[which % self.coming.len()].envelope.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let before = self.session.to_stored();
        let damaged = SealedEnvelope::parse(&bytes).unwrap();
        match self.session.open(&damaged, TODAY).unwrap_err() {
            OpenError::NotOurs | OpenError::Spoilt { .. } | OpenError::Duplicate { .. } => {}
            error => panic!("{error:?}"),
        }
        assert_eq!(*before, *self.session.to_stored(), "a damaged message changed the state");
    }

    fn restart(&mut self) {
        self.session = Session::from_stored(&self.session.to_stored()).unwrap();
    }
}

fn seal(from: &mut End, to: &mut End, rng: &mut ChaCha20Rng) {
    let text = format!("message {}", to.expected.len());
    let sealed = match from.session.seal(&part(&text), rng) {
        Ok(sealed) => sealed,
        Err(SealError::Unanswered) => return,
        Err(error) => panic!("{error:?}"),
    };
    let place = (sealed.chain, sealed.n);
    assert!(to.expected.insert(place, text).is_none(), "a place was used twice");
    assert_eq!(to.expected.keys().next_back(), Some(&place), "places rise");
    let mailbox = match sealed.to {
        Destination::AnswerBox => None,
        Destination::Mailbox(mailbox) => Some(*mailbox.expose()),
    };
    to.coming.push(Coming { place, envelope: sealed.envelope, mailbox });
}

fn run(steps: Vec<Step>, seed: u64) {
    let Pair { requester, volunteer, mut rng, .. } = pair(seed);
    let (mut requester, mut volunteer) = (End::new(requester), End::new(volunteer));
    for step in steps {
        match step {
            Step::Seal { by_requester: true } => seal(&mut requester, &mut volunteer, &mut rng),
            Step::Seal { by_requester: false } => seal(&mut volunteer, &mut requester, &mut rng),
            Step::Deliver { to_requester, which, keeps } => {
                end(&mut requester, &mut volunteer, to_requester).deliver(which, keeps);
            }
            Step::Damage { to_requester, which, bit } => {
                end(&mut requester, &mut volunteer, to_requester).damage(which, bit);
            }
            Step::Restart { requester: is_requester } => {
                end(&mut requester, &mut volunteer, is_requester).restart();
            }
        }
    }
    for end in [&mut requester, &mut volunteer] {
        while !end.coming.is_empty() {
            end.deliver(0, false);
        }
        assert_eq!(end.opened, end.expected);
    }
}

fn end<'a>(requester: &'a mut End, volunteer: &'a mut End, is_requester: bool) -> &'a mut End {
    if is_requester { requester } else { volunteer }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_arrives_exactly_once(
        steps in proptest::collection::vec(step(), 1..80),
        seed in 0u64..1000,
    ) {
        run(steps, seed);
    }
}
