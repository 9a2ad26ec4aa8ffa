//! A real file system loses power under a store that is being written: an ext4 image on a loop device is shut down
//! without flushing its log, unmounted and mounted again. What was acknowledged must be there, what was deleted must not.
//!
//! Needs root, loop devices and mkfs.ext4; where they are missing a line says that it was skipped.
//! `POTERNE_POWER_CUTS` sets the number of cuts.

mod image;
mod writer;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use poterne_relay::store::{open_directory, verify_directory};
use poterne_relay_core::store::Store as _;

use image::Image;
use writer::DAY;

const CUTS: u64 = 5;
/// How long the writer writes before a cut: from the first moments on.
const WRITING_MILLIS: [u64; 5] = [150, 400, 700, 1000, 1500];

/// What the writer was told, and what it may have been about to be told.
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

#[test]
fn a_power_cut_under_a_real_file_system_loses_nothing_that_was_acknowledged() {
    if writer::is_wanted() {
        return writer::write();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(image) = Image::make(folder.path()) else {
        return skip("no loop-mounted ext4 here (needs root, loop devices, mkfs.ext4)");
    };
    let cuts = std::env::var("POTERNE_POWER_CUTS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(CUTS);
    let mut told = Told::default();
    // The numbers of a cut's unacknowledged puts are not used again.
    let mut next = 0;
    for cut in 0..cuts {
        let store = image.mount.join("store");
        let mut writer = start_writer(&store, next);
        std::thread::sleep(Duration::from_millis(WRITING_MILLIS[cut as usize % WRITING_MILLIS.len()]));
        if !image.cut_power() {
            writer.kill().expect("kills");
            writer.wait().expect("ends");
            return skip("this file system can't be shut down");
        }
        writer.kill().expect("kills");
        told.read(&mut writer);
        writer.wait().expect("ends");
        assert!(image.unmount() && image.mount(), "the image is mounted again");
        next = told.last() + 10_000;
        check(&store, &told);
    }
    assert!(told.stored.len() > 100, "the writer wrote");
}

/// This program again, as the writer.
fn start_writer(store: &Path, first: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its program"));
    command.arg("--nocapture").env(writer::STORE, store).env(writer::FIRST, first.to_string());
    command.stdout(Stdio::piped()).spawn().expect("the writer starts")
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
        } else if number % writer::DELETED_EACH != 0 {
            let at = found.unwrap_or_else(|| panic!("{number} is lost"));
            assert_eq!(store.read(at).as_ref(), Ok(&envelope));
        }
    }
}

/// Tells the test run, which counts what was skipped, or whoever reads the output.
fn skip(why: &str) {
    let line = format!("power_cut: {why}\n");
    match std::env::var_os("POTERNE_SKIPS").and_then(|path| File::options().append(true).open(path).ok()) {
        Some(mut skips) => skips.write_all(line.as_bytes()).expect("the test run reads it"),
        None => std::io::stderr().write_all(format!("skipped: {line}").as_bytes()).unwrap_or(()),
    }
}
