//! A world under one seed: relays with faulty disks, clients, a network that loses, doubles, reorders and delays, and a
//! clock that jumps from event to event.
//!
//! Everything that happens is an event in one queue, ordered by time and then by when it was planned, and every die is
//! thrown from the seed: the same seed gives the same [`Trace`]. Each relay is judged by the model at every answer; the
//! [`Ledger`] is told by the actors what they were promised and what they got, and judged at the end.

mod actor;
mod host;
mod ledger;
mod network;
mod resident;
mod talks;
mod town;
mod trace;

pub mod actors;
pub mod people;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use poterne_relay_core::memory::MemoryStore;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub use actor::{Actor, Call};
pub use host::Host;
pub use ledger::Ledger;
pub use network::Weather;
pub use resident::{Habits, Home, Living, Person, Resident, SharedDisk};
pub use talks::{Line, Shown, Talks};
pub use town::{Plan, Town};
pub use trace::Trace;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub u64);

impl Moment {
    /// As clients and relays know it.
    pub fn unix(self) -> UnixTime {
        UnixTime(self.0 / 1000)
    }

    /// Some milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }
}

/// Who made a call: which actor, in which of its lives, and which of its calls.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Caller {
    actor: usize,
    life: u32,
    call: u64,
}

/// What can happen.
#[derive(Clone, Debug)]
enum Event {
    ActorCrashes(usize),
    AnswerArrives(Caller, Answer),
    CallIsGivenUp(Caller),
    DayPasses,
    RelayCommits(Pin),
    RelayCrashes(Pin),
    RelayReturns(Pin),
    RequestArrives(Pin, Caller, Request),
    TimerRings(usize),
    WaitIsOver(Pin, u64),
}

/// Why a run is a failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed that brings it back.
    pub seed: u64,
    /// When it happened.
    pub at: Moment,
    /// What happened.
    pub what: String,
}

/// A world.
pub struct World {
    seed: u64,
    now: Moment,
    weather: Weather,
    dice: ChaCha20Rng,
    queue: BTreeMap<(Moment, u64), Event>,
    planned: u64,
    hosts: BTreeMap<Pin, Host>,
    actors: Vec<Inhabitant>,
    ledger: Rc<RefCell<Ledger>>,
    trace: Trace,
}

/// An actor and what the world keeps for it.
struct Inhabitant {
    actor: Box<dyn Actor>,
    dice: ChaCha20Rng,
    life: u32,
    calls: u64,
    /// The calls under way: the world's number -> the actor's.
    open: BTreeMap<u64, u64>,
    timer: Option<Moment>,
    /// How often in a row the timer rang and changed nothing of what is due.
    rings: u32,
}

/// How often in a row a timer may ring for nothing.
const RINGS_MAX: u32 = 5;
/// Milliseconds after which a timer that was due already rings.
const AGAIN_MS: u64 = 2000;
/// Milliseconds after which a client gives a call up, beyond the seconds that it asked the relay to wait.
const CALL_MS: u64 = 20_000;

impl World {
    /// An empty world that begins at `now`.
    pub fn new(seed: u64, now: Moment, weather: Weather) -> Self {
        let mut world = Self {
            seed,
            now,
            weather,
            dice: ChaCha20Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            planned: 0,
            hosts: BTreeMap::new(),
            actors: Vec::new(),
            ledger: Rc::default(),
            trace: Trace::default(),
        };
        world.plan_next_day();
        world
    }

    /// What actors note down for the judge.
    pub fn ledger(&self) -> Rc<RefCell<Ledger>> {
        self.ledger.clone()
    }

    /// Adds a relay.
    pub fn add_relay(&mut self, pin: Pin, store: MemoryStore) {
        let seed = self.dice.next_u64();
        self.hosts.insert(pin, Host::new(store, seed));
        self.plan_crash_of_relay(pin);
    }

    /// Adds an actor, who gets to act at once.
    pub fn add_actor(&mut self, actor: impl Actor + 'static) {
        let dice = ChaCha20Rng::seed_from_u64(self.dice.next_u64());
        let number = self.actors.len();
        let actor = Box::new(actor);
        self.actors.push(Inhabitant {
            actor,
            dice,
            life: 0,
            calls: 0,
            open: BTreeMap::new(),
            timer: Some(self.now),
            rings: 0,
        });
        self.plan(0, Event::TimerRings(number));
        self.plan_crash_of_actor(number);
    }

    /// Changes the weather from now on.
    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Lets all events of the next seconds happen. An answer with which the model disagrees ends the run.
    pub fn run(&mut self, secs: u64) -> Result<(), Failure> {
        let end = self.now.plus_ms(1000 * secs);
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 < end) {
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.trace.note(at, &event);
            self.happen(event).map_err(|what| self.fails(what))?;
        }
        self.now = end;
        Ok(())
    }

    /// Judges what the actors were promised against what they got, and gives the trace of the run.
    pub fn judge(&self) -> Result<Trace, Failure> {
        let complaints = self.ledger.borrow().complaints();
        match complaints.first() {
            None => Ok(self.trace.clone()),
            Some(first) => Err(self.fails(format!("{} complaints, the first: {first}", complaints.len()))),
        }
    }

    /// A failure of this run, here and now.
    pub fn fails(&self, what: String) -> Failure {
        Failure { seed: self.seed, at: self.now, what }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::ActorCrashes(number) => self.crash_actor(number),
            Event::AnswerArrives(caller, answer) => self.deliver(caller, Some(answer)),
            Event::CallIsGivenUp(caller) => self.deliver(caller, None),
            Event::DayPasses => self.pass_day(),
            Event::RelayCommits(pin) => return self.with_host(&pin, Host::commit),
            Event::RelayCrashes(pin) => self.crash_relay(pin),
            Event::RelayReturns(pin) => self.host(&pin).up(),
            Event::RequestArrives(pin, caller, request) => {
                return self.with_host(&pin, |host, now, out| host.request(caller, request, now, out));
            }
            Event::TimerRings(number) => return self.ring(number),
            Event::WaitIsOver(pin, number) => {
                return self.with_host(&pin, |host, now, out| host.end_wait(number, now, out));
            }
        }
        Ok(())
    }

    fn host(&mut self, pin: &Pin) -> &mut Host {
        self.hosts.get_mut(pin).expect("events name relays that were added")
    }

    fn with_host(
        &mut self,
        pin: &Pin,
        act: impl FnOnce(&mut Host, Moment, &mut host::Outcome) -> Result<(), String>,
    ) -> Result<(), String> {
        let (now, mut outcome) = (self.now, host::Outcome::default());
        act(self.host(pin), now, &mut outcome)?;
        for (caller, answer) in outcome.answers {
            self.send_answer(caller, answer);
        }
        if let Some(ms) = outcome.commit_in_ms {
            self.plan(ms, Event::RelayCommits(*pin));
        }
        for (number, ms) in outcome.waits {
            self.plan(ms, Event::WaitIsOver(*pin, number));
        }
        Ok(())
    }

    fn crash_relay(&mut self, pin: Pin) {
        if self.weather.relay_crash_every_secs > 0 {
            let now = self.now;
            self.host(&pin).crash(now);
            let down_ms = 100 + self.below(20_000);
            self.plan(down_ms, Event::RelayReturns(pin));
        }
        self.plan_crash_of_relay(pin);
    }

    fn crash_actor(&mut self, number: usize) {
        if self.weather.actor_crash_every_secs > 0 {
            let (now, inhabitant) = (self.now.unix(), &mut self.actors[number]);
            inhabitant.life += 1;
            inhabitant.open.clear();
            inhabitant.actor.crash(now, &mut inhabitant.dice);
            self.drain(number);
        }
        self.plan_crash_of_actor(number);
    }

    fn deliver(&mut self, caller: Caller, answer: Option<Answer>) {
        let now = self.now.unix();
        let inhabitant = &mut self.actors[caller.actor];
        if caller.life != inhabitant.life {
            return;
        }
        if let Some(call) = inhabitant.open.remove(&caller.call) {
            inhabitant.actor.handle_answer(call, answer, now, &mut inhabitant.dice);
            self.drain(caller.actor);
        }
    }

    /// A timer that was set anew rings for its last setting only. Who has done what was due is due later. One who is always due keeps its shell awake for nothing.
    fn ring(&mut self, number: usize) -> Result<(), String> {
        let (now, inhabitant) = (self.now.unix(), &mut self.actors[number]);
        if inhabitant.timer != Some(self.now) {
            return Ok(());
        }
        inhabitant.timer = None;
        inhabitant.actor.handle_timeout(now, &mut inhabitant.dice);
        self.drain(number);
        let inhabitant = &mut self.actors[number];
        let is_due = inhabitant.actor.poll_timeout().is_some_and(|due| due <= now);
        inhabitant.rings = if is_due { inhabitant.rings + 1 } else { 0 };
        match inhabitant.rings {
            RINGS_MAX => Err(format!("actor {number} is due again and again, and does nothing")),
            _ => Ok(()),
        }
    }

    /// Carries out what an actor wants, and sets its timer.
    fn drain(&mut self, number: usize) {
        while let Some(call) = self.next_call(number) {
            self.send_request(number, call);
        }
        let Some(due) = self.actors[number].actor.poll_timeout() else { return };
        let due = Moment(1000 * due.0).max(self.now.plus_ms(AGAIN_MS));
        if self.actors[number].timer.is_none_or(|timer| due < timer) {
            self.actors[number].timer = Some(due);
            self.plan(due.0 - self.now.0, Event::TimerRings(number));
        }
    }

    fn next_call(&mut self, number: usize) -> Option<Call> {
        let (now, inhabitant) = (self.now.unix(), &mut self.actors[number]);
        inhabitant.actor.poll_call(now, &mut inhabitant.dice)
    }

    fn send_request(&mut self, number: usize, call: Call) {
        let Call { number: own, relay, request } = call;
        let inhabitant = &mut self.actors[number];
        inhabitant.calls += 1;
        inhabitant.open.insert(inhabitant.calls, own);
        let caller = Caller { actor: number, life: inhabitant.life, call: inhabitant.calls };
        let wait_ms = match &request {
            Request::Fetch(fetch) => 1000 * u64::from(fetch.wait_secs),
            _ => 0,
        };
        self.plan(wait_ms + CALL_MS, Event::CallIsGivenUp(caller));
        if self.hosts.contains_key(&relay) {
            for ms in self.weather.travel(&mut self.dice) {
                self.plan(ms, Event::RequestArrives(relay, caller, request.clone()));
            }
        }
    }

    fn send_answer(&mut self, caller: Caller, answer: Answer) {
        for ms in self.weather.travel(&mut self.dice) {
            self.plan(ms, Event::AnswerArrives(caller, answer.clone()));
        }
    }

    fn pass_day(&mut self) {
        let now = self.now;
        self.hosts.values_mut().for_each(|host| host.pass_day(now));
        self.plan_next_day();
    }

    /// Relays tidy up at some moment of each day.
    fn plan_next_day(&mut self) {
        let next = self.now.unix().day().end();
        let ms = 1000 * next.0 - self.now.0 + self.below(3_600_000);
        self.plan(ms, Event::DayPasses);
    }

    fn plan_crash_of_relay(&mut self, pin: Pin) {
        let ms = self.crash_in_ms(self.weather.relay_crash_every_secs);
        self.plan(ms, Event::RelayCrashes(pin));
    }

    fn plan_crash_of_actor(&mut self, number: usize) {
        let ms = self.crash_in_ms(self.weather.actor_crash_every_secs);
        self.plan(ms, Event::ActorCrashes(number));
    }

    /// Where nothing crashes the question is asked again every hour, as the weather may change.
    fn crash_in_ms(&mut self, every_secs: u64) -> u64 {
        let every_secs = if every_secs == 0 { 3600 } else { every_secs };
        1 + self.below(2000 * every_secs)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice.next_u64() % bound
    }

    fn plan(&mut self, in_ms: u64, event: Event) {
        self.planned += 1;
        self.queue.insert((self.now.plus_ms(in_ms), self.planned), event);
    }
}
