//! Rotten bits and files made to harm.

use proptest::prelude::*;

use super::*;

fn sample() -> Vault<MemoryDisk> {
    let mut vault = vault_with(tiny());
    put(&mut vault, b"paged", &[1; 6000]);
    put(&mut vault, b"inline", &[2; 300]);
    put(&mut vault, b"more", &[3; 300]);
    vault
}

/// What a reader gets from an image: every value, or where it stopped.
fn read_all(disk: MemoryDisk) -> Result<(bool, Contents), String> {
    let vault = Vault::open(disk, PASSPHRASE).map_err(|error| error.to_string())?;
    let read = |key: &[u8]| vault.get(key).map(|value| (key.to_vec(), value.unwrap().to_vec()));
    let values: Result<Vec<_>, _> = vault.keys(b"").map(read).collect();
    Ok((vault.was_interrupted(), values.map_err(|error| error.to_string())?))
}

fn assert_noticed_or_harmless(flipped: MemoryDisk, good: &Contents, where_: usize) {
    match read_all(flipped) {
        Err(_) => {}
        Ok((true, older)) => assert!(older.iter().all(|entry| good.contains(entry)), "byte {where_}"),
        Ok((false, all)) => assert_eq!(&all, good, "byte {where_}"),
    }
}

#[test]
fn no_flipped_bit_of_the_file_gives_a_wrong_value_or_hides_one_silently() {
    let vault = sample();
    let good = contents(&vault);
    let disk = vault.into_disk();
    for byte in (0..disk.image().len()).step_by(7) {
        let mut flipped = disk.clone();
        flipped.image_mut()[byte] ^= 1 << (byte % 8);
        assert_noticed_or_harmless(flipped, &good, byte);
    }
}

#[test]
fn a_flipped_bit_in_a_page_in_use_is_always_noticed() {
    let vault = sample();
    let (slot, free) = (vault.slot, vault.index.free.clone());
    let lock = vault.lock.other().copy;
    let disk = vault.into_disk();
    for page in (0..slot.pages).filter(|page| *page != lock && !free.contains(page)) {
        for at in [0, 23, 24, 63, 64, 2000, 4079, 4080, 4095] {
            let mut flipped = disk.clone();
            flipped.image_mut()[slot.offset(page) as usize + at] ^= 0x10;
            let noticed = match read_all(flipped) {
                Err(_) => true,
                Ok((interrupted, _)) => interrupted,
            };
            assert!(noticed, "page {page}, byte {at}");
        }
    }
}

#[test]
fn a_damaged_value_is_named_and_the_others_are_read() {
    let vault = sample();
    let Content::Paged(extent) = read_leaf(&vault.disk, &vault.slot, 0, &vault.index.leaves[&0].node)
        .unwrap()
        .into_iter()
        .find(|record| record.key == b"paged")
        .unwrap()
        .content
    else {
        panic!("6000 bytes lie in pages")
    };
    let at = vault.slot.offset(extent.pages[1]) as usize;
    let mut disk = vault.into_disk();
    disk.image_mut()[at + 100] ^= 1;
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    assert_eq!(vault.get(b"paged").unwrap_err(), ReadError::Damaged { page: extent.pages[1] });
    assert_eq!(value(&vault, b"inline").unwrap(), [2; 300]);
}

#[test]
fn a_damaged_index_page_is_named_and_the_rest_can_be_salvaged() {
    let mut vault = vault_with(Params::smallest());
    (0..12u8).for_each(|key| put(&mut vault, &[key], &[key; 1000]));
    vault.settle(&mut rng(1)).unwrap();
    let page = vault.index.leaves[&0].node.page;
    let at = vault.slot.offset(page) as usize;
    let mut disk = vault.into_disk();
    disk.image_mut()[at] ^= 1;
    assert_eq!(Vault::open(disk.clone(), PASSPHRASE).unwrap_err(), OpenError::Damaged { page });
    let mut salvaged = Vault::salvage(disk, PASSPHRASE).unwrap();
    assert_eq!(salvaged.lost_pages(), 1);
    let rest = contents(&salvaged);
    assert!(rest.len() >= 8 && rest.iter().all(|(key, value)| *value == [key[0]; 1000]));
    assert_eq!(salvaged.settle(&mut rng(2)), Err(CommitError::ReadOnly));
}

#[test]
fn a_damaged_root_leaves_the_state_before_and_says_so() {
    let vault = sample();
    let at = vault.slot.offset(Root::page(vault.generation())) as usize;
    let mut disk = vault.into_disk();
    disk.image_mut()[at + 50] ^= 4;
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    assert!(vault.was_interrupted());
    assert_eq!(value(&vault, b"more"), None);
}

#[test]
fn pages_that_change_places_are_noticed() {
    let vault = sample();
    let (slot, good) = (vault.slot, contents(&vault));
    let disk = vault.into_disk();
    for page in 0..12u32 {
        let mut swapped = disk.clone();
        let (left, right) = (slot.offset(page) as usize, slot.offset(page + 1) as usize);
        let copy = swapped.image()[left..left + PAGE_BYTES].to_vec();
        swapped.image_mut().copy_within(right..right + PAGE_BYTES, left);
        swapped.image_mut()[right..right + PAGE_BYTES].copy_from_slice(&copy);
        assert_noticed_or_harmless(swapped, &good, page as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn opening_survives_any_bytes_behind_a_header(
        seed: u64, start in 0..30usize, bytes in proptest::collection::vec(any::<u8>(), 0..9000),
    ) {
        let mut disk = sample().into_disk();
        let at = 4096 + start * 4096 + (seed % 4096) as usize;
        let end = disk.image().len().min(at + bytes.len());
        disk.image_mut()[at..end].copy_from_slice(&bytes[..end - at]);
        let _ = read_all(disk);
    }

    #[test]
    fn opening_survives_any_file(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(Vault::open(MemoryDisk::from_image(bytes), PASSPHRASE).is_err());
    }
}
