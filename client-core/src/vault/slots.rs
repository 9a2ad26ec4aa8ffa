//! Making a vault, further slots, another passphrase, and the end (docs/spec/vault.md §7).

use rand_core::CryptoRng;
use subtle::Choice;

use super::commit::CommitError;
use super::disk::{Disk, DiskError};
use super::header::{Header, Params};
use super::index::{FANOUT, Index, Root, encode_child};
use super::lock::{self, LockPlace, Master};
use super::page::{Kind, PAGE_BYTES, PageKey, Place, Slot};
use super::write::random_page;
use super::{InstanceId, OnOpening, State, Vault};

/// How much is written at once where a whole file is filled, in bytes.
const FILL_BYTES: usize = 64 * 1024;

impl<D: Disk> Vault<D> {
    /// Fills the whole file with random bytes and makes one empty slot, at a random place, for this passphrase.
    ///
    /// The disk must have exactly [`Params::file_bytes`]. The header is written last: a file without one was never
    /// finished and can be made anew.
    pub fn format(
        mut disk: D,
        params: Params,
        passphrase: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, FormatError> {
        let (actual, expected) = (disk.len(), params.file_bytes());
        if actual != expected {
            return Err(FormatError::Length { actual, expected });
        }
        let header = Header::generate(params, rng);
        let master = Master::stretch(passphrase, &header).ok_or(FormatError::Memory)?;
        wipe(&mut disk, rng)?;
        let slot = Slot::of(&params, below(params.slots(), rng));
        let made = make_slot(&mut disk, &header, slot, &master, OnOpening::Nothing, rng)?;
        disk.sync()?;
        disk.write_at(0, &header.encode())?;
        disk.sync()?;
        Ok(Self::settled(disk, header, slot, made))
    }

    fn settled(disk: D, header: Header, slot: Slot, made: Made) -> Self {
        let Made { lock, slot_key, root } = made;
        let index = Index::empty(root, &slot);
        Self { disk, header, slot, lock, slot_key, index, interrupted: false, state: State::Settled }
    }

    /// Makes an empty slot for another passphrase at a random place other than the opened slot.
    ///
    /// Nobody can know whether that place holds a hidden slot: if it does, that one is destroyed.
    pub fn add_slot(
        &mut self,
        passphrase: &[u8],
        on_opening: OnOpening,
        rng: &mut impl CryptoRng,
    ) -> Result<(), AddSlotError> {
        self.check_writable()?;
        let params = self.header.params;
        if params.slots() < 2 {
            return Err(AddSlotError::NoOther);
        }
        let master = Master::stretch(passphrase, &self.header).ok_or(AddSlotError::Memory)?;
        if bool::from(self.is_mine(&master)?) {
            return Err(AddSlotError::SamePassphrase);
        }
        let other = below(params.slots() - 1, rng);
        let number = if other < self.slot.number { other } else { other + 1 };
        let slot = Slot::of(&params, number);
        let made = make_slot(&mut self.disk, &self.header, slot, &master, on_opening, rng);
        made.and_then(|_| self.disk.sync()).map_err(|error| self.stop(error).into())
    }

    /// Whether the slot was made to erase the others when it is opened, and has not done so yet: whoever opens it
    /// calls [`Vault::erase_others`] before anything is shown.
    pub fn erases_others(&self) -> bool {
        self.index.root.on_opening == OnOpening::EraseOthers
    }

    /// Overwrites every other slot with random bytes, whether it was used or not. Afterwards nothing in this slot
    /// tells that it was made to do so.
    pub fn erase_others(&mut self, rng: &mut impl CryptoRng) -> Result<(), CommitError> {
        self.check_writable()?;
        let params = self.header.params;
        let others = (0..params.slots()).filter(|number| *number != self.slot.number);
        let erased = others.map(|number| Slot::of(&params, number)).try_for_each(|slot| {
            let bytes = u64::from(slot.pages) * PAGE_BYTES as u64;
            fill(&mut self.disk, slot.offset(0), bytes, rng)
        });
        erased.and_then(|()| self.disk.sync()).map_err(|error| self.stop(error))?;
        if self.erases_others() {
            self.index.root.on_opening = OnOpening::Nothing;
            // Both roots say it.
            self.settle(rng)?;
            self.settle(rng)?;
        }
        Ok(())
    }

    /// Replaces the passphrase, and the slot's key with it.
    ///
    /// When it returns an error or is interrupted, the old passphrase opens, or the new one, or both do; the first
    /// commit after the next opening decides for the one that was used.
    pub fn change_passphrase(
        &mut self,
        passphrase: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), CommitError> {
        self.check_writable()?;
        let master = Master::stretch(passphrase, &self.header).ok_or(CommitError::Memory)?;
        let slot_key = PageKey::generate(rng);
        let lock = self.lock.other();
        let page = lock::seal(&master, &self.header, lock, &slot_key, rng);
        if let Err(error) = self.disk.write_at(self.slot.offset(lock.copy), &page) {
            return Err(self.stop(error));
        }
        // The root under the new key goes where the older of the two lies; the newer, under the old key, stays whole.
        self.state = State::Settled;
        self.slot_key = slot_key;
        self.settle(rng)?;
        // From here on the new passphrase opens. The old lock and the root under the old key go together.
        self.lock = lock;
        self.state = State::Opened;
        self.settle(rng)
    }

    fn is_mine(&self, master: &Master) -> Result<Choice, DiskError> {
        let page = self.slot.read(&self.disk, self.lock.copy)?;
        Ok(lock::matches(master, &self.header, self.lock, &page))
    }
}

struct Made {
    lock: LockPlace,
    slot_key: PageKey,
    root: Root,
}

/// Writes lock and roots of an empty slot; what else lies in it stays, and nobody has a key for it.
fn make_slot(
    disk: &mut impl Disk,
    header: &Header,
    slot: Slot,
    master: &Master,
    on_opening: OnOpening,
    rng: &mut impl CryptoRng,
) -> Result<Made, DiskError> {
    let lock = LockPlace { slot: slot.number, copy: u32::from(below(2, rng)) };
    let slot_key = PageKey::generate(rng);
    let mut instance = InstanceId([0; 16]);
    rng.fill_bytes(&mut instance.0);
    disk.write_at(slot.offset(lock.other().copy), &random_page(rng))?;
    disk.write_at(slot.offset(lock.copy), &lock::seal(master, header, lock, &slot_key, rng))?;
    let mut root = Root { generation: 0, instance, on_opening, middles: Default::default() };
    for generation in 0..2 {
        root.generation = generation;
        let mut payload = root.encode_head(generation);
        (0..FANOUT).for_each(|_| encode_child(&mut payload, None));
        let place = Place { kind: Kind::Root, page: Root::page(generation), part: 0 };
        disk.write_at(slot.offset(place.page), &slot.seal(&slot_key, place, &payload, rng))?;
    }
    Ok(Made { lock, slot_key, root })
}

/// Overwrites the whole file, header first, with random bytes, and syncs. No vault needs to be there.
pub fn wipe(disk: &mut impl Disk, rng: &mut impl CryptoRng) -> Result<(), DiskError> {
    let bytes = disk.len();
    fill(disk, 0, bytes, rng)?;
    disk.sync()
}

fn fill(disk: &mut impl Disk, from: u64, bytes: u64, rng: &mut impl CryptoRng) -> Result<(), DiskError> {
    let mut buffer = vec![0; FILL_BYTES];
    let mut done = 0;
    while done < bytes {
        let part = usize::try_from(bytes - done).map_or(FILL_BYTES, |left| left.min(FILL_BYTES));
        rng.fill_bytes(&mut buffer[..part]);
        disk.write_at(from + done, &buffer[..part])?;
        done += part as u64;
    }
    Ok(())
}

/// A uniform number below `bound`, which is not 0.
fn below(bound: u16, rng: &mut impl CryptoRng) -> u16 {
    let zone = u32::MAX - u32::MAX % u32::from(bound);
    loop {
        let drawn = rng.next_u32();
        if drawn < zone {
            return u16::try_from(drawn % u32::from(bound)).expect("a remainder is below its u16 divisor");
        }
    }
}

/// A slot that could not be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddSlotError {
    /// The vault is in no state to be written, or the storage failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The storage failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The machine hasn't the memory that a guess takes.
    #[error("not enough memory to add a slot")]
    Memory,
    /// The vault has one slot only.
    #[error("the vault has no other slot")]
    NoOther,
    /// The passphrase opens the slot that is open already.
    #[error("the passphrase is that of the opened slot")]
    SamePassphrase,
}

/// A vault that could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The storage failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file has not the length that the parameters ask for.
    #[error("the file is {actual} bytes long, the vault takes {expected}")]
    Length {
        /// Length of the file in bytes.
        actual: u64,
        /// Length of a vault with these parameters.
        expected: u64,
    },
    /// The machine hasn't the memory that a guess takes.
    #[error("not enough memory to make the vault")]
    Memory,
}
