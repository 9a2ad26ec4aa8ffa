//! What was deleted can't be read from the image, even with the passphrase.
//!
//! The reader here knows the passphrase and the format: it collects every key that can be reached from either root,
//! and tries each of them on each page of the slot.

use super::index::Node;
use super::page::{Kind, Place};
use super::record::Record;
use super::*;

const SECRET: &[u8] = b"the key of a message that is gone";

fn secret_value(bytes: usize) -> Vec<u8> {
    SECRET.iter().copied().cycle().take(bytes).collect()
}

/// Every key under the slot's key, whole tree or not.
fn reachable_keys(disk: &MemoryDisk, slot: &Slot, slot_key: PageKey) -> Vec<PageKey> {
    let mut keys = Vec::new();
    for copy in 0..2 {
        let Some(root) = Root::read(disk, slot, &slot_key, copy).unwrap() else { continue };
        for (number, middle) in root.middles {
            keys.extend(keys_of_middle(disk, slot, number, &middle));
            keys.push(middle.key);
        }
    }
    keys.push(slot_key);
    keys
}

fn keys_of_middle(disk: &MemoryDisk, slot: &Slot, number: u16, middle: &Node) -> Vec<PageKey> {
    let place = Place { kind: Kind::Middle, page: middle.page, part: number };
    let Some(payload) = slot.open(disk, &middle.key, place).unwrap() else { return Vec::new() };
    let mut keys = Vec::new();
    for (number, leaf) in index::decode_children(&payload, number * 100).unwrap() {
        let records = read_leaf(disk, slot, number, &leaf).unwrap_or_default();
        keys.extend(records.iter().filter_map(key_of_value));
        keys.push(leaf.key);
    }
    keys
}

fn key_of_value(record: &Record) -> Option<PageKey> {
    match &record.content {
        Content::Paged(extent) => PageKey::from_slice(extent.key.expose()),
        Content::Inline(_) | Content::Unwritten(_) => None,
    }
}

/// Whether any page opens, under any key and in any role, to something that holds the secret.
fn can_be_read(disk: &MemoryDisk) -> bool {
    let header = Header::read(disk).unwrap();
    let master = Master::stretch(PASSPHRASE, &header).unwrap();
    let (lock, slot_key) = lock::find(disk, &header, &master).unwrap().unwrap();
    let slot = Slot::of(&header.params, lock.slot);
    let keys = reachable_keys(disk, &slot, slot_key);
    let kinds = [Kind::Root, Kind::Middle, Kind::Leaf, Kind::Value];
    let mut places = Vec::new();
    for page in 0..slot.pages {
        places.extend(
            kinds.map(|kind| (0..3).map(move |part| Place { kind, page, part })).into_iter().flatten(),
        );
    }
    let holds_secret = |place: &Place| {
        let opened = keys.iter().filter_map(|key| slot.open(disk, key, *place).unwrap());
        opened.into_iter().any(|payload| payload.windows(SECRET.len()).any(|window| window == SECRET))
    };
    places.iter().any(holds_secret)
}

fn vault_with_secret(bytes: usize) -> Vault<MemoryDisk> {
    let mut vault = vault_with(tiny());
    put(&mut vault, b"other", &[1; 3000]);
    put(&mut vault, b"secret", &secret_value(bytes));
    put(&mut vault, b"another", &[2; 100]);
    assert!(can_be_read(&vault.disk), "the reader of this test reads what is there");
    vault
}

#[test]
fn a_deleted_value_is_gone_after_the_next_commit() {
    for bytes in [100, 9000] {
        let mut vault = vault_with_secret(bytes);
        delete(&mut vault, b"secret");
        vault.settle(&mut rng(5)).unwrap();
        assert!(!can_be_read(&vault.disk), "{bytes} bytes");
        assert_eq!(value(&reopen(vault), b"other").unwrap(), [1; 3000]);
    }
}

#[test]
fn until_the_next_commit_the_older_root_still_reaches_it() {
    let mut vault = vault_with_secret(100);
    delete(&mut vault, b"secret");
    assert!(can_be_read(&vault.disk));
}

#[test]
fn a_replaced_value_is_gone_after_the_next_commit() {
    for bytes in [100, 9000] {
        let mut vault = vault_with_secret(bytes);
        put(&mut vault, b"secret", b"harmless");
        put(&mut vault, b"other", b"short");
        assert!(!can_be_read(&vault.disk), "{bytes} bytes");
    }
}

#[test]
fn what_an_interrupted_commit_wrote_is_gone_after_the_next_one() {
    for bytes in [100, 9000] {
        for count in 0..8 {
            let mut vault = reopen(vault_with(tiny()));
            vault.disk.fail_after(count);
            let mut batch = Batch::new();
            batch.put(b"secret", secret_value(bytes));
            let acknowledged = vault.commit(batch, &mut rng(1)).is_ok();
            let mut disk = vault.into_disk();
            disk.crash(|_| memory::WriteFate::Kept);
            let mut vault = Vault::open(disk, PASSPHRASE).unwrap();
            vault.settle(&mut rng(7)).unwrap();
            assert!(acknowledged || !can_be_read(&vault.disk));
        }
    }
}

#[test]
fn the_old_key_of_a_slot_opens_nothing_after_a_change_of_passphrase() {
    let mut vault = vault_with_secret(100);
    let old_key = PageKey::from_slice(vault.slot_key.expose()).unwrap();
    vault.change_passphrase(b"new", &mut rng(3)).unwrap();
    for copy in 0..2 {
        assert!(Root::read(&vault.disk, &vault.slot, &old_key, copy).unwrap().is_none());
    }
}
