//! The run: producers that work through the phases, one after another.
//!
//! In a phase with a rate each operation has its number and its intended time. A producer that is free takes the next
//! number and waits for its time; where all producers were busy past it, the latency says so. What the generator itself
//! is late, from the moment on when it could have begun, is kept apart as its lag.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::ledger::Ledger;
use crate::outcome::{Outcome, PhaseOutcome};
use crate::payload::{Payloads, mix};
use crate::phase::{Load, Phase};
use crate::target::{Failure, Found, Target};

/// How long a producer rests that is as fast as it is answered and was turned away: else it would do nothing but ask. As
/// long as a few groups on a slow disk, and far less than a client waits.
const REST: Duration = Duration::from_millis(20);

/// What one operation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// A put.
    Put,
    /// A put, a fetch of its mailbox, and the delete of what was found there.
    Round,
}

/// A run.
pub struct Setup {
    /// Operations under way at the same time at most.
    pub producers: usize,
    /// Mailboxes over which the puts are spread.
    pub mailboxes: u32,
    /// What one operation is.
    pub work: Work,
    /// What happens, in order.
    pub phases: Vec<Phase>,
    /// What is put.
    pub payloads: Arc<Payloads>,
}

/// The mailbox into which the envelope of that number goes.
pub fn mailbox_of(number: u64, mailboxes: u32) -> u32 {
    (mix(number) % u64::from(mailboxes)) as u32
}

/// Drives the targets through all phases. Producers share the targets evenly.
pub async fn run<T: Target>(targets: &[Arc<T>], setup: &Setup) -> Outcome {
    let ledger = Arc::new(Ledger::default());
    let mut phases = Vec::new();
    let mut drained = false;
    for phase in &setup.phases {
        let stage = Arc::new(Stage::new(phase.clone(), setup, ledger.clone()));
        let mut producers = JoinSet::new();
        for target in targets.iter().cycle().take(setup.producers) {
            producers.spawn(produce(stage.clone(), target.clone()));
        }
        while producers.join_next().await.is_some() {}
        drained = phase.load == Load::Drain && stage.is_complete();
        phases.push(stage.end());
    }
    Outcome { phases, verdict: ledger.verdict(), drained }
}

/// A phase under way.
struct Stage {
    phase: Phase,
    work: Work,
    mailboxes: u32,
    payloads: Arc<Payloads>,
    ledger: Arc<Ledger>,
    began: Instant,
    next: AtomicU64,
    cut_short: AtomicBool,
    outcome: Mutex<PhaseOutcome>,
}

async fn produce<T: Target>(stage: Arc<Stage>, target: Arc<T>) {
    match stage.phase.load {
        Load::Drain => stage.drain(&*target).await,
        Load::Idle => sleep_until(stage.end_time()).await,
        Load::Ramp(_) | Load::Rate(_) => stage.keep_pace(&*target).await,
        Load::Saturate => stage.saturate(&*target).await,
    }
}

impl Stage {
    fn new(phase: Phase, setup: &Setup, ledger: Arc<Ledger>) -> Self {
        let outcome = PhaseOutcome { name: phase.name.clone(), ..PhaseOutcome::default() };
        Self {
            phase,
            work: setup.work,
            mailboxes: setup.mailboxes,
            payloads: setup.payloads.clone(),
            ledger,
            began: Instant::now(),
            next: AtomicU64::new(0),
            cut_short: AtomicBool::new(false),
            outcome: Mutex::new(outcome),
        }
    }

    fn end(&self) -> PhaseOutcome {
        let took = self.began.elapsed();
        self.note(|outcome| {
            outcome.took = took;
            outcome.clone()
        })
    }

    fn end_time(&self) -> Instant {
        self.began + self.phase.lasts
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end_time()
    }

    fn is_complete(&self) -> bool {
        !self.cut_short.load(Ordering::Relaxed)
    }

    fn note<R>(&self, step: impl FnOnce(&mut PhaseOutcome) -> R) -> R {
        step(&mut self.outcome.lock().expect("nothing panics while it counts"))
    }

    /// Operations at their intended times.
    async fn keep_pace(&self, target: &impl Target) {
        loop {
            let free = Instant::now();
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(intended) = self.phase.intended(number) else { return };
            let intended = self.began + intended;
            if free > self.end_time() {
                return;
            }
            sleep_until(intended).await;
            let lag = lag(intended, free, Instant::now());
            self.note(|outcome| outcome.lag.add(lag));
            self.operation(target, intended).await;
        }
    }

    /// Operations one after another.
    async fn saturate(&self, target: &impl Target) {
        let limit = self.phase.operations.unwrap_or(u64::MAX);
        while !self.is_over() && self.next.fetch_add(1, Ordering::Relaxed) < limit {
            if !self.operation(target, Instant::now()).await {
                sleep(REST).await;
            }
        }
    }

    /// One operation; says whether its put was taken.
    async fn operation(&self, target: &impl Target, intended: Instant) -> bool {
        let number = self.ledger.begin();
        let mailbox = mailbox_of(number, self.mailboxes);
        self.note(|outcome| outcome.begun += 1);
        let put = target.put(mailbox, self.payloads.make(number)).await;
        let latency = intended.elapsed();
        match put {
            Ok(()) => self.ledger.acknowledged(number),
            Err(Failure::Refused) => self.ledger.refused(number),
            Err(Failure::Unknown) => {}
        }
        if self.judge(put).is_none() {
            return false;
        }
        self.note(|outcome| {
            outcome.acknowledged += 1;
            outcome.puts.add(latency);
        });
        if self.work == Work::Round {
            self.empty(target, mailbox).await;
        }
        true
    }

    /// Fetches what a mailbox holds now and deletes it. Says how much that was; none where it failed.
    async fn empty<T: Target>(&self, target: &T, mailbox: u32) -> Option<usize> {
        let moment = self.ledger.moment();
        let (asked, fetched) = timed(target.fetch(mailbox)).await;
        let found = self.judge(fetched)?;
        self.note(|outcome| outcome.fetches.add(asked));
        let (handles, numbers) = split(found);
        self.ledger.found(&numbers, moment);
        if numbers.is_empty() {
            return Some(0);
        }
        self.ledger.deleting(&numbers);
        let (asked, deleted) = timed(target.delete(mailbox, handles)).await;
        self.judge(deleted)?;
        self.ledger.deleted(&numbers);
        self.note(|outcome| {
            outcome.deletes.add(asked);
            outcome.deleted += numbers.len() as u64;
        });
        Some(numbers.len())
    }

    async fn drain(&self, target: &impl Target) {
        loop {
            let mailbox = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(mailbox) = u32::try_from(mailbox).ok().filter(|mailbox| *mailbox < self.mailboxes)
            else {
                return;
            };
            if !self.drain_one(target, mailbox).await {
                self.cut_short.store(true, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Empties a mailbox; says whether it is empty.
    async fn drain_one(&self, target: &impl Target, mailbox: u32) -> bool {
        while !self.is_over() {
            self.note(|outcome| outcome.begun += 1);
            match self.empty(target, mailbox).await {
                Some(0) => return true,
                Some(_) => {}
                None => sleep(REST).await,
            }
        }
        false
    }

    /// Counts a failure and passes success on.
    fn judge<R>(&self, result: Result<R, Failure>) -> Option<R> {
        match result {
            Ok(done) => return Some(done),
            Err(Failure::Refused) => self.note(|outcome| outcome.refused += 1),
            Err(Failure::Unknown) => self.note(|outcome| outcome.unknown += 1),
        }
        None
    }
}

/// How late the generator was by itself: from when it could and should have begun.
fn lag(intended: Instant, free: Instant, begun: Instant) -> Duration {
    begun.saturating_duration_since(intended.max(free))
}

fn split<H>(found: Vec<Found<H>>) -> (Vec<H>, Vec<Option<u64>>) {
    found.into_iter().map(|found| (found.handle, found.number)).unzip()
}

async fn timed<R>(operation: impl Future<Output = R>) -> (Duration, R) {
    let began = Instant::now();
    let done = operation.await;
    (began.elapsed(), done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::payload::Payload;

    /// Mailboxes in memory, with faults.
    #[derive(Default)]
    struct Memory {
        mailboxes: Mutex<BTreeMap<u32, Vec<Payload>>>,
        forgets_each: Option<u64>,
        delay: Duration,
    }

    impl Target for Memory {
        type Handle = ();

        async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
            tokio::time::sleep(self.delay).await;
            let number = payloads().number(&payload[..]).expect("a payload");
            if self.forgets_each.is_none_or(|each| !number.is_multiple_of(each)) {
                self.mailboxes.lock().unwrap().entry(mailbox).or_default().push(payload);
            }
            Ok(())
        }

        async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<()>>, Failure> {
            let mailboxes = self.mailboxes.lock().unwrap();
            let found = mailboxes.get(&mailbox).into_iter().flatten();
            Ok(found.map(|one| Found { handle: (), number: payloads().number(&one[..]) }).collect())
        }

        async fn delete(&self, mailbox: u32, _: Vec<()>) -> Result<(), Failure> {
            self.mailboxes.lock().unwrap().remove(&mailbox);
            Ok(())
        }
    }

    fn payloads() -> Payloads {
        Payloads::of_run(7)
    }

    async fn outcome(target: Memory, work: Work, phases: &[&str]) -> Outcome {
        let phases = phases.iter().map(|phase| phase.parse().expect("a phase")).collect();
        let setup = Setup { producers: 4, mailboxes: 16, work, phases, payloads: Arc::new(payloads()) };
        run(&[Arc::new(target)], &setup).await
    }

    #[tokio::test]
    async fn everything_that_was_put_is_found_in_the_drain() {
        let outcome =
            outcome(Memory::default(), Work::Put, &["ramp:1000:0.2", "steady:1000:0.1", "drain:60"]).await;
        assert!(outcome.verdict.acknowledged > 0 && outcome.drained && outcome.is_clean());
        assert_eq!(outcome.phase("drain").map(|drain| drain.deleted), Some(outcome.verdict.acknowledged));
    }

    #[tokio::test]
    async fn what_a_target_forgot_is_lost() {
        let target = Memory { forgets_each: Some(10), ..Memory::default() };
        let outcome = outcome(target, Work::Put, &["steady:1000:0.1", "drain:60"]).await;
        assert!(outcome.verdict.lost > 0);
        assert!(!outcome.is_clean());
    }

    #[tokio::test]
    async fn waiting_for_a_free_producer_counts_as_latency() {
        let target = Memory { delay: Duration::from_millis(20), ..Memory::default() };
        let outcome = outcome(target, Work::Put, &["steady:1000:0.1"]).await;
        let steady = outcome.phase("steady").expect("the phase");
        assert!(steady.puts.millis(0.99) > 40.0, "{}", steady.puts.millis(0.99));
    }

    #[test]
    fn waiting_for_a_free_producer_is_no_lag_and_waking_late_is() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(lag(after(1), after(9), after(10)), Duration::from_millis(1));
        assert_eq!(lag(after(9), after(1), after(10)), Duration::from_millis(1));
    }

    #[tokio::test]
    async fn a_round_leaves_nothing() {
        let outcome = outcome(Memory::default(), Work::Round, &["steady:1000:0.1", "drain:60"]).await;
        let steady = outcome.phase("steady").expect("the phase");
        assert_eq!(steady.deleted, steady.acknowledged);
        assert!(outcome.drained && outcome.is_clean());
    }
}
