//! Puts numbered envelopes into one mailbox, each until it is stored and before the next, like an outbox.

use std::cell::RefCell;
use std::rc::Rc;

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use crate::cast::{self, KeyedMailbox};
use crate::world::{Actor, Call, Ledger};

/// Seconds between two envelopes at most.
const PAUSE_SECS: u64 = 60;

/// Puts envelopes. What it has saved is which one is next.
pub struct Writer {
    relay: Pin,
    mailbox: KeyedMailbox,
    next: u64,
    end: u64,
    is_calling: bool,
    due: Option<UnixTime>,
    ledger: Rc<RefCell<Ledger>>,
}

impl Writer {
    /// Puts the envelopes of these numbers.
    pub fn new(
        relay: Pin,
        mailbox: KeyedMailbox,
        numbers: core::ops::Range<u64>,
        ledger: Rc<RefCell<Ledger>>,
    ) -> Self {
        Self { relay, mailbox, next: numbers.start, end: numbers.end, is_calling: false, due: None, ledger }
    }

    fn stored(&mut self) {
        match self.mailbox.hashes().kind {
            Kind::Intake => self.ledger.borrow_mut().asked(self.next),
            Kind::Log | Kind::Plain => self.ledger.borrow_mut().promised(self.mailbox.id(), self.next),
        }
        self.next += 1;
    }
}

impl Actor for Writer {
    fn handle_timeout(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.due = None;
    }

    fn handle_answer(&mut self, _call: u64, answer: Option<Answer>, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        let pause = match answer {
            Some(Answer::Stored) => {
                self.stored();
                dice.next_u64() % PAUSE_SECS
            }
            _ => 1 + dice.next_u64() % 10,
        };
        self.due = Some(now.plus(pause));
    }

    fn poll_call(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) -> Option<Call> {
        if self.is_calling || self.due.is_some() || self.next == self.end {
            return None;
        }
        self.is_calling = true;
        let envelope = cast::envelope(self.next);
        let put = Put { to: self.mailbox.write(), class: Class::FOUR, payment: Payment::None, envelope };
        Some(Call { number: self.next, relay: self.relay, request: Request::Put(put) })
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.due
    }

    fn crash(&mut self, now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        self.due = Some(now.plus(1));
    }
}
