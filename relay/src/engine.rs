//! The thread that owns the rules and the store (docs/spec/relay.md §1): requests are decided one after another and
//! made durable in groups.
//!
//! A group is whatever has come while the last one was on its way to the disk. Nobody is answered before the commit
//! that follows their request. A fetch that finds nothing waits here, and is decided again when a put came into one of
//! its mailboxes.

mod waiting;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{Answer, Request};
use poterne_relay_core::relay::{Pending, Relay};
use poterne_relay_core::store::{CommitError, Store};
use rand_core::UnwrapErr;
use tokio::sync::oneshot;

use crate::clock;
use crate::door::Handler;
use waiting::{Waiter, Waiting};

/// Requests that wait for the engine at most; 16 full channels. Beyond, the answer is busy at once.
const INBOX: usize = 4096;
/// Requests of one group at most: 4 MiB of puts, so that the first of them does not wait for more.
const GROUP: usize = 1024;
/// Fetches that wait for news at most, some KiB each. Beyond, a fetch is answered as it is.
const WAITING_FETCHES: usize = 65_536;
/// Between two looks at what is not a request: days, space, fetches whose time is over.
const TICK: Duration = Duration::from_millis(250);
/// What is told to those for whom there is no room.
const RETRY_AFTER_SECS: u16 = 2;

/// What the engine does beside requests, at each tick and when nothing is staged: days that pass, and whatever the
/// store does in its free time.
pub type Tend<S> = Box<dyn FnMut(&mut Relay<S>) + Send>;

/// The way to the engine's thread. The thread ends when this is dropped, after the group that it works on.
pub struct Engine {
    inbox: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Job {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

impl Engine {
    /// Starts the thread.
    pub fn start<S: Store + Send + 'static>(relay: Relay<S>, tend: Tend<S>) -> Self {
        let (sender, inbox) = sync_channel(INBOX);
        let waiting = Waiting::new(WAITING_FETCHES);
        let worker = Worker { relay, tend, inbox, waiting, tended: None };
        let thread = thread::Builder::new().name("engine".to_owned());
        let thread = thread.spawn(move || worker.run()).expect("a relay can start its threads");
        Self { inbox: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) }
    }

    /// Ends the thread after the requests that it has, and waits for it.
    pub fn stop(&self) {
        drop(lock(&self.inbox).take());
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the engine was told on stderr when it happened.
            thread.join().ok();
        }
    }

    fn submit(&self, request: Request) -> Option<oneshot::Receiver<Answer>> {
        let (answer, receiver) = oneshot::channel();
        let sender = lock(&self.inbox).clone()?;
        sender.try_send(Job { request, answer }).ok().map(|()| receiver)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds the lock")
}

impl Handler for Engine {
    async fn handle(&self, request: Request) -> Answer {
        let busy = Answer::Busy { retry_after_secs: RETRY_AFTER_SECS };
        if let Request::Put(put) = &request {
            // The hash of an envelope costs as much as all the rest of a put: whoever asks reckons it, not the engine.
            put.envelope.id();
        }
        match self.submit(request) {
            // An engine that has ended answers nobody: the outcome is unknown, and nothing may be promised.
            Some(answer) => answer.await.unwrap_or(Answer::ReadOnly),
            None => busy,
        }
    }
}

/// What the thread owns.
struct Worker<S> {
    relay: Relay<S>,
    tend: Tend<S>,
    inbox: Receiver<Job>,
    waiting: Waiting,
    tended: Option<Instant>,
}

/// A request of the group, decided.
struct Decided {
    job: Job,
    pending: Pending,
}

impl<S: Store> Worker<S> {
    fn run(mut self) {
        loop {
            self.tend_when_due();
            match self.inbox.recv_timeout(TICK) {
                Ok(first) => self.group(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // What damaged records have staged; nobody waits for it.
        self.relay.commit().ok();
    }

    fn tend_when_due(&mut self) {
        let now = Instant::now();
        if self.tended.is_some_and(|last| now - last < TICK) {
            return;
        }
        self.tended = Some(now);
        // Makes durable what damaged records have staged, so that nothing is.
        let committed = self.relay.commit();
        (self.tend)(&mut self.relay);
        for waiter in self.waiting.take_over(now) {
            self.decide_waiter(waiter, committed, now, false);
        }
    }

    /// Decides on the requests that have come, commits once, and answers.
    fn group(&mut self, first: Job) {
        let now = clock::now();
        let mut rng = UnwrapErr(getrandom::SysRng);
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            let pending = self.relay.begin(&job.request, now, &mut rng);
            group.push(Decided { job, pending });
            next = if group.len() < GROUP { self.inbox.try_recv().ok() } else { None };
        }
        let committed = self.relay.commit();
        let arrived: Vec<MailboxId> =
            group.iter().filter_map(|one| one.pending.arrived_in().copied()).collect();
        for decided in group {
            self.answer(decided, committed);
        }
        if committed.is_ok() {
            self.wake(&arrived);
        }
    }

    fn answer(&mut self, decided: Decided, committed: Result<(), CommitError>) {
        let Decided { job, pending } = decided;
        if pending.found_nothing() {
            let Some(back) = self.waiting.add(job.request, job.answer, Instant::now()) else { return };
            return self.send(back, pending, committed);
        }
        self.send(job.answer, pending, committed);
    }

    fn send(
        &mut self,
        answer: oneshot::Sender<Answer>,
        pending: Pending,
        committed: Result<(), CommitError>,
    ) {
        let mut rng = UnwrapErr(getrandom::SysRng);
        let finished = self.relay.finish(pending, committed, &mut rng);
        // Who asked may be gone.
        answer.send(finished).ok();
    }

    /// Decides anew on the fetches that wait for one of the mailboxes. They change nothing, so no commit follows.
    fn wake(&mut self, arrived: &[MailboxId]) {
        let now = Instant::now();
        for waiter in self.waiting.take_for(arrived) {
            self.decide_waiter(waiter, Ok(()), now, true);
        }
    }

    fn decide_waiter(
        &mut self,
        waiter: Waiter,
        committed: Result<(), CommitError>,
        now: Instant,
        may_wait: bool,
    ) {
        if waiter.answer.is_closed() {
            return;
        }
        let mut rng = UnwrapErr(getrandom::SysRng);
        let pending = self.relay.begin(&waiter.request, clock::now(), &mut rng);
        if may_wait && pending.found_nothing() && waiter.until > now {
            self.waiting.put_back(waiter);
        } else {
            self.send(waiter.answer, pending, committed);
        }
    }
}

#[cfg(test)]
mod tests;
