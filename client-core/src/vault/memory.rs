//! A [`Disk`] in memory that can fail, tear and forget: for tests and for the simulated world.
//!
//! It keeps each unsynced write beside what it replaced, so that [`MemoryDisk::crash`] can build any image that a real
//! disk may hold after the power went: each unsynced write lost, kept or torn at sectors of 512 bytes, on its own.
//! After a fault the disk refuses everything until `crash` is called, like a process that is gone.

use std::io;

use rand_core::Rng;

use super::disk::{Disk, DiskError};

/// The unit that a disk writes whole, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// What becomes of one unsynced write when the power goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriteFate {
    /// It reached the disk.
    Kept,
    /// It did not.
    Lost,
    /// Of its sectors (counted from 0) those whose bit in this mask is set reached the disk.
    Torn(u64),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Fail,
    FailedSync,
    Tear,
}

#[derive(Clone)]
struct Unsynced {
    offset: usize,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// A file in memory; cloning copies the image.
#[derive(Clone)]
pub struct MemoryDisk {
    image: Vec<u8>,
    unsynced: Vec<Unsynced>,
    planned: Option<(u64, Fault)>,
    down: bool,
    writes: u64,
    syncs: u64,
    read_bytes: std::cell::Cell<u64>,
}

impl MemoryDisk {
    /// A file of `len` zero bytes.
    pub fn new(len: u64) -> Self {
        Self::from_image(vec![0; usize::try_from(len).expect("an image in memory fits in memory")])
    }

    /// A file with these bytes, all of them on stable storage.
    pub fn from_image(image: Vec<u8>) -> Self {
        let read_bytes = std::cell::Cell::new(0);
        Self { image, unsynced: Vec::new(), planned: None, down: false, writes: 0, syncs: 0, read_bytes }
    }

    /// The bytes as a reader sees them now.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// The bytes, to be changed behind the vault's back.
    pub fn image_mut(&mut self) -> &mut Vec<u8> {
        &mut self.image
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Bytes read so far.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.get()
    }

    /// Lets `count` more writes pass; the one after them fails without effect, and so does all that follows.
    pub fn fail_after(&mut self, count: u64) {
        self.planned = Some((self.writes + count, Fault::Fail));
    }

    /// Lets `count` more writes pass; of the one after them only the first half is written before all stops.
    pub fn tear_after(&mut self, count: u64) {
        self.planned = Some((self.writes + count, Fault::Tear));
    }

    /// Lets all writes pass until the next sync, which fails, and so does all that follows.
    pub fn fail_next_sync(&mut self) {
        self.planned = Some((u64::MAX, Fault::FailedSync));
    }

    /// The power goes and comes back: decides the fate of each unsynced write, in the order they were made.
    ///
    /// Faults that were planned are forgotten.
    pub fn crash(&mut self, mut fate: impl FnMut(usize) -> WriteFate) {
        let unsynced = std::mem::take(&mut self.unsynced);
        for write in unsynced.iter().rev() {
            self.image[write.offset..][..write.before.len()].copy_from_slice(&write.before);
        }
        for (position, write) in unsynced.iter().enumerate() {
            self.replay(write, fate(position));
        }
        self.planned = None;
        self.down = false;
    }

    /// As [`MemoryDisk::crash`], with fates drawn from `rng`.
    pub fn crash_randomly(&mut self, rng: &mut impl Rng) {
        self.crash(|_| match rng.next_u32() % 3 {
            0 => WriteFate::Kept,
            1 => WriteFate::Lost,
            _ => WriteFate::Torn(rng.next_u64()),
        });
    }

    /// Only the process dies: every write that was made stays, nothing becomes durable by it.
    pub fn restart(&mut self) {
        self.planned = None;
        self.down = false;
    }

    fn replay(&mut self, write: &Unsynced, fate: WriteFate) {
        let reached = |sector: usize| match fate {
            WriteFate::Kept => true,
            WriteFate::Lost => false,
            WriteFate::Torn(mask) => mask >> (sector % 64) & 1 == 1,
        };
        for (sector, bytes) in
            write.after.chunks(SECTOR_BYTES).enumerate().filter(|(sector, _)| reached(*sector))
        {
            self.image[write.offset + sector * SECTOR_BYTES..][..bytes.len()].copy_from_slice(bytes);
        }
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        let place = &mut self.image[offset..][..bytes.len()];
        self.unsynced.push(Unsynced { offset, before: place.to_vec(), after: bytes.to_vec() });
        place.copy_from_slice(bytes);
    }

    fn range(&self, offset: u64, len: usize) -> Result<usize, DiskError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(len) {
            Some(end) if end <= self.image.len() && !self.down => Ok(start),
            _ => Err(refused()),
        }
    }

    fn stop(&mut self) -> DiskError {
        self.down = true;
        refused()
    }
}

impl Disk for MemoryDisk {
    fn len(&self) -> u64 {
        self.image.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let start = self.range(offset, buffer.len())?;
        buffer.copy_from_slice(&self.image[start..][..buffer.len()]);
        self.read_bytes.set(self.read_bytes.get() + buffer.len() as u64);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let start = self.range(offset, bytes.len())?;
        match self.planned {
            Some((at, Fault::Fail)) if at == self.writes => return Err(self.stop()),
            Some((at, Fault::Tear)) if at == self.writes => {
                self.put(start, &bytes[..bytes.len() / 2]);
                return Err(self.stop());
            }
            _ => self.put(start, bytes),
        }
        self.writes += 1;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        if self.down || matches!(self.planned, Some((_, Fault::FailedSync))) {
            return Err(self.stop());
        }
        self.unsynced.clear();
        self.syncs += 1;
        Ok(())
    }
}

fn refused() -> DiskError {
    DiskError { kind: io::ErrorKind::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synced_write_outlives_a_crash_and_an_unsynced_one_may_be_lost() {
        let mut disk = MemoryDisk::new(8);
        disk.write_at(0, b"ab").unwrap();
        disk.sync().unwrap();
        disk.write_at(1, b"xy").unwrap();
        assert_eq!(&disk.image()[..3], b"axy");
        disk.crash(|_| WriteFate::Lost);
        assert_eq!(&disk.image()[..3], b"ab\0");
    }

    #[test]
    fn a_torn_write_leaves_the_sectors_of_its_mask() {
        let mut disk = MemoryDisk::new(1536);
        disk.write_at(0, &[7; 1536]).unwrap();
        disk.crash(|_| WriteFate::Torn(0b101));
        assert_eq!([disk.image()[0], disk.image()[512], disk.image()[1024]], [7, 0, 7]);
    }

    #[test]
    fn after_a_planned_fault_nothing_goes_on_until_the_crash() {
        let mut disk = MemoryDisk::new(8);
        disk.fail_after(1);
        disk.write_at(0, b"a").unwrap();
        assert!(disk.write_at(1, b"b").is_err());
        assert!(disk.read_at(0, &mut [0]).is_err() && disk.sync().is_err());
        disk.crash(|_| WriteFate::Kept);
        assert_eq!(&disk.image()[..2], b"a\0");
    }

    #[test]
    fn a_write_outside_the_file_is_refused() {
        let mut disk = MemoryDisk::new(8);
        assert!(disk.write_at(7, b"ab").is_err());
        assert!(disk.read_at(u64::MAX, &mut [0; 2]).is_err());
    }
}
