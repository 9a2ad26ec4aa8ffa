//! Answers that are given at a time of their own, so that this time does not tell how long they took
//! (docs/spec/relay.md §4).
//!
//! A thread of its own, because a timer of the runtime would tell it again: it sleeps whole milliseconds from the moment
//! at which the last one of its workers had nothing to do, and that was when the engine was done.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use poterne_protocol::op::Answer;
use tokio::sync::oneshot;

/// The way to the thread, which ends when this is dropped and gives at once what it has.
pub(super) struct Later(Sender<Due>);

struct Due {
    at: Instant,
    to: oneshot::Sender<Answer>,
    answer: Answer,
}

impl Later {
    /// Starts the thread.
    pub(super) fn start() -> Self {
        let (give, due) = channel();
        let thread = thread::Builder::new().name("answers".to_owned());
        thread.spawn(move || give_all(&due)).expect("a relay can start its threads");
        Self(give)
    }

    /// Gives an answer at that time.
    pub(super) fn give(&self, at: Instant, to: oneshot::Sender<Answer>, answer: Answer) {
        // The thread does not end before this.
        self.0.send(Due { at, to, answer }).ok();
    }
}

fn give_all(coming: &Receiver<Due>) {
    let mut waiting: BTreeMap<(Instant, u64), Due> = BTreeMap::new();
    let mut number = 0;
    loop {
        let next = waiting.first_key_value().map(|((at, _), _)| at.saturating_duration_since(Instant::now()));
        let come = match next {
            Some(time) => coming.recv_timeout(time),
            None => coming.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match come {
            Ok(due) => {
                number += 1;
                waiting.insert((due.at, number), due);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = Instant::now();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now) {
            give(first.remove());
        }
    }
    waiting.into_values().for_each(give);
}

fn give(Due { to, answer, .. }: Due) {
    // Who asked may be gone.
    to.send(answer).ok();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_are_given_in_the_order_of_their_times_and_not_before() {
        let (later, now) = (Later::start(), Instant::now());
        let ask = |millis: u64| {
            let (to, from) = oneshot::channel();
            later.give(now + Duration::from_millis(millis), to, Answer::Done);
            from
        };
        let (second, mut third, first) = (ask(20), ask(60_000), ask(10));
        assert!(matches!(first.blocking_recv(), Ok(Answer::Done)));
        assert!(now.elapsed() >= Duration::from_millis(10));
        assert!(matches!(second.blocking_recv(), Ok(Answer::Done)));
        assert!(now.elapsed() >= Duration::from_millis(20));
        assert!(third.try_recv().is_err());
    }

    #[test]
    fn what_waits_is_given_when_the_engine_ends() {
        let later = Later::start();
        let (to, from) = oneshot::channel();
        later.give(Instant::now() + Duration::from_secs(3600), to, Answer::Stored);
        drop(later);
        assert!(matches!(from.blocking_recv(), Ok(Answer::Stored)));
    }
}
