//! The thread that writes groups while the next ones are staged (docs/spec/store.md §9). It has one group at most.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use poterne_relay_core::store::Bell;

use super::plan::Plan;

/// Writes groups. The thread is started by the first; dropping this waits for the last.
#[derive(Default)]
pub struct Writer(Option<Worker>);

struct Worker {
    /// `None` only while it is being dropped.
    work: Option<Sender<Work>>,
    outcomes: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    plan: Plan,
    group: u64,
    ended: Ring,
}

/// Rings when it is dropped: also where writing panicked.
struct Ring(Option<Bell>);

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(bell) = self.0.take() {
            bell();
        }
    }
}

impl Writer {
    /// Begins to write a group; rings when its outcome is known.
    pub fn write(&mut self, plan: Plan, group: u64, ended: Bell) -> io::Result<()> {
        let worker = match self.0.take() {
            Some(worker) => worker,
            None => Worker::start()?,
        };
        let worker = self.0.insert(worker);
        let sent = worker.work.as_ref().map(|work| work.send(Work { plan, group, ended: Ring(Some(ended)) }));
        sent.and_then(Result::ok).ok_or_else(is_gone)
    }

    /// Waits for the outcome of the group that was begun last.
    pub fn outcome(&self) -> io::Result<()> {
        let worker = self.0.as_ref().ok_or_else(is_gone)?;
        worker.outcomes.recv().unwrap_or_else(|_| Err(is_gone()))
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let (work, groups) = channel();
        let (tell, outcomes) = channel();
        let thread = Builder::new().name("store-log".to_owned()).spawn(move || write_all(&groups, &tell))?;
        Ok(Self { work: Some(work), outcomes, thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was told on stderr when it happened.
            thread.join().ok();
        }
    }
}

fn write_all(groups: &Receiver<Work>, tell: &Sender<io::Result<()>>) {
    while let Ok(Work { plan, group, ended }) = groups.recv() {
        // Who began it may be gone.
        tell.send(plan.write(group)).ok();
        drop(ended);
    }
}

fn is_gone() -> io::Error {
    io::Error::other("the thread that writes the log has ended")
}
