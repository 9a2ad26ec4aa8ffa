//! The book-keeping of segments in use: which envelopes live, which pages may hold what must be erased, and how much
//! still stands (docs/spec/store.md §8).
//!
//! Invariant: a page of an envelope is *live* until a record that ends it is lasting, and *soiled* from its writing
//! until zeros over it are lasting. Erasing is due where a page is soiled and not live.

use std::collections::BTreeMap;
use std::sync::Arc;

use poterne_protocol::time::Day;

use super::bits::Bits;
use super::page::{Address, PAGE_BYTES, PageNumber, Place};
use super::record::Record;
use super::spares::Segment;

/// Days after which what stands no more leaves a segment, also a full one: ids of what is gone, seconds of leases.
const STALE_DAYS: u32 = 8;

/// All segments in use, by sequence.
#[derive(Default)]
pub struct Book {
    /// The segments.
    pub uses: BTreeMap<u32, Use>,
}

/// One segment in use.
#[derive(Clone)]
pub struct Use {
    /// The file.
    pub segment: Arc<Segment>,
    /// What is known of its pages.
    pub pages: Pages,
    /// By the segment that they speak of, about how many bytes of its records only repeat what an earlier use said of
    /// records that stand no more. A start knows those alone that it has read.
    repeats: BTreeMap<u32, u64>,
}

/// What is known of the pages of a segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pages {
    /// The page behind the last block.
    pub end: PageNumber,
    /// Records that stand.
    pub rows: u32,
    /// Pages of envelopes that wait.
    pub live: Bits,
    /// Pages of envelopes that were not overwritten with zeros since.
    pub soiled: Bits,
    /// The first last day of an envelope or a standing record; `None` where none ends by itself.
    pub first_end: Option<Day>,
    /// All records written, also those that stand no more or never did.
    pub records: u32,
    /// Bytes that they take, about: see [`Record::table_bytes`].
    pub record_bytes: u64,
    /// The day on which it was begun.
    pub begun: Day,
    /// Some of its records are copies, whose place in the order is an earlier one.
    pub has_copies: bool,
}

impl Book {
    /// Begins a segment.
    pub fn begin(&mut self, segment: Arc<Segment>, today: Day) {
        self.uses.insert(segment.header.sequence, Use::new(segment, Pages::begun(today)));
    }

    /// A segment's use has ended.
    pub fn end(&mut self, sequence: u32) -> Option<Use> {
        self.uses.remove(&sequence)
    }

    /// The segment of that use.
    pub fn segment(&self, sequence: u32) -> Option<&Arc<Segment>> {
        self.uses.get(&sequence).map(|one| &one.segment)
    }

    /// What is known of the pages of that use.
    pub fn pages(&mut self, sequence: u32) -> Option<&mut Pages> {
        self.uses.get_mut(&sequence).map(|one| &mut one.pages)
    }

    /// A record is on the disk.
    pub fn written(&mut self, at: Address, record: &Record) {
        let Some(one) = self.uses.get_mut(&at.sequence()) else { return };
        one.repeat(record);
        let pages = &mut one.pages;
        let last = at.envelope().unwrap_or(at.table());
        pages.end = pages.end.max(last.page + 1);
        pages.records += 1;
        pages.record_bytes += u64::from(record.table_bytes());
        if !record.stands() {
            return;
        }
        pages.rows += 1;
        pages.has_copies |= record.copy_of.is_some();
        pages.ends_on(record.served_until().or(record.until()));
        if let Some(envelope) = at.envelope() {
            pages.live.insert(envelope.page);
            pages.soiled.insert(envelope.page);
        }
    }

    /// A record stands no more.
    pub fn dropped(&mut self, at: Address) {
        if let Some(pages) = self.pages(at.sequence()) {
            pages.rows = pages.rows.saturating_sub(1);
        }
        self.ended(at);
    }

    /// The envelope of a record waits no more, while the record may still stand.
    pub fn ended(&mut self, at: Address) {
        let Some(Place { sequence, page }) = at.envelope() else { return };
        if let Some(pages) = self.pages(sequence) {
            pages.live.remove(page);
        }
    }

    /// Whether the envelope of a record waits.
    pub fn is_live(&self, at: Address) -> bool {
        let Some(Place { sequence, page }) = at.envelope() else { return false };
        self.uses.get(&sequence).is_some_and(|one| one.pages.live.has(page))
    }

    /// Bytes that emptying a segment would write again: what still counts, and what it repeats of segments in use.
    pub fn bytes_to_copy(&self, one: &Use) -> u64 {
        let needed = one.repeats.iter().filter(|(of, _)| self.uses.contains_key(of));
        one.pages.live_bytes() + needed.map(|(_, bytes)| bytes).sum::<u64>()
    }

    /// The same, in percent of what its blocks fill.
    pub fn percent_to_copy(&self, one: &Use) -> u64 {
        self.bytes_to_copy(one) * 100 / one.pages.used_bytes().max(1)
    }

    /// Envelopes that wait.
    pub fn envelopes(&self) -> u64 {
        self.uses.values().map(|one| u64::from(one.pages.live.count())).sum()
    }

    /// Pages of envelopes that are to be erased.
    pub fn to_erase(&self) -> u64 {
        let of = |pages: &Pages| pages.soiled.count().saturating_sub(pages.live.count());
        self.uses.values().map(|one| u64::from(of(&one.pages))).sum()
    }
}

impl Use {
    /// The use of that file, as far as it is known.
    pub fn new(segment: Arc<Segment>, pages: Pages) -> Self {
        Self { segment, pages, repeats: BTreeMap::new() }
    }

    /// Forgets what is known from records.
    pub fn begin_anew(&mut self) {
        self.pages = Pages::begun(self.pages.begun);
        self.repeats.clear();
    }

    fn repeat(&mut self, record: &Record) {
        if record.stands() || record.copy_of.is_none() {
            return;
        }
        let each = u64::from(record.table_bytes()) / record.drops.len().max(1) as u64;
        for drop in &record.drops {
            *self.repeats.entry(drop.sequence()).or_default() += each;
        }
    }
}

impl Pages {
    /// A segment that was begun on `today`.
    pub fn begun(today: Day) -> Self {
        Self { end: 1, begun: today, ..Self::default() }
    }

    /// Whether it was begun so long ago that what stands no more must leave it.
    pub fn is_stale(&self, today: Day) -> bool {
        self.begun + STALE_DAYS <= today && self.rows < self.records
    }

    /// Something in it has this last day.
    pub fn ends_on(&mut self, last: Option<Day>) {
        self.first_end = self.first_end.into_iter().chain(last).min();
    }

    /// Zeros over these pages are lasting.
    pub fn cleaned(&mut self, erased: impl Iterator<Item = PageNumber>) {
        for page in erased {
            self.soiled.remove(page);
        }
    }

    /// Bytes of what still counts, each standing record reckoned as one of the middle size.
    pub fn live_bytes(&self) -> u64 {
        let records = u64::from(self.rows) * self.record_bytes / u64::from(self.records.max(1));
        u64::from(self.live.count()) * PAGE_BYTES as u64 + records
    }

    /// Bytes that blocks fill.
    pub fn used_bytes(&self) -> u64 {
        u64::from(self.end.saturating_sub(1)) * PAGE_BYTES as u64
    }

    /// Whether nothing in it counts any more.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.live.count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_is_full_of_standing_records_is_not_reckoned_thin() {
        for bytes in [60, 700] {
            let records = 1000 * PAGE_BYTES as u32 / bytes;
            let record_bytes = u64::from(records * bytes);
            let full = Pages { end: 1001, rows: records, records, record_bytes, ..Pages::default() };
            assert!(full.live_bytes() * 100 > full.used_bytes() * 95);
            let half = Pages { rows: records / 2, ..full };
            assert!(half.live_bytes() * 100 < half.used_bytes() * 51);
        }
    }
}
