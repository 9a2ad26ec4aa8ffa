//! What is erased when its time is over: keys, never texts (docs/spec/client.md §4).
//!
//! Invariant: nothing is erased before the preferred relay has shown what still waits for it in this run.

use poterne_protocol::time::Day;

use super::conversation::{Conversation, Standing};
use crate::vault::Batch;

/// Days after the last message for which the desk can reach her by the lifeline, and an ended conversation's keys are
/// kept.
pub const LIFELINE_DAYS: u32 = 30;
/// Days for which a first contact can still be answered: devices keep it for 30, and an answer waits for as long.
pub const ANSWERABLE_DAYS: u32 = 60;

impl Conversation {
    /// Erases the keys whose time is over. Whether there were any.
    pub(super) fn forget_old(&mut self, today: Day, batch: &mut Batch) -> bool {
        if !self.is_caught_up() {
            return false;
        }
        let is_forgotten = self.talk.as_mut().is_some_and(|talk| talk.session.forget(today));
        let is_over = self.thread.is_silent_for(LIFELINE_DAYS, today);
        let is_erased = match &self.talk {
            _ if self.standing != Standing::Open && is_over => self.forget_keys(batch),
            Some(talk) if is_over && talk.session.reads_answer_box() => self.end_lifelines(),
            Some(_) if is_over => self.forget_attempts(),
            None if self.thread.is_silent_for(ANSWERABLE_DAYS, today) => self.forget_attempts(),
            _ => false,
        };
        is_forgotten || is_erased
    }

    /// An ended conversation: its texts stay.
    fn forget_keys(&mut self, batch: &mut Batch) -> bool {
        let had_keys = self.talk.take().is_some();
        self.thread.withdraw_all(batch);
        self.forget_attempts() || had_keys
    }

    fn forget_attempts(&mut self) -> bool {
        let had_any = !self.attempts.is_empty();
        self.attempts.clear();
        had_any
    }

    /// The volunteer still writes into the answer box; nobody else reaches her there any more.
    fn end_lifelines(&mut self) -> bool {
        let is_open = self.attempts.iter().any(|attempt| attempt.pending.can_be_called());
        self.attempts.iter_mut().for_each(|attempt| attempt.pending.end_lifeline());
        is_open
    }
}
