//! Fetches that found nothing and wait for news: by mailbox, and by the end of their time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{Answer, Request};
use tokio::sync::oneshot;

/// A fetch that waits.
pub(super) struct Waiter {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Answer>,
    /// When it is answered as it is.
    pub(super) until: Instant,
}

/// All fetches that wait.
///
/// Invariant: a waiter stands under its number, under each of its mailboxes and under its end, or nowhere.
pub(super) struct Waiting {
    capacity: usize,
    last_number: u64,
    waiters: BTreeMap<u64, Waiter>,
    by_mailbox: BTreeSet<(MailboxId, u64)>,
    by_end: BTreeSet<(Instant, u64)>,
}

impl Waiting {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            last_number: 0,
            waiters: BTreeMap::new(),
            by_mailbox: BTreeSet::new(),
            by_end: BTreeSet::new(),
        }
    }

    /// Keeps a fetch until its time is over. Gives it back where there is no room.
    pub(super) fn add(&mut self, waiter: Waiter) -> Option<Waiter> {
        if self.waiters.len() >= self.capacity {
            return Some(waiter);
        }
        self.last_number += 1;
        let number = self.last_number;
        self.by_mailbox.extend(mailboxes(&waiter.request).map(|mailbox| (mailbox, number)));
        self.by_end.insert((waiter.until, number));
        self.waiters.insert(number, waiter);
        None
    }

    /// Takes out the fetches that wait for one of the mailboxes, each once, those that came first first.
    pub(super) fn take_for(&mut self, arrived: &[MailboxId]) -> Vec<Waiter> {
        let waits_for = |mailbox: &MailboxId| self.by_mailbox.range((*mailbox, 0)..=(*mailbox, u64::MAX));
        let numbers: BTreeSet<u64> = arrived.iter().flat_map(waits_for).map(|(_, number)| *number).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out the fetches whose time is over, or whose asker is gone.
    pub(super) fn take_over(&mut self, now: Instant) -> Vec<Waiter> {
        let over = self.by_end.iter().take_while(|(until, _)| *until <= now).map(|(_, number)| *number);
        let gone =
            self.waiters.iter().filter(|(_, waiter)| waiter.answer.is_closed()).map(|(number, _)| *number);
        let numbers: BTreeSet<u64> = over.chain(gone).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    fn take(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(&number)?;
        for mailbox in mailboxes(&waiter.request) {
            self.by_mailbox.remove(&(mailbox, number));
        }
        self.by_end.remove(&(waiter.until, number));
        Some(waiter)
    }
}

fn mailboxes(request: &Request) -> impl Iterator<Item = MailboxId> {
    let from = match request {
        Request::Fetch(fetch) => fetch.from.as_slice(),
        _ => &[],
    };
    from.iter().map(|from| from.mailbox.hashes().id())
}
