//! Client machines and relays around one table: no network, no losses, one clock. For tests of single behaviours; the
//! world is for everything that can go wrong.

use std::collections::BTreeMap;

use poterne_client_core::effect::{CallError, Effect, Machine};
use poterne_client_core::records::Records;
use poterne_client_core::stored::StoredError;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{Params, Vault};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_protocol::time::UnixTime;
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::memory::MemoryStore;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::Relay;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const PASSPHRASE: &[u8] = b"a passphrase of the table";

/// Some relays, a clock and a source of randomness.
pub struct Table {
    /// The time that everybody is told.
    pub now: UnixTime,
    /// Fed from the seed.
    pub rng: ChaCha20Rng,
    relays: BTreeMap<Pin, Relay<MemoryStore>>,
    /// Relays that can't be reached now.
    pub unreachable: Vec<Pin>,
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
            unreachable: Vec::new(),
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

    /// An empty vault.
    pub fn vault(&mut self) -> Vault<MemoryDisk> {
        let disk = MemoryDisk::new(Params::smallest().file_bytes());
        Vault::format(disk, Params::smallest(), PASSPHRASE, &mut self.rng)
            .expect("an empty disk takes a vault")
    }

    /// Opens a copy of a vault.
    pub fn reopen(&self, vault: Vault<MemoryDisk>) -> Vault<MemoryDisk> {
        Vault::open(vault.into_disk(), PASSPHRASE).expect("the passphrase of the table opens it")
    }

    /// Carries out everything that a machine asks for, until nothing is under way.
    pub fn settle(&mut self, machine: &mut impl Machine, vault: &mut Vault<MemoryDisk>) {
        while let Some(effect) = machine.poll_effect() {
            match effect {
                Effect::Save(batch) => vault.commit(batch, &mut self.rng).expect("the vault has room"),
                Effect::Call(call) => {
                    let result = self.ask(call.relay, call.request);
                    machine.handle_answer(call.id, result, self.now, &mut self.rng);
                }
            }
        }
        assert!(machine.is_idle(), "a call was lost");
    }

    /// The same where answers overtake each other: relays are asked in order, and what was asked last is answered
    /// first.
    pub fn settle_backwards(&mut self, machine: &mut impl Machine, vault: &mut Vault<MemoryDisk>) {
        let mut answers = Vec::new();
        loop {
            while let Some(effect) = machine.poll_effect() {
                match effect {
                    Effect::Save(batch) => vault.commit(batch, &mut self.rng).expect("the vault has room"),
                    Effect::Call(call) => answers.push((call.id, self.ask(call.relay, call.request))),
                }
            }
            let Some((id, result)) = answers.pop() else { break };
            machine.handle_answer(id, result, self.now, &mut self.rng);
        }
        assert!(machine.is_idle(), "a call was lost");
    }

    /// Somebody looks: everything is due.
    pub fn refresh(&mut self, machine: &mut impl Machine, vault: &mut Vault<MemoryDisk>) {
        machine.refresh(self.now);
        machine.handle_timeout(self.now, &mut self.rng);
        self.settle(machine, vault);
    }

    /// The relay that was asked last to keep something.
    ///
    /// # Panics
    /// Where none was.
    pub fn asked_to_put_last(&self) -> Pin {
        let puts = self.asked.iter().filter(|(_, request)| matches!(request, Request::Put(_)));
        puts.last().expect("something was put").0
    }

    fn ask(&mut self, pin: Pin, request: Request) -> Result<Answer, CallError> {
        if self.unreachable.contains(&pin) {
            return Err(CallError::Unreachable);
        }
        let relay = self.relays.get_mut(&pin).ok_or(CallError::Unreachable)?;
        let answer = relay.handle(&request, self.now, &mut self.rng);
        self.asked.push((pin, request));
        Ok(answer)
    }
}

/// A machine with its vault.
pub struct Seat<M> {
    /// The machine.
    pub machine: M,
    /// Its vault.
    pub vault: Vault<MemoryDisk>,
}

impl<M: Machine> Seat<M> {
    /// Drops the machine and loads it anew from the vault, as after a crash.
    pub fn restart(self, table: &Table, load: impl Fn(&Vault<MemoryDisk>) -> Result<M, StoredError>) -> Self {
        let vault = table.reopen(self.vault);
        let machine = load(&vault).expect("what was stored can be loaded");
        Self { machine, vault }
    }

    /// Carries out everything that the machine asks for.
    pub fn settle(&mut self, table: &mut Table) {
        table.settle(&mut self.machine, &mut self.vault);
    }

    /// Somebody looks.
    pub fn refresh(&mut self, table: &mut Table) {
        table.refresh(&mut self.machine, &mut self.vault);
    }

    /// The records of the vault.
    pub fn records(&self) -> &impl Records {
        &self.vault
    }
}
