//! The two ends of a conversation against each other.

mod ends;
mod forks;
mod hostile;
mod model;
mod order;
mod rollback;

use crate::fixture::{Pair, TODAY, pair, part};

/// A requester and a volunteer that have both turned once: chains 0 to 2 exist.
pub(super) fn settled(seed: u64) -> Pair {
    let mut it = pair(seed);
    let hers = it.requester.seal(&part("hers"), &mut it.rng).unwrap();
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    it.requester.open(&theirs.envelope, TODAY).unwrap();
    it
}
