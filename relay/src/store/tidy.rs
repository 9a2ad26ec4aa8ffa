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

use super::book::Use;
use super::embedded::EmbeddedStore;
use super::lane::Lane;
use super::page::{Address, PAGE_BYTES, PageNumber};
use super::record::{Content, DROPS_MAX, Owner, Record};
use super::recover::PlacedBlock;
use super::rows::OwnerKey;
use super::scan::{Found, Scan};
use super::spares::Purpose;

/// Records that one step drops at most.
const SWEEP_RECORDS: usize = 4096;

/// Blocks that one step of copying reads at most.
const STEP_BLOCKS: usize = 256;

/// A segment that is fuller is not brought together with another: too little of it would be other than before.
const MERGED_PERCENT: u64 = 90;
/// Tables and the ends of them take less than this part of what is copied.
const TABLES_PART: u64 = 16;

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
        match self.segment_to_empty().or_else(|| self.segment_to_merge()) {
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
        let written_no_more =
            inner.book.uses.iter().filter(|(sequence, _)| !active.contains(&Some(**sequence)));
        let is_thin = |one: &Use| inner.book.percent_to_copy(one) < thin_percent;
        let thin = inner.book.uses.iter().filter(|(_, one)| is_thin(one)).map(|(sequence, _)| *sequence);
        let long_thin = long_among(&mut self.thin_since, thin.collect(), shared.config.copy_after);
        let due = |sequence: u32, one: &Use| {
            (one.pages.is_empty() && is_thin(one))
                || long_thin.contains(&sequence)
                || one.pages.is_stale(today)
        };
        let begun = self.emptying.map(|(sequence, _)| sequence);
        let emptiest = written_no_more
            .filter(|(sequence, one)| due(**sequence, one) && !inner.is_retiring(**sequence))
            .min_by_key(|(sequence, one)| (Some(**sequence) != begun, inner.book.percent_to_copy(one)))?;
        Some(*emptiest.0)
    }

    /// Where the store is calm, a segment whose rest fits beside that of another, so that the two become one: beside what was
    /// copied last, whose segment is closed first where only its own rest leaves the room. What was begun in this calm is not
    /// copied once more: what fits is reckoned, and where it does not fit after all this would have no end.
    fn segment_to_merge(&mut self) -> Option<u32> {
        let shared = self.shared.clone();
        let inner = shared.inner();
        if !inner.is_calm(shared.config.calm_after) {
            return None;
        }
        let newest = match self.calm {
            Some((since, newest)) if since == inner.last_news => newest,
            _ => *inner.book.uses.keys().next_back()?,
        };
        self.calm = Some((inner.last_news, newest));
        let (news, copies) = (self.log.active(Lane::News), self.log.active(Lane::Copies));
        let may_be_copied = inner.book.uses.iter().filter(|(sequence, one)| {
            let is_free = Some(**sequence) != news && !inner.is_retiring(**sequence);
            is_free && **sequence <= newest && inner.book.percent_to_copy(one) < MERGED_PERCENT
        });
        let mut by_bytes: Vec<(u64, u32)> =
            may_be_copied.map(|(sequence, one)| (inner.book.bytes_to_copy(one), *sequence)).collect();
        by_bytes.sort_unstable();
        let fits =
            |bytes: u64, pages: u32| bytes + bytes / TABLES_PART <= u64::from(pages) * PAGE_BYTES as u64;
        let closed = by_bytes.iter().find(|(_, sequence)| Some(*sequence) != copies);
        if closed.is_some_and(|(bytes, _)| fits(*bytes, self.log.room(Lane::Copies))) {
            return closed.map(|(_, sequence)| *sequence);
        }
        let [(first, sequence), (second, other), ..] = by_bytes[..] else { return None };
        let is_of_both = copies.is_none_or(|copies| copies == sequence || copies == other);
        if !is_of_both || !fits(first + second, shared.config.segment_pages - 2) {
            return None;
        }
        if copies.is_some() {
            self.log.close_segment(Lane::Copies);
        }
        Some(sequence)
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

    /// Copies what stands from that page on, and what the rest says of records elsewhere, as far as one step goes; says on
    /// which page the next begins. Before it nothing counts any more, once this is committed and what is `lost` is struck
    /// off.
    fn copy_from(
        &mut self,
        sequence: u32,
        from: PageNumber,
        lost: &mut Vec<Record>,
    ) -> Result<Option<PageNumber>, TidyError> {
        let mut copied = 0;
        for (count, block) in self.blocks(sequence, from, STEP_BLOCKS)?.into_iter().enumerate() {
            if copied >= self.shared.config.copy_pages * PAGE_WEIGHT || count + 1 == STEP_BLOCKS {
                return Ok(Some(block.at));
            }
            for (at, bytes) in block.records() {
                let Ok(record) = Record::decode(bytes, at) else { continue };
                copied += match self.stands(&record, at)? {
                    true => self.copy(at, record, lost)?,
                    false => self.repeat_drops(at, &record),
                };
            }
        }
        Ok(None)
    }

    /// Writes a standing record again; one whose envelope can't be read any more is `lost`. Says what that weighs, see
    /// [`RECORD_WEIGHT`].
    fn copy(&mut self, at: Address, record: Record, lost: &mut Vec<Record>) -> Result<usize, TidyError> {
        let needed = self.needed_drops(&record, at.sequence());
        let waits = self.shared.inner().book.is_live(at);
        let id = record.envelope_id().filter(|_| waits);
        let envelope = match id.map(|id| self.shared.envelope(at, &id)).transpose() {
            Ok(envelope) => envelope,
            Err(ReadError::Unavailable) => return Err(LoadError.into()),
            Err(ReadError::Damaged) => {
                let weight = RECORD_WEIGHT + self.repeat_drops(at, &record);
                lost.push(record);
                return Ok(weight);
            }
        };
        let weight = if envelope.is_some() { PAGE_WEIGHT } else { RECORD_WEIGHT };
        let (copy, more) = record.copied(at, needed);
        if let Some(more) = more {
            self.stage_record(more, None, Purpose::Copy);
        }
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

    /// Writes again what a record says of records elsewhere that stand no more. Says what that weighs.
    fn repeat_drops(&mut self, at: Address, record: &Record) -> usize {
        let drops = self.needed_drops(record, at.sequence());
        if drops.is_empty() {
            return 0;
        }
        self.stage_record(record.repeated(at, drops), None, Purpose::Copy);
        RECORD_WEIGHT
    }

    /// Of what a record drops, that whose segment is still in use: a replay from the beginning would find it again.
    fn needed_drops(&self, record: &Record, own: u32) -> Vec<Address> {
        let inner = self.shared.inner();
        let in_use = |at: &Address| at.sequence() != own && inner.book.segment(at.sequence()).is_some();
        record.drops.iter().copied().filter(in_use).collect()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use poterne_relay_core::store::{VoucherChange, VoucherId};

    use super::*;
    use crate::store::sim::{Faults, SimDisk};
    use crate::store::sim_index::SimIndexes;
    use crate::store::{Config, open};

    const TODAY: Day = Day(20_000);
    const HOUR: Duration = Duration::from_secs(3600);
    /// Vouchers, or payments, that a segment takes.
    const SEGMENT: u32 = 2000;

    fn store(disk: &SimDisk, calm_after: Duration, today: Day) -> EmbeddedStore {
        let no_reserve = Config { reserve_bytes: 0, reserve_percent: 0, ..Config::default() };
        let config = Config { segment_pages: 24, copy_after: Duration::ZERO, calm_after, ..no_reserve };
        open(Arc::new(disk.clone()), Box::new(SimIndexes::default()), config, today).expect("opens")
    }

    fn commit(store: &mut EmbeddedStore, writes: impl Iterator<Item = Write>) {
        for (count, write) in writes.enumerate() {
            store.stage(write);
            if count % 500 == 0 {
                store.commit().expect("commits");
                while store.shared().prepare().expect("prepares") {}
            }
        }
        store.commit().expect("commits");
    }

    /// Tidies until there is nothing to do, and says how many segments are left.
    fn segments_left(store: &mut EmbeddedStore) -> usize {
        let shared = store.shared().clone();
        for _ in 0..100 {
            let tidied = store.tidy().expect("tidies");
            let settled = shared.settle().expect("settles");
            let ended = shared.retire().expect("retires");
            let prepared = shared.prepare().expect("prepares");
            if !(tidied || settled || ended || prepared) {
                return shared.inner().book.uses.len();
            }
        }
        panic!("there is always more to do");
    }

    fn mailbox(number: u32) -> MailboxId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        MailboxId(id)
    }

    /// A payment of one of the mailboxes, which have 16 each. Of ten mailboxes of the first segment one is paid for long, and
    /// some for a day longer than the others; of the second two thirds are paid for long.
    fn payment(number: u32, a_day_longer: u32) -> Write {
        let mailbox_number = number / 16;
        let until = match (number < SEGMENT, mailbox_number % 10, mailbox_number % 3) {
            (true, 0, _) | (false, _, 1..) => TODAY + 100,
            (true, part, _) if part <= a_day_longer => TODAY + 1,
            _ => TODAY,
        };
        Write::Mailbox { id: mailbox(mailbox_number), change: Change::Paid { until }, envelope: None }
    }

    fn standing(store: &EmbeddedStore) -> Vec<usize> {
        let of = |number| store.shared().records(&Owner::from(&mailbox(number)), true).expect("reads").len();
        (0..2 * SEGMENT / 16).map(of).collect()
    }

    /// Segments that are left while the store is at work, and when it is calm.
    fn left_at_work_and_in_calm(a_day_longer: u32) -> (usize, usize) {
        let disk = SimDisk::new(Faults::default());
        let mut busy = store(&disk, HOUR, TODAY);
        commit(&mut busy, (0..2 * SEGMENT + SEGMENT / 4).map(|number| payment(number, a_day_longer)));
        let at_work = [1, 2].map(|days| {
            busy.set_today(TODAY + days);
            segments_left(&mut busy)
        });
        let before = standing(&busy);
        drop(busy);
        let mut calm = store(&disk, Duration::ZERO, TODAY + 2);
        let in_calm = segments_left(&mut calm);
        assert_eq!(standing(&calm), before);
        (at_work[1], in_calm)
    }

    #[test]
    fn a_calm_store_brings_what_stands_together_where_that_gives_a_segment_back() {
        // Beside what was copied there is room, or would be if what ended since were not there.
        for a_day_longer in [0, 3] {
            assert_eq!(left_at_work_and_in_calm(a_day_longer), (3, 2), "{a_day_longer} of ten a day longer");
        }
    }

    #[test]
    fn what_a_segment_repeats_of_others_is_not_copied_again_and_again() {
        let disk = SimDisk::new(Faults::default());
        let mut store = store(&disk, HOUR, TODAY);
        let voucher =
            |number: u32, left| Write::Voucher(VoucherChange { id: VoucherId(mailbox(number).0), left });
        commit(&mut store, (0..4 * SEGMENT).map(|number| voucher(number, 1)));
        // Of each segment more than half stays, and what says that the rest is used up is more than a segment.
        commit(&mut store, (0..4 * SEGMENT).filter(|number| number % 5 < 2).map(|number| voucher(number, 0)));
        assert!(segments_left(&mut store) > 5);
        for number in 0..4 * SEGMENT {
            let id = VoucherId(mailbox(number).0);
            assert_eq!(store.voucher(&id), Ok(u32::from(number % 5 >= 2)), "voucher {number}");
        }
    }
}
