//! Which relays can't be reached, as far as one run of the program knows (docs/spec/client.md §3).
//!
//! A relay is silent from the first call to it that brought no answer until the next one that brings any.

use std::collections::BTreeMap;

use poterne_protocol::keys::Pin;
use poterne_protocol::time::UnixTime;

/// The relays that can't be reached, each since when.
#[derive(Debug, Default)]
pub struct Reach {
    silent: BTreeMap<Pin, UnixTime>,
}

impl Reach {
    /// A relay has answered anything at all, or can't be reached.
    pub fn note(&mut self, relay: &Pin, is_reached: bool, now: UnixTime) {
        if is_reached {
            self.silent.remove(relay);
        } else {
            self.silent.entry(*relay).or_insert(now);
        }
    }

    /// Since when that relay can't be reached.
    pub fn silent_since(&self, relay: &Pin) -> Option<UnixTime> {
        self.silent.get(relay).copied()
    }

    /// Whether that relay can't be reached.
    pub fn is_silent(&self, relay: &Pin) -> bool {
        self.silent.contains_key(relay)
    }

    /// All relays that can't be reached.
    pub fn silent(&self) -> impl Iterator<Item = Pin> {
        self.silent.keys().copied()
    }

    /// The first of some relays that may answer; the first of all where none may.
    pub fn first(&self, relays: &[Pin]) -> Option<Pin> {
        relays.iter().find(|relay| !self.is_silent(relay)).or(relays.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const HERE: Pin = Pin([1; 16]);
    const THERE: Pin = Pin([2; 16]);

    #[test]
    fn a_relay_is_silent_since_the_first_call_that_failed_until_one_is_answered() {
        let mut reach = Reach::default();
        reach.note(&HERE, false, NOW);
        reach.note(&HERE, false, NOW.plus(60));
        assert_eq!(reach.silent_since(&HERE), Some(NOW));
        reach.note(&HERE, true, NOW.plus(61));
        assert_eq!(reach.silent_since(&HERE), None);
    }

    #[test]
    fn one_that_may_answer_is_preferred_and_the_first_where_none_may() {
        let mut reach = Reach::default();
        assert_eq!(reach.first(&[HERE, THERE]), Some(HERE));
        reach.note(&HERE, false, NOW);
        assert_eq!(reach.first(&[HERE, THERE]), Some(THERE));
        reach.note(&THERE, false, NOW);
        assert_eq!(reach.first(&[HERE, THERE]), Some(HERE));
    }
}
