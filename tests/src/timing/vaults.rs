//! Vaults with one used slot and with eight: who may not know the passphrases must not be able to tell them apart.

use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{Batch, OnOpening, Params, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::Question;

/// The passphrase of the slot that is opened.
pub const PASSPHRASE: &[u8] = b"the passphrase that is known";
/// Slots of a requester's vault.
const SLOTS: u16 = 8;
/// Vaults of each kind, so that the place of one in memory tells nothing.
const VAULTS: u64 = 16;
/// Slots are filled at random places: this many times is enough but for one in a million vaults.
const FILLINGS_MAX: u32 = 400;

fn params() -> Params {
    Params::new(8, 1, SLOTS, 32).expect("within the bounds")
}

/// A vault with one used slot, at a random place.
pub fn one_slot(seed: u64) -> MemoryDisk {
    filled(seed, false)
}

/// A vault with eight used slots.
pub fn eight_slots(seed: u64) -> MemoryDisk {
    filled(seed, true)
}

fn filled(seed: u64, all: bool) -> MemoryDisk {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let disk = MemoryDisk::new(params().file_bytes());
    let mut vault = Vault::format(disk, params(), PASSPHRASE, &mut rng).expect("an empty disk");
    let mut batch = Batch::new();
    batch.put(b"key", vec![1; 2000]);
    vault.commit(batch, &mut rng).expect("the vault has room");
    let mut others: Vec<Vec<u8>> = Vec::new();
    while all && others.len() + 1 < usize::from(SLOTS) {
        others.push(format!("another passphrase {}", rng_word(&mut rng)).into_bytes());
        assert!(others.len() < FILLINGS_MAX as usize);
        vault
            .add_slot(others.last().expect("it was just pushed"), OnOpening::Nothing, &mut rng)
            .expect("there are other slots");
        let disk = vault.into_disk();
        others.retain(|passphrase| Vault::open(disk.clone(), passphrase).is_ok());
        vault = Vault::open(disk, PASSPHRASE).expect("its slot was not touched");
    }
    vault.into_disk()
}

fn rng_word(rng: &mut ChaCha20Rng) -> u64 {
    rand_core::Rng::next_u64(rng)
}

/// The time of an unlock, with one used slot and with eight.
pub struct Unlock {
    disks: [Vec<MemoryDisk>; 2],
    turn: usize,
}

impl Unlock {
    /// Vaults of both kinds.
    pub fn new(seed: u64) -> Self {
        let many = |make: fn(u64) -> MemoryDisk| (0..VAULTS).map(|number| make(seed + number)).collect();
        Self { disks: [many(one_slot), many(eight_slots)], turn: 0 }
    }
}

impl Question for Unlock {
    fn name(&self) -> &'static str {
        "unlock with one used slot and with eight"
    }

    fn run(&mut self, case: usize) -> bool {
        self.turn = (self.turn + 1) % self.disks[case].len();
        Vault::open(&mut self.disks[case][self.turn], PASSPHRASE).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vaults_of_both_kinds_open() {
        for mut disk in [one_slot(1), eight_slots(1)] {
            assert!(Vault::open(&mut disk, PASSPHRASE).is_ok());
        }
    }
}
