//! Runs a client machine: carries its effects out in order, and stops when the command has what it wants
//! (docs/spec/client.md §1).
//!
//! Invariants: a save is on the disk before the next effect is looked at, and a failed one ends the run; no run lasts
//! longer than its patience, whatever the relays do. It is longer while files go on.

use std::collections::BTreeMap;
use std::time::Duration;

use poterne_client_core::effect::{Call, CallError, CallId, CallResult, Effect, Machine};
use poterne_client_core::vault::{Batch, CommitError, Disk, Vault};
use poterne_protocol::keys::Pin;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;
use tokio::time::{Instant, sleep_until};

use crate::meter::Meter;

/// What a run gives its relays in all. With opening the vault and leaving, a command ends within 20 s.
pub const PATIENCE: Duration = Duration::from_secs(18);
/// How long what is still under way may go on when the command has what it wants: deletes, receipts, second copies.
/// What is cut off is repeated by the next command.
const LINGER: Duration = Duration::from_secs(3);
/// What a run gives its relays while files go on: chunks come or are stored. What is left goes with the next command.
const MOVING_PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at a machine that has something due, so that none can turn this into a spin.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// How long a run may last.
#[derive(Clone, Copy)]
struct Patience {
    /// While no file goes on.
    at_rest: Duration,
    /// In all.
    at_most: Duration,
}

/// Carries calls to relays.
pub trait Calls {
    /// Begins a call to the relay, which is at one of the addresses (`host:port`).
    fn begin(&mut self, call: Call, addresses: Vec<String>);

    /// The next call that has ended. Waits for ever while none is under way; may be dropped and called again.
    fn ended(&mut self) -> impl Future<Output = (CallId, CallResult)>;
}

/// Where saves go.
pub trait Store {
    /// Commits durably.
    fn save(&mut self, batch: Batch, rng: &mut impl CryptoRng) -> Result<(), CommitError>;
}

impl<D: Disk> Store for Vault<D> {
    fn save(&mut self, batch: Batch, rng: &mut impl CryptoRng) -> Result<(), CommitError> {
        self.commit(batch, rng)
    }
}

/// Runs machines, one after another.
#[derive(Debug)]
pub struct Driver<C, R> {
    calls: C,
    rng: R,
    clock: fn() -> UnixTime,
    under_way: BTreeMap<CallId, Pin>,
    heard: BTreeMap<Pin, Result<(), CallError>>,
    meter: Meter,
}

impl<C: Calls, R: CryptoRng> Driver<C, R> {
    /// A driver with its ways to relays, randomness and time.
    pub fn new(calls: C, rng: R, clock: fn() -> UnixTime) -> Self {
        Self {
            calls,
            rng,
            clock,
            under_way: BTreeMap::new(),
            heard: BTreeMap::new(),
            meter: Meter::default(),
        }
    }

    /// The time of now.
    pub fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// The randomness that machines get.
    pub fn rng(&mut self) -> &mut R {
        &mut self.rng
    }

    /// The ways to the relays.
    pub fn calls(&self) -> &C {
        &self.calls
    }

    /// The ways to the relays, to end them.
    pub fn calls_mut(&mut self) -> &mut C {
        &mut self.calls
    }

    /// Shows how far files are in the runs that come.
    pub fn show_progress(&mut self, meter: Meter) {
        self.meter = meter;
    }

    /// Which relays the last run asked, and what came of the last call to each.
    pub fn heard(&self) -> &BTreeMap<Pin, Result<(), CallError>> {
        &self.heard
    }

    /// Does everything that waits, until the machine has nothing under way.
    pub async fn run_once<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
    ) -> Result<(), CommitError> {
        self.run(machine, store, |machine| machine.is_idle(), PATIENCE).await
    }

    /// Does everything that waits, and goes on trying until `is_done`.
    pub async fn run_until<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
        is_done: impl FnMut(&mut M) -> bool,
    ) -> Result<(), CommitError> {
        self.run(machine, store, is_done, PATIENCE).await?;
        let linger = Patience { at_rest: LINGER, at_most: LINGER };
        self.go_on(machine, store, |machine| machine.is_idle(), linger).await
    }

    async fn run<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
        is_done: impl FnMut(&mut M) -> bool,
        patience: Duration,
    ) -> Result<(), CommitError> {
        self.heard.clear();
        machine.refresh(self.now());
        machine.handle_timeout(self.now(), &mut self.rng);
        let patience = Patience { at_rest: patience, at_most: MOVING_PATIENCE };
        self.go_on(machine, store, is_done, patience).await
    }

    async fn go_on<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
        mut is_done: impl FnMut(&mut M) -> bool,
        patience: Patience,
    ) -> Result<(), CommitError> {
        let outcome = self.go_on_by(machine, store, &mut is_done, patience).await;
        self.meter.clear();
        outcome
    }

    async fn go_on_by<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
        is_done: &mut impl FnMut(&mut M) -> bool,
        patience: Patience,
    ) -> Result<(), CommitError> {
        let begun = Instant::now();
        let (mut deadline, mut progress) = (begun + patience.at_rest, machine.progress());
        loop {
            self.carry_out(machine, store)?;
            if machine.progress() != progress {
                progress = machine.progress();
                deadline = (Instant::now() + patience.at_rest).min(begun + patience.at_most);
            }
            self.meter.show(progress);
            let next = self.next_turn(machine);
            let nothing_comes = machine.is_idle() && next.is_none_or(|next| next > deadline);
            if is_done(machine) || nothing_comes || Instant::now() >= deadline {
                return Ok(());
            }
            self.wait(machine, next.unwrap_or(deadline).min(deadline)).await;
        }
    }

    /// Saves what is to be saved, and begins the calls that are to be made.
    pub fn carry_out<M: Machine>(
        &mut self,
        machine: &mut M,
        store: &mut impl Store,
    ) -> Result<(), CommitError> {
        while let Some(effect) = machine.poll_effect() {
            match effect {
                Effect::Save(batch) => store.save(batch, &mut self.rng)?,
                Effect::Call(call) => {
                    self.under_way.insert(call.id, call.relay);
                    let addresses = machine.addresses(&call.relay);
                    self.calls.begin(call, addresses);
                }
            }
        }
        Ok(())
    }

    fn next_turn(&self, machine: &impl Machine) -> Option<Instant> {
        let pause = Duration::from_secs(machine.poll_timeout()?.since(self.now()));
        Some(Instant::now() + pause.max(PAUSE_MIN))
    }

    /// Waits for an answer or the machine's next turn, whichever comes first, and hands it over.
    async fn wait(&mut self, machine: &mut impl Machine, turn: Instant) {
        tokio::select! {
            (id, result) = self.calls.ended() => {
                if let Some(relay) = self.under_way.remove(&id) {
                    self.heard.insert(relay, result.as_ref().map(|_| ()).map_err(|error| *error));
                }
                machine.handle_answer(id, result, self.now(), &mut self.rng);
            }
            () = sleep_until(turn) => machine.handle_timeout(self.now(), &mut self.rng),
        }
    }
}

#[cfg(test)]
mod tests;
