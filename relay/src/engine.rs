//! The thread that owns the rules and the store (docs/spec/relay.md §1): requests are decided one after another and
//! made durable in groups.
//!
//! A group is whatever has come while the last one was on its way to the disk; it is decided on meanwhile, and follows
//! by itself where it is large enough, so that the disk does not wait for this thread. Nobody is answered before what they
//! changed or saw is durable. A fetch that finds nothing waits here, and is decided again when a put came into
//! one of its mailboxes.

mod inbox;
mod later;
mod lines;
mod pace;
mod waiting;

use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use poterne_relay_core::relay::{Pending, Relay};
use poterne_relay_core::store::{CommitError, Store};
use poterne_transport::listen::Source;
use rand_core::UnwrapErr;
use tokio::sync::oneshot;

use crate::clock;
use crate::door::Handler;
use inbox::Inbox;
use later::Later;
use pace::Pace;
use waiting::{Waiter, Waiting};

/// Requests that wait for the engine at most; 16 full channels. Fewer puts where the disk is slow ([`Pace`]). Beyond, the
/// answer is busy at once.
const INBOX: usize = 4096;
/// Requests of one group at most: 4 MiB of puts, so that the first of them does not wait for more.
const GROUP: usize = 1024;
/// This part of what was a large group lately is enough for the next one to go to the disk at once. With less the disk
/// would sync more often for less: those who are answered first may come with more.
const ENOUGH: usize = 2;
/// Each group takes this part off what was a large one, unless it is larger. Were they compared with the last one alone, a
/// small group would make the next ones smaller still.
const FADES: usize = 32;
/// What follows a group sooner than this and holds no put waits for more: however little it is, it takes a page.
const HELD: Duration = Duration::from_millis(1);
/// So many requests without a put are worth a page.
const PAGEFUL: usize = 16;
/// Those who wait for no group are answered so many at a time: requests that come meanwhile are decided on in between.
const ANSWERED_AT_ONCE: usize = 4;
/// Fetches that wait for news at most, some KiB each. Beyond, a fetch is answered as it is.
const WAITING_FETCHES: usize = 65_536;
/// Between two looks at what is not a request: days, space, fetches whose time is over.
const TICK: Duration = Duration::from_millis(250);
/// A fetch that finds nothing is answered at a multiple of this after it was taken up: how long the store looks for
/// what it knows of a mailbox would tell that the mailbox was there once.
const EMPTY_STEP: Duration = Duration::from_millis(5);
/// What is told to those for whom there is no room.
const RETRY_AFTER_SECS: u16 = 2;

/// What the engine does beside requests, at each tick and when nothing is staged: days that pass, and whatever the
/// store does in its free time.
pub type Tend<S> = Box<dyn FnMut(&mut Relay<S>) + Send>;

/// The way to the engine's thread. The thread ends when this is dropped, after the group that it works on.
pub struct Engine {
    inbox: Arc<Inbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Job {
    source: Source,
    request: Request,
    answer: oneshot::Sender<Answer>,
}

impl Engine {
    /// Starts the thread.
    pub fn start<S: Store + Send + 'static>(relay: Relay<S>, tend: Tend<S>) -> Self {
        let inbox = Arc::new(Inbox::new(INBOX));
        let worker = Worker {
            relay,
            tend,
            inbox: inbox.clone(),
            waiting: Waiting::new(WAITING_FETCHES),
            later: Later::start(),
            tended: None,
            staged: Vec::new(),
            settled: VecDeque::new(),
            begun: Instant::now(),
            is_queued: false,
            under_way: VecDeque::new(),
            most: GROUP,
            large: 0,
            pace: Pace::new(INBOX),
        };
        let thread = thread::Builder::new().name("engine".to_owned());
        let at_its_end = GiveUp(inbox.clone());
        let work = move || {
            let _at_its_end = at_its_end;
            worker.run();
        };
        let thread = thread.spawn(work).expect("a relay can start its threads");
        Self { inbox, thread: Mutex::new(Some(thread)) }
    }

    /// Ends the thread after the requests that it has, and waits for it.
    pub fn stop(&self) {
        self.inbox.close();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the engine was told on stderr when it happened.
            thread.join().ok();
        }
    }

    fn submit(&self, source: Source, request: Request) -> Option<oneshot::Receiver<Answer>> {
        let (answer, receiver) = oneshot::channel();
        self.inbox.submit(Job { source, request, answer }).then_some(receiver)
    }
}

/// Gives up what waits when the thread ends, also in a panic.
struct GiveUp(Arc<Inbox>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.give_up();
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
    async fn handle(&self, source: Source, request: Request) -> Answer {
        let busy = Answer::Busy { retry_after_secs: RETRY_AFTER_SECS };
        if let Request::Put(put) = &request {
            // The hash of an envelope costs as much as all the rest of a put: whoever asks reckons it, not the engine.
            put.envelope.id();
        }
        let Some(answer) = self.submit(source, request) else { return busy };
        // An engine that has ended answers nobody: the outcome is unknown, and nothing may be promised.
        answer.await.unwrap_or(Answer::ReadOnly)
    }
}

/// What the thread owns.
struct Worker<S> {
    relay: Relay<S>,
    tend: Tend<S>,
    inbox: Arc<Inbox>,
    waiting: Waiting,
    later: Later,
    tended: Option<Instant>,
    /// Decided, for the next group.
    staged: Vec<Decided>,
    /// Decided, and soon answered: what they saw is durable.
    settled: VecDeque<Decided>,
    /// When the last group was begun.
    begun: Instant,
    /// The next group follows the one under way by itself, unless it is taken back.
    is_queued: bool,
    /// The groups that are on their way to the disk, in order: the last of two was found to have followed the first.
    under_way: VecDeque<UnderWay>,
    /// Requests of the next group at most.
    most: usize,
    /// Requests of the largest group lately.
    large: usize,
    pace: Pace,
}

struct UnderWay {
    group: Vec<Decided>,
    since: Instant,
}

/// A request of a group, decided.
struct Decided {
    asked: Waiter,
    pending: Pending,
    taken_up: Instant,
}

impl Decided {
    /// Whether an envelope came with it.
    fn has_arrived(&self) -> bool {
        self.pending.arrived_in().is_some()
    }
}

impl<S: Store> Worker<S> {
    fn run(mut self) {
        loop {
            let under_way = self.under_way.front().map(|first| first.group.len());
            let news = self.inbox.wait(self.room(), under_way, self.pause());
            // First the groups that have ended: what they tell of the disk bounds the one that is taken up.
            (0..news.ended).for_each(|_| self.end_group());
            if news.has_jobs {
                self.take_up();
            }
            if self.under_way.is_empty() {
                self.tend_when_due();
                if news.is_over || !self.is_held() {
                    self.begin_group();
                }
            } else {
                self.queue_group();
            }
            self.answer_settled(ANSWERED_AT_ONCE);
            if news.is_over && self.under_way.is_empty() {
                break;
            }
        }
        self.answer_settled(usize::MAX);
        // What damaged records have staged; nobody waits for it.
        self.relay.commit().ok();
    }

    /// How long the thread may sleep.
    fn pause(&self) -> Duration {
        if !self.settled.is_empty() {
            Duration::ZERO
        } else if self.under_way.is_empty() && !self.staged.is_empty() {
            HELD.saturating_sub(self.begun.elapsed())
        } else {
            TICK
        }
    }

    /// Whether what is staged waits for more to come.
    fn is_held(&self) -> bool {
        self.staged.len() < PAGEFUL
            && self.begun.elapsed() < HELD
            && !self.staged.iter().any(Decided::has_arrived)
    }

    /// Requests that can still be taken up.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.staged.len() + self.settled.len())
    }

    /// Decides on what waits, as far as there is room.
    fn take_up(&mut self) {
        if self.is_queued && !self.relay.unqueue_commit() {
            self.has_begun();
        }
        self.is_queued = false;
        let jobs = self.inbox.take(self.room());
        let (now, time) = (Instant::now(), clock::now());
        for Job { request, answer, .. } in jobs {
            let until = now + patience(&request);
            self.decide(Waiter { request, answer, until }, now, time);
        }
    }

    /// Decides on a request. It is answered with the next group, unless it needs none.
    fn decide(&mut self, asked: Waiter, taken_up: Instant, time: UnixTime) {
        debug_assert!(!self.is_queued, "what is decided belongs to a group that is still staged");
        let mut rng = UnwrapErr(getrandom::SysRng);
        let pending = self.relay.begin(&asked.request, time, &mut rng);
        let needs_commit = pending.needs_commit();
        let decided = Decided { asked, pending, taken_up };
        if needs_commit { self.staged.push(decided) } else { self.settled.push_back(decided) }
    }

    /// Sends what is staged on its way to the disk.
    fn begin_group(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        let (group, inbox) = (self.take_group(), self.inbox.clone());
        match self.relay.begin_commit(Box::new(move || inbox.ring())) {
            Some(committed) => self.answer_all(group, committed),
            None => self.under_way.push_back(UnderWay { group, since: self.begun }),
        }
    }

    /// Lets what is staged follow the group under way by itself, where it is enough for a group.
    fn queue_group(&mut self) {
        let is_next = self.under_way.len() == 1 && !self.is_queued;
        if is_next && self.may_follow() {
            let inbox = self.inbox.clone();
            self.is_queued = self.relay.queue_commit(Box::new(move || inbox.ring()));
        }
    }

    /// Whether what is staged is to follow the last group before anybody of that is answered.
    fn may_follow(&self) -> bool {
        self.is_enough() && !self.is_held() && !self.is_tend_due()
    }

    /// Whether what is staged is worth a group of its own, although those who are about to be answered may come with more.
    fn is_enough(&self) -> bool {
        self.staged.len() >= self.large.div_ceil(ENOUGH)
    }

    /// What is staged has followed the group that was under way.
    fn has_begun(&mut self) {
        let group = self.take_group();
        self.under_way.push_back(UnderWay { group, since: self.begun });
    }

    /// What is staged, as a group; the next one may come.
    fn take_group(&mut self) -> Vec<Decided> {
        self.inbox.begun(self.pace.limit());
        self.most = GROUP.min(self.pace.group());
        self.large = self.staged.len().max(self.large - self.large.div_ceil(FADES));
        self.begun = Instant::now();
        take(&mut self.staged)
    }

    /// Answers the first group that was under way. Where about as many requests have come meanwhile, the disk works on
    /// those first; else those who are answered now may come with more.
    fn end_group(&mut self) {
        let Some(ended) = self.under_way.pop_front() else { return };
        let committed = self.relay.end_commit();
        self.note(&ended.group, ended.since.elapsed());
        if take(&mut self.is_queued) {
            self.has_begun();
        } else if self.under_way.is_empty() {
            self.take_up();
            if self.may_follow() {
                self.begin_group();
            }
        }
        self.answer_all(ended.group, committed);
    }

    /// A group without puts may have had nothing to write, and tells nothing of the disk.
    fn note(&mut self, group: &[Decided], took: Duration) {
        let puts = group.iter().filter(|one| one.has_arrived()).count();
        if puts > 0 {
            self.pace.note(puts, took);
        }
    }

    /// Answers up to `most` of those who wait for no group. When they are all answered and nobody waits for one, nothing that
    /// was taken out of the lines is waiting any more.
    fn answer_settled(&mut self, most: usize) {
        if self.settled.is_empty() {
            return;
        }
        let now = Instant::now();
        for _ in 0..most {
            let Some(decided) = self.settled.pop_front() else { break };
            self.answer(decided, Ok(()), now);
        }
        if self.settled.is_empty() && self.staged.is_empty() {
            self.inbox.begun(self.pace.limit());
        }
    }

    fn answer_all(&mut self, group: Vec<Decided>, committed: Result<(), CommitError>) {
        let now = Instant::now();
        let arrived: Vec<MailboxId> =
            group.iter().filter_map(|one| one.pending.arrived_in().copied()).collect();
        for decided in group {
            self.answer(decided, committed, now);
        }
        if committed.is_ok() {
            self.wake(&arrived);
        }
    }

    fn answer(&mut self, decided: Decided, committed: Result<(), CommitError>, now: Instant) {
        let Decided { asked, pending, taken_up } = decided;
        let found_nothing = pending.found_nothing();
        let may_wait = found_nothing && asked.until > now;
        let unserved = if may_wait { self.waiting.add(asked) } else { Some(asked) };
        if let Some(asked) = unserved {
            let mut rng = UnwrapErr(getrandom::SysRng);
            let answer = self.relay.finish(pending, committed, &mut rng);
            if found_nothing {
                self.later.give(next_step(taken_up, Instant::now()), asked.answer, answer);
            } else {
                // Who asked may be gone.
                asked.answer.send(answer).ok();
            }
        }
    }

    /// Decides anew on the fetches that wait for one of the mailboxes. They see what is staged as well, so they are
    /// answered with it.
    fn wake(&mut self, arrived: &[MailboxId]) {
        let waiters = self.waiting.take_for(arrived);
        self.decide_again(waiters);
    }

    fn decide_again(&mut self, waiters: Vec<Waiter>) {
        let (now, time) = (Instant::now(), clock::now());
        for waiter in waiters {
            if !waiter.answer.is_closed() {
                self.decide(waiter, now, time);
            }
        }
    }

    fn is_tend_due(&self) -> bool {
        self.tended.is_none_or(|last| last.elapsed() >= TICK)
    }

    /// Does what is not a request, with nothing staged or under way, and nobody waiting for an answer.
    fn tend_when_due(&mut self) {
        if !self.is_tend_due() {
            return;
        }
        self.answer_settled(usize::MAX);
        // Those who are answered may wake fetches, which wake nobody.
        while !self.staged.is_empty() {
            let group = self.take_group();
            let committed = self.relay.commit();
            self.note(&group, self.begun.elapsed());
            self.answer_all(group, committed);
            self.answer_settled(usize::MAX);
        }
        // Makes durable what damaged records have staged, so that nothing is.
        self.relay.commit().ok();
        (self.tend)(&mut self.relay);
        let over = self.waiting.take_over(Instant::now());
        self.decide_again(over);
        // Not from the beginning: on a slow disk one group takes longer than the tick, and all would come by this way.
        self.tended = Some(Instant::now());
    }
}

/// The first multiple of [`EMPTY_STEP`] after `since` that is to come.
fn next_step(since: Instant, now: Instant) -> Instant {
    let steps = (now - since).as_nanos() / EMPTY_STEP.as_nanos() + 1;
    since + EMPTY_STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

/// How long a request may wait for news.
fn patience(request: &Request) -> Duration {
    match request {
        Request::Fetch(fetch) => Duration::from_secs(fetch.wait_secs.into()),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests;
