//! Power cuts at every write, with every kind of loss.

use super::memory::WriteFate;
use super::*;

/// A vault in use: values of both kinds, and pages that were freed.
fn used() -> Vault<MemoryDisk> {
    let mut vault = vault_with(tiny());
    for round in 0..3u8 {
        put(&mut vault, b"inline", &[round; 200]);
        put(&mut vault, b"paged", &[round; 6000]);
        put(&mut vault, &[b'k', round], &[round; 900]);
    }
    vault
}

fn change() -> Batch {
    let mut batch = Batch::new();
    batch.put(b"inline", vec![0xAA; 210]);
    batch.put(b"paged", vec![0xBB; 9000]);
    batch.put(b"fresh", vec![0xCC; 4000]);
    batch.delete(b"k\x01");
    batch
}

/// Where the power goes.
#[derive(Clone, Copy)]
enum Cut {
    /// All is written, nothing synced.
    BeforeSync,
    /// After so many writes.
    BetweenWrites(u64),
    /// In the middle of the write after so many.
    InWrite(u64),
}

impl Cut {
    fn plan(self, disk: &mut MemoryDisk) {
        match self {
            Self::BeforeSync => disk.fail_next_sync(),
            Self::BetweenWrites(count) => disk.fail_after(count),
            Self::InWrite(count) => disk.tear_after(count),
        }
    }

    /// Every place in a commit of at most `writes` writes.
    fn all(writes: u64) -> impl Iterator<Item = Self> {
        let places = (0..=writes).flat_map(|count| [Self::BetweenWrites(count), Self::InWrite(count)]);
        std::iter::once(Self::BeforeSync).chain(places)
    }
}

/// More than the writes of any commit here; the last cuts strike nothing.
const WRITES: u64 = 11;

/// Runs `act`, lets the power go on the way, and says whether it did.
fn cut(
    start: &MemoryDisk,
    place: Cut,
    fates: &mut impl FnMut(usize) -> WriteFate,
    act: &dyn Fn(&mut Vault<MemoryDisk>) -> Result<(), CommitError>,
) -> (bool, MemoryDisk) {
    let mut vault = Vault::open(start.clone(), PASSPHRASE).unwrap();
    place.plan(&mut vault.disk);
    let struck = act(&mut vault).is_err();
    let mut disk = vault.into_disk();
    disk.crash(fates);
    (struck, disk)
}

fn assert_one_of(disk: MemoryDisk, states: &[Contents], acknowledged: bool) -> Vault<MemoryDisk> {
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    let state = contents(&vault);
    assert!(states.contains(&state), "the state is neither the old nor the new");
    assert!(!acknowledged || &state == states.last().unwrap(), "an acknowledged commit was lost");
    vault
}

fn fates(kind: u64) -> impl FnMut(usize) -> WriteFate {
    let mut random = rng(kind);
    move |position| match kind {
        0 => WriteFate::Lost,
        1 => WriteFate::Kept,
        2 if position == 0 => WriteFate::Lost,
        2 => WriteFate::Kept,
        kind if kind < 20 => {
            if position as u64 == kind - 3 {
                WriteFate::Torn(0x0F)
            } else {
                WriteFate::Kept
            }
        }
        kind if kind < 40 => {
            if position as u64 == kind - 20 {
                WriteFate::Lost
            } else {
                WriteFate::Kept
            }
        }
        _ => match rand_core::Rng::next_u32(&mut random) % 3 {
            0 => WriteFate::Lost,
            1 => WriteFate::Kept,
            _ => WriteFate::Torn(rand_core::Rng::next_u64(&mut random)),
        },
    }
}

#[test]
fn a_commit_cut_at_any_write_leaves_the_old_state_or_the_new() {
    let vault = used();
    let old = contents(&vault);
    let start = vault.into_disk();
    let new = {
        let mut vault = Vault::open(start.clone(), PASSPHRASE).unwrap();
        vault.commit(change(), &mut rng(1)).unwrap();
        contents(&vault)
    };
    let states = [old, new];
    let act = |vault: &mut Vault<MemoryDisk>| vault.commit(change(), &mut rng(1));
    for kind in 0..80 {
        for place in Cut::all(WRITES) {
            let (struck, disk) = cut(&start, place, &mut fates(kind), &act);
            let mut vault = assert_one_of(disk, &states, !struck);
            put(&mut vault, b"after", &[1; 5000]);
            assert_eq!(value(&reopen(vault), b"after").unwrap(), [1; 5000]);
        }
    }
}

#[test]
fn a_second_cut_right_after_the_first_loses_nothing_either() {
    let vault = used();
    let old = contents(&vault);
    let start = vault.into_disk();
    let act = |vault: &mut Vault<MemoryDisk>| vault.commit(change(), &mut rng(1));
    for seed in 0..300u64 {
        let (_, once) = cut(&start, Cut::BetweenWrites(seed % 12), &mut fates(40 + seed), &act);
        let before = contents(&Vault::open(once.clone(), PASSPHRASE).unwrap());
        let (_, twice) = cut(&once, Cut::BeforeSync, &mut fates(1000 + seed), &act);
        let after = contents(&Vault::open(twice, PASSPHRASE).unwrap());
        assert!(after == before || after != old);
        assert!(after.iter().any(|(key, _)| key == b"paged"));
    }
}

#[test]
fn a_killed_process_whose_writes_were_not_synced_is_made_durable_by_opening() {
    let vault = used();
    let mut vault = Vault::open(vault.into_disk(), PASSPHRASE).unwrap();
    vault.disk.fail_next_sync();
    vault.commit(change(), &mut rng(1)).unwrap_err();
    let mut disk = vault.into_disk();
    disk.restart();
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    let seen = contents(&vault);
    let mut disk = vault.into_disk();
    disk.crash(|_| WriteFate::Lost);
    assert_eq!(contents(&Vault::open(disk, PASSPHRASE).unwrap()), seen);
}

#[test]
fn an_interrupted_commit_whose_root_arrived_alone_is_not_taken_for_the_state() {
    let vault = used();
    let old = contents(&vault);
    let mut vault = Vault::open(vault.into_disk(), PASSPHRASE).unwrap();
    vault.disk.fail_next_sync();
    vault.commit(change(), &mut rng(1)).unwrap_err();
    let mut disk = vault.into_disk();
    let last = 7;
    disk.crash(|position| if position == last { WriteFate::Kept } else { WriteFate::Lost });
    let vault = Vault::open(disk, PASSPHRASE).unwrap();
    assert!(vault.was_interrupted());
    assert_eq!(contents(&vault), old);
}

#[test]
fn a_change_of_passphrase_cut_at_any_write_leaves_a_passphrase_that_opens_everything() {
    let vault = used();
    let all = contents(&vault);
    let start = vault.into_disk();
    let act = |vault: &mut Vault<MemoryDisk>| vault.change_passphrase(b"new", &mut rng(2));
    for kind in 0..60 {
        for place in Cut::all(WRITES) {
            let (struck, disk) = cut(&start, place, &mut fates(kind), &act);
            let opened: Vec<_> = [PASSPHRASE, b"new"]
                .into_iter()
                .filter_map(|passphrase| Vault::open(disk.clone(), passphrase).ok())
                .map(|vault| contents(&vault))
                .collect();
            assert!(!opened.is_empty() && opened.iter().all(|state| *state == all));
            assert!(struck || Vault::open(disk.clone(), PASSPHRASE).is_err());
        }
    }
}

#[test]
fn after_an_interrupted_change_the_first_commit_decides_for_the_passphrase_that_was_used() {
    let start = used().into_disk();
    let act = |vault: &mut Vault<MemoryDisk>| vault.change_passphrase(b"new", &mut rng(2));
    let (_, disk) = cut(&start, Cut::BetweenWrites(2), &mut |_| WriteFate::Kept, &act);
    for (used, other) in [(PASSPHRASE, &b"new"[..]), (b"new", PASSPHRASE)] {
        assert!(Vault::open(disk.clone(), other).is_ok());
        let mut vault = Vault::open(disk.clone(), used).unwrap();
        vault.settle(&mut rng(3)).unwrap();
        let disk = vault.into_disk();
        assert!(Vault::open(disk.clone(), used).is_ok());
        assert_eq!(Vault::open(disk, other).unwrap_err(), OpenError::Refused);
    }
}

#[test]
fn a_format_that_was_cut_is_no_vault_or_a_whole_one() {
    for count in 0..12 {
        let mut disk = MemoryDisk::new(tiny().file_bytes());
        disk.fail_after(count);
        let made = Vault::format(&mut disk, tiny(), PASSPHRASE, &mut rng(count)).is_ok();
        disk.crash_randomly(&mut rng(count + 50));
        match Vault::open(disk, PASSPHRASE) {
            Ok(vault) => assert_eq!(vault.keys(b"").count(), 0),
            Err(error) => assert!(!made && matches!(error, OpenError::Header(_)), "{error}"),
        }
    }
}
