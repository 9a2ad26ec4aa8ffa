//! A chain of the peer: the one that it sends in, older ones that are still incomplete, and finished ones that are only
//! watched (docs/spec/ratchet.md §5).

use std::collections::BTreeMap;

use poterne_protocol::time::Day;

use super::open::OpenError;
use super::{Ahead, CHAIN_MESSAGES_MAX, Mark, RESUME_STEP, mailbox_of};
use crate::chain::ChainKey;
use crate::secret::Secret;

#[derive(Clone)]
pub(super) struct Receiving {
    pub(super) header: Secret,
    /// None for chain 0, which lies in the answer box.
    pub(super) mailbox: Option<Secret>,
    /// H(ek ‖ ct).
    pub(super) keys: [u8; 32],
    /// None once the peer has turned.
    pub(super) chain: Option<ChainKey>,
    /// One more than the highest number that was stepped over.
    pub(super) next: u32,
    pub(super) skipped: BTreeMap<u32, Secret>,
    pub(super) seen: BTreeMap<u32, Mark>,
    /// Chain 0 only, while it lasts: the secrets of opened messages. Its header key is known to the whole desk, so a fork
    /// of it shows only by a payload that opens.
    pub(super) spent: BTreeMap<u32, Secret>,
    /// The day of the last message.
    pub(super) last_day: Day,
}

crate::secret::silent!(Receiving);

impl Receiving {
    /// Chain 0.
    pub(super) fn answer(header: Secret, chain: ChainKey, keys: [u8; 32], today: Day) -> Self {
        Self {
            header,
            mailbox: None,
            keys,
            chain: Some(chain),
            next: 0,
            skipped: BTreeMap::new(),
            seen: BTreeMap::new(),
            spent: BTreeMap::new(),
            last_day: today,
        }
    }

    /// The chain that was ahead.
    pub(super) fn begin(ahead: &Ahead, chain: ChainKey, keys: [u8; 32], today: Day) -> Self {
        let mailbox = Some(ahead.mailbox.clone());
        Self { mailbox, ..Self::answer(ahead.header.clone(), chain, keys, today) }
    }

    /// The secret of message `n`, stepping the chain as far as it takes.
    pub(super) fn take(&mut self, chain: u32, n: u32) -> Result<Secret, OpenError> {
        if n < self.next {
            return self.skipped.remove(&n).ok_or(OpenError::KeyGone { chain, n });
        }
        // The peer said how long this chain was when it turned: another copy of it goes on here.
        let Some(mut key) = self.chain.take() else { return Err(OpenError::Fork { chain, n }) };
        for skipped in self.next..n {
            self.skipped.insert(skipped, key.step());
        }
        let secret = key.step();
        self.chain = Some(key);
        self.next = n + 1;
        Ok(secret)
    }

    /// The peer has turned after `total` messages. None where it has sent more than it says: a copy of it has turned.
    pub(super) fn finish(&mut self, total: u32) -> Option<()> {
        let mut key = self.chain.take()?;
        if total < self.next || total > CHAIN_MESSAGES_MAX {
            return None;
        }
        for skipped in self.next..total {
            self.skipped.insert(skipped, key.step());
        }
        self.next = total;
        self.spent.clear();
        Some(())
    }

    /// The mailboxes in which messages of this chain may still lie.
    pub(super) fn open_mailboxes(&self) -> Vec<u32> {
        let mut places: Vec<u32> = self.skipped.keys().map(|n| mailbox_of(*n)).collect();
        if self.chain.is_some() {
            places.extend(mailbox_of(self.next)..=mailbox_of(self.next + RESUME_STEP));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The mailboxes in which a fork of this chain would show.
    pub(super) fn watched_mailboxes(&self) -> Vec<u32> {
        (0..=mailbox_of(self.next + RESUME_STEP)).collect()
    }
}
