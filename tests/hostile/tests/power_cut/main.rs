//! A real file system loses power under a store that is being written: an ext4 image on a loop device is shut down
//! without flushing its log, unmounted and mounted again. What was acknowledged must be there, what was deleted must not.
//!
//! Needs root, loop devices and mkfs.ext4; where they are missing a line says that it was skipped.
//! `POTERNE_POWER_CUTS` sets the number of cuts.

mod control;
mod writer;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use poterne_hostile::count::{count, skip, tell};
use poterne_hostile::image::Image;
use poterne_relay::store::{open_directory, verify_directory};
use poterne_relay_core::store::Store as _;

use writer::DAY;

const IMAGE_MIB: u64 = 256;
/// Cuts within which a store that syncs too little must be found out.
const CONTROL_CUTS: u64 = 10;
/// How long the writer writes before a cut: from the first moments on.
const WRITING_MILLIS: [u64; 5] = [150, 400, 700, 1000, 1500];

/// What the writer was told.
#[derive(Default)]
struct Told {
    stored: BTreeSet<u64>,
    deleted: BTreeSet<u64>,
}

impl Told {
    fn read(&mut self, writer: &mut Child) {
        let out = writer.stdout.take().expect("piped");
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            match what {
                "stored" => self.stored.insert(number),
                _ => self.deleted.insert(number),
            };
        }
    }

    fn last(&self) -> u64 {
        self.stored.last().copied().unwrap_or(0)
    }
}

/// What is being written while the power goes.
struct Bench {
    // Unmounted before its folder is removed.
    image: Image,
    _folder: tempfile::TempDir,
    told: Told,
}

impl Bench {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let image = Image::make(folder.path(), IMAGE_MIB)?;
        Some(Self { image, _folder: folder, told: Told::default() })
    }

    fn store(&self) -> std::path::PathBuf {
        self.image.mount.join("store")
    }

    /// Lets that writer write, and cuts the power. Says whether it could.
    fn cut(&mut self, number: u64, writer: &str) -> bool {
        // The numbers of a cut's unacknowledged puts are not used again.
        let mut child = start_writer(writer, &self.store(), self.told.last() + 10_000);
        std::thread::sleep(Duration::from_millis(WRITING_MILLIS[number as usize % WRITING_MILLIS.len()]));
        let cut = self.image.cut_power();
        child.kill().expect("kills");
        self.told.read(&mut child);
        child.wait().expect("ends");
        cut && self.image.unmount() && self.image.mount()
    }
}

const NO_IMAGE: &str = "no loop-mounted ext4 here (needs root, loop devices, mkfs.ext4)";
const NO_CUT: &str = "this file system can't be shut down";

#[test]
fn a_power_cut_under_a_real_file_system_loses_nothing_that_was_acknowledged() {
    if let Some(writer) = writer::wanted() {
        return writer();
    }
    let Some(mut bench) = Bench::new() else { return skip("power_cut", NO_IMAGE) };
    let cuts = count("POTERNE_POWER_CUTS", 5);
    for cut in 0..cuts {
        if !bench.cut(cut, writer::LOG) {
            return skip("power_cut", NO_CUT);
        }
        check(&bench.store(), &bench.told);
    }
    let Told { stored, deleted } = &bench.told;
    tell(format_args!("{cuts} cuts, {} stored, {} deleted, 0 lost, 0 back", stored.len(), deleted.len()));
    assert!(bench.told.stored.len() > 100, "the writer wrote");
}

/// The negative control: the same cuts under a store that trusts sled's own flush.
#[test]
fn a_store_that_trusts_the_flush_of_sled_is_found_out() {
    if writer::wanted().is_some() {
        return;
    }
    let Some(mut bench) = Bench::new() else { return skip("power_cut control", NO_IMAGE) };
    for cut in 0..CONTROL_CUTS {
        if !bench.cut(cut, writer::SLED) {
            return skip("power_cut control", NO_CUT);
        }
        match control::lost(&bench.store(), &bench.told.stored) {
            Some(0) => {}
            Some(lost) => {
                return tell(format_args!("cut {cut}: {lost} of {} are lost", bench.told.stored.len()));
            }
            None => return tell(format_args!("cut {cut}: it does not open any more")),
        }
    }
    panic!("{CONTROL_CUTS} cuts did not tell it from a store that syncs");
}

/// This program again, as a writer.
fn start_writer(writer: &str, store: &Path, first: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its program"));
    command.args([
        "--nocapture",
        "--exact",
        "a_power_cut_under_a_real_file_system_loses_nothing_that_was_acknowledged",
    ]);
    command.env(writer::WRITER, writer).env(writer::STORE, store).env(writer::FIRST, first.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the writer starts")
}

fn check(path: &Path, told: &Told) {
    let report = verify_directory(path, DAY).expect("reads");
    assert!(report.is_whole(), "{report:?}");
    let store = open_directory(path, writer::config(), DAY).expect("opens");
    for number in &told.stored {
        let state = store.load(&writer::mailbox(*number)).expect("loads");
        let envelope = writer::envelope(*number);
        let found = state.find(&envelope.id(), DAY).map(|(_, entry)| entry.at);
        if told.deleted.contains(number) {
            assert_eq!(found, None, "{number} came back");
        } else if !number.is_multiple_of(writer::DELETED_EACH) {
            let at = found.unwrap_or_else(|| panic!("{number} is lost"));
            assert_eq!(store.read(at, &envelope.id()).as_ref(), Ok(&envelope));
        }
    }
}
