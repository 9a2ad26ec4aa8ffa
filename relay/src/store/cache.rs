//! States of mailboxes that were touched lately. What leaves is read from the log again when it is needed.
//!
//! There are two generations: when the young one has grown to its bound, the old one is let go of whole. That costs a
//! look-up nothing to keep the order in, and keeps what is touched often. Letting go is done a little at each commit,
//! because giving back tens of thousands of states at once takes as long as some commits.

use std::collections::{HashMap, hash_map};
use std::mem::take;

use poterne_protocol::mailbox::MailboxId;
use poterne_relay_core::state::{MailboxState, Opened};

/// Bytes that a state is reckoned at: its own with its place in a map, and those of each id and claim that it remembers.
const STATE_BYTES: usize = 192;
const ID_BYTES: usize = 48;
const CLAIM_BYTES: usize = 160;
/// States that are let go of at each commit: many more than a commit adds, so that they are gone before the next
/// generation is.
const LET_GO: usize = 4096;

/// States of mailboxes.
pub struct Cache {
    /// Bytes that a generation may take.
    generation: usize,
    young: HashMap<MailboxId, MailboxState>,
    old: HashMap<MailboxId, MailboxState>,
    /// A generation that is being let go of.
    leaving: hash_map::IntoIter<MailboxId, MailboxState>,
    /// Bytes that the young are reckoned at.
    young_bytes: usize,
}

impl Cache {
    /// An empty cache of at most about `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self {
            generation: bound / 2,
            young: HashMap::new(),
            old: HashMap::new(),
            leaving: HashMap::new().into_iter(),
            young_bytes: 0,
        }
    }

    /// A state, if it is here.
    pub fn get(&self, id: &MailboxId) -> Option<&MailboxState> {
        self.young.get(id).or_else(|| self.old.get(id))
    }

    /// Takes a state out, if it is here.
    pub fn take(&mut self, id: &MailboxId) -> Option<MailboxState> {
        let young = self.young.remove(id).inspect(|state| {
            self.young_bytes = self.young_bytes.saturating_sub(bytes(state));
        });
        young.or_else(|| self.old.remove(id))
    }

    /// Takes a state in.
    pub fn insert(&mut self, id: MailboxId, state: MailboxState) {
        self.young_bytes += bytes(&state);
        self.young.insert(id, state);
    }

    /// Lets go of one state.
    pub fn forget(&mut self, id: &MailboxId) {
        while self.take(id).is_some() {}
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        *self = Self::new(2 * self.generation);
    }

    /// Lets go of what is too much. Once for each commit: what is let go of was not touched since the last two, so that
    /// nothing that is staged or under way goes.
    pub fn trim(&mut self) {
        self.leaving.by_ref().take(LET_GO).for_each(drop);
        if self.young_bytes > self.generation {
            let old = std::mem::replace(&mut self.old, take(&mut self.young));
            self.leaving = old.into_iter();
            self.young_bytes = 0;
        }
    }
}

fn bytes(state: &MailboxState) -> usize {
    let claims = state.opened().map_or(0, Opened::claims);
    STATE_BYTES + ID_BYTES * state.ids() + CLAIM_BYTES * claims
}

#[cfg(test)]
mod tests {
    use poterne_protocol::time::Day;
    use poterne_relay_core::change::Change;

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
        assert!(cache.young.len() + cache.old.len() <= 16 + 2);
    }

    #[test]
    fn what_is_too_much_leaves_a_little_at_each_commit() {
        let mut cache = Cache::new(4 * LET_GO * STATE_BYTES);
        let many = |first: usize| {
            (first..first + 2 * LET_GO + 1).map(|number| {
                let mut id = [0; 32];
                id[..8].copy_from_slice(&number.to_le_bytes());
                MailboxId(id)
            })
        };
        for first in [0, 1 << 20] {
            many(first).for_each(|id| cache.insert(id, paid(1)));
            cache.trim();
        }
        assert_eq!(cache.leaving.len(), 2 * LET_GO + 1);
        cache.trim();
        assert_eq!(cache.leaving.len(), LET_GO + 1);
        assert!(many(0).all(|id| cache.get(&id).is_none()));
        assert!(many(1 << 20).all(|id| cache.get(&id).is_some()));
    }
}
