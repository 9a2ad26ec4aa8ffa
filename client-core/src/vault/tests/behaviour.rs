//! Ordinary use, its costs and its refusals.

use super::*;

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let mut vault = vault_with(Params::smallest());
    put(&mut vault, b"small", b"a word");
    put(&mut vault, b"large", &[7; 70_000]);
    let vault = reopen(vault);
    assert_eq!(value(&vault, b"small").unwrap(), b"a word");
    assert_eq!(value(&vault, b"large").unwrap(), [7; 70_000]);
    assert_eq!(value(&vault, b"absent"), None);
}

#[test]
fn values_of_every_length_around_the_limits_come_back() {
    let mut vault = vault_with(Params::smallest());
    let page = 4056;
    for length in [0, 1, 1023, 1024, 1025, page - 1, page, page + 1, 65_536, VALUE_BYTES_MAX] {
        put(&mut vault, b"key", &vec![3; length]);
        vault = reopen(vault);
        assert_eq!(value(&vault, b"key").unwrap(), vec![3; length]);
    }
}

#[test]
fn keys_are_listed_in_order_under_their_prefix() {
    let mut vault = vault_with(Params::smallest());
    for key in [&b"b/2"[..], b"a", b"b/1", b"c", b"b"] {
        put(&mut vault, key, b"");
    }
    assert_eq!(vault.keys(b"b/").collect::<Vec<_>>(), [b"b/1", b"b/2"]);
    assert_eq!(reopen(vault).keys(b"").count(), 5);
}

#[test]
fn a_batch_takes_effect_whole_and_its_last_word_on_a_key_counts() {
    let mut vault = vault_with(Params::smallest());
    put(&mut vault, b"old", b"1");
    let mut batch = Batch::new();
    batch.put(b"new", b"2".to_vec());
    batch.delete(b"old");
    batch.delete(b"never there");
    batch.put(b"twice", b"3".to_vec());
    batch.put(b"twice", b"4".to_vec());
    vault.commit(batch, &mut rng(9)).unwrap();
    let expected = [(b"new".to_vec(), b"2".to_vec()), (b"twice".to_vec(), b"4".to_vec())];
    assert_eq!(contents(&vault), expected);
    assert_eq!(contents(&reopen(vault)), expected);
}

#[test]
fn each_commit_raises_the_generation_and_the_instance_id_stays() {
    let mut vault = vault_with(Params::smallest());
    let (generation, instance) = (vault.generation(), vault.instance_id());
    put(&mut vault, b"k", b"v");
    vault.settle(&mut rng(3)).unwrap();
    let vault = reopen(vault);
    assert_eq!(vault.generation(), generation + 2);
    assert_eq!(vault.instance_id(), instance);
    assert!(!vault.was_interrupted());
}

#[test]
fn a_wrong_passphrase_is_refused_as_an_unused_slot_is() {
    let disk = vault_with(Params::smallest()).into_disk();
    assert_eq!(Vault::open(disk, b"wrong").unwrap_err(), OpenError::Refused);
    let params = Params::smallest();
    let mut unused = MemoryDisk::new(params.file_bytes());
    wipe(&mut unused, &mut rng(4)).unwrap();
    unused.write_at(0, &Header::generate(params, &mut rng(5)).encode()).unwrap();
    assert_eq!(Vault::open(unused, PASSPHRASE).unwrap_err(), OpenError::Refused);
}

#[test]
fn a_full_slot_says_so_loses_nothing_and_still_deletes() {
    let mut vault = vault_with(tiny());
    let mut stored = 0u8;
    let full = loop {
        let mut batch = Batch::new();
        batch.put(&[stored], vec![stored; 5000]);
        match vault.commit(batch, &mut rng(u64::from(stored))) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, CommitError::Full { .. }) && stored > 3);
    let mut vault = reopen(vault);
    assert_eq!(contents(&vault).len(), usize::from(stored));
    for key in 0..stored {
        assert_eq!(value(&vault, &[key]).unwrap(), [key; 5000]);
        delete(&mut vault, &[key]);
    }
    assert_eq!(vault.free_pages(), 28);
}

#[test]
fn deleting_is_possible_when_not_even_one_byte_fits() {
    let mut vault = vault_with(tiny());
    let mut keys = 0u16;
    for bytes in [9000, 4000, 1025, 1000, 1] {
        let mut batch = Batch::new();
        batch.put(&keys.to_le_bytes(), vec![1; bytes]);
        while vault.commit(std::mem::take(&mut batch), &mut rng(1)).is_ok() {
            keys += 1;
            batch.put(&keys.to_le_bytes(), vec![1; bytes]);
        }
    }
    for key in 0..keys {
        delete(&mut vault, &key.to_le_bytes());
    }
    assert_eq!(vault.free_pages(), 28);
}

#[test]
fn space_is_reused_without_end() {
    let mut vault = vault_with(tiny());
    for round in 0..500u32 {
        put(&mut vault, &[(round % 7) as u8], &vec![round as u8; (round % 13) as usize * 400]);
    }
    let vault = reopen(vault);
    assert_eq!(vault.keys(b"").count(), 7);
}

#[test]
fn many_small_values_share_pages() {
    let mut vault = vault_with(Params::smallest());
    let free = vault.free_pages();
    for key in 0..200u16 {
        put(&mut vault, &key.to_le_bytes(), &[9; 100]);
    }
    assert!(free - vault.free_pages() < 12, "200 values of 100 bytes took {}", free - vault.free_pages());
}

#[test]
fn leaves_that_grew_thin_are_joined_again() {
    let mut vault = vault_with(Params::smallest());
    for key in 0..200u16 {
        put(&mut vault, &key.to_le_bytes(), &[9; 900]);
    }
    for key in (0..200u16).filter(|key| key % 10 != 0) {
        delete(&mut vault, &key.to_le_bytes());
    }
    let used = 256 - 4 - vault.free_pages();
    assert!(used <= 12, "20 values of 900 bytes take {used} pages");
}

#[test]
fn a_key_or_value_out_of_bounds_is_refused_before_anything_is_written() {
    let mut vault = vault_with(Params::smallest());
    let commit = |vault: &mut Vault<MemoryDisk>, key: &[u8], value_bytes| {
        let mut batch = Batch::new();
        batch.put(key, vec![0; value_bytes]);
        vault.commit(batch, &mut rng(1))
    };
    assert_eq!(commit(&mut vault, b"", 0), Err(CommitError::KeyLength { actual: 0 }));
    assert_eq!(commit(&mut vault, &[1; 65], 0), Err(CommitError::KeyLength { actual: 65 }));
    let actual = VALUE_BYTES_MAX + 1;
    assert_eq!(commit(&mut vault, b"k", actual), Err(CommitError::ValueLength { actual }));
    assert_eq!(commit(&mut vault, &[1; 64], VALUE_BYTES_MAX), Ok(()));
}

#[test]
fn a_small_commit_writes_few_pages_and_syncs_once() {
    let mut vault = vault_with(Params::smallest());
    (0..300u16).for_each(|key| put(&mut vault, &key.to_le_bytes(), &[1; 200]));
    let (writes, syncs) = (vault.disk.writes(), vault.disk.syncs());
    put(&mut vault, b"message", &[2; 6000]);
    assert_eq!(vault.disk.syncs() - syncs, 1);
    assert_eq!(vault.disk.writes() - writes, 5, "two pages of value, leaf, middle, root");
}

#[test]
fn opening_reads_an_index_and_not_the_slot() {
    let mut vault = vault_with(Params::smallest());
    for key in 0..6u8 {
        put(&mut vault, &[key], &[key; 100_000]);
    }
    vault.settle(&mut rng(1)).unwrap();
    let before = vault.disk.read_bytes();
    let vault = reopen(vault);
    let pages = (vault.disk.read_bytes() - before) / PAGE_BYTES as u64;
    assert!(pages <= 1 + 4 + 2 + 4, "header, locks, roots and index are not {pages} pages");
}

#[test]
fn after_a_failed_write_the_vault_stops_and_opens_again() {
    let mut vault = vault_with(tiny());
    put(&mut vault, b"k", b"old");
    vault.disk.fail_after(1);
    let mut batch = Batch::new();
    batch.put(b"k", b"new".to_vec());
    assert!(matches!(vault.commit(batch, &mut rng(2)), Err(CommitError::Disk(_))));
    assert_eq!(vault.settle(&mut rng(2)), Err(CommitError::Stopped));
    let mut disk = vault.into_disk();
    disk.restart();
    assert_eq!(value(&Vault::open(disk, PASSPHRASE).unwrap(), b"k").unwrap(), b"old");
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let mut vault = vault_with(Params::smallest());
    put(&mut vault, b"k", b"v");
    vault.change_passphrase(b"another", &mut rng(5)).unwrap();
    put(&mut vault, b"k2", b"v2");
    let disk = vault.into_disk();
    assert_eq!(Vault::open(disk.clone(), PASSPHRASE).unwrap_err(), OpenError::Refused);
    let vault = Vault::open(disk, b"another").unwrap();
    assert!(!vault.was_interrupted());
    assert_eq!(contents(&vault).len(), 2);
}

#[test]
fn slots_live_side_by_side_each_under_its_passphrase() {
    let mut first = vault_with(Params::smallest());
    first.add_slot(b"duress", OnOpening::Nothing, &mut rng(6)).unwrap();
    put(&mut first, b"k", b"first");
    let mut second = Vault::open(first.into_disk(), b"duress").unwrap();
    assert_eq!(second.keys(b"").count(), 0);
    put(&mut second, b"k", b"second");
    let first = reopen(second);
    assert_eq!(value(&first, b"k").unwrap(), b"first");
    let slot = first.slot;
    assert_ne!(Vault::open(first.into_disk(), b"duress").unwrap().slot, slot);
}

#[test]
fn a_slot_is_not_added_for_the_opened_passphrase_or_without_room() {
    let mut vault = vault_with(Params::smallest());
    assert_eq!(
        vault.add_slot(PASSPHRASE, OnOpening::Nothing, &mut rng(7)),
        Err(AddSlotError::SamePassphrase)
    );
    assert_eq!(
        vault_with(tiny()).add_slot(b"other", OnOpening::Nothing, &mut rng(7)),
        Err(AddSlotError::NoOther)
    );
}

#[test]
fn erasing_the_others_leaves_only_the_opened_slot() {
    let mut vault = vault_with(Params::smallest());
    put(&mut vault, b"k", b"v");
    vault.add_slot(b"duress", OnOpening::Nothing, &mut rng(8)).unwrap();
    let mut duress = Vault::open(vault.into_disk(), b"duress").unwrap();
    duress.erase_others(&mut rng(8)).unwrap();
    let disk = duress.into_disk();
    assert_eq!(Vault::open(disk.clone(), PASSPHRASE).unwrap_err(), OpenError::Refused);
    assert!(Vault::open(disk, b"duress").is_ok());
}

#[test]
fn a_slot_that_burns_erases_the_others_once_and_then_looks_like_any_slot() {
    let mut vault = vault_with(Params::smallest());
    put(&mut vault, b"k", b"v");
    vault.add_slot(b"duress", OnOpening::EraseOthers, &mut rng(8)).unwrap();
    let mut burning = Vault::open(reopen(vault).into_disk(), b"duress").unwrap();
    assert!(burning.erases_others());
    burning.erase_others(&mut rng(9)).unwrap();
    let disk = burning.into_disk();
    assert_eq!(Vault::open(disk.clone(), PASSPHRASE).unwrap_err(), OpenError::Refused);
    let burnt = Vault::open(disk, b"duress").unwrap();
    assert!(!burnt.erases_others() && !burnt.was_interrupted());
    for copy in 0..2 {
        let root = index::Root::read(&burnt.disk, &burnt.slot, &burnt.slot_key, copy).unwrap().unwrap();
        assert_eq!(root.on_opening, OnOpening::Nothing);
    }
}

#[test]
fn a_burning_that_is_cut_off_goes_on_at_the_next_opening() {
    let mut vault = vault_with(Params::smallest());
    vault.add_slot(b"duress", OnOpening::EraseOthers, &mut rng(8)).unwrap();
    let disk = vault.into_disk();
    let writes_of_all = {
        let mut burning = Vault::open(disk.clone(), b"duress").unwrap();
        let before = burning.disk.writes();
        burning.erase_others(&mut rng(9)).unwrap();
        burning.disk.writes() - before
    };
    for cut in 0..writes_of_all {
        let mut disk = disk.clone();
        disk.fail_after(cut);
        let mut burning = Vault::open(disk, b"duress").unwrap();
        assert!(burning.erase_others(&mut rng(9)).is_err());
        let mut disk = burning.into_disk();
        disk.crash_randomly(&mut rng(cut));
        disk.restart();
        let mut again = Vault::open(disk, b"duress").unwrap();
        if again.erases_others() {
            again.erase_others(&mut rng(9)).unwrap();
        }
        assert_eq!(Vault::open(again.into_disk(), PASSPHRASE).unwrap_err(), OpenError::Refused);
    }
}

#[test]
fn a_wiped_file_keeps_no_byte_of_the_vault() {
    let before = vault_with(tiny()).into_disk();
    let mut after = before.clone();
    wipe(&mut after, &mut rng(99)).unwrap();
    let same = before.image().chunks(64).zip(after.image().chunks(64)).filter(|(old, new)| old == new);
    assert_eq!(same.count(), 0);
    assert!(matches!(Vault::open(after, PASSPHRASE), Err(OpenError::Header(HeaderError::Magic))));
}

#[test]
fn a_file_of_another_length_is_refused() {
    let mut image = vault_with(tiny()).into_disk().image().to_vec();
    image.truncate(image.len() - 1);
    let open = |image: &[u8]| Vault::open(MemoryDisk::from_image(image.to_vec()), PASSPHRASE).unwrap_err();
    assert!(matches!(open(&image), OpenError::Header(HeaderError::Length { .. })));
    assert!(matches!(open(&[]), OpenError::Header(HeaderError::Length { actual: 0, .. })));
}

#[test]
fn the_presets_have_the_sizes_of_the_design() {
    assert_eq!(Params::requester().file_bytes(), 16 * 1024 * 1024 + 4096);
    assert_eq!(Params::desk().file_bytes(), 256 * 1024 * 1024 + 4096);
    for preset in [Params::requester(), Params::desk(), Params::smallest()] {
        let again = Params::new(preset.memory_kib(), preset.passes(), preset.slots(), preset.slot_pages());
        assert_eq!(again, Ok(preset));
    }
}
