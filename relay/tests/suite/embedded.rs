//! The embedded store on a simulated disk.

use std::sync::Arc;
use std::time::Duration;

use poterne_protocol::time::Day;
use poterne_relay::store::sim::{Faults, SimDisk, Unsynced};
use poterne_relay::store::sim_index::SimIndexes;
use poterne_relay::store::{Config, EmbeddedStore, OpenError, open};

use super::Backend;

/// Small segments, so that a small workload begins, empties and uses many; and few states in memory, so that it reads what
/// the log says of most.
pub fn config() -> Config {
    Config {
        segment_pages: 24,
        spares: 4,
        free_files: 2,
        reserve_bytes: 0,
        reserve_percent: 0,
        copy_after: Duration::ZERO,
        calm_after: Duration::ZERO,
        index_bytes: 0,
        copy_pages: 4,
        cache_bytes: 1024,
        ..Config::default()
    }
}

/// The embedded store on a simulated disk.
pub struct Embedded {
    /// The disk.
    pub disk: SimDisk,
    /// The indexes on it.
    pub indexes: SimIndexes,
    /// What a crash does to what was not synced.
    pub unsynced: Unsynced,
}

impl Embedded {
    /// An empty disk.
    pub fn new(unsynced: Unsynced) -> Self {
        Self { disk: SimDisk::new(Faults::default()), indexes: SimIndexes::default(), unsynced }
    }

    /// Opens what the disk holds, if it can be.
    pub fn try_open(&self, today: Day) -> Result<EmbeddedStore, OpenError> {
        open(Arc::new(self.disk.clone()), Box::new(self.indexes.clone()), config(), today)
    }
}

impl Backend for Embedded {
    type Store = EmbeddedStore;

    fn open(&mut self, today: Day) -> EmbeddedStore {
        self.try_open(today).expect("opens")
    }

    fn crash(&mut self, _: EmbeddedStore) {
        self.disk = self.disk.restart(self.unsynced, Faults::default());
    }

    fn rest(&mut self, store: &mut EmbeddedStore, today: Day) {
        rest(store, today).expect("rests");
    }
}

/// All the work behind the commits, until there is none.
pub fn rest(store: &mut EmbeddedStore, today: Day) -> Result<(), String> {
    store.set_today(today);
    let shared = store.shared().clone();
    for _ in 0..1000 {
        let tidied = store.tidy().map_err(|error| error.to_string())?;
        let settled = shared.settle().map_err(|error| error.to_string())?;
        let erased = shared.erase().map_err(|error| error.to_string())?;
        let retired = shared.retire().map_err(|error| error.to_string())?;
        let prepared = shared.prepare().map_err(|error| error.to_string())?;
        let given_back = shared.give_back().map_err(|error| error.to_string())?;
        if !tidied && !settled && erased == 0 && !retired && !prepared && !given_back {
            return Ok(());
        }
    }
    Err("there is always more to do".to_owned())
}
