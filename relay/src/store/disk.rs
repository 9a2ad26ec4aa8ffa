//! A real directory as a [`Medium`].
//!
//! `sync_data` is fdatasync, `sync_dir` is fsync of the directory. The directory carries a lock file, so that two
//! relays never write one store.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::medium::{Medium, MediumFile, Space};

const LOCK_FILE: &str = "lock";
/// Only the relay's own user reads the store.
const FILE_MODE: u32 = 0o600;
/// Parts that one pwritev takes at most (IOV_MAX of Linux).
const PARTS_PER_WRITE: usize = 1024;

/// A directory that this process alone writes.
pub struct DiskMedium {
    path: PathBuf,
    directory: File,
    /// `None` where it is only looked at.
    lock: Option<File>,
}

impl DiskMedium {
    /// Makes the directory where it is missing and takes its lock; `WouldBlock` says that another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(path.join(LOCK_FILE))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        })?;
        let directory = File::open(path)?;
        directory.sync_all()?;
        Ok(Self { path: path.to_owned(), directory, lock: Some(lock) })
    }

    /// Looks at a directory that another process may be writing: nothing can be changed.
    pub fn look(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), directory: File::open(path)?, lock: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Medium for DiskMedium {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.retain(|name| name != LOCK_FILE);
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumFile>> {
        let may_write = self.lock.is_some();
        let file = OpenOptions::new().read(true).write(may_write).open(self.path.join(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn MediumFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path.join(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let disk = rustix::fs::fstatvfs(&self.directory)?;
        let unit = disk.f_frsize;
        Ok(Space { available: disk.f_bavail.saturating_mul(unit), total: disk.f_blocks.saturating_mul(unit) })
    }
}

struct DiskFile(File);

impl MediumFile for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        for some in parts.chunks(PARTS_PER_WRITE) {
            offset = write_some(&self.0, some, offset)?;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Writes at most [`PARTS_PER_WRITE`] parts, all of them, and says where the next byte goes.
fn write_some(file: &File, parts: &[IoSlice<'_>], offset: u64) -> io::Result<u64> {
    let mut written = 0;
    let whole: usize = parts.iter().map(|part| part.len()).sum();
    while written < whole {
        let rest = skip(parts, written);
        written += match rustix::io::pwritev(file, &rest, offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(some) => some,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(offset + whole as u64)
}

/// What is left of `parts` behind its first `bytes` bytes.
fn skip<'a>(parts: &'a [IoSlice<'a>], mut bytes: usize) -> Vec<IoSlice<'a>> {
    let mut rest = Vec::with_capacity(parts.len());
    for part in parts {
        let gone = bytes.min(part.len());
        bytes -= gone;
        if gone < part.len() {
            rest.push(IoSlice::new(&part[gone..]));
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let first = DiskMedium::open(home.path()).expect("the first opens");
        let second = DiskMedium::open(home.path()).map(drop).expect_err("the second is refused");
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        assert!(DiskMedium::open(home.path()).is_ok());
    }

    #[test]
    fn more_parts_than_one_call_takes_are_written_in_order() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let medium = DiskMedium::open(home.path()).expect("opens");
        let file = medium.create("parts").expect("creates");
        let bytes: Vec<[u8; 2]> = (0..3000u16).map(u16::to_le_bytes).collect();
        let parts: Vec<IoSlice<'_>> = bytes.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(&parts, 10).expect("writes");
        let mut read = vec![0; 6000];
        file.read_at(&mut read, 10).expect("reads");
        assert_eq!(read, bytes.concat());
    }

    #[test]
    fn the_lock_is_no_file_of_the_store() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let medium = DiskMedium::open(home.path()).expect("opens");
        medium.create("a").expect("creates");
        assert_eq!(medium.list().expect("lists"), ["a"]);
    }
}
