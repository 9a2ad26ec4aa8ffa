//! The thread that writes groups while the next ones are staged (docs/spec/store.md §4). What waits for it can be taken
//! back.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use poterne_relay_core::store::Bell;

use super::plan::Plan;

/// Writes groups. The thread is started by the first; dropping this waits for the last.
#[derive(Default)]
pub struct Writer(Option<Worker>);

struct Worker {
    queue: Arc<Queue>,
    outcomes: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The groups that wait for the thread.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Work>,
    /// No more groups come, or nobody writes them.
    is_closed: bool,
}

struct Work {
    plan: Plan,
    group: u64,
    ended: Ring,
}

/// Rings when it is dropped: also where writing panicked.
struct Ring(Option<Bell>);

impl Ring {
    fn silence(mut self) {
        self.0 = None;
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(bell) = self.0.take() {
            bell();
        }
    }
}

impl Queue {
    /// Lets a group wait; where nobody writes any more it is an error.
    fn push(&self, plan: Plan, group: u64, ended: Bell) -> io::Result<()> {
        let mut state = self.state();
        if state.is_closed {
            return Err(is_gone());
        }
        state.waiting.push_back(Work { plan, group, ended: Ring(Some(ended)) });
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// The next group, as soon as there is one; `None` when no more come.
    fn pop(&self) -> Option<Work> {
        let nothing = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let state = self.news.wait_while(self.state(), nothing);
        state.unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.news.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Writes a group as soon as those before are written; rings when its outcome is known.
    pub fn write(&mut self, plan: Plan, group: u64, ended: Bell) -> io::Result<()> {
        let worker = match self.0.take() {
            Some(worker) => worker,
            None => Worker::start()?,
        };
        self.0.insert(worker).queue.push(plan, group, ended)
    }

    /// The group that was to be written last, if it is not being written yet.
    pub fn take_back(&mut self) -> Option<Plan> {
        let Work { plan, ended, .. } = self.0.as_ref()?.queue.state().waiting.pop_back()?;
        ended.silence();
        Some(plan)
    }

    /// Waits for the outcome of the first group whose outcome was not asked for.
    pub fn outcome(&self) -> io::Result<()> {
        let worker = self.0.as_ref().ok_or_else(is_gone)?;
        worker.outcomes.recv().unwrap_or_else(|_| Err(is_gone()))
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let queue = Arc::<Queue>::default();
        let (tell, outcomes) = channel();
        let groups = GiveUp(queue.clone());
        let thread = Builder::new().name("store-log".to_owned()).spawn(move || write_all(&groups, &tell))?;
        Ok(Self { queue, outcomes, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic of it was told on stderr when it happened.
            thread.join().ok();
        }
    }
}

/// Gives up what waits when the thread ends, also in a panic: whoever waits for an outcome learns that.
struct GiveUp(Arc<Queue>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.close();
        let given_up = std::mem::take(&mut self.0.state().waiting);
        drop(given_up);
    }
}

fn write_all(groups: &GiveUp, tell: &Sender<io::Result<()>>) {
    let mut has_failed = false;
    while let Some(Work { plan, group, ended }) = groups.0.pop() {
        // What was staged behind a group that failed builds on it.
        let written = if has_failed { Err(has_failed_before()) } else { plan.write(group) };
        has_failed |= written.is_err();
        // Who began it may be gone.
        tell.send(written).ok();
        drop(ended);
    }
}

fn is_gone() -> io::Error {
    io::Error::other("the thread that writes the log has ended")
}

fn has_failed_before() -> io::Error {
    io::Error::other("the group before was not written")
}
