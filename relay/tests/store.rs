//! The suite of store guarantees on the embedded store and on the one in memory, and the faults of a simulated disk.

mod suite;

use std::sync::Arc;

use poterne_protocol::time::Day;
use poterne_relay::store::sim::{Faults, SimDisk, SimIndexes, Unsynced};
use poterne_relay::store::{Config, EmbeddedStore, open};
use poterne_relay_core::memory::MemoryStore;
use suite::{Backend, guarantees};

/// Small segments, so that a small workload begins, empties and uses many.
fn config() -> Config {
    Config {
        segment_pages: 24,
        spares: 3,
        free_files: 2,
        reserve_bytes: 0,
        reserve_percent: 0,
        copy_pages: 4,
        ..Config::default()
    }
}

/// The embedded store on a simulated disk.
struct Embedded {
    disk: SimDisk,
    indexes: SimIndexes,
    unsynced: Unsynced,
}

impl Embedded {
    fn new(unsynced: Unsynced) -> Self {
        Self { disk: SimDisk::new(Faults::default()), indexes: SimIndexes::default(), unsynced }
    }
}

impl Backend for Embedded {
    type Store = EmbeddedStore;

    fn open(&mut self, today: Day) -> EmbeddedStore {
        let disk = Arc::new(self.disk.clone());
        open(disk, Box::new(self.indexes.clone()), config(), today).expect("opens")
    }

    fn crash(&mut self, _: EmbeddedStore) {
        self.disk = self.disk.restart(self.unsynced, Faults::default());
    }

    fn rest(&mut self, store: &mut EmbeddedStore, today: Day) {
        rest(store, today).expect("rests");
    }
}

/// All the work behind the commits, until there is none.
fn rest(store: &mut EmbeddedStore, today: Day) -> Result<(), String> {
    store.set_today(today);
    let shared = store.shared().clone();
    for _ in 0..1000 {
        let tidied = store.tidy().map_err(|error| error.to_string())?;
        let settled = shared.settle().map_err(|error| error.to_string())?;
        let erased = shared.erase().map_err(|error| error.to_string())?;
        let retired = shared.retire().map_err(|error| error.to_string())?;
        let prepared = shared.prepare().map_err(|error| error.to_string())?;
        let given_back = shared.give_back().map_err(|error| error.to_string())?;
        if !tidied && !settled && erased == 0 && retired == 0 && !prepared && !given_back {
            return Ok(());
        }
    }
    Err("there is always more to do".to_owned())
}

/// The store in memory, which the simulated world runs on.
struct Memory(Option<MemoryStore>);

impl Backend for Memory {
    type Store = MemoryStore;

    fn open(&mut self, today: Day) -> MemoryStore {
        let mut store = self.0.take().unwrap_or_default();
        store.pass_day(today);
        store
    }

    fn crash(&mut self, mut store: MemoryStore) {
        store.crash(0);
        self.0 = Some(store);
    }

    fn rest(&mut self, store: &mut MemoryStore, today: Day) {
        store.pass_day(today);
    }
}

macro_rules! on_each_backend {
    ($($guarantee:ident),* $(,)?) => {
        mod embedded {
            $(#[test] fn $guarantee() {
                for unsynced in [super::Unsynced::Lost, super::Unsynced::Kept, super::Unsynced::Torn { seed: 7 }] {
                    super::guarantees::$guarantee(&mut super::Embedded::new(unsynced));
                }
            })*
        }
        mod memory {
            $(#[test] fn $guarantee() { super::guarantees::$guarantee(&mut super::Memory(None)); })*
        }
    };
}

on_each_backend!(
    acknowledged_work_survives_crashes,
    an_empty_group_commits,
    days_end_what_they_end,
    what_was_not_committed_leaves_nothing,
);
