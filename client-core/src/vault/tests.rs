//! What the vault promises, told from outside.

mod behaviour;
mod crash;
mod erasure;
mod looks;
mod model;
mod tamper;
mod vector;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::memory::MemoryDisk;
use super::*;

const PASSPHRASE: &[u8] = "вісім слів і ще одне".as_bytes();

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// One slot of 32 pages: 28 for the tree.
fn tiny() -> Params {
    Params::new(MEMORY_KIB_MIN, 1, 1, SLOT_PAGES_MIN).unwrap()
}

fn vault_with(params: Params) -> Vault<MemoryDisk> {
    Vault::format(MemoryDisk::new(params.file_bytes()), params, PASSPHRASE, &mut rng(1)).unwrap()
}

fn reopen(vault: Vault<MemoryDisk>) -> Vault<MemoryDisk> {
    Vault::open(vault.into_disk(), PASSPHRASE).unwrap()
}

fn put(vault: &mut Vault<MemoryDisk>, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(key, value.to_vec());
    vault.commit(batch, &mut rng(vault.generation() + 100)).unwrap();
}

fn delete(vault: &mut Vault<MemoryDisk>, key: &[u8]) {
    let mut batch = Batch::new();
    batch.delete(key);
    vault.commit(batch, &mut rng(vault.generation() + 100)).unwrap();
}

fn value(vault: &Vault<MemoryDisk>, key: &[u8]) -> Option<Vec<u8>> {
    vault.get(key).unwrap().map(|value| value.to_vec())
}

/// Keys and values in order.
type Contents = Vec<(Vec<u8>, Vec<u8>)>;

/// Everything in the slot, read anew.
fn contents(vault: &Vault<MemoryDisk>) -> Contents {
    vault.keys(b"").map(|key| (key.to_vec(), value(vault, key).expect("a listed key has a value"))).collect()
}
