//! Opens an intake and repeats that until it is told that it is open.

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Open, Request};
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;

use crate::world::{Actor, Call};

/// Opens mailboxes.
pub struct Steward {
    relay: Pin,
    to_open: Vec<Open>,
    is_calling: bool,
    due: Option<UnixTime>,
}

impl Steward {
    /// Opens these, one after another.
    pub fn new(relay: Pin, to_open: Vec<Open>) -> Self {
        Self { relay, to_open, is_calling: false, due: None }
    }
}

impl Actor for Steward {
    fn handle_timeout(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.due = None;
    }

    fn handle_answer(&mut self, _call: u64, answer: Option<Answer>, now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        match answer {
            Some(Answer::Opened) => drop(self.to_open.pop()),
            _ => self.due = Some(now.plus(2)),
        }
    }

    fn poll_call(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) -> Option<Call> {
        let open = self.to_open.last().filter(|_| !self.is_calling && self.due.is_none())?;
        self.is_calling = true;
        Some(Call { number: 0, relay: self.relay, request: Request::Open(open.clone()) })
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.due
    }

    fn crash(&mut self, now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        self.due = Some(now.plus(1));
    }
}
