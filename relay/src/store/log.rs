//! The end of the envelope log: records are staged to pages of the active segment and reach the disk in groups, with
//! one write and one fdatasync (docs/spec/store.md §4).
//!
//! Invariant: what [`Log::commit`] said yes to is not lost by a power cut. After a write or sync has failed the log
//! takes nothing more, because nobody knows what the disk holds.

use std::io::{self, IoSlice};
use std::sync::Arc;

use poterne_protocol::envelope::SealedEnvelope;

use super::block::{BlockBuilder, Group};
use super::page::{self, Address, Page, PageNumber, Place};
use super::spares::{Purpose, RESERVED_SPARES, Segment, Spares};

/// Why a group was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Writing or syncing failed: whether the group is on the disk is unknown, and the log takes nothing more.
    #[error("writing the log failed: {0}")]
    Failed(#[from] io::Error),
    /// A record of the group found no segment to go to. Nothing was written.
    #[error("no segment is left to write to")]
    NoSpace,
    /// An earlier write failed.
    #[error("the log is read-only since a write failed")]
    ReadOnly,
}

/// The writing end of the log.
pub struct Log {
    spares: Arc<Spares>,
    active: Option<Active>,
    group: u64,
    failed: bool,
    plan: Plan,
}

/// The segment that is written, and its next free page.
#[derive(Clone)]
pub struct Active {
    /// The segment.
    pub segment: Arc<Segment>,
    /// The page where the next block goes.
    pub next: PageNumber,
}

impl Active {
    /// Where the next block goes.
    pub fn place(&self) -> Place {
        Place { sequence: self.segment.header.sequence, page: self.next }
    }
}

/// A group that is on the disk.
pub struct Committed {
    /// Its number.
    pub group: u64,
    /// Segments that it began, in order.
    pub begun: Vec<Arc<Segment>>,
    /// Where the next block goes.
    pub end: Option<Place>,
}

impl Log {
    /// A log that goes on at `active` with groups above `last_group`.
    pub fn new(active: Option<Active>, spares: Arc<Spares>, last_group: u64) -> Self {
        let plan = Plan::new(active.clone());
        Self { spares, active, group: last_group, failed: false, plan }
    }

    /// Whether an earlier write failed.
    pub fn is_read_only(&self) -> bool {
        self.failed
    }

    /// The segment that is being written.
    pub fn active(&self) -> Option<u32> {
        self.active.as_ref().map(|active| active.segment.header.sequence)
    }

    /// Writes no more to the segment that is being written; the next group begins another. Nothing may be staged.
    pub fn close_segment(&mut self) {
        self.active = None;
        self.plan = Plan::new(None);
    }

    /// Takes no more: something else that the log relies on has failed.
    pub fn set_read_only(&mut self) {
        self.failed = true;
    }

    /// Whether one more record with an envelope can be staged. While the reserve is not whole, the rest of the active
    /// segment is part of it.
    pub fn has_room(&self) -> bool {
        let fits = |active: &Active| active.next + 2 <= active.segment.header.end_page();
        let needed = RESERVED_SPARES + usize::from(!self.plan.active.as_ref().is_some_and(fits));
        self.spares.ready() >= needed
    }

    /// Stages a record of 1 to 255 bytes for the next commit. Where there is no room, that commit will fail.
    pub fn stage(
        &mut self,
        record: &[u8],
        envelope: Option<SealedEnvelope>,
        purpose: Purpose,
    ) -> Result<Address, AppendError> {
        if self.failed {
            return Err(AppendError::ReadOnly);
        }
        let staged = self.plan.add(record, envelope, purpose, &self.spares);
        self.plan.overflowed |= staged.is_none();
        staged.ok_or(AppendError::NoSpace)
    }

    /// Writes what is staged; when this returns well, it is lasting.
    pub fn commit(&mut self) -> Result<Committed, AppendError> {
        let plan = std::mem::replace(&mut self.plan, Plan::new(None));
        let written = self.write(plan);
        self.plan = Plan::new(self.active.clone());
        written
    }

    fn write(&mut self, plan: Plan) -> Result<Committed, AppendError> {
        if self.failed {
            return Err(AppendError::ReadOnly);
        }
        if plan.overflowed {
            plan.give_back(&self.spares);
            return Err(AppendError::NoSpace);
        }
        let (active, begun) = (plan.active.clone(), plan.begun.clone());
        self.group += 1;
        let written = plan.write(self.group);
        self.failed |= written.is_err();
        written?;
        self.active = active;
        let end =
            self.active.as_ref().map(|at| Place { sequence: at.segment.header.sequence, page: at.next });
        Ok(Committed { group: self.group, begun, end })
    }
}

/// The blocks that a group shall become.
struct Plan {
    active: Option<Active>,
    blocks: Vec<PlannedBlock>,
    begun: Vec<Arc<Segment>>,
    overflowed: bool,
}

struct PlannedBlock {
    segment: Arc<Segment>,
    at: PageNumber,
    builder: BlockBuilder,
    envelopes: Vec<SealedEnvelope>,
}

struct FinishedBlock {
    segment: Arc<Segment>,
    at: PageNumber,
    table: Box<Page>,
    envelopes: Vec<SealedEnvelope>,
}

impl Plan {
    fn new(active: Option<Active>) -> Self {
        Self { active, blocks: Vec::new(), begun: Vec::new(), overflowed: false }
    }

    fn add(
        &mut self,
        record: &[u8],
        envelope: Option<SealedEnvelope>,
        purpose: Purpose,
        spares: &Spares,
    ) -> Option<Address> {
        let pages = PageNumber::from(envelope.is_some());
        if !self.has_room(BlockBuilder::cost(record), pages) {
            self.begin_block(pages, purpose, spares)?;
        }
        let block = self.blocks.last_mut().expect("a block with room was begun");
        let index = block.builder.records();
        let attached = block.builder.push(record, envelope.is_some()).unwrap_or(0);
        block.envelopes.extend(envelope);
        let table = Place { sequence: block.segment.header.sequence, page: block.at };
        let active = self.active.as_mut().expect("a block stands in a segment");
        active.next = block.at + block.builder.pages();
        Some(Address::new(table, index, attached))
    }

    fn has_room(&self, bytes: usize, pages: PageNumber) -> bool {
        let (Some(block), Some(active)) = (self.blocks.last(), &self.active) else { return false };
        block.builder.fits(1, bytes) && active.next + pages <= active.segment.header.end_page()
    }

    fn begin_block(&mut self, pages: PageNumber, purpose: Purpose, spares: &Spares) -> Option<()> {
        let fits = |active: &Active| active.next + 1 + pages <= active.segment.header.end_page();
        if !self.active.as_ref().is_some_and(fits) {
            let segment = spares.take(purpose)?;
            self.begun.push(segment.clone());
            self.active = Some(Active { segment, next: 1 });
        }
        let active = self.active.as_mut().expect("there is an active segment");
        let (segment, at) = (active.segment.clone(), active.next);
        self.blocks.push(PlannedBlock {
            segment,
            at,
            builder: BlockBuilder::default(),
            envelopes: Vec::new(),
        });
        Some(())
    }

    /// Puts back the spares that the plan took and did not write to.
    fn give_back(self, spares: &Spares) {
        for segment in self.begun.into_iter().rev() {
            spares.put_back(segment);
        }
    }

    /// Writes all blocks, segment by segment, each with one write and one sync.
    fn write(self, group: u64) -> io::Result<()> {
        let finished = self.finish(group)?;
        for same in finished.chunk_by(|one, next| Arc::ptr_eq(&one.segment, &next.segment)) {
            let mut parts = Vec::new();
            for block in same {
                parts.push(IoSlice::new(&block.table[..]));
                parts.extend(block.envelopes.iter().map(|envelope| IoSlice::new(envelope.as_bytes())));
            }
            let file = &same[0].segment.file;
            file.write_at(&parts, page::offset(same[0].at))?;
            file.sync_data()?;
        }
        Ok(())
    }

    fn finish(self, number: u64) -> io::Result<Vec<FinishedBlock>> {
        let blocks = u16::try_from(self.blocks.len()).map_err(io::Error::other)?;
        let finish = |(index, block): (u16, PlannedBlock)| {
            let PlannedBlock { segment, at, builder, envelopes } = block;
            let table = builder.finish(&segment.header, at, Group { number, index, blocks });
            FinishedBlock { segment, at, table, envelopes }
        };
        Ok((0..blocks).zip(self.blocks).map(finish).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::medium::Medium;
    use crate::store::scan::{Found, Scan};
    use crate::store::sim::{Faults, SimDisk};

    const PAGES: PageNumber = 10;

    fn log(disk: &SimDisk, spares: usize) -> Log {
        let medium: Arc<dyn Medium> = Arc::new(disk.clone());
        let pool = Spares::new(medium, PAGES, Default::default(), Vec::new(), 0).expect("lists");
        for _ in 0..spares {
            pool.prepare().expect("prepares");
        }
        Log::new(None, Arc::new(pool), 0)
    }

    fn envelope(byte: u8) -> SealedEnvelope {
        SealedEnvelope::parse(&[byte; 4096]).expect("4096 bytes")
    }

    fn records(segment: &Segment) -> Vec<Vec<u8>> {
        let mut scan = Scan::new(&*segment.file, &segment.header, 1, Group::default());
        let mut records = Vec::new();
        while let Some(found) = scan.advance().expect("reads") {
            let Found::Block { block, .. } = found else { panic!("no gap is expected") };
            records.extend(block.records().map(|(record, _)| record.to_vec()));
        }
        records
    }

    #[test]
    fn a_group_costs_one_sync_and_is_found_again() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let before = disk.syncs();
        log.stage(b"a", Some(envelope(1)), Purpose::Put).expect("stages");
        log.stage(b"b", None, Purpose::Other).expect("stages");
        let committed = log.commit().expect("commits");
        assert_eq!(disk.syncs() - before, 1);
        assert_eq!(records(&committed.begun[0]), [b"a", b"b"]);
    }

    #[test]
    fn a_group_may_go_on_in_the_next_segment() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 4);
        let addresses: Vec<Address> = (0..10)
            .map(|byte| log.stage(&[byte], Some(envelope(byte)), Purpose::Put).expect("stages"))
            .collect();
        let committed = log.commit().expect("commits");
        assert_eq!(committed.begun.len(), 2);
        assert_eq!(
            addresses.iter().map(|at| at.sequence()).collect::<Vec<_>>(),
            [1, 1, 1, 1, 1, 1, 1, 2, 2, 2]
        );
        assert_eq!(committed.end, Some(Place { sequence: 2, page: 5 }));
    }

    #[test]
    fn puts_leave_the_last_spares_to_deletes() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 2);
        assert!(matches!(log.stage(b"put", Some(envelope(1)), Purpose::Put), Err(AppendError::NoSpace)));
        assert!(matches!(log.commit(), Err(AppendError::NoSpace)));
        log.stage(b"delete", None, Purpose::Other).expect("stages");
        log.commit().expect("commits");
    }

    #[test]
    fn a_group_that_found_no_room_leaves_the_log_as_it_was() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let written = disk.bytes_written();
        while log.stage(b"put", Some(envelope(1)), Purpose::Put).is_ok() {}
        assert!(matches!(log.commit(), Err(AppendError::NoSpace)));
        assert_eq!(disk.bytes_written(), written);
        log.stage(b"put", Some(envelope(1)), Purpose::Put).expect("stages");
        log.commit().expect("commits");
    }

    #[test]
    fn after_a_failed_sync_nothing_is_taken() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        disk.set_faults(Faults { failed_sync_at: Some(disk.syncs()), ..Faults::default() });
        log.stage(b"a", None, Purpose::Other).expect("stages");
        assert!(matches!(log.commit(), Err(AppendError::Failed(_))));
        assert!(matches!(log.stage(b"b", None, Purpose::Other), Err(AppendError::ReadOnly)));
        assert!(matches!(log.commit(), Err(AppendError::ReadOnly)));
    }
}
