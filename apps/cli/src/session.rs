//! A home that is open: its vault, the machine of its role, and the ways to its relays (docs/cli.md §2).
//!
//! A home is a requester's or a desk's from its first use on; what lies in the vault says which. Invariant: behind a
//! failed save the session is over, since the machine may be ahead of the vault; the next command opens it anew.

use std::collections::BTreeSet;

use getrandom::SysRng;
use poterne_client_core::device::Device;
use poterne_client_core::effect::{CallError, Machine};
use poterne_client_core::records::DESCRIPTOR_DAY;
use poterne_client_core::requester::Requester;
use poterne_client_core::vault::{Batch, Vault};
use poterne_protocol::keys::Pin;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::UnwrapErr;

use crate::commands::warning::Warning;
use crate::disk::FileDisk;
use crate::driver::Driver;
use crate::failure::Failure;
use crate::home::Home;
use crate::meter::Meter;
use crate::network::Network;
use crate::time;

/// Randomness of the operating system. A machine that has none is no place for keys: it panics there.
pub type Rng = UnwrapErr<SysRng>;

/// An open home.
pub struct Session {
    role: Role,
    tools: Tools,
    _home: Home,
}

/// Whose home it is.
enum Role {
    Desk(Box<Device>),
    Requester(Box<Requester>),
}

/// What the commands of every role work with.
pub struct Tools {
    /// Where all state lies.
    pub vault: Vault<FileDisk>,
    driver: Driver<Network, Rng>,
}

impl Session {
    /// Loads what the vault holds. An empty one is a requester's until a desk is made in it.
    pub fn load(home: Home, vault: Vault<FileDisk>) -> Result<Self, Failure> {
        let role = match Device::load(&vault)? {
            Some(device) => Role::Desk(Box::new(device)),
            None => Role::Requester(Box::new(Requester::load(&vault)?)),
        };
        let network = Network::new(known_days(&vault));
        let driver = Driver::new(network, UnwrapErr(SysRng), time::now);
        Ok(Self { role, tools: Tools { vault, driver }, _home: home })
    }

    /// Whether a desk is in this home.
    pub fn is_desk(&self) -> bool {
        matches!(self.role, Role::Desk(_))
    }

    /// The requester of this home.
    pub fn requester(&mut self) -> Result<(&mut Requester, &mut Tools), Failure> {
        match &mut self.role {
            Role::Requester(requester) => Ok((requester, &mut self.tools)),
            Role::Desk(_) => Err(Failure::HomeIsDesk),
        }
    }

    /// The desk of this home.
    pub fn desk(&mut self) -> Result<(&mut Device, &mut Tools), Failure> {
        match &mut self.role {
            Role::Desk(device) => Ok((device, &mut self.tools)),
            Role::Requester(_) => Err(Failure::HomeNoDesk),
        }
    }

    /// Makes this home a desk's, if nothing else is in it yet.
    pub fn found_desk(
        &mut self,
        found: impl FnOnce(&mut Rng) -> Result<Device, Failure>,
    ) -> Result<(&mut Device, &mut Tools), Failure> {
        match &self.role {
            Role::Desk(_) => return Err(Failure::DeskExists),
            Role::Requester(requester) if !requester.conversations().is_empty() => {
                return Err(Failure::HomeIsRequester);
            }
            Role::Requester(_) => self.role = Role::Desk(Box::new(found(self.tools.driver.rng())?)),
        }
        if let Role::Desk(device) = &mut self.role {
            device.note_capacity(&self.tools.vault);
        }
        self.desk()
    }

    /// Does something to the vault itself.
    pub fn write_vault<T>(
        &mut self,
        write: impl FnOnce(&mut Vault<FileDisk>, &mut Rng) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        write(&mut self.tools.vault, self.tools.driver.rng())
    }

    /// Shows how far files are while they are under way.
    pub fn show_progress(&mut self, meter: Meter) {
        self.tools.driver.show_progress(meter);
    }

    /// Tells the relays that nobody listens any more.
    pub async fn close(&mut self) {
        self.tools.driver.calls_mut().close().await;
    }
}

impl Tools {
    /// The time of now.
    pub fn now(&self) -> UnixTime {
        self.driver.now()
    }

    /// Fresh randomness.
    pub fn rng(&mut self) -> &mut Rng {
        self.driver.rng()
    }

    /// The relays that the last run asked, with whether they answered.
    pub fn heard(&self) -> impl Iterator<Item = (&Pin, bool)> {
        self.driver.heard().iter().map(|(pin, outcome)| (pin, outcome.is_ok()))
    }

    /// Said when a relay that the last run asked did not answer, or something else did in its place.
    pub fn unreached(&self) -> Vec<Warning> {
        let warning = |outcome: &Result<(), CallError>| match outcome {
            Ok(()) => None,
            Err(CallError::WrongPin) => Some(Warning::RelayWrong),
            Err(_) => Some(Warning::Unreached),
        };
        let all: BTreeSet<Warning> = self.driver.heard().values().filter_map(warning).collect();
        all.into_iter().collect()
    }

    /// Sends what waits and fetches what is there, once.
    pub async fn look(&mut self, machine: &mut impl Machine) -> Result<(), Failure> {
        self.driver.run_once(machine, &mut self.vault).await?;
        self.keep_days().await
    }

    /// Keeps what the machine has decided, without asking any relay and waiting for it.
    pub fn keep(&mut self, machine: &mut impl Machine) -> Result<(), Failure> {
        Ok(self.driver.carry_out(machine, &mut self.vault)?)
    }

    /// The same, and goes on trying until `is_done`.
    pub async fn pursue<M: Machine>(
        &mut self,
        machine: &mut M,
        is_done: impl FnMut(&mut M) -> bool,
    ) -> Result<(), Failure> {
        self.driver.run_until(machine, &mut self.vault, is_done).await?;
        self.keep_days().await
    }

    /// Remembers the newest day of each relay's descriptors, so that an older one is refused in a later run too.
    async fn keep_days(&mut self) -> Result<(), Failure> {
        let known = known_days(&self.vault);
        let mut batch = Batch::new();
        for (pin, day) in self.driver.calls().highest_days().await {
            if !known.contains(&(pin, day)) {
                batch.put(&day_key(&pin), day.0.to_le_bytes().to_vec());
            }
        }
        if batch.is_empty() { Ok(()) } else { Ok(self.vault.commit(batch, self.driver.rng())?) }
    }
}

fn day_key(pin: &Pin) -> Vec<u8> {
    [&[DESCRIPTOR_DAY][..], &pin.0].concat()
}

/// A record that can't be read is as one that isn't there: the relay's next descriptor takes its place.
fn known_days(vault: &Vault<FileDisk>) -> Vec<(Pin, Day)> {
    let known = |key: &[u8]| {
        let pin = Pin(key[1..].try_into().ok()?);
        let value = vault.get(key).ok()??;
        Some((pin, Day(u32::from_le_bytes(value[..].try_into().ok()?))))
    };
    vault.keys(&[DESCRIPTOR_DAY]).filter_map(known).collect()
}
