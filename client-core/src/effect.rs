//! What a client machine asks of its shell, and how the shell answers (docs/spec/client.md §1).
//!
//! A machine ([`crate::requester::Requester`], [`crate::device::Device`]) is fed by `handle_*` and drained by
//! `poll_effect`. Invariant: effects are carried out in the order in which they come, and a [`Effect::Save`] is durable
//! before the next effect is looked at; so nothing is ever put, deleted or shown that a crash could take back. A failed
//! save ends the machine: the shell drops it and loads it anew from the vault.

use core::fmt;
use std::collections::VecDeque;

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use crate::files::Files;
use crate::vault::Batch;

/// Something that the shell must carry out.
#[derive(Debug)]
pub enum Effect {
    /// Ask a relay, and hand the outcome to `handle_answer`. Calls may run at the same time, in any order.
    Call(Call),
    /// Commit this to the vault before the next effect.
    Save(Batch),
}

/// One question to one relay.
#[derive(Debug)]
pub struct Call {
    /// Under this number the outcome comes back.
    pub id: CallId,
    /// Which relay; the machine's `addresses` tells where it is.
    pub relay: Pin,
    /// The question.
    pub request: Request,
}

/// The number of a call, unique within one run of a machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallId(pub u64);

/// Why a call brought no answer. Its outcome at the relay is unknown in every case; all operations may be repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The relay or its channel broke off, or did not answer in time.
    #[error("the relay did not answer in time")]
    TimedOut,
    /// No connection came about.
    #[error("the relay can't be reached")]
    Unreachable,
    /// Another relay than the one of the pin is at the address.
    #[error("another relay than the expected one answers at this address")]
    WrongPin,
}

/// What a call brought.
pub type CallResult = Result<Answer, CallError>;

/// What every client machine offers to its shell.
pub trait Machine {
    /// A call has ended.
    fn handle_answer(&mut self, call: CallId, result: CallResult, now: UnixTime, rng: &mut impl CryptoRng);
    /// Does what has become due.
    fn handle_timeout(&mut self, now: UnixTime, rng: &mut impl CryptoRng);
    /// When `handle_timeout` next has work to do.
    fn poll_timeout(&self) -> Option<UnixTime>;
    /// The next thing that the shell must carry out, in order.
    fn poll_effect(&mut self) -> Option<Effect>;
    /// Makes every repetition and every poll due at once: somebody is looking.
    fn refresh(&mut self, now: UnixTime);
    /// Whether no call is under way.
    fn is_idle(&self) -> bool;
    /// Where a relay can be reached, as `host:port`, best first.
    fn addresses(&self, relay: &Pin) -> Vec<String>;
    /// How far the files are that are on their way, in chunks.
    fn progress(&self) -> Progress;
}

/// How far the files of a machine are that are being sent or fetched, in chunks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Chunks that are where they should be.
    pub done: u32,
    /// Chunks that there are.
    pub of: u32,
}

impl Progress {
    pub(crate) fn sum<'a>(files: impl Iterator<Item = &'a Files>) -> Self {
        let (done, of) = files.map(Files::progress).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Self { done, of }
    }
}

/// The effects that wait to be carried out, in their order.
///
/// What a save has replaced or deleted can be opened until the next one is done. So an empty save comes last, when
/// nothing is under way any more (docs/spec/vault.md §8): a shell that drains its machine leaves nothing of it behind.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    waiting: VecDeque<Effect>,
    is_unsettled: bool,
}

impl Effects {
    /// Adds an effect behind all others.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.waiting.push_back(effect);
    }

    /// Adds a save behind all others.
    pub(crate) fn save(&mut self, batch: Batch) {
        self.push(Effect::Save(batch));
    }

    /// The next one. `is_idle` says that no call is under way.
    pub(crate) fn next(&mut self, is_idle: bool) -> Option<Effect> {
        let next = self.waiting.pop_front();
        match next {
            Some(Effect::Save(_)) => self.is_unsettled = true,
            None if is_idle && self.is_unsettled => {
                self.is_unsettled = false;
                return Some(Effect::Save(Batch::new()));
            }
            _ => {}
        }
        next
    }
}

/// The calls under way, each with what it is for.
pub(crate) struct Calls<P> {
    next: u64,
    under_way: std::collections::BTreeMap<CallId, (Pin, P)>,
}

impl<P> Default for Calls<P> {
    fn default() -> Self {
        Self { next: 0, under_way: std::collections::BTreeMap::new() }
    }
}

impl<P> Calls<P> {
    /// Numbers a call and remembers what it is for.
    pub(crate) fn begin(&mut self, relay: Pin, request: Request, purpose: P) -> Effect {
        let id = CallId(self.next);
        self.next += 1;
        self.under_way.insert(id, (relay, purpose));
        Effect::Call(Call { id, relay, request })
    }

    /// Ends a call. `None` for one that is not known (answered twice).
    pub(crate) fn end(&mut self, id: CallId) -> Option<(Pin, P)> {
        self.under_way.remove(&id)
    }

    /// Whether any call under way is for that.
    pub(crate) fn any(&self, is: impl Fn(&Pin, &P) -> bool) -> bool {
        self.under_way.values().any(|(pin, purpose)| is(pin, purpose))
    }

    /// Whether no call is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }
}

impl<P> fmt::Debug for Calls<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Calls({} under way)", self.under_way.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_save_follows_the_last_one_when_nothing_is_under_way() {
        let mut effects = Effects::default();
        effects.save(Batch::new());
        assert!(matches!(effects.next(false), Some(Effect::Save(_))));
        assert!(effects.next(false).is_none());
        assert!(matches!(effects.next(true), Some(Effect::Save(batch)) if batch.is_empty()));
        assert!(effects.next(true).is_none());
    }
}
