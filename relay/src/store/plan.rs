//! The blocks that a group shall become, page by page (docs/spec/store.md §4).

use std::io::{self, IoSlice};
use std::sync::Arc;

use poterne_protocol::envelope::SealedEnvelope;

use super::block::{BlockBuilder, Group};
use super::lane::Lane;
use super::log::Active;
use super::page::{self, Address, Page, PageNumber, Place};
use super::spares::{Purpose, Segment, Spares};

/// The blocks that a group shall become.
pub struct Plan {
    /// Where it is written.
    pub lane: Lane,
    /// Where its first block goes, if it fits there.
    pub begins_at: Option<Active>,
    /// Where the block behind the last goes.
    pub active: Option<Active>,
    blocks: Vec<PlannedBlock>,
    /// Segments that it begins, in order.
    pub begun: Vec<Arc<Segment>>,
    /// Some record found no segment to go to.
    pub overflowed: bool,
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
    /// A plan without blocks, for a lane whose next block goes to `active`.
    pub fn new(lane: Lane, active: Option<Active>) -> Self {
        let begins_at = active.clone();
        Self { lane, begins_at, active, blocks: Vec::new(), begun: Vec::new(), overflowed: false }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && !self.overflowed
    }

    /// Puts a record at its end; `None` where there is no segment left.
    pub fn add(
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
        block.builder.fits(1, bytes) && active.room() >= pages
    }

    fn begin_block(&mut self, pages: PageNumber, purpose: Purpose, spares: &Spares) -> Option<()> {
        let fits = |active: &Active| active.room() > pages;
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
            builder: BlockBuilder::new(self.lane),
            envelopes: Vec::new(),
        });
        Some(())
    }

    /// Puts back the spares that the plan took and did not write to.
    pub fn give_back(self, spares: &Spares) {
        for segment in self.begun.into_iter().rev() {
            spares.put_back(segment);
        }
    }

    /// Writes all blocks, segment by segment, each with one write and one sync.
    pub fn write(self, group: u64) -> io::Result<()> {
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
