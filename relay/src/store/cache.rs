//! States of mailboxes that were touched lately. What leaves is read from the log again when it is needed.
//!
//! Where there is too much, a few neighbours are looked at and the one that was touched longest ago leaves: nearly the
//! oldest of all, without an order that every look-up would have to keep.

use std::cell::Cell;

use indexmap::IndexMap;
use poterne_protocol::mailbox::MailboxId;
use poterne_relay_core::change::Change;
use poterne_relay_core::state::{MailboxState, Opened};

/// Bytes that a state is reckoned at: its own with its place in a map, and those of each id and claim that it remembers.
const STATE_BYTES: usize = 192;
const ID_BYTES: usize = 48;
const CLAIM_BYTES: usize = 160;
/// States that are looked at for each that leaves.
const LOOKED_AT: usize = 8;
/// Commits for which a state stays that was touched: two groups may be under way before the one that it is staged in.
const KEPT_COMMITS: u64 = 3;

/// States of mailboxes.
pub struct Cache {
    bound: usize,
    states: IndexMap<MailboxId, Cached>,
    /// Bytes that they are reckoned at.
    bytes: usize,
    /// Where it is looked next for what leaves.
    hand: usize,
    /// Commits so far.
    commits: u64,
}

struct Cached {
    state: MailboxState,
    /// The number of commits when it was touched.
    touched: Cell<u64>,
    /// The group that last changed it since it was taken in.
    changed: u64,
}

impl Cache {
    /// An empty cache of at most about `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { bound, states: IndexMap::new(), bytes: 0, hand: 0, commits: 0 }
    }

    /// A state, if it is here.
    pub fn get(&self, id: &MailboxId) -> Option<&MailboxState> {
        let cached = self.states.get(id)?;
        cached.touched.set(self.commits);
        Some(&cached.state)
    }

    /// Takes a state out, if it is here.
    pub fn take(&mut self, id: &MailboxId) -> Option<MailboxState> {
        let Cached { state, .. } = self.states.swap_remove(id)?;
        self.bytes -= bytes(&state);
        Some(state)
    }

    /// Takes a state in.
    pub fn insert(&mut self, id: MailboxId, state: MailboxState) {
        self.bytes += bytes(&state);
        let cached = Cached { state, touched: Cell::new(self.commits), changed: 0 };
        let before = self.states.insert(id, cached);
        self.bytes -= before.map_or(0, |before| bytes(&before.state));
    }

    /// Whether a group behind `group` has changed a state that is here.
    pub fn has_changed_since(&self, id: &MailboxId, group: u64) -> bool {
        self.states.get(id).is_some_and(|cached| cached.changed > group)
    }

    /// Applies a change of that group to a state that is here.
    pub fn apply(&mut self, id: &MailboxId, change: &Change, group: u64) {
        if let Some(cached) = self.states.get_mut(id) {
            self.bytes -= bytes(&cached.state);
            cached.state.apply(change);
            self.bytes += bytes(&cached.state);
            cached.touched.set(self.commits);
            cached.changed = group;
        }
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        *self = Self { commits: self.commits, ..Self::new(self.bound) };
    }

    /// Lets go of what is too much. Once for each commit; what was touched just now is let go of at a later one.
    pub fn trim(&mut self) {
        self.commits += 1;
        let mut has_turned = false;
        while self.bytes > self.bound {
            match self.leaves() {
                Some(index) => self.remove(index),
                None if has_turned => return,
                // What is taken in comes to the end: the oldest stand at the beginning.
                None => (self.hand, has_turned) = (0, true),
            }
        }
    }

    /// Which state leaves next. None at the end of all, and where all that are looked at were touched just now.
    fn leaves(&mut self) -> Option<usize> {
        let looked_at = self.hand..(self.hand + LOOKED_AT).min(self.states.len());
        self.hand = looked_at.end;
        let touched = |index: &usize| self.states[*index].touched.get();
        let oldest = looked_at.min_by_key(touched)?;
        (touched(&oldest) + KEPT_COMMITS <= self.commits).then_some(oldest)
    }

    fn remove(&mut self, index: usize) {
        if let Some((_, Cached { state, .. })) = self.states.swap_remove_index(index) {
            self.bytes -= bytes(&state);
        }
    }
}

fn bytes(state: &MailboxState) -> usize {
    let claims = state.opened().map_or(0, Opened::claims);
    STATE_BYTES + ID_BYTES * state.ids() + CLAIM_BYTES * claims
}

#[cfg(test)]
mod tests {
    use poterne_protocol::envelope::EnvelopeId;
    use poterne_protocol::time::Day;
    use poterne_relay_core::change::{Arrival, Locator, Position};

    use super::*;

    fn id(number: u8) -> MailboxId {
        MailboxId([number; 32])
    }

    fn paid(until: u32) -> MailboxState {
        let mut state = MailboxState::default();
        state.apply(&Change::Paid { until: Day(until) });
        state
    }

    #[test]
    fn what_is_touched_stays_and_what_is_not_goes() {
        let mut cache = Cache::new(16 * STATE_BYTES);
        for number in 0..=255 {
            cache.insert(id(number), paid(number.into()));
            cache.trim();
            let touched = cache.take(&id(0)).expect("what is touched stays");
            assert_eq!(touched, paid(0));
            cache.insert(id(0), touched);
        }
        assert!(cache.get(&id(50)).is_none());
        assert!(cache.states.len() <= 16 + 1);
    }

    #[test]
    fn what_may_be_under_way_stays_however_much_it_is() {
        let mut cache = Cache::new(4 * STATE_BYTES);
        let all_are_there = |cache: &Cache| (0..64).all(|number| cache.get(&id(number)).is_some());
        (0..64).for_each(|number| cache.insert(id(number), paid(1)));
        cache.trim();
        assert!(all_are_there(&cache));
        (0..32).for_each(|_| cache.trim());
        assert_eq!(cache.states.len(), 4);
    }

    #[test]
    fn what_a_change_adds_is_reckoned() {
        let mut cache = Cache::new(STATE_BYTES);
        cache.insert(id(1), paid(1));
        let arrival = Arrival {
            position: Position(0),
            id: EnvelopeId([7; 16]),
            day: Day(1),
            last_day: Day(8),
            at: Locator(0),
        };
        cache.apply(&id(1), &Change::Put(arrival), 1);
        cache.apply(&id(2), &Change::Paid { until: Day(1) }, 1);
        assert_eq!((cache.bytes, cache.states.len()), (STATE_BYTES + ID_BYTES, 1));
        cache.take(&id(1));
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn what_is_put_in_twice_counts_once() {
        let mut cache = Cache::new(STATE_BYTES);
        cache.insert(id(1), paid(1));
        cache.insert(id(1), paid(2));
        assert_eq!(cache.bytes, STATE_BYTES);
        assert_eq!(cache.take(&id(1)), Some(paid(2)));
        assert_eq!((cache.bytes, cache.take(&id(1))), (0, None));
    }
}
