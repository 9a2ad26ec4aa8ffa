//! A vault that is copied back, at a random moment of a random conversation: two copies of one end go on. The peer opens
//! one text for each place, and calls the other copy's a fork wherever both have used one.

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::envelope::SealedEnvelope;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;

use super::super::{OpenError, Sealed, Session};
use super::settled;
use crate::fixture::{Pair, TODAY, part};
use crate::seal::split_nonce;

/// The conversation goes on for some turns, each of some messages that all arrive.
fn go_on(it: &mut Pair, turns: &[u8]) {
    for (turn, count) in turns.iter().enumerate() {
        for _ in 0..*count {
            let (from, to) = ends(it, turn % 2 == 0);
            let sealed = from.0.seal(&part("x"), from.1).unwrap();
            to.open(&sealed.envelope, TODAY).unwrap();
        }
    }
}

fn ends(it: &mut Pair, hers: bool) -> ((&mut Session, &mut ChaCha20Rng), &mut Session) {
    if hers {
        ((&mut it.requester, &mut it.rng), &mut it.volunteer)
    } else {
        ((&mut it.volunteer, &mut it.rng), &mut it.requester)
    }
}

fn seal_some(session: &mut Session, count: u8, text: &str, rng: &mut ChaCha20Rng) -> Vec<Sealed> {
    (0..count).map(|_| session.seal(&part(text), rng).unwrap()).collect()
}

/// Delivers messages of both copies in that order; gives the places that were opened and those that were forks.
fn deliver(peer: &mut Session, messages: &[&SealedEnvelope]) -> (BTreeMap<(u32, u32), usize>, usize) {
    let (mut opened, mut forks) = (BTreeMap::new(), 0);
    for (place, envelope) in messages.iter().enumerate() {
        match peer.open(envelope, TODAY) {
            Ok(message) => {
                let before = opened.insert((message.chain, message.n), place);
                assert_eq!(before, None, "a place was opened twice");
            }
            Err(OpenError::Fork { .. }) => forks += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    (opened, forks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn two_copies_that_send_are_a_fork_and_share_no_nonce(
        turns in proptest::collection::vec(1u8..4, 0..6),
        of_requester in any::<bool>(),
        by_new in 1u8..6,
        by_old in 1u8..6,
        old_first in any::<bool>(),
        seed in 0u64..1000,
    ) {
        let mut it = settled(seed);
        go_on(&mut it, &turns);
        let ((session, rng), peer) = ends(&mut it, of_requester);
        let mut copy = Session::from_stored(&session.to_stored()).unwrap();
        let new = seal_some(session, by_new, "new", rng);
        let old = seal_some(&mut copy, by_old, "old", rng);

        let all: Vec<&SealedEnvelope> = new.iter().chain(&old).map(|sealed| &sealed.envelope).collect();
        let nonces: BTreeSet<[u8; 24]> = all.iter().map(|envelope| *split_nonce(envelope).0).collect();
        prop_assert_eq!(nonces.len(), all.len());

        let (first, second) = if old_first { (&old, &new) } else { (&new, &old) };
        let order: Vec<&SealedEnvelope> = first.iter().chain(second).map(|sealed| &sealed.envelope).collect();
        let (opened, forks) = deliver(peer, &order);
        // Both copies used the same numbers: as many forks as both have sent, at least where they turned apart.
        prop_assert!(forks >= usize::from(by_new.min(by_old)));
        prop_assert_eq!(opened.len() + forks, order.len());
    }
}
