//! States of mailboxes that were touched lately. What leaves is read from the log again when it is needed.
//!
//! Two generations: when the young one has grown to half of the bound, the old one is let go of whole. That costs a
//! look-up nothing to keep the order in, and keeps what is touched often.

use std::collections::HashMap;

use poterne_protocol::mailbox::MailboxId;
use poterne_relay_core::state::MailboxState;

/// Bytes that a state is reckoned at, its own and those of each id that it remembers.
const STATE_BYTES: usize = 256;
const ID_BYTES: usize = 64;

/// States of mailboxes.
pub struct Cache {
    young: HashMap<MailboxId, MailboxState>,
    old: HashMap<MailboxId, MailboxState>,
    /// Bytes that the young are reckoned at.
    young_bytes: usize,
    bound: usize,
}

impl Cache {
    /// An empty cache of at most about `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, bound }
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
        self.take(id);
    }

    /// Lets go of all.
    pub fn clear(&mut self) {
        *self = Self::new(self.bound);
    }

    /// Lets go of the old generation where the young one has grown enough. Nothing staged may be here.
    pub fn trim(&mut self) {
        if self.young_bytes > self.bound / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

fn bytes(state: &MailboxState) -> usize {
    STATE_BYTES + ID_BYTES * state.ids()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_stays_and_what_is_not_goes() {
        let mut cache = Cache::new(8 * STATE_BYTES);
        let id = |number: u8| MailboxId([number; 32]);
        for number in 0..100 {
            cache.insert(id(number), MailboxState::default());
            cache.trim();
            let touched = cache.take(&id(0)).expect("what is touched stays");
            cache.insert(id(0), touched);
        }
        assert!(cache.get(&id(50)).is_none());
        assert!(cache.young.len() + cache.old.len() < 20);
    }
}
