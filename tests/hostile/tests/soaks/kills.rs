//! SIGKILL under load: in the first moments, while segments are begun and emptied, while the index is built anew.
//! `POTERNE_KILLS` sets the number of kills.

use std::fs;
use std::path::Path;

use poterne_hostile::count::{count, tell};

use crate::stage::{CROWD, Stage, pause};

/// How long a crowd works before a kill.
const WORKING_MILLIS: [u64; 5] = [40, 150, 400, 800, 1500];
/// How long after its start a relay is killed that builds its index anew.
const REBUILDING_MILLIS: [u64; 4] = [5, 20, 60, 150];

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let mut stage = Stage::new();
    let kills = count("POTERNE_KILLS", 6);
    for number in 0..kills {
        let first = stage.ledger.last();
        stage.relay.run();
        let crowd = stage.gather(CROWD);
        pause(WORKING_MILLIS[number as usize % WORKING_MILLIS.len()]);
        stage.relay.kill();
        drop(crowd);
        if number % 3 == 2 {
            kill_while_rebuilding(&mut stage, number);
        }
        stage.relay.run();
        stage.check_since(first);
        stage.relay.kill();
    }
    stage.relay.run();
    stage.check_since(0);
    let (stored, deleted) = (stage.ledger.stored(), stage.ledger.deleted());
    tell(format_args!("{kills} kills, {stored} stored, {deleted} deleted, 0 lost, 0 back"));
    assert!(stored > 50 && deleted > 10, "the crowd worked: {stored} stored, {deleted} deleted");
}

/// Takes the index away, starts the relay, and kills it at some moment of its opening.
fn kill_while_rebuilding(stage: &mut Stage, number: u64) {
    remove_index(&stage.relay.folder().join("data/store"));
    stage.relay.launch();
    pause(REBUILDING_MILLIS[number as usize / 3 % REBUILDING_MILLIS.len()]);
    stage.relay.kill();
}

fn remove_index(store: &Path) {
    for entry in fs::read_dir(store).expect("the store is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("index-") {
            fs::remove_dir_all(entry.path()).expect("an index can be removed");
        }
        if name == "checkpoint" && number_is_odd(&entry.path()) {
            fs::remove_file(entry.path()).expect("a checkpoint can be removed");
        }
    }
}

/// Sometimes the checkpoint stays behind and names an index that is not there.
fn number_is_odd(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() % 2 == 1)
}
