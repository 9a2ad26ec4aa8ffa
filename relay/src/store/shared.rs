//! What the threads of a store share: the files, the book-keeping, and reading (docs/spec/store.md §9).
//!
//! One thread stages and commits; others prepare segments, erase, and bring the index up. All of them see the effects
//! of a group at once, after it is on the disk. The lock is never held while a disk works for a commit.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_relay_core::store::{LoadError, ReadError};

use super::Config;
use super::block::Block;
use super::book::Book;
use super::checkpoint::Checkpoint;
use super::index::{Index, IndexError, IndexFactory, MemoryIndex};
use super::lane::Lanes;
use super::medium::Medium;
use super::page::{Address, PAGE_BYTES, Place};
use super::record::{Owner, Record};
use super::recover::{self, Damage, PlacedBlock};
use super::rows::{BUCKETS, OwnerKey, Rows};
use super::segment::read_page;
use super::spares::{Segment, Spares};

/// What the threads of a store share.
pub struct Shared {
    /// The sizes and times.
    pub config: Config,
    /// The disk.
    pub medium: Arc<dyn Medium>,
    /// Segments that wait to be used.
    pub spares: Arc<Spares>,
    /// Makes a new index when the old one is of no use.
    pub indexes: Box<dyn IndexFactory>,
    /// A thread does the work behind the commits.
    pub is_kept: AtomicBool,
    /// A file of the log could not be written or synced: nothing is taken any more.
    pub has_failed: AtomicBool,
    /// Held while a segment is erased and while its use is ended, so that no page is overwritten by both.
    pub overwriting: Mutex<()>,
    inner: Mutex<Inner>,
}

/// The book-keeping.
pub struct Inner {
    /// Segments in use.
    pub book: Book,
    /// Which records stand.
    pub rows: Rows,
    /// Where the next block of each lane goes.
    pub ends: Lanes<Option<Place>>,
    /// The last group.
    pub group: u64,
    /// The number of the index.
    pub index_number: u64,
    /// The highest number that was given to an index.
    newest_index: u64,
    /// Nothing was brought to the index since it was written anew.
    pub index_is_compact: bool,
    /// When something new was last written, or the store opened.
    pub last_news: Instant,
    /// The last group that the last checkpoint covers.
    pub checkpointed: u64,
    /// Pages were overwritten that the last checkpoint still tells as soiled.
    pub overwritten: bool,
    /// Segments that hold nothing any more, each with the last group when that was so. Their use ends once a checkpoint
    /// covers that group: until then a replay may need what they say.
    pub retiring: VecDeque<(u32, u64)>,
    /// The index is of no use and must be built anew by the thread that commits.
    pub index_is_broken: bool,
    /// What was found wrong since the start.
    pub damage: Damage,
    /// Envelopes and tables found rotten since the start.
    pub rotten: u64,
}

/// How a record that is read meets what is known already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It was just written, or lies behind the checkpoint that was loaded: what it drops is there.
    Next,
    /// Everything is read from the beginning of the log: what it drops may be gone with its segment.
    Rebuild,
}

impl Inner {
    /// What is known before the first record.
    pub fn new(index: Arc<dyn Index>, index_number: u64, digests: Vec<u64>, mirrored_rows: usize) -> Self {
        Self {
            book: Book::default(),
            rows: Rows::new(index, digests, mirrored_rows),
            ends: Lanes::default(),
            group: 0,
            index_number,
            newest_index: index_number,
            index_is_compact: false,
            last_news: Instant::now(),
            checkpointed: 0,
            overwritten: false,
            retiring: VecDeque::new(),
            index_is_broken: false,
            damage: Damage::default(),
            rotten: 0,
        }
    }

    /// Goes on with an index that was just written anew and holds the same. Gives back the one before.
    pub fn go_on_with(&mut self, index: Arc<dyn Index>, number: u64) -> Arc<dyn Index> {
        self.index_number = number;
        self.index_is_compact = true;
        self.rows.move_to(index)
    }

    /// A number for a new index, which no other gets.
    pub fn number_of_new_index(&mut self) -> u64 {
        self.newest_index += 1;
        self.newest_index
    }

    /// Whether a segment was emptied and its use is about to end.
    pub fn is_retiring(&self, sequence: u32) -> bool {
        self.retiring.iter().any(|(other, _)| *other == sequence)
    }

    /// Whether nothing new came for that time.
    pub fn is_calm(&self, since: Duration) -> bool {
        self.last_news.elapsed() >= since
    }

    /// Takes in the records of a block that was read. Says how many of them have an unknown layout.
    pub fn block(&mut self, block: &PlacedBlock, mode: Mode) -> u64 {
        let mut unknown = 0;
        for (at, bytes) in block.records() {
            match Record::decode(bytes, at) {
                Ok(record) => self.record(at, &record, mode),
                Err(_) => unknown += 1,
            }
        }
        unknown
    }

    /// Forgets what is known from records, for an empty index of the next number.
    fn begin_anew(&mut self, indexes: &dyn IndexFactory, mirrored_rows: usize) {
        self.index_number = self.number_of_new_index();
        let index = fresh_index(indexes, self.index_number);
        self.rows = Rows::new(index, vec![0; BUCKETS], mirrored_rows);
        self.checkpointed = 0;
        self.index_is_broken = false;
        self.index_is_compact = false;
        self.retiring.clear();
        for one in self.book.uses.values_mut() {
            one.begin_anew();
        }
    }

    /// Takes in a record that is on the disk.
    pub fn record(&mut self, at: Address, record: &Record, mode: Mode) {
        self.book.written(at, record);
        if record.stands() {
            self.rows.add((OwnerKey::from(&record.owner), at));
        }
        for drop in record.drops.iter().take(record.fresh_drops(mode)) {
            let row = (OwnerKey::from(&record.owner), *drop);
            if mode == Mode::Next || self.rows.contains(&row) == Ok(true) {
                self.rows.drop(row);
                self.book.dropped(*drop);
            }
        }
    }
}

impl Shared {
    /// Shares what opening has found.
    pub fn new(
        config: Config,
        medium: Arc<dyn Medium>,
        spares: Arc<Spares>,
        indexes: Box<dyn IndexFactory>,
        inner: Inner,
    ) -> Self {
        Self {
            config,
            medium,
            spares,
            indexes,
            is_kept: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            overwriting: Mutex::default(),
            inner: Mutex::new(inner),
        }
    }

    /// Builds the index anew from the log. Only for the thread that commits, with nothing staged and unwritten: no
    /// block may be under way.
    pub fn rebuild(&self) -> io::Result<()> {
        let mut inner = self.inner();
        tracing::warn!("building the index anew from the log");
        Checkpoint::forget(&*self.medium)?;
        inner.begin_anew(&*self.indexes, self.config.mirrored_rows);
        let used: Vec<Arc<Segment>> = inner.book.uses.values().map(|one| one.segment.clone()).collect();
        let mut unknown = 0;
        let mut visit = |block: PlacedBlock| unknown += inner.block(&block, Mode::Rebuild);
        let replayed = recover::read(&used, &mut visit)?;
        inner.damage.lost_pages = inner.damage.lost_pages.max(replayed.lost_pages);
        inner.damage.unknown_records = unknown;
        Ok(())
    }

    /// The book-keeping.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The standing records of an owner in the order of their first writing, each with its address. An index that says
    /// what the log does not hold is built anew at once where it `may_rebuild`, else by the next tidying.
    pub fn records(&self, owner: &Owner, may_rebuild: bool) -> Result<Vec<(Address, Record)>, LoadError> {
        match self.try_records(owner) {
            Err(RecordsError::Index) if !may_rebuild => {
                self.inner().index_is_broken = true;
                Err(LoadError)
            }
            Err(RecordsError::Index) => {
                self.rebuild().map_err(|error| {
                    tracing::error!(%error, "the index could not be rebuilt");
                    LoadError
                })?;
                self.try_records(owner).map_err(|_| LoadError)
            }
            read => read.map_err(|_| LoadError),
        }
    }

    fn try_records(&self, owner: &Owner) -> Result<Vec<(Address, Record)>, RecordsError> {
        let key = OwnerKey::from(owner);
        let addresses = self.inner().rows.of(&key)?;
        let mut records = Vec::with_capacity(addresses.len());
        for same in addresses.chunk_by(|one, next| one.table() == next.table()) {
            let segment = self.inner().book.segment(same[0].sequence()).cloned();
            let segment = segment.ok_or(RecordsError::Index)?;
            let Some(block) = self.table(&segment, same[0])? else { continue };
            for at in same {
                let bytes = block.records().nth(usize::from(at.index())).ok_or(RecordsError::Index)?.0;
                let record = Record::decode(bytes, *at).map_err(|_| RecordsError::Unavailable)?;
                match record.owner == *owner {
                    true => records.push((*at, record)),
                    // Another owner that begins alike.
                    false if OwnerKey::from(&record.owner) == key => {}
                    false => return Err(RecordsError::Index),
                }
            }
        }
        records.sort_by_key(|(at, record)| record.order(*at));
        Ok(records)
    }

    /// The table that holds the record at `at`; `None` where it has rotted.
    fn table(&self, segment: &Segment, at: Address) -> io::Result<Option<Block>> {
        let number = at.table().page;
        if number >= segment.header.end_page() {
            return Ok(None);
        }
        let page = match read_page(&*segment.file, number) {
            Ok(page) => page,
            // The file answers for its first page: it is this page that can't be read.
            Err(error) => read_page(&*segment.file, 0).map_err(|_| error).and(Ok(super::page::zeroed()))?,
        };
        let block = Block::decode(&segment.header, number, page.clone())
            .or_else(|| Block::repair(&segment.header, number, &page));
        if block.is_none() {
            self.inner().rotten += 1;
            tracing::error!("a table of the log has rotted: its records are lost");
        }
        Ok(block)
    }

    /// The record at `at`, if it is there and whole.
    pub fn record(&self, at: Address) -> Result<Record, ReadError> {
        let segment = self.inner().book.segment(at.sequence()).cloned().ok_or(ReadError::Unavailable)?;
        let block =
            self.table(&segment, at).map_err(|_| ReadError::Unavailable)?.ok_or(ReadError::Damaged)?;
        let bytes = block.records().nth(usize::from(at.index())).ok_or(ReadError::Unavailable)?.0;
        Record::decode(bytes, at).map_err(|_| ReadError::Unavailable)
    }

    /// The envelope of that id, which the record at `at` attached.
    pub fn envelope(&self, at: Address, id: &EnvelopeId) -> Result<SealedEnvelope, ReadError> {
        let place = at.envelope().ok_or(ReadError::Damaged)?;
        let segment = self.inner().book.segment(at.sequence()).cloned().ok_or(ReadError::Unavailable)?;
        let page = match read_page(&*segment.file, place.page) {
            Ok(page) => page,
            Err(_) if read_page(&*segment.file, 0).is_err() => return Err(ReadError::Unavailable),
            Err(_) => return Err(self.rotten_envelope()),
        };
        let envelope = SealedEnvelope::from(page);
        if envelope.id() != *id {
            return Err(self.rotten_envelope());
        }
        Ok(envelope)
    }

    fn rotten_envelope(&self) -> ReadError {
        self.inner().rotten += 1;
        tracing::error!("an envelope has rotted: it is lost");
        ReadError::Damaged
    }

    /// The checkpoint of the book-keeping as it stands, for the frozen rows' `digests`.
    pub fn checkpoint(inner: &Inner, digests: Vec<u64>) -> Checkpoint {
        let uses = inner.book.uses.iter().map(|(sequence, one)| (*sequence, one.pages.clone())).collect();
        Checkpoint { index: inner.index_number, ends: inner.ends, group: inner.group, digests, uses }
    }

    /// Bytes of all segments in use.
    pub fn log_bytes(&self) -> u64 {
        let inner = self.inner();
        let pages = inner.book.uses.values().map(|one| u64::from(one.segment.header.pages));
        pages.sum::<u64>() * PAGE_BYTES as u64
    }
}

/// An empty index; in memory where the disk takes none.
pub fn fresh_index(indexes: &dyn IndexFactory, number: u64) -> Arc<dyn Index> {
    let made = indexes.create(number).and_then(|index| indexes.keep_only(number).map(|()| index));
    made.unwrap_or_else(|error| {
        tracing::warn!(%error, "the disk takes no index: it is kept in memory");
        Arc::new(MemoryIndex::default())
    })
}

/// Why records could not be read.
enum RecordsError {
    /// The index says what the log does not hold.
    Index,
    /// The disk does not answer.
    Unavailable,
}

impl From<IndexError> for RecordsError {
    fn from(_: IndexError) -> Self {
        Self::Index
    }
}

impl From<io::Error> for RecordsError {
    fn from(_: io::Error) -> Self {
        Self::Unavailable
    }
}
