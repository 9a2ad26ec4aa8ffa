//! A disk in memory that fails on demand: it loses power at the n-th operation, tears writes, fails a sync, fills up
//! and rots. The store's own tests and the simulated world run on it.
//!
//! What is written is visible at once and lasting only after a sync, as on a real disk. [`SimDisk::restart`] gives the
//! disk as it is found when the power comes back. Its indexes are [`super::sim_index`]'s.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::medium::{Medium, MediumFile, Space};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A simulated disk. Clones are handles to one disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What becomes of writes and directory changes that were not synced when the power went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsynced {
    /// All of them arrived.
    Kept,
    /// None of them arrived.
    Lost,
    /// Each write arrived, got lost or was torn at a sector; the directory kept the first few changes.
    Torn {
        /// Decides; the same seed on the same history gives the same disk.
        seed: u64,
    },
}

/// What shall go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Power goes before this operation (writes, syncs and directory changes count, from 0).
    pub power_cut_at: Option<u64>,
    /// This `sync_data` fails (counted from 0); what it should have made lasting is lost.
    pub failed_sync_at: Option<u64>,
    /// Syncs answer without doing anything: the negative control of the suite.
    pub lying_syncs: bool,
    /// Bytes that the disk takes at most.
    pub capacity: Option<u64>,
}

#[derive(Default)]
struct State {
    faults: Faults,
    files: Vec<FileState>,
    lasting_names: BTreeMap<String, usize>,
    names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    operations: u64,
    syncs: u64,
    bytes_written: u64,
}

#[derive(Clone, Default)]
struct FileState {
    lasting: Vec<u8>,
    visible: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Link(String, usize),
    Rename(String, String),
    Unlink(String),
}

impl SimDisk {
    /// An empty disk.
    pub fn new(faults: Faults) -> Self {
        Self(Arc::new(Mutex::new(State { faults, ..State::default() })))
    }

    /// The disk as it is found after the power has gone now, with new faults ahead.
    pub fn restart(&self, unsynced: Unsynced, faults: Faults) -> Self {
        let mut state = State { faults, ..State::default() };
        let old = self.state();
        let mut dice = Dice(match unsynced {
            Unsynced::Torn { seed } => seed,
            Unsynced::Kept | Unsynced::Lost => 0,
        });
        state.files = old.files.iter().map(|file| file.after_power_cut(unsynced, &mut dice)).collect();
        state.lasting_names = old.names_after_power_cut(unsynced, &mut dice);
        state.names = state.lasting_names.clone();
        drop(old);
        Self(Arc::new(Mutex::new(state)))
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// As long as the value lives, whoever uses the disk waits.
    pub fn hold(&self) -> impl Sized + '_ {
        self.state()
    }

    /// Operations so far: what [`Faults::power_cut_at`] counts.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Calls of `sync_data` so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Bytes written so far.
    pub fn bytes_written(&self) -> u64 {
        self.state().bytes_written
    }

    /// Names of files with their lengths in bytes, ordered.
    pub fn files(&self) -> Vec<(String, u64)> {
        let state = self.state();
        state
            .names
            .iter()
            .map(|(name, file)| (name.clone(), state.files[*file].visible.len() as u64))
            .collect()
    }

    /// Whether any file holds these bytes, also where it was not synced yet.
    pub fn contains(&self, needle: &[u8]) -> bool {
        let state = self.state();
        let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        state
            .names
            .values()
            .any(|file| holds(&state.files[*file].visible) || holds(&state.files[*file].lasting))
    }

    /// Flips one bit of a file, in what is lasting too.
    pub fn flip_bit(&self, name: &str, bit: u64) {
        let mut state = self.state();
        let file = state.names[name];
        let (byte, mask) = ((bit / 8) as usize, 1u8 << (bit % 8));
        let file = &mut state.files[file];
        for bytes in [&mut file.visible, &mut file.lasting] {
            if let Some(rotten) = bytes.get_mut(byte) {
                *rotten ^= mask;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operation(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.count_operation()?;
        Ok(state)
    }

    fn handle(&self, file: usize) -> Arc<dyn MediumFile> {
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

impl State {
    fn count_operation(&mut self) -> io::Result<()> {
        if self.faults.power_cut_at.is_some_and(|cut| self.operations >= cut) {
            return Err(io::Error::other("the power is gone"));
        }
        self.operations += 1;
        Ok(())
    }

    fn used(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].visible.len() as u64).sum()
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn names_after_power_cut(&self, unsynced: Unsynced, dice: &mut Dice) -> BTreeMap<String, usize> {
        let kept = match unsynced {
            Unsynced::Kept => self.changes.len(),
            Unsynced::Lost => 0,
            Unsynced::Torn { .. } => dice.below(self.changes.len() + 1),
        };
        let mut names = self.lasting_names.clone();
        for change in &self.changes[..kept] {
            change.apply(&mut names);
        }
        names
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl FileState {
    fn after_power_cut(&self, unsynced: Unsynced, dice: &mut Dice) -> Self {
        let mut bytes = self.lasting.clone();
        for (offset, part) in &self.unsynced {
            match unsynced {
                Unsynced::Kept => overwrite(&mut bytes, *offset, part),
                Unsynced::Lost => {}
                Unsynced::Torn { .. } => tear(&mut bytes, *offset, part, dice),
            }
        }
        Self { lasting: bytes.clone(), visible: bytes, unsynced: Vec::new() }
    }
}

/// Lets some sectors of a write arrive: a stretch from its start, a stretch up to its end, all, or none.
fn tear(bytes: &mut Vec<u8>, offset: usize, part: &[u8], dice: &mut Dice) {
    let sectors = part.len().div_ceil(SECTOR_BYTES);
    let at = (dice.below(sectors + 1) * SECTOR_BYTES).min(part.len());
    match dice.below(4) {
        0 => overwrite(bytes, offset, part),
        1 => overwrite(bytes, offset, &part[..at]),
        2 => overwrite(bytes, offset + at, &part[at..]),
        _ => {}
    }
}

fn overwrite(bytes: &mut Vec<u8>, offset: usize, part: &[u8]) {
    if part.is_empty() {
        return;
    }
    let end = offset + part.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(part);
}

impl Medium for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn MediumFile>> {
        let file = self.state().find(name)?;
        Ok(self.handle(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn MediumFile>> {
        let mut state = self.operation()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.files.len();
        state.files.push(FileState::default());
        state.change(Change::Link(name.to_owned(), file));
        drop(state);
        Ok(self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        state.find(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.operation()?;
        state.find(name)?;
        state.change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.operation()?;
        if !state.faults.lying_syncs {
            state.lasting_names = state.names.clone();
            state.changes.clear();
        }
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        let total = state.faults.capacity.unwrap_or(1 << 40);
        Ok(Space { available: total.saturating_sub(state.used()), total })
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl MediumFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].visible.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        let bytes = &state.files[self.file].visible;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let part = bytes.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }

    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut state = self.disk.operation()?;
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let growth = (start + bytes.len()).saturating_sub(state.files[self.file].visible.len()) as u64;
        if state.faults.capacity.is_some_and(|capacity| state.used() + growth > capacity && growth > 0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.bytes_written += bytes.len() as u64;
        let file = &mut state.files[self.file];
        overwrite(&mut file.visible, start, &bytes);
        file.unsynced.push((start, bytes));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.operation()?;
        let number = state.syncs;
        state.syncs += 1;
        let faults = state.faults;
        let file = &mut state.files[self.file];
        if faults.failed_sync_at == Some(number) {
            file.unsynced.clear();
            return Err(io::Error::other("the disk failed"));
        }
        if !faults.lying_syncs {
            for (offset, part) in std::mem::take(&mut file.unsynced) {
                overwrite(&mut file.lasting, offset, &part);
            }
        }
        Ok(())
    }
}

/// Splitmix64 (Steele, Lea, Flood 2014): enough to choose faults by a seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(bytes: &[u8], sync: bool) -> SimDisk {
        let disk = SimDisk::new(Faults::default());
        let file = disk.create("a").expect("creates");
        disk.sync_dir().expect("syncs");
        file.write_at(&[IoSlice::new(bytes)], 0).expect("writes");
        if sync {
            file.sync_data().expect("syncs");
        }
        disk
    }

    #[test]
    fn unsynced_bytes_are_lost_at_a_power_cut() {
        let kept = disk_with(b"x", true).restart(Unsynced::Lost, Faults::default());
        let lost = disk_with(b"x", false).restart(Unsynced::Lost, Faults::default());
        assert_eq!(kept.files(), [("a".to_owned(), 1)]);
        assert_eq!(lost.files(), [("a".to_owned(), 0)]);
    }

    #[test]
    fn a_file_whose_directory_was_not_synced_is_gone() {
        let disk = SimDisk::new(Faults::default());
        disk.create("a").expect("creates");
        assert!(disk.restart(Unsynced::Lost, Faults::default()).files().is_empty());
        assert_eq!(disk.restart(Unsynced::Kept, Faults::default()).files().len(), 1);
    }

    #[test]
    fn a_failed_sync_loses_what_it_should_have_kept_for_ever() {
        let disk = SimDisk::new(Faults { failed_sync_at: Some(0), ..Faults::default() });
        let file = disk.create("a").expect("creates");
        disk.sync_dir().expect("syncs");
        file.write_at(&[IoSlice::new(b"x")], 0).expect("writes");
        assert!(file.sync_data().is_err());
        assert!(file.sync_data().is_ok());
        assert_eq!(disk.restart(Unsynced::Kept, Faults::default()).files(), [("a".to_owned(), 0)]);
    }

    #[test]
    fn a_full_disk_takes_no_more_but_lets_itself_be_overwritten() {
        let disk = disk_with(&[0; 8], true);
        disk.set_faults(Faults { capacity: Some(8), ..Faults::default() });
        let file = disk.open("a").expect("opens");
        assert!(file.write_at(&[IoSlice::new(&[1; 8])], 0).is_ok());
        assert_eq!(
            file.write_at(&[IoSlice::new(&[1])], 8).expect_err("full").kind(),
            io::ErrorKind::StorageFull
        );
    }
}
