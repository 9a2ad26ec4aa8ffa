//! Fifty requesters, five devices of one desk, one or two relays, in a storm: real client machines on disks that are cut
//! off in the middle of writes, over the real rules.

use poterne_relay_core::memory::MemoryStore;
use poterne_tests::world::{Habits, Plan, Town};

/// How many seeds to try: `POTERNE_SEEDS`, else `few`.
fn seeds(few: u64) -> u64 {
    std::env::var("POTERNE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

#[test]
fn everybody_is_heard_and_answered_once_and_in_order() {
    for seed in 0..seeds(8) {
        Town::live(seed, Plan::default()).unwrap_or_else(|failure| panic!("{failure:?}"));
    }
}

#[test]
fn one_seed_gives_one_run() {
    let plan = Plan { requesters: 10, ..Plan::default() };
    let live = |seed| Town::live(seed, plan).unwrap_or_else(|failure| panic!("{failure:?}"));
    let first = live(1);
    assert_eq!(first, live(1));
    assert_ne!(first, live(2));
}

#[test]
fn a_relay_that_answers_before_its_sync_is_found() {
    let plan = Plan { store: MemoryStore::acknowledging_before_sync, ..Plan::default() };
    assert!(Town::live(0, plan).is_err());
}

#[test]
fn a_client_that_deletes_before_its_vault_is_written_is_found() {
    let habits = Habits { saves_late: true, ..Plan::default().habits };
    assert!(Town::live(0, Plan { habits, ..Plan::default() }).is_err());
}
