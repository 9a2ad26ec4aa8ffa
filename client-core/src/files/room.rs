//! The share of the vault that files have: five eighths (docs/spec/attachments.md §6).
//!
//! A file that does not fit waits at its relay, and one that is to be sent is refused. Room is made by what can be missed:
//! files that were written out already, and content of own ones that a relay has stored. Invariant: what is the only copy
//! is never removed for room.

use std::collections::BTreeMap;

use super::incoming::Stage;
use super::{FileId, Files, Holder, erase_pieces, write};
use crate::attachment::CHUNK_BYTES;
use crate::records::LocalId;
use crate::vault::{Batch, Params};

/// Bytes of own files that wait to be stored, or to be copied, at most: they lie in memory.
const OUTGOING_BYTES_MAX: usize = 8 << 20;

/// There is no room, and nothing that may be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoRoom;

/// Bytes that all files of a vault may have together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Room(usize);

impl Room {
    /// Of a vault of that size.
    pub(crate) fn of(capacity_bytes: usize) -> Self {
        Self(capacity_bytes / 8 * 5)
    }
}

/// What every vault has at least.
impl Default for Room {
    fn default() -> Self {
        Self::of(Params::smallest().slot_pages() as usize * crate::seal::WHOLE_BYTES)
    }
}

/// What may be removed, in the order in which it goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Spare {
    Saved(u32, LocalId, FileId),
    Stored(LocalId, FileId),
}

impl Files {
    fn incoming_bytes(&self) -> usize {
        self.incoming.values().map(|incoming| incoming.reserved_bytes()).sum()
    }

    fn outgoing_bytes(&self) -> usize {
        let kept = self.outgoing.values().filter(|outgoing| outgoing.is_kept());
        kept.map(|outgoing| outgoing.descriptor.filled() as usize * CHUNK_BYTES).sum()
    }

    fn spares(&self, id: LocalId) -> impl Iterator<Item = Spare> {
        let saved = self.incoming.iter().filter_map(move |(file, incoming)| match incoming.stage {
            Stage::Saved(number) => Some(Spare::Saved(number, id, *file)),
            _ => None,
        });
        let stored = self.outgoing.iter().filter(|(_, one)| one.is_stored() && one.is_kept());
        saved.chain(stored.map(move |(file, _)| Spare::Stored(id, *file)))
    }

    fn remove(&mut self, id: LocalId, spare: Spare, batch: &mut Batch) {
        match spare {
            Spare::Stored(_, file) => self.give_up(id, file, batch),
            Spare::Saved(_, _, file) => {
                if let Some(incoming) = self.incoming.get_mut(&file) {
                    incoming.stage = Stage::Removed;
                    erase_pieces(id, file, &incoming.descriptor, batch);
                }
            }
        }
    }
}

/// Makes room for an own file of so many bytes. What had to go for it is in the batch.
pub(crate) fn for_own<H: Holder>(
    holders: &mut BTreeMap<LocalId, H>,
    room: Room,
    bytes: usize,
    batch: &mut Batch,
) -> Result<(), NoRoom> {
    let bytes = bytes.next_multiple_of(CHUNK_BYTES);
    let fits = |incoming: usize, outgoing: usize| {
        incoming + outgoing + bytes <= room.0 && outgoing + bytes <= OUTGOING_BYTES_MAX
    };
    make(holders, fits, batch)
}

/// Admits files of a conversation that were announced, oldest first, as far as there is room. Whether something had to
/// go for it, which is in the batch.
pub(crate) fn admit<H: Holder>(
    holders: &mut BTreeMap<LocalId, H>,
    room: Room,
    id: LocalId,
    batch: &mut Batch,
) {
    let waits = |files: &Files| {
        let mut waiting: Vec<(u32, FileId, usize)> = files
            .incoming
            .iter()
            .filter(|(_, one)| one.stage == Stage::Fetching && !one.is_admitted)
            .map(|(file, one)| (one.announced.0, *file, one.descriptor.filled() as usize * CHUNK_BYTES))
            .collect();
        waiting.sort_unstable();
        waiting
    };
    let Some(holder) = holders.get(&id).filter(|holder| holder.is_active()) else { return };
    for (_, file, bytes) in waits(&holder.thread().files) {
        let has_begun = holders.get(&id).is_some_and(|holder| {
            holder.thread().files.incoming.get(&file).is_some_and(|one| !one.have.is_empty())
        });
        let bytes = if has_begun { 0 } else { bytes };
        if make(holders, |incoming, outgoing| incoming + outgoing + bytes <= room.0, batch).is_err() {
            return;
        }
        if let Some(one) = holders.get_mut(&id).and_then(|it| it.thread_mut().files.incoming.get_mut(&file)) {
            one.is_admitted = true;
        }
    }
}

fn make<H: Holder>(
    holders: &mut BTreeMap<LocalId, H>,
    fits: impl Fn(usize, usize) -> bool,
    batch: &mut Batch,
) -> Result<(), NoRoom> {
    loop {
        let sum = |bytes: fn(&Files) -> usize| holders.values().map(|one| bytes(&one.thread().files)).sum();
        if fits(sum(Files::incoming_bytes), sum(Files::outgoing_bytes)) {
            return Ok(());
        }
        let spares = holders.iter().flat_map(|(id, holder)| holder.thread().files.spares(*id));
        let spare = spares.min().ok_or(NoRoom)?;
        let (Spare::Saved(_, id, _) | Spare::Stored(id, _)) = spare;
        let holder = holders.get_mut(&id).ok_or(NoRoom)?;
        holder.thread_mut().files.remove(id, spare, batch);
        write(batch, holder.thread());
    }
}
