//! The vault's file (docs/spec/vault.md §1): positioned reads and writes, and `fdatasync`.
//!
//! Invariant: a vault appears in its folder whole or not at all: it is made under another name, and renamed when it is
//! on the disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use poterne_client_core::vault::{Disk, DiskError};

/// Read and written by the owner alone.
const OWNER_ONLY: u32 = 0o600;

/// A file of fixed size.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    len: u64,
}

impl FileDisk {
    /// Opens the file that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }

    /// Makes a file of `len` zeros, in the place of one that was never finished.
    pub fn create(path: &Path, len: u64) -> io::Result<Self> {
        remove_if_there(path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
        file.set_len(len)?;
        Ok(Self { file, len })
    }
}

impl Disk for FileDisk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        Ok(self.file.read_exact_at(buffer, offset)?)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        Ok(self.file.write_all_at(bytes, offset)?)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        Ok(self.file.sync_data()?)
    }
}

/// Gives a finished file its name, and returns when the folder holds it durably.
pub fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    // The length of a file that was just made is not data to every file system.
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    sync_folder(to)
}

/// Removes a file and returns when the folder has durably lost it.
pub fn remove_durably(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_folder(path)
}

/// Removes a file that may be there.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_after_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut disk = FileDisk::create(&path, 8192).unwrap();
        disk.write_at(4096, b"text").unwrap();
        disk.sync().unwrap();
        drop(disk);
        let disk = FileDisk::open(&path).unwrap();
        let mut read = [0; 4];
        disk.read_at(4096, &mut read).unwrap();
        assert_eq!((disk.len(), &read), (8192, b"text"));
    }

    #[test]
    fn reading_beyond_the_end_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::create(&folder.path().join("file"), 10).unwrap();
        let error = disk.read_at(8, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind, io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        FileDisk::create(&path, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_unfinished_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "half of one").unwrap();
        assert_eq!(FileDisk::create(&path, 4).unwrap().len(), 4);
    }
}
