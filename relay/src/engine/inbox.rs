//! What waits for the engine's thread: requests in [`Lines`], and the word that a group is on the disk.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poterne_protocol::op::Request;

use super::Job;
use super::lines::{Count, Lines};

/// Half as many requests as are in a group wake the thread that waits for it, but no fewer and no more than these: waking
/// a thread for each costs more than deciding on it, and what is not decided on when the disk is free makes it wait. Where
/// the next group is nearly full, half of what it can still take: more may not be let in.
const WORTH_WAKING: (usize, usize) = (8, 32);

/// The way to the engine's thread.
pub(super) struct Inbox {
    /// Requests that may wait, of all kinds.
    capacity: usize,
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    jobs: Lines<Job>,
    /// Puts that may wait, here and for the next group.
    limit: usize,
    /// Groups that have come to their end without that the thread knows it.
    ended: usize,
    is_closed: bool,
    /// From so many jobs on the thread, which waits, is woken.
    wanted: Option<usize>,
}

/// What the thread has waited for.
pub(super) struct News {
    /// Requests wait for which there was room.
    pub(super) has_jobs: bool,
    /// Groups that have come to their end.
    pub(super) ended: usize,
    /// No more requests come, and none are left here.
    pub(super) is_over: bool,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Self {
        let limit = capacity;
        let state = State { jobs: Lines::new(), limit, ended: 0, is_closed: false, wanted: None };
        Self { capacity, state: Mutex::new(state), bell: Condvar::new() }
    }

    /// What was taken out is on its way; so many puts may wait for the next group.
    pub(super) fn begun(&self, limit: usize) {
        let mut state = self.state();
        state.jobs.begun();
        state.limit = limit;
    }

    /// Puts a request in, where there is room for its connection and somebody works. Says whether it did.
    pub(super) fn submit(&self, job: Job) -> bool {
        let mut state = self.state();
        // What is no put is cheap, or gives room back: it is worth waiting for.
        let room = Count { puts: state.limit, requests: self.capacity };
        let is_put = matches!(job.request, Request::Put(_));
        if state.is_closed || !state.jobs.push(job.source, is_put, room, job) {
            return false;
        }
        if state.wanted.is_some_and(|wanted| state.jobs.len() >= wanted) {
            self.wake(state);
        }
        true
    }

    /// A group that was under way has come to its end.
    pub(super) fn ring(&self) {
        let mut state = self.state();
        state.ended += 1;
        self.wake(state);
    }

    /// Takes no more requests.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        self.wake(state);
    }

    /// Nobody works any more: whoever waits learns that there will be no answer.
    pub(super) fn give_up(&self) {
        let jobs = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::replace(&mut state.jobs, Lines::new())
        };
        drop(jobs);
    }

    /// Waits for requests, if there is room for `most` of them: for one where nothing is under way, else for some of the
    /// size of the group that is. Waits no longer than `limit`.
    pub(super) fn wait(&self, most: usize, under_way: Option<usize>, limit: Duration) -> News {
        let mut state = self.state();
        let wanted = worth_waking(most, under_way);
        let nothing = |state: &mut State| {
            let is_enough = most > 0 && state.jobs.len() >= wanted;
            !is_enough && state.ended == 0 && (!state.is_closed || under_way.is_some())
        };
        if !limit.is_zero() && nothing(&mut state) {
            state.wanted = (most > 0).then_some(wanted);
            let waited = self.bell.wait_timeout_while(state, limit, nothing);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.wanted = None;
        }
        let waiting = state.jobs.len();
        let ended = std::mem::take(&mut state.ended);
        News { has_jobs: waiting.min(most) > 0, ended, is_over: state.is_closed && waiting == 0 }
    }

    /// Takes up to `most` requests that are there: those whose turn it is.
    pub(super) fn take(&self, most: usize) -> Vec<Job> {
        let mut state = self.state();
        let most = most.min(state.jobs.len());
        let mut taken = Vec::with_capacity(most);
        taken.extend(std::iter::from_fn(|| state.jobs.pop()).take(most));
        taken
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        // Once is enough.
        state.wanted = None;
        drop(state);
        self.bell.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many requests must wait for the thread to be woken, where there is room for `most` and a group is under way or not.
fn worth_waking(most: usize, under_way: Option<usize>) -> usize {
    let (least, most_wanted) = WORTH_WAKING;
    under_way.map_or(1, |group| (group / 2).clamp(least, most_wanted).min(most.div_ceil(2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_woken_for_some_requests_or_for_half_of_what_it_has_room_for() {
        assert_eq!(worth_waking(1024, None), 1);
        assert_eq!([4, 40, 400].map(|group| worth_waking(1024, Some(group))), [8, 20, 32]);
        assert_eq!([30, 3, 1].map(|room| worth_waking(room, Some(400))), [15, 2, 1]);
    }
}
