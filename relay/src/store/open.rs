//! Opening a store: from the last checkpoint where it can be believed, else from the beginning of the log
//! (docs/spec/store.md §5).

use std::io;
use std::path::Path;
use std::sync::Arc;

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::time::Day;
use poterne_relay_core::change::Change;

use super::checkpoint::Checkpoint;
use super::disk::DiskMedium;
use super::embedded::EmbeddedStore;
use super::index::{Index, IndexFactory};
use super::log::{Active, Log};
use super::medium::Medium;
use super::page::{Page, PageNumber};
use super::record::{Content, Record};
use super::recover::{self, PlacedBlock, Replayed, Start, Survey};
use super::rows::BUCKETS;
use super::segment::read_page;
use super::shared::{Inner, Mode, Shared, fresh_index};
use super::sled_index::SledIndexes;
use super::spares::{RESERVED_SPARES, Spares};
use super::{Config, book::Use};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
    /// Another process has the store open.
    #[error("another process has the store open")]
    InUse,
    /// A build with another layout of the log has written it.
    #[error("the log is of a build with another layout, see {file}. Open it with that build")]
    Foreign {
        /// One of its files.
        file: String,
    },
    /// A newer build has written records that this one does not know.
    #[error("{records} records of the store are of a newer build")]
    Newer {
        /// How many.
        records: u64,
    },
}

impl OpenError {
    /// Of an error of [`DiskMedium::open`].
    pub fn from_disk(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::InUse,
            _ => Self::Disk(error),
        }
    }
}

/// Opens the store in a directory, or makes a new one.
pub fn open_directory(path: &Path, config: Config, today: Day) -> Result<EmbeddedStore, OpenError> {
    let medium = DiskMedium::open(path).map_err(OpenError::from_disk)?;
    open(Arc::new(medium), Box::new(SledIndexes::new(path)), config, today)
}

/// Opens the store on `medium`, or makes a new one.
pub fn open(
    medium: Arc<dyn Medium>,
    indexes: Box<dyn IndexFactory>,
    config: Config,
    today: Day,
) -> Result<EmbeddedStore, OpenError> {
    let mut survey = recover::survey(&*medium)?;
    if let Some(file) = survey.foreign.pop() {
        return Err(OpenError::Foreign { file });
    }
    let (mut inner, start) = restore(&*medium, &*indexes, &survey, &config, today);
    let mode = if start == Start::default() { Mode::Rebuild } else { Mode::Next };
    let mut unknown = 0;
    let mut visit = |block: PlacedBlock| unknown += inner.block(&block, mode);
    let replayed = recover::replay(&survey.used, start, &mut visit, &mut envelopes_are_sound)?;
    if unknown > 0 {
        return Err(OpenError::Newer { records: unknown });
    }
    Ok(assemble(medium, indexes, config, today, inner, survey, replayed)?)
}

/// What the checkpoint says, and where the log goes on behind it; or nothing, and the log's beginning.
fn restore(
    medium: &dyn Medium,
    indexes: &dyn IndexFactory,
    survey: &Survey,
    config: &Config,
    today: Day,
) -> (Inner, Start) {
    let checkpoint = Checkpoint::load(medium);
    let number = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.index);
    let found = checkpoint.and_then(|checkpoint| Some((indexes.open(number).ok()?, checkpoint)));
    let (mut inner, start) = match found {
        Some((index, checkpoint)) => {
            // Of an index that was being written anew something may be left.
            if let Err(error) = indexes.keep_only(number) {
                tracing::warn!(%error, "what is left of an index could not be removed");
            }
            resume(index, checkpoint, survey, config)
        }
        None => {
            let index = fresh_index(indexes, number + 1);
            (Inner::new(index, number + 1, vec![0; BUCKETS], config.mirrored_rows), Start::default())
        }
    };
    for segment in &survey.used {
        if inner.book.segment(segment.header.sequence).is_none() {
            inner.book.begin(segment.clone(), today);
        }
    }
    inner.damage.lost_segments = survey.lost.len() as u64;
    (inner, start)
}

fn resume(
    index: Arc<dyn Index>,
    mut checkpoint: Checkpoint,
    survey: &Survey,
    config: &Config,
) -> (Inner, Start) {
    let digests = std::mem::take(&mut checkpoint.digests);
    let mut inner = Inner::new(index, checkpoint.index, digests, config.mirrored_rows);
    for segment in &survey.used {
        if let Some(pages) = checkpoint.uses.remove(&segment.header.sequence) {
            inner.book.uses.insert(segment.header.sequence, Use::new(segment.clone(), pages));
        }
    }
    inner.checkpointed = checkpoint.group;
    inner.group = checkpoint.group;
    (inner, Start { ends: checkpoint.ends, group: checkpoint.group })
}

fn assemble(
    medium: Arc<dyn Medium>,
    indexes: Box<dyn IndexFactory>,
    config: Config,
    today: Day,
    mut inner: Inner,
    survey: Survey,
    replayed: Replayed,
) -> io::Result<EmbeddedStore> {
    let Replayed { active, spares, group, damage } = replayed;
    for segment in &spares {
        inner.book.end(segment.header.sequence);
    }
    inner.group = inner.group.max(group);
    inner.ends = active.map(|active| active.as_ref().map(Active::place));
    let lost_segments = inner.damage.lost_segments;
    inner.damage = damage;
    inner.damage.lost_segments = lost_segments;
    // A file that has lost its headers may have had any of the numbers behind the highest known.
    let known = survey.used.last().map_or(0, |segment| segment.header.sequence);
    let last_sequence = known + survey.lost.len() as u32;
    let spares = Spares::new(medium.clone(), config.segment_pages, spares, survey.free, last_sequence)?;
    let (spares, group) = (Arc::new(spares), inner.group);
    if inner.damage != Default::default() {
        tracing::warn!(damage = ?inner.damage, "the log was not as it was left");
    }
    let shared = Arc::new(Shared::new(config, medium, spares.clone(), indexes, inner));
    while spares.ready() <= RESERVED_SPARES && shared.prepare()? {}
    Ok(EmbeddedStore::new(shared, Log::new(active, spares, group), today))
}

/// Whether the envelopes of a block are what its records say. One wrong bit is put right.
fn envelopes_are_sound(block: &PlacedBlock) -> io::Result<bool> {
    for (at, bytes) in block.records() {
        let Some(place) = at.envelope() else { continue };
        let Ok(Record { content: Content::Change(Change::Put(arrival), _), .. }) = Record::decode(bytes, at)
        else {
            continue;
        };
        if !envelope_is_sound(block, place.page, &arrival.id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn envelope_is_sound(block: &PlacedBlock, number: PageNumber, id: &EnvelopeId) -> io::Result<bool> {
    let file = &block.segment.file;
    let Ok(page) = read_page(&**file, number) else { return Ok(false) };
    if SealedEnvelope::from(page.clone()).id() == *id {
        return Ok(true);
    }
    let Some(whole) = repair_envelope(&page, id) else { return Ok(false) };
    file.write_at(&[io::IoSlice::new(&whole[..])], super::page::offset(number))?;
    file.sync_data()?;
    Ok(true)
}

/// The envelope of that id, if `page` is it but for one bit. A page with a sector of zeros was torn, and is not tried:
/// trying takes some 32,768 hashes.
pub fn repair_envelope(page: &Page, id: &EnvelopeId) -> Option<Box<Page>> {
    if page.chunks(SECTOR_BYTES).any(|sector| sector.iter().all(|byte| *byte == 0)) {
        return None;
    }
    (0..page.len() * 8).find_map(|bit| {
        let mut draft = Box::new(*page);
        draft[bit / 8] ^= 1 << (bit % 8);
        let draft = SealedEnvelope::from(draft);
        (draft.id() == *id).then(|| Box::new(*draft.as_bytes()))
    })
}
