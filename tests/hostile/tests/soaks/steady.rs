//! A relay that works on and on holds no more than before: memory, descriptors, threads, disk.
//! `POTERNE_STEADY_SECS` sets how long.

use std::path::Path;

use poterne_hostile::count::{count, tell};
use poterne_hostile::crowd::Size;
use poterne_hostile::process::Holding;

use crate::stage::{Stage, pause};

/// All that is put is deleted again.
const CROWD: Size = Size { connections: 4, producers: 2, deleted_of_ten: 10 };
/// What a tombstone, which stays for a week, may take in memory and on the disk: its row, its record, sled around it.
const TOMBSTONE_BYTES: u64 = 1024;
/// What a put and its deletion take on the disk until a segment is used again: two pages, and the table's share.
const UNRETURNED_BYTES: u64 = 3 * 4096;
/// When at the latest the disk is back: little is copied after a minute, files are overwritten and used again.
const RETURN_SECS: u64 = 150;
/// What caches, threads' arenas and files in preparation may make of difference.
const SLACK_BYTES: u64 = 48 << 20;

/// What the relay holds, and its bytes on the disk.
fn holding(stage: &Stage) -> (Holding, u64) {
    (Holding::of(stage.relay.process_id()), bytes_below(&stage.relay.folder().join("data")))
}

fn bytes_below(folder: &Path) -> u64 {
    let files = poterne_tests::doors::disk::files(folder).into_iter();
    // A file may go while we look.
    files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum()
}

#[test]
fn a_relay_at_work_holds_no_more_than_before() {
    let mut stage = Stage::new();
    stage.relay.run();
    let crowd = stage.gather(CROWD);
    let secs = count("POTERNE_STEADY_SECS", 4);
    pause(secs * 500);
    let ((before, disk_before), dead_before) = (holding(&stage), stage.ledger.deleted() as u64);
    pause(secs * 500);
    let ((after, disk_after), dead_after) = (holding(&stage), stage.ledger.deleted() as u64);
    drop(crowd);
    tell(format_args!(
        "{secs} s: {dead_after} put and deleted; {before:?}, disk {disk_before}; then {after:?}, disk {disk_after}"
    ));
    let growth = |bytes_each: u64| (dead_after - dead_before) * bytes_each + SLACK_BYTES;
    let on_disk = if secs / 2 < RETURN_SECS { UNRETURNED_BYTES } else { TOMBSTONE_BYTES };
    assert!(
        after.memory_bytes <= before.memory_bytes + growth(TOMBSTONE_BYTES),
        "memory: {before:?}, {after:?}"
    );
    assert!(disk_after <= disk_before + growth(on_disk), "disk: {disk_before}, {disk_after}");
    // Open files are those of the log, whose number the disk bounds.
    assert!(after.descriptors <= before.descriptors + 8, "descriptors: {before:?}, {after:?}");
    assert!(after.threads <= before.threads, "threads: {before:?}, {after:?}");
}
