//! What an image shows to someone without a passphrase.

use super::*;

/// Chi-square of the bytes against a uniform distribution, 255 degrees of freedom.
fn chi_square(bytes: &[u8]) -> f64 {
    let mut counts = [0u64; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = bytes.len() as f64 / 256.0;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// Far beyond what chance gives (p below 1e-6), far below what a structure gives.
const SUSPICIOUS: f64 = 380.0;

fn full_vault() -> Vault<MemoryDisk> {
    let mut vault = vault_with(Params::smallest());
    (0..6u8).for_each(|key| put(&mut vault, &[key], &[0; 120_000]));
    (0..100u8).for_each(|key| put(&mut vault, &[b'i', key], &[0; 50]));
    vault
}

#[test]
fn a_used_slot_and_an_unused_one_are_both_uniform_bytes() {
    let vault = full_vault();
    let used = usize::from(vault.slot.number);
    let slot_bytes = 256 * PAGE_BYTES;
    for number in 0..2 {
        let slot = &vault.disk.image()[PAGE_BYTES + number * slot_bytes..][..slot_bytes];
        assert!(chi_square(slot) < SUSPICIOUS, "slot {number}, used is {used}");
    }
}

#[test]
fn each_byte_of_a_lock_and_a_root_is_uniform_over_many_vaults() {
    let images: Vec<_> = (0..400)
        .map(|seed| {
            let disk = MemoryDisk::new(tiny().file_bytes());
            Vault::format(disk, tiny(), PASSPHRASE, &mut rng(seed)).unwrap().into_disk()
        })
        .collect();
    for start in (PAGE_BYTES..5 * PAGE_BYTES).step_by(256) {
        let column: Vec<u8> =
            images.iter().flat_map(|disk| disk.image()[start..start + 256].to_vec()).collect();
        assert!(chi_square(&column) < SUSPICIOUS, "bytes from {start} on");
    }
}

#[test]
fn the_header_is_the_same_whatever_the_slots_hold() {
    let mut vault = vault_with(Params::smallest());
    let header = vault.disk.image()[..PAGE_BYTES].to_vec();
    put(&mut vault, b"k", &[1; 10_000]);
    vault.add_slot(b"duress", OnOpening::Nothing, &mut rng(2)).unwrap();
    vault.change_passphrase(b"new", &mut rng(3)).unwrap();
    assert_eq!(vault.disk.image()[..PAGE_BYTES], header);
}

#[test]
fn opening_reads_the_locks_of_all_slots_whichever_opens() {
    let mut vault = vault_with(Params::new(MEMORY_KIB_MIN, 1, 8, SLOT_PAGES_MIN).unwrap());
    vault.add_slot(b"second", OnOpening::Nothing, &mut rng(2)).unwrap();
    let disk = vault.into_disk();
    let read_by = |passphrase: &[u8]| {
        let disk = disk.clone();
        let header = Header::read(&disk).unwrap();
        let before = disk.read_bytes();
        lock::find(&disk, &header, &Master::stretch(passphrase, &header).unwrap()).unwrap();
        disk.read_bytes() - before
    };
    let all = 16 * PAGE_BYTES as u64;
    assert_eq!([read_by(PASSPHRASE), read_by(b"second"), read_by(b"wrong")], [all; 3]);
}

#[test]
fn a_commit_touches_the_opened_slot_only() {
    let mut vault = vault_with(Params::smallest());
    let other = Slot::of(&vault.params(), 1 - vault.slot.number);
    let range = other.offset(0) as usize..other.offset(0) as usize + 256 * PAGE_BYTES;
    let before = vault.disk.image()[range.clone()].to_vec();
    (0..20u8).for_each(|key| put(&mut vault, &[key], &[key; 20_000]));
    assert!(vault.disk.image()[range] == before);
}

#[test]
fn the_same_commit_twice_from_one_copy_shares_no_ciphertext() {
    let start = vault_with(tiny()).into_disk();
    let image_after = |seed| {
        let mut vault = Vault::open(start.clone(), PASSPHRASE).unwrap();
        let mut batch = Batch::new();
        batch.put(b"k", vec![0; 9000]);
        vault.commit(batch, &mut rng(seed)).unwrap();
        vault.into_disk()
    };
    let (left, right) = (image_after(10), image_after(11));
    for (page, (left, right)) in left.image().chunks(4096).zip(right.image().chunks(4096)).enumerate() {
        let untouched = left == &start.image()[page * 4096..][..4096];
        assert!(untouched || left.chunks(32).zip(right.chunks(32)).all(|(left, right)| left != right));
    }
}
