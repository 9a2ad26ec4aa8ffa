//! A relay in the world: the real rules over a store in memory, group commits, long polls, crashes; and the model that
//! judges every answer.

use poterne_protocol::op::{Answer, Fetch, Request};
use poterne_protocol::time::UnixTime;
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::memory::MemoryStore;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::{Pending, Relay};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Caller, Moment};
use crate::model::Model;

/// Milliseconds for which a group is open to more requests at most.
const GROUP_MS: u64 = 20;

/// A relay in the world.
pub struct Host {
    relay: Relay<MemoryStore>,
    model: Model,
    dice: ChaCha20Rng,
    is_down: bool,
    group: Vec<Begun>,
    waiting: Vec<Waiting>,
    waits: u64,
}

/// A request that is decided and not committed.
struct Begun {
    caller: Caller,
    request: Request,
    at: UnixTime,
    pending: Pending,
    /// Writes that a crash would lose if it kept none after this request's.
    unsynced: usize,
}

/// A fetch that waits for news.
struct Waiting {
    number: u64,
    caller: Caller,
    fetch: Fetch,
}

/// What a host wants of the world.
#[derive(Default)]
pub struct Outcome {
    pub(super) answers: Vec<(Caller, Answer)>,
    pub(super) commit_in_ms: Option<u64>,
    pub(super) waits: Vec<(u64, u64)>,
}

impl Host {
    pub(super) fn new(store: MemoryStore, seed: u64) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let relay = Relay::new(store, Policy::default(), CursorKey::generate(&mut dice));
        let (group, waiting) = (Vec::new(), Vec::new());
        Self { relay, model: Model::default(), dice, is_down: false, group, waiting, waits: 0 }
    }

    /// A request has arrived. While the relay is down nobody listens.
    pub(super) fn request(
        &mut self,
        caller: Caller,
        request: Request,
        now: Moment,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        if self.is_down {
            return Ok(());
        }
        let pending = self.relay.begin(&request, now.unix(), &mut self.dice);
        if let Request::Fetch(fetch) = &request
            && fetch.wait_secs > 0
            && pending.found_nothing()
        {
            self.wait(caller, fetch.clone(), outcome);
            return Ok(());
        }
        if self.group.is_empty() {
            outcome.commit_in_ms = Some(1 + self.dice.next_u64() % GROUP_MS);
        }
        let unsynced = self.relay.store().unsynced();
        self.group.push(Begun { caller, request, at: now.unix(), pending, unsynced });
        Ok(())
    }

    /// Commits the group and answers all of it.
    pub(super) fn commit(&mut self, now: Moment, outcome: &mut Outcome) -> Result<(), String> {
        let committed = self.relay.commit();
        let mut news = false;
        for begun in std::mem::take(&mut self.group) {
            news |= begun.pending.arrived_in().is_some();
            let answer = self.relay.finish(begun.pending, committed, &mut self.dice);
            self.check(&begun.request, &answer, begun.at)?;
            outcome.answers.push((begun.caller, answer));
        }
        if news { self.wake(now, outcome) } else { Ok(()) }
    }

    /// The seconds of a fetch are over: it is answered as it is.
    pub(super) fn end_wait(&mut self, number: u64, now: Moment, outcome: &mut Outcome) -> Result<(), String> {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.number == number) else {
            return Ok(());
        };
        let Waiting { caller, mut fetch, .. } = self.waiting.remove(at);
        fetch.wait_secs = 0;
        self.request(caller, Request::Fetch(fetch), now, outcome)
    }

    /// The relay's tidying of the day.
    pub(super) fn pass_day(&mut self, now: Moment) {
        if !self.is_down && self.group.is_empty() {
            self.relay.store_mut().pass_day(now.unix().day());
        }
    }

    /// Ends the process. Of the group under way any first part may be on the disk.
    pub(super) fn crash(&mut self, _now: Moment) {
        let group = std::mem::take(&mut self.group);
        let kept = (self.dice.next_u64() % (group.len() as u64 + 1)) as usize;
        let writes = kept.checked_sub(1).map_or(0, |last| group[last].unsynced);
        self.relay.store_mut().crash(writes);
        for begun in &group[..kept] {
            self.model.assume(&begun.request, begun.at);
        }
        self.waiting.clear();
        self.is_down = true;
    }

    pub(super) fn up(&mut self) {
        self.is_down = false;
    }

    fn wait(&mut self, caller: Caller, fetch: Fetch, outcome: &mut Outcome) {
        self.waits += 1;
        outcome.waits.push((self.waits, 1000 * u64::from(fetch.wait_secs)));
        self.waiting.push(Waiting { number: self.waits, caller, fetch });
    }

    /// Asks for all that wait again; those that find nothing wait on.
    fn wake(&mut self, now: Moment, outcome: &mut Outcome) -> Result<(), String> {
        for waiting in std::mem::take(&mut self.waiting) {
            let request = Request::Fetch(waiting.fetch.clone());
            let pending = self.relay.begin(&request, now.unix(), &mut self.dice);
            if pending.found_nothing() {
                self.waiting.push(waiting);
                continue;
            }
            let answer = self.relay.finish(pending, Ok(()), &mut self.dice);
            self.check(&request, &answer, now.unix())?;
            outcome.answers.push((waiting.caller, answer));
        }
        Ok(())
    }

    fn check(&mut self, request: &Request, answer: &Answer, at: UnixTime) -> Result<(), String> {
        self.model.expect(request, answer, at).map_err(|disagreement| format!("{disagreement:?}"))
    }
}
