//! States of mailboxes that were touched lately. What leaves is read from the log again when it is needed.
//!
//! Two tiers, so that a million small mailboxes take some hundred bytes each: states as they are, and behind them states
//! packed into their bytes. Each tier has two generations: when the young one has grown to its bound, the old one is let
//! go of whole. That costs a look-up nothing to keep the order in, and keeps what is touched often.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem::take;

use poterne_protocol::mailbox::MailboxId;
use poterne_relay_core::state::MailboxState;

/// Bytes that a state is reckoned at, its own and those of each id that it remembers.
const STATE_BYTES: usize = 320;
const ID_BYTES: usize = 96;
/// Bytes that a packed state is reckoned at beside its own.
const PACKED_BYTES: usize = 72;
/// The part of the bound that one generation of states as they are may take, and one of packed states.
const STATES_PART: usize = 8;
const PACKED_PART: usize = 3;

/// States of mailboxes.
pub struct Cache {
    bound: usize,
    young: HashMap<MailboxId, MailboxState>,
    old: HashMap<MailboxId, MailboxState>,
    /// Bytes that the young are reckoned at.
    young_bytes: usize,
    packed: HashMap<MailboxId, Box<[u8]>>,
    old_packed: HashMap<MailboxId, Box<[u8]>>,
    packed_bytes: usize,
}

impl Cache {
    /// An empty cache of at most about `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self {
            bound,
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
            packed: HashMap::new(),
            old_packed: HashMap::new(),
            packed_bytes: 0,
        }
    }

    /// A state, if it is here.
    pub fn get(&self, id: &MailboxId) -> Option<Cow<'_, MailboxState>> {
        if let Some(state) = self.young.get(id).or_else(|| self.old.get(id)) {
            return Some(Cow::Borrowed(state));
        }
        let packed = self.packed.get(id).or_else(|| self.old_packed.get(id))?;
        MailboxState::decode(packed).ok().map(Cow::Owned)
    }

    /// Takes a state out, if it is here.
    pub fn take(&mut self, id: &MailboxId) -> Option<MailboxState> {
        let young = self.young.remove(id).inspect(|state| {
            self.young_bytes = self.young_bytes.saturating_sub(bytes(state));
        });
        young.or_else(|| self.old.remove(id)).or_else(|| self.unpack(id))
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
        *self = Self::new(self.bound);
    }

    /// Packs and lets go of what is too much. Once for each commit: what is let go of was not touched since the last
    /// two, so that nothing that is staged or under way goes.
    pub fn trim(&mut self) {
        if self.young_bytes <= self.bound / STATES_PART {
            return;
        }
        let leaving = std::mem::replace(&mut self.old, take(&mut self.young));
        self.young_bytes = 0;
        for (id, state) in leaving {
            let packed = state.encode().into_boxed_slice();
            self.packed_bytes += PACKED_BYTES + packed.len();
            self.packed.insert(id, packed);
        }
        if self.packed_bytes > self.bound / PACKED_PART {
            self.old_packed = take(&mut self.packed);
            self.packed_bytes = 0;
        }
    }

    fn unpack(&mut self, id: &MailboxId) -> Option<MailboxState> {
        let packed = self.packed.remove(id).or_else(|| self.old_packed.remove(id))?;
        MailboxState::decode(&packed).ok()
    }
}

fn bytes(state: &MailboxState) -> usize {
    STATE_BYTES + ID_BYTES * state.ids()
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
        let mut cache = Cache::new(40 * STATE_BYTES);
        for number in 0..=255 {
            cache.insert(id(number), paid(number.into()));
            cache.trim();
            let touched = cache.take(&id(0)).expect("what is touched stays");
            assert_eq!(touched, paid(0));
            cache.insert(id(0), touched);
        }
        assert!(cache.get(&id(50)).is_none());
        assert!(cache.young.len() + cache.old.len() < 20);
    }

    #[test]
    fn a_packed_state_is_what_it_was() {
        let mut cache = Cache::new(80 * STATE_BYTES);
        for number in 0..60 {
            cache.insert(id(number), paid(number.into()));
            cache.trim();
        }
        assert!(cache.packed.contains_key(&id(30)));
        assert_eq!(cache.get(&id(30)).as_deref(), Some(&paid(30)));
        assert_eq!(cache.take(&id(30)), Some(paid(30)));
        assert!(cache.get(&id(30)).is_none());
    }
}
