//! Single flipped bits over the log, its checkpoint and the index: nothing is silently wrong or missing, each that hits
//! the log is reported, all others are served. `POTERNE_FLIPS` sets the number of flips.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use poterne_hostile::count::{count, tell};
use poterne_hostile::ledger::envelope;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::time::Day;
use poterne_relay::store::{Config, EmbeddedStore, Report, open_directory, verify_directory};
use poterne_relay_core::change::{Arrival, Change, Locator};
use poterne_relay_core::store::{ReadError, Store as _, Write};

const TODAY: Day = Day(20_000);
const ENVELOPES: u64 = 160;
const MAILBOXES: u64 = 7;
/// Of how many envelopes one is deleted again.
const DELETED_EACH: u64 = 4;

fn config() -> Config {
    Config { segment_pages: 24, reserve_bytes: 0, reserve_percent: 0, ..Config::default() }
}

fn mailbox(number: u64) -> MailboxId {
    MailboxId([(number % MAILBOXES) as u8; 32])
}

fn open(path: &Path) -> EmbeddedStore {
    open_directory(path, config(), TODAY).expect("opens")
}

/// A store with envelopes that wait, some that are gone, an index and a checkpoint, and some groups behind that.
fn build(path: &Path) -> Vec<String> {
    let mut store = open(path);
    for number in 0..ENVELOPES {
        write(&mut store, number);
        if number == ENVELOPES * 3 / 4 {
            store.shared().settle().expect("settles");
        }
    }
    store.shared().erase().expect("erases");
    let inner = store.shared().inner();
    inner.book.uses.values().map(|one| one.segment.name.clone()).collect()
}

fn write(store: &mut EmbeddedStore, number: u64) {
    let (id, envelope) = (mailbox(number), envelope(number));
    let position = store.load(&id).expect("loads").next_position(TODAY);
    let (at, envelope_id) = (Locator::UNPLACED, envelope.id());
    let arrival = Arrival { position, id: envelope_id, day: TODAY, last_day: TODAY + 14, at };
    store.stage(Write::Mailbox { id, change: Change::Put(arrival), envelope: Some(envelope) });
    store.commit().expect("commits");
    if number.is_multiple_of(DELETED_EACH) {
        let change = Change::deleted(position, envelope_id, TODAY);
        store.stage(Write::Mailbox { id, change, envelope: None });
        store.commit().expect("commits");
    }
    while store.tidy().expect("tidies") {}
    while store.shared().prepare().expect("prepares") {}
}

/// Envelopes that can't be had; the others are as they were put, and nothing that was deleted is there.
fn missing(path: &Path) -> usize {
    let store = open(path);
    let mut missing = 0;
    for number in 0..ENVELOPES {
        let (state, envelope) = (store.load(&mailbox(number)).expect("loads"), envelope(number));
        let at = state.find(&envelope.id(), TODAY).map(|(_, entry)| entry.at);
        if number.is_multiple_of(DELETED_EACH) {
            assert_eq!(at, None, "{number} is back");
            continue;
        }
        match at.map(|at| store.read(at, &envelope.id())) {
            Some(Ok(found)) => assert_eq!(found, envelope, "{number} is wrong"),
            Some(Err(ReadError::Damaged)) | None => missing += 1,
            Some(Err(ReadError::Unavailable)) => panic!("the disk answers"),
        }
    }
    missing
}

/// All files of the store but its lock, by their names below it.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = poterne_tests::doors::disk::files(path).into_iter();
    let named = all.map(|file| {
        let bytes = fs::read(&file).expect("reads");
        (file.strip_prefix(path).expect("it is below").to_owned(), bytes)
    });
    named.filter(|(name, bytes)| name != Path::new("lock") && !bytes.is_empty()).collect()
}

fn restore(path: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    fs::remove_dir_all(path).ok();
    for (name, bytes) in files {
        let file = path.join(name);
        fs::create_dir_all(file.parent().expect("a file has a folder")).expect("makes a folder");
        fs::write(file, bytes).expect("writes");
    }
}

fn verified(path: &Path) -> Report {
    verify_directory(path, TODAY).expect("reads")
}

#[test]
fn no_flipped_bit_is_taken_for_the_truth_and_each_in_the_log_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store");
    let in_use = build(&path);
    let sound = verified(&path);
    assert!(sound.is_flawless() && sound.unerased == 0, "{sound:?}");
    let whole = files(&path);
    let (mut lost, mut reported) = (0, 0);
    let flips = count("POTERNE_FLIPS", 60);
    for seed in 0..flips {
        let dice = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (name, bytes) = whole.iter().nth(seed as usize % whole.len()).expect("there are files");
        let bit = dice % (bytes.len() as u64 * 8);
        let mut rotten = bytes.clone();
        rotten[(bit / 8) as usize] ^= 1 << (bit % 8);
        restore(&path, &whole);
        fs::write(path.join(name), rotten).expect("writes");
        let report = verified(&path);
        let is_of_log = in_use.iter().any(|used| name == Path::new(used));
        assert!(report != sound || !is_of_log, "bit {bit} of {} is not reported", name.display());
        let gone = missing(&path);
        assert!(gone <= 1, "bit {bit} of {} took {gone} envelopes", name.display());
        assert!(gone == 0 || report.rotten_envelopes == 1, "bit {bit} of {}: {report:?}", name.display());
        lost += gone;
        reported += usize::from(report != sound);
    }
    tell(format_args!(
        "{flips} flips over {} files: {reported} reported, {lost} envelopes lost, each reported, 0 wrong",
        whole.len()
    ));
}
