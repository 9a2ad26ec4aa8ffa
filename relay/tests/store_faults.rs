//! The embedded store on a disk that fails: power cuts at every write, failed syncs, a full disk, rot, a lost index.

mod suite;

use std::io::IoSlice;

use poterne_protocol::time::Day;
use poterne_relay::store::lane::Lane;
use poterne_relay::store::medium::Medium as _;
use poterne_relay::store::recover::{self, PlacedBlock};
use poterne_relay::store::sim::{Faults, SimDisk, Unsynced};
use poterne_relay::store::sim_index::SimIndexes;
use poterne_relay::store::{EmbeddedStore, OpenError, verify};
use poterne_relay_core::store::Store;
use suite::Backend;
use suite::embedded::{Embedded, config, rest};
use suite::workload::Workload;

const TODAY: Day = Day(20_000);

/// Groups of the workload that the power is cut in.
const GROUPS: usize = 14;
/// Groups between two rests.
const GROUPS_PER_REST: usize = 5;

/// Works until the disk fails or the workload is over.
fn work(bed: &Embedded, workload: &mut Workload) -> Result<EmbeddedStore, String> {
    let mut store = bed.try_open(TODAY).map_err(|error| error.to_string())?;
    for number in 1..=GROUPS {
        workload.group(&mut store).map_err(|error| error.to_string())?;
        if number % GROUPS_PER_REST == 0 {
            rest(&mut store, TODAY)?;
        }
    }
    Ok(store)
}

/// Cuts the power before the operation of that number and goes on afterwards. Gives the panic of a store that differs.
fn survive(cut: u64, unsynced: Unsynced, faults: Faults) {
    let disk = SimDisk::new(Faults { power_cut_at: Some(cut), ..faults });
    let mut bed = Embedded { disk, indexes: SimIndexes::default(), unsynced };
    let mut workload = Workload::new(5, TODAY);
    let _ = work(&bed, &mut workload);
    bed.disk = bed.disk.restart(unsynced, Faults::default());
    let mut store = bed.open(TODAY);
    workload.settle_after_crash(&store);
    for _ in 0..3 {
        workload.group(&mut store).expect("commits");
    }
    rest(&mut store, TODAY).expect("rests");
    workload.check(&store);
    bed.crash(store);
    workload.check(&bed.open(TODAY));
}

/// How many operations the whole workload takes.
fn operations() -> u64 {
    let bed = Embedded::new(Unsynced::Kept);
    let mut workload = Workload::new(5, TODAY);
    work(&bed, &mut workload).expect("a sound disk");
    bed.disk.operations()
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_acknowledged() {
    for cut in 0..operations() {
        for unsynced in [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn { seed: cut }] {
            survive(cut, unsynced, Faults::default());
        }
    }
}

/// The negative control: a store whose syncs do nothing must be found out.
#[test]
fn a_store_that_acknowledges_before_it_syncs_is_found_out() {
    let lying = Faults { lying_syncs: true, ..Faults::default() };
    let cut = operations() - 1;
    let found_out = std::panic::catch_unwind(|| survive(cut, Unsynced::Lost, lying));
    assert!(found_out.is_err());
}

#[test]
fn nothing_succeeds_after_a_failed_sync() {
    for number in 0..20 {
        let bed = Embedded::new(Unsynced::Kept);
        let mut workload = Workload::new(6, TODAY);
        let mut store = bed.try_open(TODAY).expect("opens");
        let failed_sync_at = Some(bed.disk.syncs() + number);
        bed.disk.set_faults(Faults { failed_sync_at, ..Faults::default() });
        while workload.group(&mut store).is_ok() {}
        assert!(store.is_read_only());
        for _ in 0..5 {
            workload.operation(&mut store);
            assert!(store.commit().is_err());
        }
        workload.check(&store);
        assert!(!store.has_room() || store.commit().is_err());
    }
}

#[test]
fn what_was_acknowledged_before_a_failed_sync_is_there_after_a_restart() {
    for number in 0..20 {
        let mut bed = Embedded::new(Unsynced::Lost);
        let mut workload = Workload::new(7, TODAY);
        let mut store = bed.try_open(TODAY).expect("opens");
        let failed_sync_at = Some(bed.disk.syncs() + number);
        bed.disk.set_faults(Faults { failed_sync_at, ..Faults::default() });
        while workload.group(&mut store).is_ok() {}
        bed.crash(store);
        workload.settle_after_crash(&bed.open(TODAY));
    }
}

#[test]
fn a_full_disk_takes_no_put_and_lets_everything_else_go_on() {
    let bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(8, TODAY);
    let mut store = bed.try_open(TODAY).expect("opens");
    let used: u64 = bed.disk.files().iter().map(|(_, bytes)| bytes).sum();
    bed.disk.set_faults(Faults { capacity: Some(used + 600 * 1024), ..Faults::default() });
    let mut full = 0;
    for number in 0..1000 {
        workload.group(&mut store).expect("what is no put commits");
        if number % 10 == 0 {
            rest(&mut store, TODAY).expect("rests");
        }
        full += u32::from(!store.has_room());
        if full >= 50 && !store.has_room() {
            break;
        }
    }
    assert!(!store.has_room(), "it was full {full} times");
    workload.check(&store);
    for _ in 0..20 {
        workload.delete_everywhere(&mut store).expect("commits");
    }
    rest(&mut store, TODAY).expect("rests");
    assert!(store.has_room());
    workload.check(&store);
}

#[test]
fn an_index_that_is_lost_or_lost_a_row_is_built_anew() {
    for seed in 0..20 {
        let mut bed = Embedded::new(Unsynced::Lost);
        let mut workload = Workload::new(seed, TODAY);
        let mut store = work(&bed, &mut workload).expect("a sound disk");
        rest(&mut store, TODAY).expect("rests");
        for _ in 0..4 {
            workload.group(&mut store).expect("commits");
        }
        bed.crash(store);
        match seed {
            0 => bed.indexes.lose_all(),
            _ => assert!(bed.indexes.lose_a_row(seed)),
        }
        let store = bed.open(TODAY);
        workload.check(&store);
    }
}

#[test]
fn no_flipped_bit_is_taken_for_the_truth() {
    let mut damaged = 0;
    for seed in 0..60u64 {
        let mut bed = Embedded::new(Unsynced::Lost);
        let mut workload = Workload::new(9, TODAY);
        let mut store = work(&bed, &mut workload).expect("a sound disk");
        workload.group(&mut store).expect("commits");
        bed.crash(store);
        let files = bed.disk.files();
        let (name, bytes) = &files[seed as usize % files.len()];
        let bit = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (bytes * 8);
        bed.disk.flip_bit(name, bit);
        let store = bed.open(TODAY);
        damaged += workload.check_but_for_damage(&store, 1);
    }
    assert!(damaged > 0, "some flips must hit an envelope");
}

#[test]
fn every_flipped_bit_of_the_log_is_reported() {
    let mut bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(9, TODAY);
    let mut store = work(&bed, &mut workload).expect("a sound disk");
    workload.group(&mut store).expect("commits");
    rest(&mut store, TODAY).expect("rests");
    let in_use: Vec<String> =
        store.shared().inner().book.uses.values().map(|one| one.segment.name.clone()).collect();
    bed.crash(store);
    let sound = verify(&bed.disk, TODAY).expect("reads");
    assert!(sound.is_flawless() && sound.unerased == 0 && sound.envelopes > 0, "{sound:?}");
    for seed in 0..300u64 {
        let name = &in_use[seed as usize % in_use.len()];
        let bits = u64::from(config().segment_pages) * 4096 * 8;
        let bit = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bits;
        bed.disk.flip_bit(name, bit);
        let report = verify(&bed.disk, TODAY).expect("reads");
        assert!(report != sound, "bit {bit} of {name} was not reported");
        bed.disk.flip_bit(name, bit);
    }
}

/// The uses of files, each with the key to its tables.
fn uses(disk: &SimDisk) -> Vec<(u32, [u8; 32])> {
    let survey = recover::look(disk).expect("reads");
    survey.used.iter().map(|segment| (segment.header.sequence, segment.header.key)).collect()
}

fn is_in_use(disk: &SimDisk, sequence: u32) -> bool {
    uses(disk).iter().any(|(other, _)| *other == sequence)
}

/// Whether a record of the log that can be read holds these bytes.
fn can_be_read(disk: &SimDisk, needle: &[u8]) -> bool {
    let survey = recover::look(disk).expect("reads");
    let mut found = false;
    let holds = |record: &[u8]| record.windows(needle.len()).any(|window| window == needle);
    let mut visit = |block: PlacedBlock| found |= block.records().any(|(_, record)| holds(record));
    recover::read(&survey.used, &mut visit).expect("reads");
    found
}

#[test]
fn ids_of_what_is_gone_and_seconds_of_leases_leave_the_disk_in_days() {
    let mut bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(13, TODAY);
    let mut store = work(&bed, &mut workload).expect("a sound disk");
    workload.delete_everywhere(&mut store).expect("commits");
    let ids: Vec<_> = workload.gone().map(|envelope| envelope.id()).collect();
    rest(&mut store, TODAY).expect("rests");
    assert!(ids.iter().any(|id| can_be_read(&bed.disk, &id.0)));
    let uses = uses(&bed.disk);
    rest(&mut store, TODAY + 9).expect("rests");
    assert!(!ids.iter().any(|id| can_be_read(&bed.disk, &id.0)));
    let ended: Vec<_> = uses.iter().filter(|(sequence, _)| !is_in_use(&bed.disk, *sequence)).collect();
    assert!(!ended.is_empty());
    assert!(!ended.iter().any(|(_, key)| bed.disk.contains(key)), "a key of an ended use is still there");
    assert!(!ids.iter().any(|id| bed.disk.contains(&id.0)), "an id stands in the clear");
    workload.pass_days(9);
    bed.crash(store);
    workload.check(&bed.open(TODAY + 9));
}

#[test]
fn a_deleted_envelope_is_nowhere_on_the_disk() {
    let bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(10, TODAY);
    let mut store = work(&bed, &mut workload).expect("a sound disk");
    workload.delete_everywhere(&mut store).expect("commits");
    rest(&mut store, TODAY).expect("rests");
    for envelope in workload.gone() {
        assert!(!bed.disk.contains(&envelope.as_bytes()[..16]));
        assert!(!bed.disk.contains(&envelope.as_bytes()[3996..4012]));
    }
}

#[test]
fn an_expired_envelope_is_nowhere_on_the_disk() {
    let bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(11, TODAY);
    let mut store = work(&bed, &mut workload).expect("a sound disk");
    rest(&mut store, TODAY + 15).expect("rests");
    for envelope in workload.all() {
        assert!(!bed.disk.contains(&envelope.as_bytes()[..16]));
    }
}

#[test]
fn when_all_is_deleted_and_forgotten_hardly_anything_is_left() {
    let bed = Embedded::new(Unsynced::Lost);
    let mut workload = Workload::new(12, TODAY);
    let mut store = bed.try_open(TODAY).expect("opens");
    for _ in 0..300 {
        workload.group(&mut store).expect("commits");
    }
    workload.delete_everywhere(&mut store).expect("commits");
    rest(&mut store, TODAY + 40).expect("rests");
    assert_eq!(store.shared().inner().book.envelopes(), 0);
    let segments = bed.disk.files().iter().filter(|(name, _)| name.starts_with("segment")).count();
    let kept = config().spares + config().free_files + Lane::ALL.len();
    assert!(segments <= kept, "{segments} segments are left");
}

#[test]
fn a_log_of_a_build_with_another_layout_is_refused_and_left_as_it_is() {
    let mut bed = Embedded::new(Unsynced::Lost);
    drop(bed.open(TODAY));
    let name = recover::look(&bed.disk).expect("reads").used[0].name.clone();
    let file = bed.disk.open(&name).expect("opens");
    let last_page = file.len().expect("has a length") - 4096;
    for offset in [0, last_page] {
        file.write_at(&[IoSlice::new(b"PTRNSEG1")], offset).expect("a sound disk");
    }
    let before = bed.disk.bytes_written();
    assert!(matches!(bed.try_open(TODAY), Err(OpenError::Foreign { file }) if file == name));
    assert_eq!(bed.disk.bytes_written(), before);
    let report = verify(&bed.disk, TODAY).expect("reads");
    assert!(report.foreign_segments == 1 && !report.is_whole(), "{report:?}");
}
