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

/// A vault of eight slots in which so many are used.
fn vault_of_eight(used: usize, seed: u64) -> Vault<MemoryDisk> {
    let params = Params::new(MEMORY_KIB_MIN, 1, 8, SLOT_PAGES_MIN).unwrap();
    let disk = MemoryDisk::new(params.file_bytes());
    let mut vault = Vault::format(disk, params, PASSPHRASE, &mut rng(seed)).unwrap();
    let mut others: Vec<[u8; 8]> = Vec::new();
    for number in seed * 1000.. {
        if others.len() + 1 == used {
            break;
        }
        // A slot is taken at a random place, which may be one that is used already.
        vault.add_slot(&number.to_le_bytes(), OnOpening::Nothing, &mut rng(number)).unwrap();
        others.push(number.to_le_bytes());
        let disk = vault.into_disk();
        others.retain(|passphrase| Vault::open(disk.clone(), passphrase).is_ok());
        vault = Vault::open(disk, PASSPHRASE).unwrap();
    }
    for passphrase in &others {
        let mut other = Vault::open(vault.into_disk(), passphrase).unwrap();
        let mut batch = Batch::new();
        batch.put(b"k", vec![0; 50_000]);
        // Each slot with randomness of its own: the same pages several times would have statistics of their own.
        other.commit(batch, &mut rng(u64::from_le_bytes(*passphrase))).unwrap();
        vault = Vault::open(other.into_disk(), PASSPHRASE).unwrap();
    }
    vault
}

/// Chi-square of two samples of bytes against each other, 255 degrees of freedom.
fn difference(left: &[u8], right: &[u8]) -> f64 {
    let count = |bytes: &[u8]| {
        let mut counts = [0f64; 256];
        bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1.0);
        counts
    };
    let terms = count(left).into_iter().zip(count(right));
    terms.map(|(left, right)| (left - right).powi(2) / (left + right).max(1.0)).sum()
}

#[test]
fn one_used_slot_and_eight_give_the_same_statistics_of_bytes() {
    let images =
        |used| [1, 2].map(|seed| vault_of_eight(used, seed).into_disk().image()[PAGE_BYTES..].to_vec());
    let (one, eight) = (images(1).concat(), images(8).concat());
    assert!(difference(&one, &eight) < SUSPICIOUS);
    for (left, right) in one.chunks(32 * PAGE_BYTES).zip(eight.chunks(32 * PAGE_BYTES)) {
        assert!(chi_square(left) < SUSPICIOUS && chi_square(right) < SUSPICIOUS);
        // The first page of each slot is where a lock may lie.
        assert!(difference(&left[..2 * PAGE_BYTES], &right[..2 * PAGE_BYTES]) < SUSPICIOUS);
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
