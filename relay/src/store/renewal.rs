//! Writing the index anew where it takes far more of the disk than what it holds (docs/spec/store.md §7): sled uses its
//! file again, but gives little of it back.
//!
//! What the old index holds is copied to a new one, which is then brought up, read again whole, and named by the
//! checkpoint. Until that is on the disk the old one counts, and whatever fails before leaves it as it was.

use std::sync::Arc;

use super::index::{Index, IndexError};
use super::keeper::INDEX_BATCH_ROWS;
use super::rows::{BUCKETS, Row, digest};
use super::shared::{Inner, Shared};

/// Bytes of an index that is not too large, for each row: some times what one takes that was just written.
const CALM_ROW_BYTES: u64 = 32;
/// Bytes that the index of a store at work may take, and for each row: what is written anew then costs no less than what
/// it gives back.
const BUSY_BYTES: u64 = 64 << 20;
const BUSY_ROW_BYTES: u64 = 1024;

impl Shared {
    /// Whether the index takes far more of the disk than what it holds, and another has room beside it.
    pub(super) fn index_is_too_large(&self, inner: &Inner) -> bool {
        let index = inner.rows.index();
        if inner.index_is_compact || !index.is_lasting() {
            return false;
        }
        let (bytes, row_bytes) = match inner.is_calm(self.config.calm_after) {
            true => (self.config.index_bytes, CALM_ROW_BYTES),
            false => (BUSY_BYTES, BUSY_ROW_BYTES),
        };
        let rows: u64 = inner.book.uses.values().map(|one| u64::from(one.pages.rows)).sum();
        index.disk_bytes() > bytes + rows * row_bytes && self.may_grow(true)
    }

    /// A new index of that number with what the old one holds; `None` where it can't be had.
    pub(super) fn renewed(&self, old: &dyn Index, number: u64) -> Option<Arc<dyn Index>> {
        let copied = self.indexes.create(number).and_then(|new| copy(old, &*new).map(|()| new));
        let failed = |error: &IndexError| {
            tracing::warn!(%error, "the index could not be written anew");
            self.remove_index(number);
        };
        copied.inspect_err(failed).ok()
    }

    /// Removes an index that counts no more.
    pub(super) fn remove_index(&self, number: u64) {
        if let Err(error) = self.indexes.remove(number) {
            tracing::warn!(%error, "an index in no use could not be removed: the next start does");
        }
    }
}

fn copy(from: &dyn Index, to: &dyn Index) -> Result<(), IndexError> {
    let mut rows: Vec<(Row, bool)> = Vec::new();
    for bucket in 0..BUCKETS {
        rows.extend(from.in_bucket(bucket)?.into_iter().map(|row| (row, true)));
        if rows.len() >= INDEX_BATCH_ROWS || bucket + 1 == BUCKETS {
            to.apply(&rows)?;
            rows.clear();
        }
    }
    Ok(())
}

/// Whether an index holds the rows with those digests and no others.
pub fn is_whole(index: &dyn Index, digests: &[u64]) -> Result<bool, IndexError> {
    for (bucket, known) in digests.iter().enumerate() {
        if digest(&index.in_bucket(bucket)?) != *known {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use poterne_protocol::time::Day;
    use poterne_relay_core::store::{Store as _, VoucherChange, VoucherId, Write};

    use crate::store::index::IndexFactory as _;
    use crate::store::keeper::SettleError;
    use crate::store::sim::{Faults, SimDisk};
    use crate::store::sim_index::SimIndexes;
    use crate::store::{Config, EmbeddedStore, open, open_directory};

    use super::*;

    const TODAY: Day = Day(20_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn config(calm_after: Duration) -> Config {
        let no_reserve = Config { reserve_bytes: 0, reserve_percent: 0, ..Config::default() };
        Config { segment_pages: 64, calm_after, index_bytes: 0, ..no_reserve }
    }

    fn simulated(disk: &SimDisk, indexes: &SimIndexes, calm_after: Duration) -> EmbeddedStore {
        let medium = Arc::new(disk.clone());
        open(medium, Box::new(indexes.clone()), config(calm_after), TODAY).expect("opens")
    }

    fn voucher(number: u8) -> VoucherId {
        VoucherId([number; 32])
    }

    /// Gives each voucher that many uses, and brings the index up.
    fn set_all(store: &mut EmbeddedStore, left: u32) -> Result<bool, SettleError> {
        for number in 0..=u8::MAX {
            store.stage(Write::Voucher(VoucherChange { id: voucher(number), left }));
        }
        while store.shared().prepare().expect("prepares") {}
        store.commit().expect("commits");
        store.shared().settle()
    }

    fn have_all(store: &EmbeddedStore, left: u32) -> bool {
        (0..=u8::MAX).all(|number| store.voucher(&voucher(number)) == Ok(left))
    }

    fn number(store: &EmbeddedStore) -> u64 {
        store.shared().inner().index_number
    }

    #[test]
    fn the_index_of_a_calm_store_is_written_anew_once_and_the_old_one_removed() {
        let (disk, indexes) = (SimDisk::new(Faults::default()), SimIndexes::default());
        let mut store = simulated(&disk, &indexes, Duration::ZERO);
        let before = number(&store);
        for left in 1..=3 {
            set_all(&mut store, left).expect("settles");
        }
        while store.shared().settle().expect("settles") {}
        assert!(number(&store) > before && have_all(&store, 3));
        assert!(indexes.open(before).is_err());
        let last = number(&store);
        drop(store);
        let store = simulated(&disk, &indexes, Duration::ZERO);
        assert!(number(&store) == last && have_all(&store, 3));
    }

    #[test]
    fn the_index_of_a_store_at_work_stays() {
        let (disk, indexes) = (SimDisk::new(Faults::default()), SimIndexes::default());
        let mut store = simulated(&disk, &indexes, HOUR);
        let before = number(&store);
        for left in 1..=3 {
            set_all(&mut store, left).expect("settles");
        }
        assert_eq!(number(&store), before);
    }

    #[test]
    fn an_index_that_has_lost_a_row_is_not_copied_but_built_anew_from_the_log() {
        let (disk, indexes) = (SimDisk::new(Faults::default()), SimIndexes::default());
        let mut store = simulated(&disk, &indexes, HOUR);
        set_all(&mut store, 1).expect("settles");
        drop(store);
        let mut store = simulated(&disk, &indexes, Duration::ZERO);
        assert!(indexes.lose_a_row(7));
        let settled = store.shared().settle();
        assert!(matches!(settled, Err(SettleError::Index(IndexError::Incomplete))));
        assert!(store.tidy().expect("tidies") && have_all(&store, 1));
    }

    #[test]
    fn what_is_left_of_a_renewal_that_was_cut_short_is_removed() {
        let (disk, indexes) = (SimDisk::new(Faults::default()), SimIndexes::default());
        let mut store = simulated(&disk, &indexes, HOUR);
        set_all(&mut store, 1).expect("settles");
        let (counts, begun) = (number(&store), store.shared().inner().number_of_new_index());
        store.shared().renewed(&*store.shared().inner().rows.index(), begun).expect("renews");
        drop(store);
        let store = simulated(&disk, &indexes, HOUR);
        assert!(number(&store) == counts && have_all(&store, 1));
        assert!(indexes.open(begun).is_err());
    }

    fn indexes_in(path: &Path) -> usize {
        let names = path.read_dir().expect("reads").map(|entry| entry.expect("reads").file_name());
        names.filter(|name| name.to_string_lossy().starts_with("index-")).count()
    }

    #[test]
    fn an_index_of_sled_takes_less_when_it_was_written_anew() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let open = |calm_after| open_directory(home.path(), config(calm_after), TODAY).expect("opens");
        let mut store = open(HOUR);
        for left in 1..=200 {
            set_all(&mut store, left).expect("settles");
        }
        let bytes = |store: &EmbeddedStore| store.shared().inner().rows.index().disk_bytes();
        let before = bytes(&store);
        drop(store);
        let store = open(Duration::ZERO);
        assert!(store.shared().settle().expect("settles"));
        assert!(bytes(&store) < before / 2, "{} of {before} bytes", bytes(&store));
        assert!(have_all(&store, 200) && indexes_in(home.path()) == 1);
        drop(store);
        assert!(have_all(&open(HOUR), 200));
    }
}
