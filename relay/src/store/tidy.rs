//! Making room by the thread that commits: dropping what its day has ended, copying forward what little a segment
//! still holds (docs/spec/store.md §8).
//!
//! A segment's use ends when no record in it stands and nothing in it is needed to know that an earlier record stands
//! no more. What is needed for that, and what still stands, is written again at the end of the log first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::time::Day;
use poterne_relay_core::change::{Change, Locator, Position};
use poterne_relay_core::store::{CommitError, LoadError, ReadError, Store, Write};

use super::book::Pages;
use super::embedded::EmbeddedStore;
use super::lane::Lane;
use super::page::{Address, PageNumber};
use super::record::{Content, DROPS_MAX, Owner, Record};
use super::recover::PlacedBlock;
use super::rows::OwnerKey;
use super::scan::{Found, Scan};
use super::spares::Purpose;

/// Records that one step drops at most.
const SWEEP_RECORDS: usize = 4096;

/// Blocks that one step of copying reads at most.
const STEP_BLOCKS: usize = 256;

/// What copying an envelope costs, and copying any other record, relative to each other.
const PAGE_WEIGHT: usize = 8;
const RECORD_WEIGHT: usize = 1;

/// Why a step of tidying did not happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TidyError {
    /// What it wanted to write is not known to be on the disk.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The log or the index could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl EmbeddedStore {
    /// One step of tidying, when nothing is staged. Says whether there may be more to do.
    pub fn tidy(&mut self) -> Result<bool, TidyError> {
        if self.is_read_only() {
            return Ok(false);
        }
        if self.shared.inner().index_is_broken {
            self.forget_states();
            self.emptying = None;
            self.shared.rebuild().map_err(|_| LoadError)?;
            return Ok(true);
        }
        if let Some(sequence) = self.segment_with_an_end() {
            self.sweep(sequence)?;
            return Ok(true);
        }
        match self.segment_to_empty() {
            Some(sequence) => self.empty(sequence),
            None => Ok(false),
        }
    }

    fn segment_with_an_end(&self) -> Option<u32> {
        let inner = self.shared.inner();
        let ended = |last: Option<Day>| last.is_some_and(|last| last < self.today);
        inner.book.uses.iter().find(|(_, one)| ended(one.pages.first_end)).map(|(sequence, _)| *sequence)
    }

    /// Drops the records of a segment that their day has ended; envelopes that are served no more are erased.
    fn sweep(&mut self, sequence: u32) -> Result<(), TidyError> {
        let mut ended: BTreeMap<Owner, Vec<Address>> = BTreeMap::new();
        let (mut next_end, mut count) = (None::<Day>, 0);
        for (at, record) in self.standing(sequence)? {
            if record.served_until().is_some_and(|last| last < self.today) {
                self.shared.inner().book.ended(at);
            }
            let ends = [record.served_until(), record.until()].into_iter().flatten();
            next_end = ends.filter(|last| *last >= self.today).chain(next_end).min();
            if record.until().is_some_and(|last| last < self.today) {
                count += 1;
                match self.number_left(at, &record)? {
                    Some(left) => drop(self.stage_record(left, None, Purpose::Copy)),
                    None => ended.entry(record.owner).or_default().push(at),
                }
            }
            if count >= SWEEP_RECORDS {
                next_end = Some(self.today - 1);
                break;
            }
        }
        for (owner, addresses) in ended {
            for drops in addresses.chunks(DROPS_MAX) {
                self.stage_record(Record::new(owner, drops.to_vec(), Content::Drop), None, Purpose::Copy);
            }
        }
        self.commit()?;
        if let Some(pages) = self.shared.inner().book.pages(sequence) {
            pages.first_end = next_end;
        }
        Ok(())
    }

    /// What must stay of a record that has ended: of the last lease of an envelope that waits, its number.
    fn number_left(&self, at: Address, record: &Record) -> Result<Option<Record>, TidyError> {
        let Content::Change(Change::Claimed(lease), _) = &record.content else { return Ok(None) };
        let state = self.load(&MailboxId(record.owner.0))?;
        let last = state.opened().and_then(|opened| opened.number_of(lease.position, &lease.claim_id));
        let Some((number, entry)) = last.zip(state.entries().get(lease.position)) else { return Ok(None) };
        let (position, claim_id) = (lease.position, lease.claim_id);
        let content = Content::change(Change::Numbered { position, number, claim_id });
        let lasts = Some(entry.last_day);
        Ok(Some(Record { lasts, ..Record::new(record.owner, vec![at], content) }))
    }

    /// A segment that is written no more and holds nothing or little, or has held what stands no more for long.
    fn segment_to_empty(&mut self) -> Option<u32> {
        let shared = self.shared.clone();
        let mut inner = shared.inner();
        let today = self.today;
        for lane in Lane::ALL {
            let written = self.log.active(lane).and_then(|sequence| inner.book.pages(sequence));
            if written.is_some_and(|pages| pages.is_stale(today)) {
                self.log.close_segment(lane);
            }
        }
        let (active, thin_percent) =
            (Lane::ALL.map(|lane| self.log.active(lane)), shared.config.thin_percent);
        let is_retiring = |sequence: u32| inner.retiring.iter().any(|(other, _)| *other == sequence);
        let written_no_more =
            inner.book.uses.iter().filter(|(sequence, _)| !active.contains(&Some(**sequence)));
        let is_thin = |pages: &Pages| pages.live_bytes() * 100 < pages.used_bytes() * thin_percent;
        let thin =
            inner.book.uses.iter().filter(|(_, one)| is_thin(&one.pages)).map(|(sequence, _)| *sequence);
        let long_thin = long_among(&mut self.thin_since, thin.collect(), shared.config.copy_after);
        let due = |sequence: u32, pages: &Pages| {
            pages.is_empty() || long_thin.contains(&sequence) || pages.is_stale(today)
        };
        let begun = self.emptying.map(|(sequence, _)| sequence);
        let emptiest = written_no_more
            .filter(|(sequence, one)| due(**sequence, &one.pages) && !is_retiring(**sequence))
            .min_by_key(|(sequence, one)| {
                let fill = one.pages.live_bytes() * 1024 / one.pages.used_bytes().max(1);
                (Some(**sequence) != begun, fill)
            })?;
        Some(*emptiest.0)
    }

    /// Copies some of what a segment holds. When nothing is left, its use will end.
    fn empty(&mut self, sequence: u32) -> Result<bool, TidyError> {
        let from = self.emptying.take().filter(|(begun, _)| *begun == sequence).map_or(1, |(_, page)| page);
        self.log.turn_to(self.log.lane_of_copies());
        let mut lost = Vec::new();
        let next = self.copy_from(sequence, from, &mut lost);
        // Also where that failed: each copy counts by itself, and what follows is no copy.
        let committed = self.commit();
        self.log.turn_to(Lane::News);
        let next = next?;
        committed?;
        self.strike_off(lost)?;
        self.emptying = next.map(|page| (sequence, page));
        if next.is_none() {
            let mut inner = self.shared.inner();
            let group = inner.group;
            inner.retiring.push_back((sequence, group));
        }
        Ok(true)
    }

    /// Copies what stands from that page on, as far as one step goes; says on which page the next begins. Before it
    /// nothing stands any more, once this is committed and what is `lost` is struck off.
    fn copy_from(
        &mut self,
        sequence: u32,
        from: PageNumber,
        lost: &mut Vec<Record>,
    ) -> Result<Option<PageNumber>, TidyError> {
        let is_empty = self.shared.inner().book.pages(sequence).is_none_or(|pages| pages.is_empty());
        let mut copied = 0;
        let blocks = if is_empty { Vec::new() } else { self.blocks(sequence, from, STEP_BLOCKS)? };
        for (count, block) in blocks.into_iter().enumerate() {
            if copied >= self.shared.config.copy_pages * PAGE_WEIGHT || count + 1 == STEP_BLOCKS {
                return Ok(Some(block.at));
            }
            for (at, bytes) in block.records() {
                let Ok(record) = Record::decode(bytes, at) else { continue };
                if self.stands(&record, at)? {
                    copied += self.copy(at, record, lost)?;
                }
            }
        }
        self.repeat_drops(sequence)?;
        Ok(None)
    }

    /// Writes a standing record again; one whose envelope can't be read any more is `lost`. Says what that weighs, see
    /// [`RECORD_WEIGHT`].
    fn copy(&mut self, at: Address, record: Record, lost: &mut Vec<Record>) -> Result<usize, TidyError> {
        let mut drops = vec![at];
        drops.extend(self.needed_drops(&record, at.sequence()));
        drops.truncate(DROPS_MAX);
        let waits = self.shared.inner().book.is_live(at);
        let id = record.envelope_id().filter(|_| waits);
        let envelope = match id.map(|id| self.shared.envelope(at, &id)).transpose() {
            Ok(envelope) => envelope,
            Err(ReadError::Unavailable) => return Err(LoadError.into()),
            Err(ReadError::Damaged) => {
                lost.push(record);
                return Ok(RECORD_WEIGHT);
            }
        };
        let weight = if envelope.is_some() { PAGE_WEIGHT } else { RECORD_WEIGHT };
        let copy = Record { drops, copy_of: Some(record.order(at)), ..record };
        let address = self.stage_record(copy.clone(), envelope, Purpose::Copy);
        if let (Some(to), Content::Change(Change::Put(arrival), _)) = (address, &copy.content) {
            self.relocate(MailboxId(copy.owner.0), arrival.position, to);
        }
        Ok(weight)
    }

    /// Strikes puts off whose envelopes can't be read any more. That is news: its place in the order is behind the put.
    fn strike_off(&mut self, lost: Vec<Record>) -> Result<(), CommitError> {
        for record in lost {
            if let Content::Change(Change::Put(arrival), _) = record.content {
                let (id, change) = (MailboxId(record.owner.0), Change::Lost { position: arrival.position });
                self.stage(Write::Mailbox { id, change, envelope: None });
            }
        }
        self.commit()
    }

    fn relocate(&mut self, id: MailboxId, position: Position, to: Address) {
        if let Some(mut state) = self.take_known(&id) {
            state.relocate(position, Locator(to.to_number()));
            self.cache.insert(id, state);
            self.staged.touch(id);
        }
    }

    /// Writes again what records of the segment say of records elsewhere that stand no more.
    fn repeat_drops(&mut self, sequence: u32) -> Result<(), TidyError> {
        for block in self.blocks(sequence, 1, usize::MAX)? {
            for (at, bytes) in block.records() {
                let Ok(record) = Record::decode(bytes, at) else { continue };
                let drops: Vec<Address> = self.needed_drops(&record, sequence).collect();
                if !drops.is_empty() {
                    let copy_of = Some(record.order(at));
                    self.stage_record(
                        Record { copy_of, ..Record::new(record.owner, drops, Content::Drop) },
                        None,
                        Purpose::Copy,
                    );
                }
            }
        }
        Ok(())
    }

    /// Of what a record drops, that whose segment is still in use: a replay from the beginning would find it again.
    fn needed_drops(&self, record: &Record, own: u32) -> impl Iterator<Item = Address> + use<> {
        let inner = self.shared.inner();
        let in_use = |at: &Address| at.sequence() != own && inner.book.segment(at.sequence()).is_some();
        record.drops.iter().copied().filter(in_use).collect::<Vec<_>>().into_iter()
    }

    /// Whether a record stands. Of a put the book-keeping knows it while the envelope waits, and when it ended before
    /// its day; the index is asked about the rest.
    fn stands(&self, record: &Record, at: Address) -> Result<bool, TidyError> {
        let mut inner = self.shared.inner();
        let holds_any = inner.book.pages(at.sequence()).is_some_and(|pages| pages.rows > 0);
        if !record.stands() || !holds_any {
            return Ok(false);
        }
        if at.envelope().is_some() && record.served_until().is_some_and(|last| last >= self.today) {
            return Ok(inner.book.is_live(at));
        }
        let stands = inner.rows.contains(&(OwnerKey::from(&record.owner), at));
        inner.index_is_broken |= stands.is_err();
        stands.map_err(|_| TidyError::Load(LoadError))
    }

    fn standing(&self, sequence: u32) -> Result<Vec<(Address, Record)>, TidyError> {
        let mut standing = Vec::new();
        for block in self.blocks(sequence, 1, usize::MAX)? {
            for (at, bytes) in block.records() {
                let Ok(record) = Record::decode(bytes, at) else { continue };
                if self.stands(&record, at)? {
                    standing.push((at, record));
                }
            }
        }
        Ok(standing)
    }

    /// Some blocks of a segment, from a block's page on, up to where it is written.
    fn blocks(&self, sequence: u32, from: PageNumber, count: usize) -> Result<Vec<PlacedBlock>, TidyError> {
        let found = self.shared.inner().book.uses.get(&sequence).cloned();
        let Some(one) = found else { return Ok(Vec::new()) };
        let mut blocks = Vec::new();
        let mut scan = Scan::new(&*one.segment.file, &one.segment.header, from, Default::default());
        while scan.end() < one.pages.end && blocks.len() < count {
            match scan.advance().map_err(|_| LoadError)? {
                Some(Found::Block { at, block, .. }) => {
                    blocks.push(PlacedBlock { segment: one.segment.clone(), at, block });
                }
                Some(Found::Gap { .. }) => {}
                None => break,
            }
        }
        Ok(blocks)
    }
}

/// Which of the segments that are so now have been so for that time. What is thin is often about to be empty, and
/// copying it would be for nothing.
fn long_among(since: &mut BTreeMap<u32, Instant>, now_so: BTreeSet<u32>, time: Duration) -> BTreeSet<u32> {
    let now = Instant::now();
    since.retain(|sequence, _| now_so.contains(sequence));
    let mut is_long = |sequence: &u32| now - *since.entry(*sequence).or_insert(now) >= time;
    now_so.into_iter().filter(|sequence| is_long(sequence)).collect()
}
