//! Client machines and relays around one table: no network, one clock, and nothing happens by chance. For tests of single
//! behaviours; the world is for everything that can go wrong.
//!
//! Relays can be unreachable, silent, wrong about the time, or in the hands of somebody who changes their answers; homes
//! can be copied, put back, and cut off in the middle of a write.

use std::collections::{BTreeMap, BTreeSet};

use poterne_client_core::effect::{CallError, CallResult, Effect, Machine};
use poterne_client_core::records::Records;
use poterne_client_core::stored::StoredError;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{CommitError, Params, Vault};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::{DAY_SECS, UnixTime};
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::memory::MemoryStore;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::Relay;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const PASSPHRASE: &[u8] = b"a passphrase of the table";
/// Calls of one settling at most: a machine that needs more runs in circles.
const CALLS_MAX: u32 = 20_000;

/// What somebody makes of a relay's true answer.
pub type Meddler = Box<dyn FnMut(&Pin, &Request, CallResult) -> CallResult>;

/// Some relays, a clock and a source of randomness.
pub struct Table {
    /// The true time.
    pub now: UnixTime,
    /// Fed from the seed.
    pub rng: ChaCha20Rng,
    relays: BTreeMap<Pin, Relay<MemoryStore>>,
    /// Relays that can't be reached now.
    pub unreachable: BTreeSet<Pin>,
    /// Relays whose answers never come.
    pub silent: BTreeSet<Pin>,
    /// Seconds by which a relay's clock is ahead.
    pub ahead_secs: BTreeMap<Pin, i64>,
    /// Requests that reach the relays; the others never do.
    pub filter: Option<fn(&Request) -> bool>,
    /// Requests whose answers get lost.
    pub lost: Option<fn(&Request) -> bool>,
    /// Answers that are given without the relay having done anything.
    pub lie: Option<fn(&Request) -> Option<Answer>>,
    /// Who sits between the relays and everybody.
    pub meddler: Option<Meddler>,
    /// Every question that reached a relay.
    pub asked: Vec<(Pin, Request)>,
}

impl Table {
    /// A table with so many relays.
    pub fn new(seed: u64, relays: u8) -> Self {
        let relay = |number: u8| {
            let relay =
                Relay::new(MemoryStore::default(), Policy::default(), CursorKey::from_bytes(&[number; 32]));
            (Pin([number; 16]), relay)
        };
        Self {
            now: UnixTime(1_800_000_000),
            rng: ChaCha20Rng::seed_from_u64(seed),
            relays: (1..=relays).map(relay).collect(),
            unreachable: BTreeSet::new(),
            silent: BTreeSet::new(),
            ahead_secs: BTreeMap::new(),
            filter: None,
            lost: None,
            lie: None,
            meddler: None,
            asked: Vec::new(),
        }
    }

    /// The addresses of all relays.
    pub fn addresses(&self) -> Vec<RelayAddress> {
        let address = |pin: &Pin| RelayAddress {
            at: format!("relay{}.example:4433", pin.0[0]).parse().expect("a host and a port"),
            pin: *pin,
        };
        self.relays.keys().map(address).collect()
    }

    /// The pin of the n-th relay, from 1.
    pub fn relay(&self, number: u8) -> Pin {
        Pin([number; 16])
    }

    /// Time passes at the table.
    pub fn wait(&mut self, secs: u64) {
        let before = self.now.day();
        self.now = self.now.plus(secs);
        if self.now.day() != before {
            let today = self.now.day();
            self.relays.values_mut().for_each(|relay| relay.store_mut().pass_day(today));
        }
    }

    /// Days pass at the table.
    pub fn wait_days(&mut self, days: u64) {
        (0..days).for_each(|_| self.wait(DAY_SECS));
    }

    /// A relay forgets everything.
    pub fn wipe_relay(&mut self, pin: &Pin) {
        let relay = Relay::new(MemoryStore::default(), Policy::default(), CursorKey::from_bytes(&[99; 32]));
        self.relays.insert(*pin, relay);
    }

    /// An empty vault.
    pub fn vault(&mut self) -> Vault<MemoryDisk> {
        let disk = MemoryDisk::new(Params::smallest().file_bytes());
        Vault::format(disk, Params::smallest(), PASSPHRASE, &mut self.rng)
            .expect("an empty disk takes a vault")
    }

    /// An empty vault with room for long texts.
    pub fn roomy_vault(&mut self) -> Vault<MemoryDisk> {
        let params = Params::new(8, 1, 1, 2048).expect("within the bounds");
        let disk = MemoryDisk::new(params.file_bytes());
        Vault::format(disk, params, PASSPHRASE, &mut self.rng).expect("an empty disk takes a vault")
    }

    /// Opens the vault of a disk.
    pub fn open(&self, disk: MemoryDisk) -> Vault<MemoryDisk> {
        Vault::open(disk, PASSPHRASE).expect("the passphrase of the table opens it")
    }

    /// Asks a relay, as anybody can.
    pub fn ask(&mut self, pin: Pin, request: Request) -> CallResult {
        if self.unreachable.contains(&pin) || self.filter.is_some_and(|passes| !passes(&request)) {
            return Err(CallError::Unreachable);
        }
        if let Some(lie) = self.lie.and_then(|lie| lie(&request)) {
            return Ok(lie);
        }
        let relay = self.relays.get_mut(&pin).ok_or(CallError::Unreachable)?;
        let ahead = self.ahead_secs.get(&pin).copied().unwrap_or(0);
        let mut answer = relay.handle(&request, self.now, &mut self.rng);
        if let Answer::Hello(hello) = &mut answer {
            hello.time = UnixTime(hello.time.0.saturating_add_signed(ahead));
        }
        let is_lost = self.lost.is_some_and(|is_lost| is_lost(&request));
        let result = match &mut self.meddler {
            _ if is_lost => Err(CallError::TimedOut),
            Some(meddler) => meddler(&pin, &request, Ok(answer)),
            None => Ok(answer),
        };
        self.asked.push((pin, request));
        result
    }
}

/// A machine with its vault and its clock.
pub struct Seat<M> {
    /// The machine.
    pub machine: M,
    /// Its vault.
    pub vault: Vault<MemoryDisk>,
    /// Seconds by which its clock is ahead.
    pub ahead_secs: i64,
}

impl<M: Machine> Seat<M> {
    /// A machine with its vault.
    pub fn new(machine: M, vault: Vault<MemoryDisk>) -> Self {
        Self { machine, vault, ahead_secs: 0 }
    }

    /// The machine that a disk holds.
    pub fn of_disk(
        disk: MemoryDisk,
        table: &Table,
        load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>,
    ) -> Self {
        let vault = table.open(disk);
        let machine = load(&vault).expect("what was stored can be loaded");
        Self::new(machine, vault)
    }

    /// Drops the machine and loads it anew from the vault, as after a crash.
    pub fn restart(self, table: &Table, load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>) -> Self {
        let ahead_secs = self.ahead_secs;
        Self { ahead_secs, ..Self::of_disk(self.vault.into_disk(), table, load) }
    }

    /// The same, and a copy of the home as it is now.
    pub fn copied(
        self,
        table: &Table,
        load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>,
    ) -> (Self, MemoryDisk) {
        let disk = self.vault.into_disk();
        (Self::of_disk(disk.clone(), table, load), disk)
    }

    /// What its clock shows.
    pub fn now(&self, table: &Table) -> UnixTime {
        UnixTime(table.now.0.saturating_add_signed(self.ahead_secs))
    }

    /// Carries out everything that the machine asks for, until nothing is under way but calls to silent relays. An error
    /// is a save that failed: the machine is to be dropped.
    pub fn try_settle(&mut self, table: &mut Table) -> Result<(), CommitError> {
        let mut calls = 0;
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Save(batch) => self.vault.commit(batch, &mut table.rng)?,
                Effect::Call(call) if table.silent.contains(&call.relay) => {}
                Effect::Call(call) => {
                    calls += 1;
                    assert!(calls < CALLS_MAX, "the machine runs in circles");
                    let result = table.ask(call.relay, call.request);
                    let now = self.now(table);
                    self.machine.handle_answer(call.id, result, now, &mut table.rng);
                }
            }
        }
        assert!(self.machine.is_idle() || !table.silent.is_empty(), "a call was lost");
        Ok(())
    }

    /// The same where answers overtake each other: relays are asked in order, and what was asked last is answered first.
    pub fn settle_backwards(&mut self, table: &mut Table) {
        let mut answers = Vec::new();
        loop {
            while let Some(effect) = self.machine.poll_effect() {
                match effect {
                    Effect::Save(batch) => {
                        self.vault.commit(batch, &mut table.rng).expect("the vault has room")
                    }
                    Effect::Call(call) => answers.push((call.id, table.ask(call.relay, call.request))),
                }
            }
            let Some((id, result)) = answers.pop() else { break };
            let now = self.now(table);
            self.machine.handle_answer(id, result, now, &mut table.rng);
        }
        assert!(self.machine.is_idle(), "a call was lost");
    }

    /// Carries out everything that the machine asks for.
    pub fn settle(&mut self, table: &mut Table) {
        self.try_settle(table).expect("the vault has room");
    }

    /// Time has passed: what is due is done.
    pub fn tick(&mut self, table: &mut Table) {
        let now = self.now(table);
        self.machine.handle_timeout(now, &mut table.rng);
        self.settle(table);
    }

    /// Somebody looks: everything is due.
    pub fn refresh(&mut self, table: &mut Table) {
        self.try_refresh(table).expect("the vault has room");
    }

    /// Somebody looks. An error is a save that failed.
    pub fn try_refresh(&mut self, table: &mut Table) -> Result<(), CommitError> {
        let now = self.now(table);
        self.machine.refresh(now);
        self.machine.handle_timeout(now, &mut table.rng);
        self.try_settle(table)
    }

    /// The records of the vault.
    pub fn records(&self) -> &impl Records {
        &self.vault
    }
}
