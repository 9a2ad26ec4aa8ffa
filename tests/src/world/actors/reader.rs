//! Reads some plain mailboxes in long polls, saves what it has read, and then deletes it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Cursor, Delete, DeleteBy, Fetch, FetchFrom, Fetched, Request, Start};
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use crate::cast::{self, KeyedMailbox};
use crate::world::{Actor, Call, Ledger};

const FETCH: u64 = u64::MAX;

/// Reads mailboxes. Saved are the numbers that it has read; cursors and what is still to delete are lost in a crash.
pub struct Reader {
    relay: Pin,
    mailboxes: Vec<KeyedMailbox>,
    read: BTreeSet<u64>,
    cursors: BTreeMap<usize, Cursor>,
    to_delete: BTreeMap<usize, BTreeSet<EnvelopeId>>,
    is_fetching: bool,
    is_deleting: Option<(usize, Vec<EnvelopeId>)>,
    due: Option<UnixTime>,
    ledger: Rc<RefCell<Ledger>>,
}

impl Reader {
    /// Reads these mailboxes.
    pub fn new(relay: Pin, mailboxes: Vec<KeyedMailbox>, ledger: Rc<RefCell<Ledger>>) -> Self {
        Self {
            relay,
            mailboxes,
            read: BTreeSet::new(),
            cursors: BTreeMap::new(),
            to_delete: BTreeMap::new(),
            is_fetching: false,
            is_deleting: None,
            due: None,
            ledger,
        }
    }

    fn take(&mut self, at: usize, fetched: &Fetched) {
        for envelope in &fetched.envelopes {
            let number = cast::number(envelope);
            if self.read.insert(number) {
                self.ledger.borrow_mut().received(self.mailboxes[at].id(), number);
            }
            self.to_delete.entry(at).or_default().insert(envelope.id());
        }
        self.cursors.insert(at, fetched.cursor);
    }

    fn fetch(&self, dice: &mut ChaCha20Rng) -> Request {
        let start = |at| self.cursors.get(&at).map_or(Start::First, |cursor| Start::After(*cursor));
        let from = self.mailboxes.iter().enumerate();
        let from =
            from.map(|(at, mailbox)| FetchFrom { mailbox: mailbox.read(), start: start(at) }).collect();
        Request::Fetch(Fetch { from, max: 1 + (dice.next_u64() % 8) as u16, wait_secs: 30 })
    }

    fn delete(&mut self) -> Option<Request> {
        let (at, ids) = self.to_delete.iter().next()?;
        let (at, ids): (usize, Vec<EnvelopeId>) = (*at, ids.iter().take(64).copied().collect());
        self.is_deleting = Some((at, ids.clone()));
        Some(Request::Delete(Delete { by: DeleteBy::Key(self.mailboxes[at].delete()), ids }))
    }

    fn deleted(&mut self, answer: Option<&Answer>) {
        let Some((at, ids)) = self.is_deleting.take() else { return };
        if let (Some(Answer::Done), Some(left)) = (answer, self.to_delete.get_mut(&at)) {
            left.retain(|id| !ids.contains(id));
            if left.is_empty() {
                self.to_delete.remove(&at);
            }
        }
    }
}

impl Actor for Reader {
    fn handle_timeout(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.due = None;
    }

    fn handle_answer(&mut self, call: u64, answer: Option<Answer>, now: UnixTime, _dice: &mut ChaCha20Rng) {
        if call != FETCH {
            return self.deleted(answer.as_ref());
        }
        self.is_fetching = false;
        match answer {
            Some(Answer::Fetched(fetched)) => {
                fetched.iter().enumerate().for_each(|(at, fetched)| self.take(at, fetched));
            }
            _ => self.due = Some(now.plus(2)),
        }
    }

    fn poll_call(&mut self, _now: UnixTime, dice: &mut ChaCha20Rng) -> Option<Call> {
        if self.is_deleting.is_none()
            && let Some(request) = self.delete()
        {
            return Some(Call { number: 0, relay: self.relay, request });
        }
        if self.is_fetching || self.due.is_some() {
            return None;
        }
        self.is_fetching = true;
        Some(Call { number: FETCH, relay: self.relay, request: self.fetch(dice) })
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.due
    }

    fn crash(&mut self, now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.cursors.clear();
        self.to_delete.clear();
        (self.is_fetching, self.is_deleting) = (false, None);
        self.due = Some(now.plus(1));
    }
}
