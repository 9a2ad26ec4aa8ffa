//! What the store needs of a disk, as a trait, so that the same code runs on a real directory ([`super::disk`]) and on
//! a simulated one that loses power, tears writes, fills up and rots ([`super::sim`]).
//!
//! A medium is one flat directory. A change of it (create, rename, remove) is lasting only after [`Medium::sync_dir`];
//! bytes only after [`MediumFile::sync_data`] of their file.

use std::io::{self, IoSlice};
use std::sync::Arc;

/// A directory of files.
pub trait Medium: Send + Sync {
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file that exists, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumFile>>;
    /// Makes an empty file that must not exist yet.
    fn create(&self, name: &str) -> io::Result<Arc<dyn MediumFile>>;
    /// Gives a file another name, in place of whatever had that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the directory's changes so far lasting.
    fn sync_dir(&self) -> io::Result<()>;
    /// Bytes that can still be written, and bytes of the whole disk.
    fn space(&self) -> io::Result<Space>;
}

/// One open file. Reads and writes say where; there is no position that threads could share.
pub trait MediumFile: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Fills all of `buffer` from `offset`; the end of the file before that is an error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all parts, one after the other, from `offset`.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// Makes everything written so far lasting (fdatasync). After an error nothing is known of it.
    fn sync_data(&self) -> io::Result<()>;

    /// Whether it holds no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// How full the disk is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub available: u64,
    /// Bytes of the whole disk.
    pub total: u64,
}

/// Reads a small file whole; `None` where it doesn't exist.
pub fn read_whole(medium: &dyn Medium, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match medium.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}

/// Puts `bytes` in place of a small file, so that a power cut leaves the old one or the new one, whole.
pub fn replace(medium: &dyn Medium, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = format!("{name}.new");
    match medium.remove(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = medium.create(&draft)?;
    file.write_at(&[IoSlice::new(bytes)], 0)?;
    file.sync_data()?;
    medium.rename(&draft, name)?;
    medium.sync_dir()
}
