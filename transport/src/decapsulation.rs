//! The threads that take up new channels (docs/spec/transport.md §4).
//!
//! An encapsulation costs a quarter of a millisecond and comes from strangers, so it runs on threads of its own behind a
//! bounded queue, one turn for each network that waits. Channels that stand never wait here.
//!
//! Invariant: a refused job has cost nothing but its look at the queue, so *busy* comes before any decapsulation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use tokio::sync::oneshot;

use crate::network::Network;

/// Jobs of one network that wait at most, as a share of the whole queue: a quarter leaves room for others.
const NETWORK_SHARE: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// The queue is full, or this network's share of it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Busy;

/// The pool; its threads end when it is dropped.
pub(crate) struct DecapsulationPool {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the queue")
    }
}

impl DecapsulationPool {
    /// `threads` workers behind a queue of `capacity` jobs.
    pub(crate) fn new(threads: u16, capacity: usize) -> Self {
        let queue = Mutex::new(Queue::new(capacity));
        let shared = Arc::new(Shared { queue, work: Condvar::new() });
        for _ in 0..threads {
            let shared = shared.clone();
            thread::Builder::new()
                .name("channels".to_owned())
                .spawn(move || work(&shared))
                .expect("a relay can start its threads");
        }
        Self { shared }
    }

    /// Runs `job` when its turn comes. The receiver yields nothing where the job panicked or the pool ended.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        network: Network,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Busy> {
        let (sender, receiver) = oneshot::channel();
        // A client that has gone needs no answer, and no decapsulation either.
        let run = move || {
            if !sender.is_closed() {
                sender.send(job()).ok();
            }
        };
        self.shared.lock().push(network, Box::new(run))?;
        self.shared.work.notify_one();
        Ok(receiver)
    }
}

impl Drop for DecapsulationPool {
    fn drop(&mut self) {
        self.shared.lock().end();
        self.shared.work.notify_all();
    }
}

fn work(shared: &Shared) {
    while let Some(job) = next(shared) {
        // A panic in one job would otherwise end the thread for all that come after it.
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).ok();
    }
}

/// Waits for a job; none when the pool has ended.
fn next(shared: &Shared) -> Option<Job> {
    let idle = |queue: &mut Queue| !queue.ended && queue.count == 0;
    let queue = shared.work.wait_while(shared.lock(), idle);
    queue.expect("nothing panics while it holds the queue").pop()
}

/// Jobs by network, served in turns.
struct Queue {
    capacity: usize,
    count: usize,
    ended: bool,
    waiting: BTreeMap<Network, VecDeque<Job>>,
    /// The networks that wait, in the order of their turns.
    turns: VecDeque<Network>,
}

impl Queue {
    fn new(capacity: usize) -> Self {
        Self { capacity, count: 0, ended: false, waiting: BTreeMap::new(), turns: VecDeque::new() }
    }

    fn push(&mut self, network: Network, job: Job) -> Result<(), Busy> {
        let own = self.waiting.get(&network).map_or(0, VecDeque::len);
        if self.count >= self.capacity || own >= self.share() {
            return Err(Busy);
        }
        if own == 0 {
            self.turns.push_back(network);
        }
        self.waiting.entry(network).or_default().push_back(job);
        self.count += 1;
        Ok(())
    }

    fn share(&self) -> usize {
        (self.capacity / NETWORK_SHARE).max(1)
    }

    fn pop(&mut self) -> Option<Job> {
        let network = self.turns.pop_front()?;
        let jobs = self.waiting.get_mut(&network).expect("a network with a turn waits");
        let job = jobs.pop_front().expect("a network with a turn has a job");
        if jobs.is_empty() {
            self.waiting.remove(&network);
        } else {
            self.turns.push_back(network);
        }
        self.count -= 1;
        Some(job)
    }

    fn end(&mut self) {
        self.ended = true;
        self.count = 0;
        self.waiting.clear();
        self.turns.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn network(last: u8) -> Network {
        Network::of(std::net::Ipv4Addr::new(192, 0, last, 1).into())
    }

    fn push(queue: &mut Queue, network: Network, name: &'static str, ran: &mpsc::Sender<&'static str>) {
        let ran = ran.clone();
        queue.push(network, Box::new(move || ran.send(name).unwrap())).unwrap();
    }

    #[test]
    fn networks_take_turns() {
        let (ran, order) = mpsc::channel();
        let mut queue = Queue::new(64);
        for name in ["a1", "a2", "a3"] {
            push(&mut queue, network(1), name, &ran);
        }
        push(&mut queue, network(2), "b1", &ran);
        while let Some(job) = queue.pop() {
            job();
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), ["a1", "b1", "a2", "a3"]);
    }

    #[test]
    fn one_network_cannot_fill_the_queue() {
        let mut queue = Queue::new(8);
        let mut fill = |from| (0..8).take_while(|_| queue.push(from, Box::new(|| ())).is_ok()).count();
        assert_eq!(fill(network(1)), 2);
        assert_eq!(fill(network(2)), 2);
    }

    #[test]
    fn a_full_queue_is_busy() {
        let mut queue = Queue::new(4);
        for last in 0..4 {
            queue.push(network(last), Box::new(|| ())).unwrap();
        }
        assert_eq!(queue.push(network(9), Box::new(|| ())), Err(Busy));
    }

    #[tokio::test]
    async fn a_job_gives_its_result() {
        let pool = DecapsulationPool::new(1, 8);
        assert_eq!(pool.submit(network(1), || 6 * 7).unwrap().await, Ok(42));
    }

    #[tokio::test]
    async fn a_panic_hurts_only_its_own_job() {
        let pool = DecapsulationPool::new(1, 8);
        let broken = pool.submit(network(1), || panic!("a fault in one job")).unwrap();
        assert!(broken.await.is_err());
        assert_eq!(pool.submit(network(1), || 1).unwrap().await, Ok(1));
    }

    #[tokio::test]
    async fn jobs_that_wait_end_with_the_pool() {
        let pool = DecapsulationPool::new(0, 8);
        let waiting = pool.submit(network(1), || 1).unwrap();
        drop(pool);
        assert!(waiting.await.is_err());
    }
}
