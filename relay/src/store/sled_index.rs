//! The index in sled 0.34 (docs/spec/store.md §7).
//!
//! sled is no place for the truth: its flush is no fsync, it may panic where it should fail, it never gives space back.
//! So every call is fenced, its files are synced by us before a checkpoint names it, and when it has become too large
//! it is built anew beside the old one, whose files are overwritten and removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::chunk::{CLASSES, Chunk, class, to_join};
use super::index::{Index, IndexError, IndexFactory};
use super::page::Address;
use super::rows::{OwnerKey, Row, bucket};

const DIRECTORY_PREFIX: &str = "index-";
/// Bytes of its cache. sled takes three times as much; with 32 MiB a million rows took 200 MB, with 8 MiB 90.
const CACHE_BYTES: u64 = 8 << 20;
/// Bytes of zeros in one write over an old index.
const ZEROS_BYTES: usize = 1 << 20;

/// Indexes in the directory of a store.
pub struct SledIndexes {
    store: PathBuf,
}

struct SledIndex {
    /// `None` only while it is dropped.
    db: Option<sled::Db>,
    path: PathBuf,
    /// Held by who changes chunks: who reads a bucket must not see half of a joining.
    joining: RwLock<()>,
}

impl SledIndex {
    fn db(&self) -> &sled::Db {
        self.db.as_ref().expect("the database is there until the index is dropped")
    }
}

impl Drop for SledIndex {
    /// sled flushes when it is dropped, and panics where that fails.
    fn drop(&mut self) {
        let db = self.db.take();
        catch_unwind(AssertUnwindSafe(|| drop(db))).unwrap_or(());
    }
}

impl SledIndexes {
    /// Indexes beside the log in `store`.
    pub fn new(store: &Path) -> Self {
        Self { store: store.to_owned() }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.store.join(format!("{DIRECTORY_PREFIX}{number:08x}"))
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.store)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(DIRECTORY_PREFIX));
            numbers.extend(number.and_then(|number| u64::from_str_radix(number, 16).ok()));
        }
        Ok(numbers)
    }
}

impl IndexFactory for SledIndexes {
    fn open(&self, number: u64) -> Result<Arc<dyn Index>, IndexError> {
        let path = self.path(number);
        if !path.is_dir() {
            return Err(IndexError::Failed);
        }
        let config = sled::Config::new().path(&path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = fenced(|| config.open())?;
        Ok(Arc::new(SledIndex { db: Some(db), path, joining: RwLock::default() }))
    }

    fn create(&self, number: u64) -> Result<Arc<dyn Index>, IndexError> {
        let path = self.path(number);
        self.remove(number)?;
        fs::create_dir(&path).and_then(|()| sync_directory(&self.store)).map_err(|_| IndexError::Failed)?;
        self.open(number)
    }

    fn keep_only(&self, number: u64) -> Result<(), IndexError> {
        let numbers = self.numbers().map_err(|_| IndexError::Failed)?;
        numbers.into_iter().filter(|other| *other != number).try_for_each(|other| self.remove(other))
    }

    fn remove(&self, number: u64) -> Result<(), IndexError> {
        let path = self.path(number);
        if !path.exists() {
            return Ok(());
        }
        erase_directory(&path).and_then(|()| sync_directory(&self.store)).map_err(|_| IndexError::Failed)
    }
}

/// The key of a chunk: its size class, its bucket, and its number in it, rising with time.
///
/// sled writes a page of its tree again after a few changes to it. With the class in front, what is old and large does
/// not lie in a page with what is new and small.
type ChunkKey = [u8; 7];

fn chunk_key(bucket: usize, number: u32, bytes: usize) -> ChunkKey {
    let mut key = [0; 7];
    key[..3].copy_from_slice(&chunk_prefix(class(bytes), bucket));
    key[3..].copy_from_slice(&number.to_be_bytes());
    key
}

fn chunk_prefix(class: u8, bucket: usize) -> [u8; 3] {
    let [high, low] = (bucket as u16).to_be_bytes();
    [class, high, low]
}

fn number_of(key: &[u8]) -> Result<u32, IndexError> {
    let key: &ChunkKey = key.try_into().map_err(|_| IndexError::Incomplete)?;
    Ok(u32::from_be_bytes([key[3], key[4], key[5], key[6]]))
}

/// A chunk as it is kept, and its number.
type Kept = (u32, sled::IVec);

impl SledIndex {
    /// The chunks of a bucket, oldest first.
    fn chunks(&self, bucket: usize) -> Result<Vec<Kept>, IndexError> {
        let mut chunks = Vec::new();
        for class in 0..CLASSES {
            let found =
                || self.db().scan_prefix(chunk_prefix(class, bucket)).collect::<sled::Result<Vec<_>>>();
            for (key, chunk) in fenced(found)? {
                chunks.push((number_of(&key)?, chunk));
            }
        }
        chunks.sort_unstable_by_key(|(number, _)| *number);
        Ok(chunks)
    }

    /// Puts a chunk upon those of a bucket, and joins those that are to be joined.
    fn add(&self, bucket: usize, chunk: Chunk, batch: &mut sled::Batch) -> Result<(), IndexError> {
        let mut kept = self.chunks(bucket)?;
        let next = kept.last().map_or(0, |(last, _)| last.saturating_add(1));
        let encoded = chunk.encode();
        let sizes: Vec<usize> = kept.iter().map(|(_, bytes)| bytes.len()).chain([encoded.len()]).collect();
        let replaced = kept.split_off(sizes.len() - to_join(&sizes));
        let number = replaced.first().map_or(next, |(oldest, _)| *oldest);
        let mut chunk = Chunk::joined(decode_all(&replaced)?.into_iter().chain([chunk]));
        if kept.is_empty() {
            chunk.forget_drops();
        }
        for (number, bytes) in &replaced {
            batch.remove(&chunk_key(bucket, *number, bytes.len()));
        }
        if !chunk.is_empty() {
            let encoded = chunk.encode();
            batch.insert(&chunk_key(bucket, number, encoded.len()), encoded);
        }
        Ok(())
    }
}

fn decode_all(kept: &[Kept]) -> Result<Vec<Chunk>, IndexError> {
    kept.iter().map(|(_, bytes)| Chunk::decode(bytes)).collect()
}

impl Index for SledIndex {
    fn of(&self, owner: &OwnerKey) -> Result<Vec<Address>, IndexError> {
        let rows = self.in_bucket(bucket(owner))?;
        Ok(rows.into_iter().filter(|(other, _)| other == owner).map(|(_, address)| address).collect())
    }

    fn in_bucket(&self, bucket: usize) -> Result<Vec<Row>, IndexError> {
        let _whole = self.joining.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Chunk::joined(decode_all(&self.chunks(bucket)?)?).into_rows())
    }

    fn contains(&self, row: &Row) -> Result<bool, IndexError> {
        Ok(self.in_bucket(bucket(&row.0))?.contains(row))
    }

    fn apply(&self, changes: &[(Row, bool)]) -> Result<(), IndexError> {
        let mut sorted = changes.to_vec();
        sorted.sort_unstable_by_key(|(row, _)| *row);
        let mut batch = sled::Batch::default();
        for same in sorted.chunk_by(|((one, _), _), ((next, _), _)| bucket(one) == bucket(next)) {
            self.add(bucket(&same[0].0.0), Chunk::of(same), &mut batch)?;
        }
        let _alone = self.joining.write().unwrap_or_else(PoisonError::into_inner);
        fenced(|| self.db().apply_batch(batch))
    }

    fn sync(&self) -> Result<(), IndexError> {
        fenced(|| self.db().flush())?;
        sync_tree(&self.path).map_err(|_| IndexError::Failed)
    }

    fn disk_bytes(&self) -> u64 {
        fenced(|| self.db().size_on_disk()).unwrap_or(0)
    }

    fn is_lasting(&self) -> bool {
        true
    }
}

/// Runs a call of sled; a panic of its is a failure like any other.
fn fenced<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(IndexError::Failed),
    }
}

/// Syncs every file below a directory, and the directories.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_tree(&entry.path())?,
            false => match File::open(entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => file?.sync_all()?,
            },
        }
    }
    sync_directory(path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Overwrites every file below a directory with zeros and removes it: the ids in it are not found again.
fn erase_directory(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => erase_directory(&entry.path())?,
            false => {
                overwrite(&entry.path())?;
                fs::remove_file(entry.path())?;
            }
        }
    }
    fs::remove_dir(path)
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut left = file.metadata()?.len();
    file.rewind()?;
    let zeros = vec![0; ZEROS_BYTES];
    while left > 0 {
        let some = left.min(ZEROS_BYTES as u64);
        file.write_all(&zeros[..some as usize])?;
        left -= some;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::bucket;

    fn row(owner: u8, address: u64) -> Row {
        (OwnerKey([owner; 8]), Address::from_number(address))
    }

    #[test]
    fn rows_come_and_go_and_are_there_after_a_restart() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let indexes = SledIndexes::new(home.path());
        let index = indexes.create(1).expect("creates");
        index.apply(&[(row(1, 5), true), (row(1, 3), true), (row(2, 9), true)]).expect("applies");
        index.apply(&[(row(1, 5), false)]).expect("applies");
        index.sync().expect("syncs");
        drop(index);
        let index = indexes.open(1).expect("opens");
        assert_eq!(index.of(&OwnerKey([1; 8])), Ok(vec![Address::from_number(3)]));
        assert!(index.in_bucket(bucket(&OwnerKey([2; 8]))).expect("reads") == [row(2, 9)]);
        assert_eq!(index.contains(&row(1, 5)), Ok(false));
    }

    #[test]
    fn an_old_index_is_removed_and_a_missing_one_is_none() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let indexes = SledIndexes::new(home.path());
        drop(indexes.create(1).expect("creates"));
        let second = indexes.create(2).expect("creates");
        indexes.keep_only(2).expect("removes");
        assert!(indexes.open(1).is_err());
        drop(second);
        assert!(indexes.open(2).is_ok());
    }

    #[test]
    fn a_spoilt_index_makes_no_panic() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let indexes = SledIndexes::new(home.path());
        let index = indexes.create(1).expect("creates");
        index.apply(&[(row(1, 5), true)]).expect("applies");
        index.sync().expect("syncs");
        drop(index);
        for name in ["conf", "db"] {
            let path = indexes.path(1).join(name);
            let length = fs::metadata(&path).expect("the file is there").len();
            fs::write(&path, vec![0xa7; length as usize]).expect("writes");
            // What it then says, the digests judge.
            if let Ok(index) = indexes.open(1) {
                let _ = index.of(&OwnerKey([1; 8]));
            }
        }
    }
}
