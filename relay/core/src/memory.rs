//! A store in memory for tests and the simulated world: a log of encoded changes, and the states that follow from it.
//!
//! It crashes on demand: what was not synced is gone, or any first part of it is not. The states are then rebuilt from
//! the log, so that every crash also tests the replay. [`MemoryStore::acknowledging_before_sync`] makes the mutant that
//! a simulated world must find.

use std::borrow::Cow;
use std::collections::BTreeMap;

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::ClaimId;
use poterne_protocol::time::Day;

use crate::change::{Change, Locator};
use crate::state::{LeaseTag, MailboxState};
use crate::store::{CommitError, LoadError, ReadError, Store, VoucherChange, VoucherId, Write};

/// Mailboxes and envelopes in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    log: Vec<Record>,
    synced: usize,
    view: View,
    /// Envelopes that have ended, to be erased by the commit after the one that makes it durable.
    to_erase: Vec<Locator>,
    /// Those of `to_erase` whose end is durable.
    ended: usize,
    failing_commits: u32,
    lazy: bool,
}

/// One record: what a disk would hold of a write.
#[derive(Clone, Debug)]
enum Record {
    Mailbox { id: MailboxId, change: Vec<u8>, envelope: Option<SealedEnvelope> },
    Voucher(VoucherChange),
}

/// What follows from the log.
#[derive(Debug, Default)]
struct View {
    mailboxes: BTreeMap<MailboxId, MailboxState>,
    leases: BTreeMap<LeaseTag, (MailboxId, ClaimId)>,
    vouchers: BTreeMap<VoucherId, u32>,
}

impl MemoryStore {
    /// The mutant: commits say that all is well, and the sync comes with [`MemoryStore::sync`] only.
    pub fn acknowledging_before_sync() -> Self {
        Self { lazy: true, ..Self::default() }
    }

    /// Gives a permit or credit its uses, as an operator does.
    pub fn grant(&mut self, id: VoucherId, left: u32) {
        self.stage(Write::Voucher(VoucherChange { id, left }));
        self.sync();
    }

    /// The next `count` commits fail; what was staged stays staged, as its outcome is unknown.
    pub fn fail_commits(&mut self, count: u32) {
        self.failing_commits = count;
    }

    /// How many writes would be lost by a crash now.
    pub fn unsynced(&self) -> usize {
        self.log.len() - self.synced
    }

    /// Loses all unsynced writes but the first `kept`, and starts again from the log.
    pub fn crash(&mut self, kept: usize) {
        self.log.truncate(self.synced.saturating_add(kept));
        self.synced = self.log.len();
        self.failing_commits = 0;
        self.view = View::default();
        self.to_erase.clear();
        self.ended = 0;
        for (place, record) in self.log.iter().enumerate() {
            self.to_erase.extend(self.view.replay(record, Locator(place as u64)));
        }
        self.sync();
    }

    /// Lets every mailbox go of what has ended before `today`.
    pub fn pass_day(&mut self, today: Day) {
        let expired = self.view.pass_day(today);
        self.to_erase.extend(expired);
        self.sync();
    }

    /// Puts all that is staged on the disk.
    pub fn sync(&mut self) {
        self.synced = self.log.len();
        for place in self.to_erase.drain(..self.ended) {
            erase(&mut self.log, place);
        }
        self.ended = self.to_erase.len();
    }

    /// Rots the bytes of an envelope.
    pub fn damage(&mut self, at: Locator) {
        erase(&mut self.log, at);
    }

    /// How many envelopes the log still holds: those that wait, if all that ended was erased.
    pub fn envelopes(&self) -> usize {
        let holds = |record: &&Record| matches!(record, Record::Mailbox { envelope: Some(_), .. });
        self.log.iter().filter(holds).count()
    }

    /// How many mailboxes something is known of.
    pub fn mailboxes(&self) -> usize {
        self.view.mailboxes.len()
    }

    /// What the log holds of one mailbox, in order, placed.
    pub fn changes(&self, mailbox: &MailboxId) -> Vec<Change> {
        let of = |(place, record): (usize, &Record)| match record {
            Record::Mailbox { id, change, .. } if id == mailbox => {
                let mut change = Change::decode(change).expect("the log holds what was encoded");
                change.place(Locator(place as u64));
                Some(change)
            }
            _ => None,
        };
        self.log.iter().enumerate().filter_map(of).collect()
    }
}

fn erase(log: &mut [Record], place: Locator) {
    if let Some(Record::Mailbox { envelope, .. }) = log.get_mut(place.0 as usize) {
        *envelope = None;
    }
}

impl View {
    fn replay(&mut self, record: &Record, at: Locator) -> Vec<Locator> {
        match record {
            Record::Mailbox { id, change, .. } => {
                let mut change = Change::decode(change).expect("the log holds what was encoded");
                change.place(at);
                self.apply(id, &change)
            }
            Record::Voucher(VoucherChange { id, left }) => {
                self.vouchers.insert(*id, *left);
                Vec::new()
            }
        }
    }

    fn apply(&mut self, id: &MailboxId, change: &Change) -> Vec<Locator> {
        if let Change::Claimed(lease) = change {
            self.leases.insert(LeaseTag::of(&lease.token), (*id, lease.claim_id));
        }
        self.mailboxes.entry(*id).or_default().apply(change)
    }

    fn pass_day(&mut self, today: Day) -> Vec<Locator> {
        let mut expired = Vec::new();
        for state in self.mailboxes.values_mut() {
            let passed = state.pass_day(today);
            expired.extend(passed.expired);
            for tag in &passed.leases {
                self.leases.remove(tag);
            }
        }
        self.mailboxes.retain(|_, state| !state.is_forgotten(today));
        expired
    }
}

impl Store for MemoryStore {
    fn load(&self, id: &MailboxId) -> Result<Cow<'_, MailboxState>, LoadError> {
        Ok(self.view.mailboxes.get(id).map_or_else(|| Cow::Owned(MailboxState::default()), Cow::Borrowed))
    }

    fn find_lease(&self, tag: &LeaseTag) -> Result<Option<(MailboxId, ClaimId)>, LoadError> {
        Ok(self.view.leases.get(tag).copied())
    }

    fn voucher(&self, id: &VoucherId) -> Result<u32, LoadError> {
        Ok(self.view.vouchers.get(id).copied().unwrap_or(0))
    }

    fn has_unwritten(&self, id: &MailboxId) -> bool {
        let is_of = |record: &Record| matches!(record, Record::Mailbox { id: other, .. } if other == id);
        self.log[self.synced..].iter().any(is_of)
    }

    fn stage(&mut self, write: Write) {
        let record = match write {
            Write::Mailbox { id, change, envelope } => {
                Record::Mailbox { id, change: change.encode(), envelope }
            }
            Write::Voucher(change) => Record::Voucher(change),
        };
        let place = Locator(self.log.len() as u64);
        self.to_erase.extend(self.view.replay(&record, place));
        self.log.push(record);
    }

    fn commit(&mut self) -> Result<(), CommitError> {
        if self.failing_commits > 0 {
            self.failing_commits -= 1;
            return Err(CommitError);
        }
        if !self.lazy {
            self.sync();
        }
        Ok(())
    }

    fn read(&self, at: Locator, _: &EnvelopeId) -> Result<SealedEnvelope, ReadError> {
        match self.log.get(at.0 as usize) {
            Some(Record::Mailbox { envelope: Some(envelope), .. }) => Ok(envelope.clone()),
            _ => Err(ReadError::Damaged),
        }
    }
}
