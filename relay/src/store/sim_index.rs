//! The indexes of a simulated disk, which lose rows on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::index::{Index, IndexError, IndexFactory, MemoryIndex};
use super::rows::{BUCKETS, Row};
use super::sim::Dice;

/// The indexes of a simulated disk: what was applied is found again after a restart, synced or not, unless it is made
/// to be lost. Clones are handles to the same indexes.
#[derive(Clone, Default)]
pub struct SimIndexes(Arc<Mutex<BTreeMap<u64, Arc<MemoryIndex>>>>);

impl SimIndexes {
    /// Loses every index.
    pub fn lose_all(&self) {
        self.indexes().clear();
    }

    /// Loses one row of those that are there, chosen by `seed`. Says whether there was one.
    pub fn lose_a_row(&self, seed: u64) -> bool {
        let mut dice = Dice(seed);
        self.indexes().values().any(|index| {
            let rows: Vec<Row> =
                (0..BUCKETS).flat_map(|bucket| index.in_bucket(bucket).unwrap_or_default()).collect();
            if rows.is_empty() {
                return false;
            }
            index.apply(&[(rows[dice.below(rows.len())], false)]).is_ok()
        })
    }

    fn indexes(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<MemoryIndex>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IndexFactory for SimIndexes {
    fn open(&self, number: u64) -> Result<Arc<dyn Index>, IndexError> {
        match self.indexes().get(&number) {
            Some(index) => Ok(index.clone()),
            None => Err(IndexError::Failed),
        }
    }

    fn create(&self, number: u64) -> Result<Arc<dyn Index>, IndexError> {
        let index = Arc::new(MemoryIndex::lasting());
        self.indexes().insert(number, index.clone());
        Ok(index)
    }

    fn keep_only(&self, number: u64) -> Result<(), IndexError> {
        self.indexes().retain(|other, _| *other == number);
        Ok(())
    }

    fn remove(&self, number: u64) -> Result<(), IndexError> {
        self.indexes().remove(&number);
        Ok(())
    }
}
