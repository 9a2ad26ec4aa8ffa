//! A machine that sends one envelope again and again until it is stored, without a network.

use std::collections::VecDeque;

use getrandom::SysRng;
use poterne_client_core::effect::Progress;
use poterne_protocol::op::{Answer, Request};
use rand_core::UnwrapErr;

use super::*;

const RELAY: Pin = Pin([1; 16]);
const RETRY_SECS: u64 = 2;
/// The clock of tokio's paused time begins here.
const START: u64 = 1_800_000_000;

/// Says Hello until it is answered, and saves before each try.
#[derive(Default)]
struct Greeter {
    effects: VecDeque<Effect>,
    tries: u64,
    under_way: bool,
    due: Option<UnixTime>,
    answered: bool,
    progress: Progress,
}

impl Machine for Greeter {
    fn handle_answer(&mut self, _: CallId, result: CallResult, now: UnixTime, _: &mut impl CryptoRng) {
        self.under_way = false;
        match result {
            Ok(_) => self.answered = true,
            Err(_) => self.due = Some(now.plus(RETRY_SECS)),
        }
    }

    fn handle_timeout(&mut self, now: UnixTime, _: &mut impl CryptoRng) {
        if self.due.take_if(|due| *due <= now).is_some() {
            self.tries += 1;
            self.under_way = true;
            self.effects.push_back(Effect::Save(Batch::new()));
            let id = CallId(self.tries);
            self.effects.push_back(Effect::Call(Call { id, relay: RELAY, request: Request::Hello }));
        }
    }

    fn poll_timeout(&self) -> Option<UnixTime> {
        self.due
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn refresh(&mut self, now: UnixTime) {
        self.due = (!self.answered).then_some(now);
    }

    fn is_idle(&self) -> bool {
        !self.under_way
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    fn addresses(&self, _: &Pin) -> Vec<String> {
        vec!["relay.example:1".into()]
    }
}

/// Answers each call from a list of results; silent when it is empty.
#[derive(Default)]
struct Scripted {
    begun: Vec<(CallId, Vec<String>)>,
    results: VecDeque<CallResult>,
    ready: VecDeque<(CallId, CallResult)>,
}

impl Scripted {
    fn answering(results: impl IntoIterator<Item = CallResult>) -> Self {
        Self { results: results.into_iter().collect(), ..Self::default() }
    }
}

impl Calls for Scripted {
    fn begin(&mut self, call: Call, addresses: Vec<String>) {
        self.begun.push((call.id, addresses));
        self.ready.extend(self.results.pop_front().map(|result| (call.id, result)));
    }

    async fn ended(&mut self) -> (CallId, CallResult) {
        match self.ready.pop_front() {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }
}

/// Counts saves, and fails from the n-th on.
struct Saves {
    done: u32,
    fails_after: u32,
}

impl Store for Saves {
    fn save(&mut self, _: Batch, _: &mut impl CryptoRng) -> Result<(), CommitError> {
        if self.done == self.fails_after {
            return Err(CommitError::Stopped);
        }
        self.done += 1;
        Ok(())
    }
}

const SOUND: Saves = Saves { done: 0, fails_after: u32::MAX };

fn clock() -> UnixTime {
    thread_local!(static BEGAN: Instant = Instant::now());
    BEGAN.with(|began| UnixTime(START + began.elapsed().as_secs()))
}

fn driver(calls: Scripted) -> Driver<Scripted, UnwrapErr<SysRng>> {
    clock();
    Driver::new(calls, UnwrapErr(SysRng), clock)
}

fn dead() -> CallResult {
    Err(CallError::Unreachable)
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_when_the_goal_is_reached() {
    let (mut driver, mut machine) = (driver(Scripted::answering([Ok(Answer::Done)])), Greeter::default());
    driver.run_until(&mut machine, &mut { SOUND }, |machine| machine.answered).await.unwrap();
    assert!(machine.answered);
    assert_eq!(driver.heard()[&RELAY], Ok(()));
    assert_eq!(driver.calls.begun, [(CallId(1), vec!["relay.example:1".to_owned()])]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_repeated_when_the_machine_says_so() {
    let calls = Scripted::answering([dead(), dead(), Ok(Answer::Done)]);
    let (mut driver, mut machine) = (driver(calls), Greeter::default());
    driver.run_until(&mut machine, &mut { SOUND }, |machine| machine.answered).await.unwrap();
    assert_eq!(machine.tries, 3);
}

#[tokio::test(start_paused = true)]
async fn a_silent_relay_gets_twenty_seconds_and_a_little() {
    let (mut driver, mut machine) = (driver(Scripted::default()), Greeter::default());
    let began = Instant::now();
    driver.run_until(&mut machine, &mut { SOUND }, |machine| machine.answered).await.unwrap();
    assert!(!machine.answered);
    assert!(began.elapsed() <= PATIENCE + LINGER + PAUSE_MIN);
}

#[tokio::test(start_paused = true)]
async fn one_look_does_not_repeat_what_failed() {
    let (mut driver, mut machine) = (driver(Scripted::answering([dead()])), Greeter::default());
    driver.run_once(&mut machine, &mut { SOUND }).await.unwrap();
    assert_eq!(machine.tries, 1);
    assert_eq!(driver.heard()[&RELAY], Err(CallError::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_behind_a_failed_save() {
    let (mut driver, mut machine) = (driver(Scripted::default()), Greeter::default());
    let mut store = Saves { done: 0, fails_after: 0 };
    let outcome = driver.run_once(&mut machine, &mut store).await;
    assert_eq!(outcome, Err(CommitError::Stopped));
    assert!(driver.calls.begun.is_empty());
}
