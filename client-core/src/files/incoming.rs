//! A file that was announced (docs/spec/attachments.md §5).
//!
//! Invariant: a chunk counts as here when it is in the batch that is saved before anything is erased at a relay. What
//! opens under no key of its run stays at the relay until it expires, and shows as damage.

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::time::Day;
use zeroize::Zeroizing;

use super::FileId;
use super::chunk_set::ChunkSet;
use crate::attachment::{CHUNK_BYTES, Descriptor, RUN_CHUNKS};
use crate::records::{self, LocalId};
use crate::vault::Batch;

/// Days for which chunks are waited for: the longest class and its rounding.
const WAITED_DAYS: u32 = 31;

/// How far it has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// All of it is in the vault.
    Complete,
    /// Chunks were missing when their time was over.
    Expired,
    /// Chunks are missing.
    Fetching,
    /// It was written out, and then made room for others.
    Removed,
    /// It was written out, as the so-manieth one, and is still in the vault.
    Saved(u32),
}

pub(super) struct Incoming {
    pub(super) descriptor: Descriptor,
    /// Where its chunks may lie, the preferred relay first.
    pub(super) relays: Vec<Pin>,
    pub(super) announced: Day,
    /// Others may need its chunks until the conversation is bound.
    pub(super) is_shared: bool,
    pub(super) have: ChunkSet,
    pub(super) stage: Stage,
    /// Relays at which nothing of it is left.
    pub(super) cleared: Vec<Pin>,
    /// Something lies in its mailboxes that does not open.
    pub(super) is_damaged: bool,
    /// There is room for it, in this run.
    pub(super) is_admitted: bool,
    /// Relays that were asked for it in this run.
    pub(super) looked: BTreeSet<Pin>,
    /// How often it was asked for in this run.
    pub(super) tried: u32,
    /// Runs that were seen without a chunk of it, by relay, in this run.
    pub(super) seen_empty: BTreeMap<Pin, BTreeSet<u32>>,
}

crate::secret::silent!(Incoming);

impl Incoming {
    pub(super) fn new(descriptor: Descriptor, relays: Vec<Pin>, announced: Day, is_shared: bool) -> Self {
        Self {
            descriptor,
            relays,
            announced,
            is_shared,
            have: ChunkSet::default(),
            stage: Stage::Fetching,
            cleared: Vec::new(),
            is_damaged: false,
            is_admitted: false,
            looked: BTreeSet::new(),
            tried: 0,
            seen_empty: BTreeMap::new(),
        }
    }

    /// Bytes of the vault that it has or will have.
    pub(super) fn reserved_bytes(&self) -> usize {
        match self.stage {
            Stage::Complete | Stage::Saved(_) => self.descriptor.filled() as usize * CHUNK_BYTES,
            Stage::Fetching if self.is_admitted || !self.have.is_empty() => {
                self.descriptor.filled() as usize * CHUNK_BYTES
            }
            _ => 0,
        }
    }

    /// Nothing is to be done for it any more.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Expired | Stage::Removed | Stage::Saved(_)) && !self.is_open()
    }

    /// Whether its mailboxes are still looked at.
    pub(super) fn is_open(&self) -> bool {
        match self.stage {
            Stage::Expired => false,
            Stage::Fetching => true,
            _ => self.relays.iter().any(|relay| !self.cleared.contains(relay)),
        }
    }

    pub(super) fn is_over(&self, today: Day) -> bool {
        self.is_open() && today > self.announced + WAITED_DAYS
    }

    /// Its time is over. Whether what there is of it goes too.
    pub(super) fn expire(&mut self) -> bool {
        self.cleared = self.relays.clone();
        let is_lost = self.stage == Stage::Fetching;
        if is_lost {
            self.stage = Stage::Expired;
        }
        is_lost
    }

    fn runs(&self) -> u32 {
        u32::from(self.descriptor.count).div_ceil(RUN_CHUNKS)
    }

    /// The runs to look at, at a relay.
    pub(super) fn wanted_runs(&self, relay: &Pin, may_erase: bool) -> Vec<u32> {
        let may_erase = may_erase || !self.is_shared;
        let misses = |run: &u32| {
            let chunks = run * RUN_CHUNKS..((run + 1) * RUN_CHUNKS).min(self.descriptor.filled());
            chunks.into_iter().any(|chunk| !self.have.contains(chunk))
        };
        match self.stage {
            Stage::Fetching if self.is_admitted && self.is_its_turn(relay) => {
                (0..self.runs()).filter(misses).collect()
            }
            Stage::Expired | Stage::Fetching => Vec::new(),
            _ if may_erase && self.relays.contains(relay) && !self.cleared.contains(relay) => {
                (0..self.runs()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The preferred relay is asked first, another one when that has not shown everything.
    fn is_its_turn(&self, relay: &Pin) -> bool {
        match self.relays.iter().position(|pin| pin == relay) {
            Some(0) => true,
            Some(_) => self.looked.contains(&self.relays[0]),
            None => false,
        }
    }

    /// Takes in what a fetch found in the mailbox of a run. What to erase there, and whether anything has changed.
    pub(super) fn take(
        &mut self,
        (id, file): (LocalId, FileId),
        run: u32,
        envelopes: &[SealedEnvelope],
        batch: &mut Batch,
    ) -> (BTreeSet<EnvelopeId>, bool) {
        let (mut erase, mut changed, mut damaged) = (BTreeSet::new(), false, false);
        let mut opener = RunOpener::new(self.descriptor.clone(), run);
        for envelope in envelopes {
            let Some((chunk, text)) = opener.open(envelope) else {
                damaged = true;
                continue;
            };
            erase.insert(envelope.id());
            let is_wanted = self.stage == Stage::Fetching && chunk < self.descriptor.filled();
            if is_wanted && self.have.insert(chunk) {
                let place = u16::try_from(chunk).expect("a file has at most 259 chunks");
                batch.put(&records::piece_key(id, file.0, place), text);
                changed = true;
            }
        }
        (erase, self.note_taken(damaged) | changed)
    }

    fn note_taken(&mut self, damaged: bool) -> bool {
        if self.stage != Stage::Fetching {
            return false;
        }
        let is_whole = self.have.len() == self.descriptor.filled();
        if is_whole {
            self.stage = Stage::Complete;
        }
        let was_damaged = self.is_damaged;
        self.is_damaged = !is_whole && (was_damaged || damaged);
        is_whole || was_damaged != self.is_damaged
    }

    /// A run was seen at a relay without a chunk of the file. Whether nothing of the file is left there, as far as that
    /// is news.
    pub(super) fn note_empty(&mut self, relay: Pin, run: u32) -> bool {
        if matches!(self.stage, Stage::Expired | Stage::Fetching) || self.cleared.contains(&relay) {
            return false;
        }
        let runs = self.runs();
        let seen = self.seen_empty.entry(relay).or_default();
        seen.insert(run);
        let is_clear = (0..runs).all(|run| seen.contains(&run));
        if is_clear {
            self.cleared.push(relay);
        }
        is_clear
    }
}

/// Opens the envelopes of a run. Chunks mostly lie in their order, so each is tried first with the key behind the one
/// that opened the last.
struct RunOpener {
    descriptor: Descriptor,
    chunks: Vec<u32>,
    next: usize,
}

impl RunOpener {
    fn new(descriptor: Descriptor, run: u32) -> Self {
        let last = ((run + 1) * RUN_CHUNKS).min(descriptor.count.into());
        Self { chunks: (run * RUN_CHUNKS..last).collect(), descriptor, next: 0 }
    }

    fn open(&mut self, envelope: &SealedEnvelope) -> Option<(u32, Zeroizing<Vec<u8>>)> {
        for _ in 0..self.chunks.len() {
            let chunk = self.chunks[self.next % self.chunks.len()];
            self.next += 1;
            if let Ok(text) = self.descriptor.open_chunk(chunk, envelope) {
                return Some((chunk, text));
            }
        }
        None
    }
}
