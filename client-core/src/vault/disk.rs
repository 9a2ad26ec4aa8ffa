//! What the vault asks of the place where its file lies (docs/spec/vault.md §1).
//!
//! The shell implements [`Disk`] for a real file and takes the lock beside it; [`super::memory`] is the one for tests
//! and the simulated world. Nothing here assumes that writes reach the disk in order, or whole, before `sync`.

use std::io;

/// A file of fixed size with positioned reads and writes.
pub trait Disk {
    /// The file's length in bytes.
    fn len(&self) -> u64;

    /// Whether the file has no byte at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on. An end of file before that is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// Writes all of `bytes` at `offset`, inside the file's length.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Returns when everything written before is on stable storage (`fdatasync`).
    fn sync(&mut self) -> Result<(), DiskError>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        (**self).read_at(offset, buffer)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        (**self).write_at(offset, bytes)
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        (**self).sync()
    }
}

/// The storage under the vault refused to read, write or sync.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the storage of the vault failed: {kind}")]
pub struct DiskError {
    /// What the operating system called it.
    pub kind: io::ErrorKind,
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind() }
    }
}
