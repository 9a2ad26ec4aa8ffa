//! What people ask of a device, and what came of it (docs/spec/client.md §8).
//!
//! A wish becomes a [`Ticket`] at once; its outcome is there when the relays have answered, and is told once. What can't
//! be done at all is refused without asking anybody.

use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::Device;
use super::case::Stage;
use crate::files::Letter;
use crate::records::LocalId;
use crate::requester::{REQUEST_BYTES_MAX, WAITING_BYTES_MAX};
use crate::transcript::SentState;

/// Something that was asked of the device.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// What is still to be done for a ticket.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Claim { wanted: Option<LocalId>, tried: Vec<LocalId> },
    Close { case: LocalId },
    Release { case: LocalId },
    Reply { case: LocalId },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The case is this device's until the lease ends.
    Claimed(LocalId),
    /// The conversation is closed, or the request was ended without an answer.
    Closed,
    /// The request is in the queue again.
    Released,
    /// The answer has come so far.
    Replied(SentState),
}

/// Why it can't be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// The vault has no room for the file, beside those that are in it.
    #[error("the vault has no room for the file")]
    FileRoom,
    /// The desk has given this device nothing for today.
    #[error("the desk has given this device no key for today")]
    NoGrant,
    /// This device has no lease on the request.
    #[error("the request is not claimed by this device")]
    NotClaimed,
    /// No request waits.
    #[error("no request waits")]
    NothingWaits,
    /// The case is closed, or came to a full stop.
    #[error("the case is closed or stopped")]
    Over,
    /// Another device has the request now. A text that was written stays as a draft.
    #[error("another device has the request now")]
    Taken,
    /// There is no text, or it is longer than one message can be, or more text waits than the vault should hold.
    #[error("a text has 1 to {REQUEST_BYTES_MAX} bytes, and {WAITING_BYTES_MAX} at most may wait")]
    Text,
    /// So much was sent without an answer that no more can be. A text that was written stays as a draft.
    #[error("so much was sent without an answer that no more can be")]
    Unanswered,
    /// There is no such case.
    #[error("there is no such case")]
    Unknown,
}

impl Device {
    /// Claims a request, or the oldest that nobody has.
    pub fn claim(&mut self, wanted: Option<LocalId>, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match wanted {
            Some(id) if !self.cases.contains_key(&id) => self.refused(DeviceError::Unknown),
            Some(id) if self.is_over(id) => self.refused(DeviceError::Taken),
            _ => {
                self.intakes_fetched.clear();
                self.poll_due.clear();
                self.begin(Work::Claim { wanted, tried: Vec::new() }, now, rng)
            }
        }
    }

    /// Gives a claimed request back to the queue.
    pub fn release(&mut self, case: LocalId, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match self.cases.get(&case).map(|case| case.stage) {
            None => self.refused(DeviceError::Unknown),
            Some(Stage::Claimed | Stage::Adopting) => self.begin(Work::Release { case }, now, rng),
            Some(_) => self.refused(DeviceError::NotClaimed),
        }
    }

    /// Answers a claimed request, or goes on in a conversation.
    pub fn reply<'a>(
        &mut self,
        case: LocalId,
        letter: impl Into<Letter<'a>>,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Ticket {
        let (letter, now) = (letter.into(), self.clock.time(now));
        let text = letter.text;
        let Some(found) = self.cases.get(&case) else { return self.refused(DeviceError::Unknown) };
        let waiting = found.thread.waiting_bytes();
        let is_too_long = text.len() > REQUEST_BYTES_MAX || waiting + text.len() > WAITING_BYTES_MAX;
        match found.stage {
            _ if text.is_empty() || is_too_long => self.refused(DeviceError::Text),
            Stage::Claimed | Stage::Adopting | Stage::Talking => {
                if self.write_draft(case, letter, now, rng).is_err() {
                    return self.refused(DeviceError::FileRoom);
                }
                self.forget_release(case);
                self.begin(Work::Reply { case }, now, rng)
            }
            Stage::Closed | Stage::Stopped => self.refused(DeviceError::Over),
            Stage::Gone | Stage::Waiting => self.refused(DeviceError::NotClaimed),
        }
    }

    /// Closes a conversation, or ends a claimed request without an answer.
    pub fn close(&mut self, case: LocalId, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        match self.cases.get(&case).map(|case| case.stage) {
            None => self.refused(DeviceError::Unknown),
            Some(Stage::Claimed | Stage::Talking | Stage::Stopped) => {
                self.begin(Work::Close { case }, now, rng)
            }
            Some(Stage::Adopting | Stage::Waiting) => self.refused(DeviceError::NotClaimed),
            Some(Stage::Closed | Stage::Gone) => self.refused(DeviceError::Over),
        }
    }

    /// What came of a ticket; `None` while the relays have not answered. Each outcome is told once.
    pub fn outcome(&mut self, ticket: Ticket) -> Option<Result<Outcome, DeviceError>> {
        self.outcomes.remove(&ticket)
    }

    /// Whether a request that waits can't be claimed any more: its epoch is over, and no relay holds it.
    fn is_over(&self, id: LocalId) -> bool {
        let case = self.cases.get(&id);
        case.is_some_and(|case| case.stage == Stage::Waiting && !self.seats.contains_key(&case.epoch))
    }

    fn begin(&mut self, work: Work, now: UnixTime, rng: &mut impl CryptoRng) -> Ticket {
        let now = self.clock.time(now);
        let ticket = self.ticket();
        self.tickets.insert(ticket, work);
        self.step(now, rng);
        ticket
    }

    fn refused(&mut self, error: DeviceError) -> Ticket {
        let ticket = self.ticket();
        self.outcomes.insert(ticket, Err(error));
        ticket
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Ends all tickets whose work `is` picks.
    pub(super) fn settle(&mut self, outcome: Result<Outcome, DeviceError>, is: impl Fn(&Work) -> bool) {
        let done: Vec<Ticket> =
            self.tickets.iter().filter(|(_, work)| is(work)).map(|(ticket, _)| *ticket).collect();
        for ticket in done {
            self.tickets.remove(&ticket);
            self.outcomes.insert(ticket, outcome);
        }
    }
}
