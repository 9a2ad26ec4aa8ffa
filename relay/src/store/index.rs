//! The index: rows on a disk, found by owner. It holds no truth; whoever reads it checks what it says
//! (docs/spec/store.md §7).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::page::Address;
use super::rows::{OwnerKey, Row, bounds};

/// Why the index is of no use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IndexError {
    /// It failed, or panicked.
    #[error("the index failed")]
    Failed,
    /// It does not hold what the log says it must.
    #[error("the index is incomplete")]
    Incomplete,
}

/// Rows, ordered by owner and address.
pub trait Index: Send + Sync {
    /// The addresses of an owner's rows, rising.
    fn of(&self, owner: &OwnerKey) -> Result<Vec<Address>, IndexError>;
    /// All rows of a bucket.
    fn in_bucket(&self, bucket: usize) -> Result<Vec<Row>, IndexError>;
    /// Whether a row is there.
    fn contains(&self, row: &Row) -> Result<bool, IndexError>;
    /// Adds (true) and drops (false) rows.
    fn apply(&self, changes: &[(Row, bool)]) -> Result<(), IndexError>;
    /// Makes everything applied so far lasting.
    fn sync(&self) -> Result<(), IndexError>;
    /// Bytes that it takes on the disk.
    fn disk_bytes(&self) -> u64;
    /// Whether it is still there after a restart.
    fn is_lasting(&self) -> bool;
}

/// Makes indexes. Each has a number, which its checkpoint names.
pub trait IndexFactory: Send + Sync {
    /// Opens the index of that number.
    fn open(&self, number: u64) -> Result<Arc<dyn Index>, IndexError>;
    /// Makes an empty index of that number.
    fn create(&self, number: u64) -> Result<Arc<dyn Index>, IndexError>;
    /// Removes all indexes but that one, so that what they held is not found again.
    fn keep_only(&self, number: u64) -> Result<(), IndexError>;
    /// Removes the index of that number, so that what it held is not found again.
    fn remove(&self, number: u64) -> Result<(), IndexError>;
}

/// An index in memory: for tests, simulated disks, and for a disk that has no room for a real one.
#[derive(Default)]
pub struct MemoryIndex {
    rows: Mutex<BTreeSet<Row>>,
    is_lasting: bool,
    /// Changes that were applied: on a disk it would give nothing back.
    applied: AtomicU64,
}

/// Bytes that a change would take on a disk.
const CHANGE_BYTES: u64 = 64;

impl MemoryIndex {
    /// One that a simulated disk finds again after a restart.
    pub fn lasting() -> Self {
        Self { is_lasting: true, ..Self::default() }
    }

    fn range(&self, first: Row, last: Row) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).range(first..=last).copied().collect()
    }
}

impl Index for MemoryIndex {
    fn of(&self, owner: &OwnerKey) -> Result<Vec<Address>, IndexError> {
        let rows = self.range((*owner, Address::from_number(0)), (*owner, Address::from_number(u64::MAX)));
        Ok(rows.into_iter().map(|(_, address)| address).collect())
    }

    fn in_bucket(&self, bucket: usize) -> Result<Vec<Row>, IndexError> {
        let (first, last) = bounds(bucket);
        Ok(self.range(first, last))
    }

    fn contains(&self, row: &Row) -> Result<bool, IndexError> {
        Ok(self.rows.lock().unwrap_or_else(PoisonError::into_inner).contains(row))
    }

    fn apply(&self, changes: &[(Row, bool)]) -> Result<(), IndexError> {
        self.applied.fetch_add(changes.len() as u64, Ordering::Relaxed);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, there) in changes {
            match there {
                true => rows.insert(*row),
                false => rows.remove(row),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), IndexError> {
        Ok(())
    }

    fn disk_bytes(&self) -> u64 {
        self.applied.load(Ordering::Relaxed) * CHANGE_BYTES
    }

    fn is_lasting(&self) -> bool {
        self.is_lasting
    }
}
