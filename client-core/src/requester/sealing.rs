//! What may be sealed when (docs/spec/client.md §7.2).
//!
//! A first contact needs a notice of this run. Anything else needs what waits at the preferred relay to be here: answers
//! that she has not seen, and what a newer copy of this home may have sent.

use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::conversation::{Conversation, Standing};
use crate::reach::Reach;
use crate::vault::Batch;

impl Conversation {
    /// Seals drafts as far as that is allowed. Whether anything was sealed.
    pub(super) fn seal_what_may_be(
        &mut self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> bool {
        let mut sealed = self.tell_fork(now, rng, batch);
        if self.is_lost(now) && self.has_notice(now) {
            self.seal_anew(now, rng, batch);
            sealed = true;
        }
        while self.may_seal(now) {
            let Some(draft) = self.thread.drafts.pop_front() else { break };
            let outcome = match (&self.talk, self.attempts.is_empty()) {
                (Some(_), _) => self.seal_message(draft, now, rng, batch),
                (None, false) => self.seal_follow_up(draft, now, rng, batch),
                (None, true) => self.seal_contact(draft, now, rng, batch),
            };
            match outcome {
                Ok(()) => {
                    sealed = true;
                    self.run.cover_wanted = false;
                }
                Err(draft) => {
                    self.thread.drafts.push_front(draft);
                    break;
                }
            }
        }
        sealed | self.seal_cover(now, rng, batch)
    }

    fn may_seal(&self, now: UnixTime) -> bool {
        if self.standing != Standing::Open || self.thread.drafts.is_empty() {
            return false;
        }
        match (&self.talk, self.attempts.is_empty()) {
            (None, true) => self.has_notice(now),
            _ => self.may_go_on(),
        }
    }

    /// Whether more may be sealed in what has begun.
    pub(super) fn may_go_on(&self) -> bool {
        self.standing == Standing::Open && self.is_caught_up() && self.run.unchecked.is_empty()
    }

    /// Whether the preferred relay has shown all that waits there in this run; where it is silent, another one.
    pub(super) fn is_caught_up(&self) -> bool {
        let relays = self.reading_relays();
        let preferred =
            relays.iter().find(|relay| !self.run.silent.contains(relay) || self.run.polled.contains(relay));
        preferred.is_some_and(|relay| self.run.polled.contains(relay))
    }

    pub(super) fn wants_notice(&self, now: UnixTime) -> bool {
        let first_contact =
            !self.thread.drafts.is_empty() && self.attempts.is_empty() && !self.has_notice(now);
        let judging = !self.run.unchecked.is_empty() && !self.has_newest_notice(now);
        first_contact || judging || (self.is_lost(now) && !self.has_notice(now))
    }

    /// When there is next something to do, seen from the last time that something was done.
    pub(super) fn poll_timeout(&self, stepped: UnixTime, reach: &Reach) -> Option<UnixTime> {
        let polls = self.run.poll_due.values().copied().min();
        let lost = self.lost_at().filter(|at| *at > stepped);
        let notice = self.run.notice_due.values().copied().min().filter(|_| self.wants_notice(stepped));
        [polls, lost, notice, self.thread.poll_timeout(reach)].into_iter().flatten().min()
    }
}
