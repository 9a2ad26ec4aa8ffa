//! A device of a desk: claims the oldest request, works on it for a while, and finishes it, gives it back, or forgets it.

use std::cell::RefCell;
use std::rc::Rc;

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{
    Answer, Claim, ClaimId, ClaimWhat, Claimed, Delete, DeleteBy, Extend, LeaseToken, Request,
};
use poterne_protocol::time::UnixTime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use crate::cast::{self, KeyedMailbox};
use crate::world::{Actor, Call, Ledger};

/// Seconds of its leases.
const LEASE_SECS: u32 = 120;

/// A device. It saves what it is about to delete; what else it had leased is free again when the lease ends.
pub struct Claimer {
    number: usize,
    relay: Pin,
    intake: KeyedMailbox,
    state: State,
    is_calling: bool,
    due: Option<UnixTime>,
    ledger: Rc<RefCell<Ledger>>,
}

#[derive(Clone, Debug)]
enum State {
    Claiming(ClaimId),
    Deleting(LeaseToken, u64),
    Extending(LeaseToken, u64),
    Idle,
    Releasing(LeaseToken),
}

impl Claimer {
    /// Device `number`, who works on this intake.
    pub fn new(number: usize, relay: Pin, intake: KeyedMailbox, ledger: Rc<RefCell<Ledger>>) -> Self {
        Self { number, relay, intake, state: State::Idle, is_calling: false, due: None, ledger }
    }

    /// Some requests are finished soon, some late, some after an extension; some are given back, some forgotten.
    fn work_on(&mut self, claimed: &Claimed, now: UnixTime, dice: &mut ChaCha20Rng) {
        let (token, number) = (claimed.token, cast::number(&claimed.envelope));
        let (state, secs) = match dice.next_u64() % 8 {
            0 => (State::Releasing(token), 30),
            1 => (State::Idle, 30),
            2 => (State::Deleting(token, number), u64::from(LEASE_SECS) + 30),
            3 => (State::Extending(token, number), 90),
            _ => (State::Deleting(token, number), 30),
        };
        self.state = state;
        self.due = Some(now.plus(1 + dice.next_u64() % secs));
    }

    fn rest(&mut self, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.state = State::Idle;
        self.due = Some(now.plus(1 + dice.next_u64() % 20));
    }

    fn request(&self) -> Request {
        match &self.state {
            State::Claiming(claim_id) => Request::Claim(Claim {
                mailbox: self.intake.read(),
                claim_id: *claim_id,
                what: ClaimWhat::Oldest,
                secs: LEASE_SECS,
            }),
            State::Deleting(token, number) => Request::Delete(Delete {
                by: DeleteBy::Lease(*token),
                ids: vec![cast::envelope(*number).id()],
            }),
            State::Extending(token, _) => Request::Extend(Extend { token: *token, secs_from_claim: 600 }),
            State::Idle => Request::Hello,
            State::Releasing(token) => Request::Release(*token),
        }
    }
}

impl Actor for Claimer {
    fn handle_timeout(&mut self, _now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.due = None;
    }

    fn handle_answer(&mut self, _call: u64, answer: Option<Answer>, now: UnixTime, dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        match (self.state.clone(), answer) {
            (_, None | Some(Answer::Busy { .. })) => self.due = Some(now.plus(2)),
            (State::Claiming(_), Some(Answer::Claimed(claimed))) => self.work_on(&claimed, now, dice),
            (State::Deleting(_, number), Some(Answer::Done)) => {
                self.ledger.borrow_mut().finished(number, self.number);
                self.rest(now, dice);
            }
            (State::Extending(token, number), Some(Answer::Extended { .. })) => {
                self.state = State::Deleting(token, number);
                self.due = Some(now.plus(300));
            }
            _ => self.rest(now, dice),
        }
    }

    fn poll_call(&mut self, _now: UnixTime, dice: &mut ChaCha20Rng) -> Option<Call> {
        if self.is_calling || self.due.is_some() {
            return None;
        }
        if let State::Idle = self.state {
            let mut id = [0; 16];
            dice.fill_bytes(&mut id);
            self.state = State::Claiming(ClaimId(id));
        }
        self.is_calling = true;
        Some(Call { number: 0, relay: self.relay, request: self.request() })
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.due
    }

    fn crash(&mut self, now: UnixTime, _dice: &mut ChaCha20Rng) {
        self.is_calling = false;
        if !matches!(self.state, State::Deleting(..)) {
            self.state = State::Idle;
        }
        self.due = Some(now.plus(5));
    }
}
