//! The fuzz farm's corpora, replayed: what it kept of `tests/fuzz/corpus` is survived without its tools.

use std::fs;
use std::path::Path;

use poterne_tests::fuzz::{self, TARGETS, Target};

/// The kept bytes of one target and its seeds.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    let kept = paths.iter().map(|path| fs::read(path).expect("a readable file"));
    kept.chain((target.seeds)()).collect()
}

macro_rules! replayed {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($name));
            for bytes in corpus(target.expect("the target is in the table")) {
                fuzz::run(stringify!($name), &bytes);
            }
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(replayed));
        }
    };
}

replayed!(
    address,
    annex,
    answer,
    attachment,
    body,
    card,
    certificates,
    channel,
    config,
    continued,
    descriptor,
    first_contact,
    frame,
    headers,
    log,
    log_entry,
    notice_head,
    passphrase,
    picture,
    ratchet,
    records,
    request,
    short_layouts,
    stored_states,
    vault,
);

#[test]
fn true_bytes_are_among_the_seeds_of_every_target() {
    for target in TARGETS {
        assert!(!(target.seeds)().is_empty(), "{}", target.name);
    }
}
