//! What the actors were promised and what they got. Kept outside all of them: crashes don't reach it.

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::mailbox::MailboxId;

/// The books of a world.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Envelopes that a relay promised to keep, by mailbox, in the order of the promises.
    promised: BTreeMap<MailboxId, Vec<u64>>,
    /// Envelopes that reached their reader, by mailbox, in the order in which they did.
    received: BTreeMap<MailboxId, Vec<u64>>,
    /// Envelopes that wait for a device to finish them.
    asked: BTreeSet<u64>,
    /// Who finished which envelope.
    finished: BTreeMap<u64, BTreeSet<usize>>,
}

impl Ledger {
    /// *Stored*, for a reader.
    pub fn promised(&mut self, mailbox: MailboxId, envelope: u64) {
        let list = self.promised.entry(mailbox).or_default();
        if list.last() != Some(&envelope) {
            list.push(envelope);
        }
    }

    /// A reader has seen an envelope for the first time.
    pub fn received(&mut self, mailbox: MailboxId, envelope: u64) {
        self.received.entry(mailbox).or_default().push(envelope);
    }

    /// *Stored*, in an intake.
    pub fn asked(&mut self, envelope: u64) {
        self.asked.insert(envelope);
    }

    /// A device has deleted what it had leased.
    pub fn finished(&mut self, envelope: u64, device: usize) {
        self.finished.entry(envelope).or_default().insert(device);
    }

    /// How many envelopes reached their readers or were finished.
    pub fn arrived(&self) -> usize {
        self.received.values().map(Vec::len).sum::<usize>() + self.finished.len()
    }

    /// All that is not as it was promised.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (mailbox, promised) in &self.promised {
            let received = self.received.get(mailbox).map_or(&[][..], Vec::as_slice);
            if promised != received {
                complaints.push(format!("promised {promised:?}, received {received:?}"));
            }
        }
        for envelope in &self.asked {
            match self.finished.get(envelope).map_or(0, BTreeSet::len) {
                1 => {}
                count => complaints.push(format!("request {envelope} was finished by {count} devices")),
            }
        }
        complaints
    }
}
