//! The files of one conversation: what is being sent and what is being fetched (docs/spec/attachments.md §4, §5).
//!
//! A file that is sent lies whole in the vault before its first chunk is put; a chunk's nonce is derived, so that it is
//! sealed into the same bytes however often. A chunk that was fetched is erased at the relay once it is in the vault.
//! Files have a share of the vault of their own ([`room`]), so that they never crowd out what is written.
//!
//! Invariants: no chunk is put while an envelope of the conversation waits to be stored, so a photo delays no word; a
//! file is *stored* when each of its chunks is on the disk of a relay.

mod chunk_set;
mod incoming;
mod outgoing;
mod poll;
#[cfg(feature = "vectors")]
pub(crate) mod probe;
pub(crate) mod room;
mod stored;
mod view;

use std::collections::BTreeMap;

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Request;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

pub(crate) use poll::FileSource;
pub(crate) use stored::{load, write};
pub use view::{ContentError, FileState, FileView};

use crate::attachment::{Attachable, CHUNK_BYTES, Descriptor};
use crate::effect::CallResult;
use crate::labels;
use crate::reach::Reach;
use crate::records::{self, LocalId};
use crate::thread::Thread;
use crate::vault::Batch;
use incoming::{Incoming, Stage};
use outgoing::Outgoing;

/// Files of one conversation that are remembered at most, in each direction; finished ones go first.
const FILES_MAX: usize = 256;

/// Names a file within its conversation, on both sides alike: the first bytes of a hash of its key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileId(pub [u8; 8]);

impl FileId {
    pub(crate) fn of(descriptor: &Descriptor) -> Self {
        let id = descriptor.file_key.derive(labels::FILE_ID, &[]);
        Self(id.expose()[..8].try_into().expect("a key has 32 bytes"))
    }
}

impl core::fmt::Display for FileId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// A text, and the file that goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// What is said; never empty.
    pub text: &'a str,
    /// What goes with it.
    pub file: Option<&'a Attachable>,
}

impl<'a> From<&'a str> for Letter<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, file: None }
    }
}

impl<'a> From<&'a String> for Letter<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

/// What a put of a chunk is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkPut {
    pub(crate) file: FileId,
    pub(crate) place: usize,
    pub(crate) chunk: u32,
}

/// All files of one conversation.
#[derive(Debug, Default)]
pub(crate) struct Files {
    outgoing: BTreeMap<FileId, Outgoing>,
    incoming: BTreeMap<FileId, Incoming>,
    /// When each relay is next asked for chunks.
    poll_due: BTreeMap<Pin, UnixTime>,
    /// Counts saved files, so that the one that was saved first makes room first.
    saved: u32,
}

/// What became of a put chunk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChunkOutcome {
    /// It is no news, or will be tried again.
    Nothing,
    /// Some more are stored than were kept.
    Progress,
    /// All of the file is stored.
    Stored,
}

impl Files {
    /// Takes a file that waits to be announced. All of it goes into `batch`.
    pub(crate) fn add(
        &mut self,
        id: LocalId,
        file: &Attachable,
        rng: &mut impl CryptoRng,
        batch: &mut Batch,
    ) -> FileId {
        let outgoing = Outgoing::new(file, rng);
        let name = FileId::of(&outgoing.descriptor);
        for (chunk, piece) in (0u16..).zip(file.content().chunks(CHUNK_BYTES)) {
            batch.put(&records::piece_key(id, name.0, chunk), piece.to_vec());
        }
        self.outgoing.insert(name, outgoing);
        name
    }

    /// What the message says of a file.
    pub(crate) fn descriptor(&self, file: FileId) -> Option<&Descriptor> {
        self.outgoing.get(&file).map(|outgoing| &outgoing.descriptor)
    }

    /// The file was announced: its chunks go to those relays, the preferred one first. For one that is under way, the
    /// relays may have changed.
    pub(crate) fn begin(&mut self, file: FileId, class: Class, relays: &[Pin], now: UnixTime) {
        if let Some(outgoing) = self.outgoing.get_mut(&file) {
            outgoing.begin(class, relays, now);
        }
    }

    /// Chunks that are due, each of which counts as under way from now on.
    pub(crate) fn take_due(&mut self, now: UnixTime, reach: &Reach) -> Vec<(ChunkPut, Pin, Request)> {
        let mut due = Vec::new();
        for (file, outgoing) in &mut self.outgoing {
            outgoing.take_due(*file, reach, now, &mut due);
        }
        due
    }

    /// The outcome of a put that `take_due` handed out.
    pub(crate) fn handle_outcome(
        &mut self,
        put: ChunkPut,
        result: &CallResult,
        now: UnixTime,
    ) -> ChunkOutcome {
        let outgoing = self.outgoing.get_mut(&put.file);
        outgoing.map_or(ChunkOutcome::Nothing, |outgoing| outgoing.handle_outcome(put, result, now))
    }

    /// Whether each chunk of a file is on the disk of a relay; one that is gone was.
    pub(crate) fn is_stored(&self, file: FileId) -> bool {
        self.outgoing.get(&file).is_none_or(Outgoing::is_stored)
    }

    /// Whether every file that was announced is on the disk of a relay.
    pub(crate) fn is_settled(&self) -> bool {
        self.outgoing.values().all(|outgoing| outgoing.is_stored() || !outgoing.is_announced())
    }

    /// The other side has answered, or it was begun anew: the content is needed no more.
    pub(crate) fn give_up(&mut self, id: LocalId, file: FileId, batch: &mut Batch) {
        if let Some(outgoing) = self.outgoing.get_mut(&file) {
            outgoing.give_up();
            erase_pieces(id, file, &outgoing.descriptor, batch);
        }
    }

    /// Forgets files that are named neither by a draft nor by something that was sent.
    pub(crate) fn drop_unnamed(&mut self, id: LocalId, named: &[FileId], batch: &mut Batch) {
        self.outgoing.retain(|file, outgoing| {
            let is_named = named.contains(file);
            if !is_named {
                erase_pieces(id, *file, &outgoing.descriptor, batch);
            }
            is_named
        });
    }

    /// The other side has announced a file. `is_shared`: in words that everybody at the desk can read, so that its chunks
    /// stay at the relay until the conversation is bound.
    pub(crate) fn announce(&mut self, descriptor: Descriptor, relays: Vec<Pin>, today: Day, is_shared: bool) {
        let file = FileId::of(&descriptor);
        if self.outgoing.contains_key(&file) || self.incoming.contains_key(&file) {
            return;
        }
        let finished = || {
            let mut all = self.incoming.iter();
            all.find(|(_, one)| one.is_finished()).map(|(file, _)| *file)
        };
        if self.incoming.len() >= FILES_MAX {
            let Some(oldest) = finished() else { return };
            self.incoming.remove(&oldest);
        }
        self.incoming.insert(file, Incoming::new(descriptor, relays, today, is_shared));
        self.poll_due.clear();
    }

    /// Makes everything due at once.
    pub(crate) fn hurry(&mut self, now: UnixTime) {
        self.outgoing.values_mut().for_each(|outgoing| outgoing.hurry(now));
        self.poll_due.clear();
    }

    /// When `take_due`, if chunks may be put, or a poll next has work to do.
    pub(crate) fn poll_timeout(&self, may_put: bool, reach: &Reach) -> Option<UnixTime> {
        let puts = self.outgoing.values().filter_map(|outgoing| outgoing.poll_timeout(reach));
        puts.filter(|_| may_put).chain(self.poll_due.values().copied()).min()
    }

    /// Gives up files whose time is over. Those of its own that were not stored, and whether anything has changed.
    pub(crate) fn expire(&mut self, id: LocalId, now: UnixTime, batch: &mut Batch) -> (Vec<FileId>, bool) {
        let (mut lost, mut changed) = (Vec::new(), false);
        for (file, outgoing) in self.outgoing.iter_mut().filter(|(_, outgoing)| outgoing.is_over(now)) {
            if !outgoing.is_stored() {
                lost.push(*file);
            }
            outgoing.give_up();
            erase_pieces(id, *file, &outgoing.descriptor, batch);
            changed = true;
        }
        for (file, incoming) in self.incoming.iter_mut().filter(|(_, incoming)| incoming.is_over(now.day())) {
            if incoming.expire() {
                erase_pieces(id, *file, &incoming.descriptor, batch);
            }
            changed = true;
        }
        (lost, changed)
    }

    /// The shell has written a file out: it may make room for others.
    pub(crate) fn note_saved(&mut self, file: FileId) -> bool {
        let Some(incoming) = self.incoming.get_mut(&file).filter(|one| one.stage == Stage::Complete) else {
            return false;
        };
        self.saved += 1;
        incoming.stage = Stage::Saved(self.saved);
        true
    }

    /// The removal of everything.
    pub(crate) fn erase(&self, id: LocalId, batch: &mut Batch) {
        let own = self.outgoing.iter().map(|(file, one)| (file, &one.descriptor));
        let theirs = self.incoming.iter().map(|(file, one)| (file, &one.descriptor));
        own.chain(theirs).for_each(|(file, descriptor)| erase_pieces(id, *file, descriptor, batch));
        records::erase(batch, &records::key(records::FILES, id));
    }

    fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_empty()
    }
}

/// A conversation or case, as far as its files are concerned.
pub(crate) trait Holder {
    /// What both sides keep.
    fn thread(&self) -> &Thread;
    /// The same, to change.
    fn thread_mut(&mut self) -> &mut Thread;
    /// Whether it is at work here, so that its files are wanted.
    fn is_active(&self) -> bool;
}

/// The removal of a file's content.
fn erase_pieces(id: LocalId, file: FileId, descriptor: &Descriptor, batch: &mut Batch) {
    for chunk in 0..descriptor.filled() {
        let chunk = u16::try_from(chunk).expect("a file has at most 259 chunks");
        batch.delete(&records::piece_key(id, file.0, chunk));
    }
}
