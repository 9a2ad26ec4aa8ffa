//! Reads the blocks of one segment in order, past whatever rotted or was torn (docs/spec/store.md §5).
//!
//! Blocks stand one behind the other. Where none stands at the expected page, one flipped bit is looked for; then
//! every later page is tried. A later page can only pass as a block that this use of the segment wrote there, and only
//! with a rising group, so neither an envelope's bytes nor the remains of a failed write are taken for one.

use std::io;

use super::block::{Block, Group, is_of_earlier_use};
use super::medium::MediumFile;
use super::page::{self, PAGE_BYTES, Page, PageNumber};
use super::segment::{SegmentHeader, is_zero, read_page};

/// Pages that are looked at together for being blank: 256 KiB.
const STRETCH_PAGES: PageNumber = 64;

/// What a scan comes across.
pub enum Found {
    /// A block, in order.
    Block {
        /// The page of its table.
        at: PageNumber,
        /// What it holds.
        block: Block,
        /// One bit of its table was wrong on the disk.
        repaired: bool,
    },
    /// Pages that should be blocks and are none.
    Gap {
        /// Its first page.
        from: PageNumber,
        /// The page of the next block.
        to: PageNumber,
    },
}

/// A scan of one segment.
pub struct Scan<'a> {
    file: &'a dyn MediumFile,
    header: &'a SegmentHeader,
    next: PageNumber,
    last: Group,
    behind_gap: Option<(PageNumber, Block)>,
    garbage_end: PageNumber,
}

impl<'a> Scan<'a> {
    /// A scan from page `from`, where a block must begin, behind `last`.
    pub fn new(file: &'a dyn MediumFile, header: &'a SegmentHeader, from: PageNumber, last: Group) -> Self {
        Self { file, header, next: from.max(1), last, behind_gap: None, garbage_end: 0 }
    }

    /// The next block or gap; `None` behind the last block.
    pub fn advance(&mut self) -> io::Result<Option<Found>> {
        if let Some((at, block)) = self.behind_gap.take() {
            return Ok(Some(self.accept(at, block, false)));
        }
        let from = self.next;
        let mut garbage_end = 0;
        let mut next = from;
        while next < self.header.end_page() {
            let at = next;
            next += 1;
            let Some(page) = self.read(at)? else {
                garbage_end = at + 1;
                continue;
            };
            if self.is_blank(at, &page) {
                next = self.behind_blank(next);
                continue;
            }
            garbage_end = at + 1;
            match self.block_at(at, page, at == from) {
                Some((block, repaired)) if at == from => return Ok(Some(self.accept(at, block, repaired))),
                Some((block, _)) => {
                    self.behind_gap = Some((at, block));
                    return Ok(Some(Found::Gap { from, to: at }));
                }
                None => {}
            }
        }
        self.garbage_end = garbage_end;
        Ok(None)
    }

    /// The page behind the last block.
    pub fn end(&self) -> PageNumber {
        self.next
    }

    /// The page behind the last one that is not blank, where that is behind [`Scan::end`]. Known when the scan is over.
    pub fn garbage(&self) -> Option<PageNumber> {
        Some(self.garbage_end).filter(|end| *end > self.next)
    }

    fn accept(&mut self, at: PageNumber, block: Block, repaired: bool) -> Found {
        self.next = at + block.pages();
        self.last = self.last.max(block.group);
        Found::Block { at, block, repaired }
    }

    fn block_at(&self, at: PageNumber, page: Box<Page>, may_repair: bool) -> Option<(Block, bool)> {
        let copy = may_repair.then(|| page.clone());
        if let Some(block) = Block::decode(self.header, at, page) {
            return self.is_next(&block).then_some((block, false));
        }
        let repaired = Block::repair(self.header, at, &*copy?)?;
        self.is_next(&repaired).then_some((repaired, true))
    }

    fn is_next(&self, block: &Block) -> bool {
        block.group > self.last
    }

    /// Whether nothing of this use is on a page: zeros, or what an earlier use left.
    fn is_blank(&self, at: PageNumber, page: &Page) -> bool {
        is_zero(page) || is_of_earlier_use(self.header, at, page)
    }

    /// The page behind a blank stretch from page `at` on: most of a segment that is begun is one.
    fn behind_blank(&self, at: PageNumber) -> PageNumber {
        let mut next = at;
        let mut stretch = vec![0; STRETCH_PAGES as usize * PAGE_BYTES];
        while next + STRETCH_PAGES <= self.header.end_page() {
            let read = self.file.read_at(&mut stretch, page::offset(next));
            let (pages, _) = stretch.as_chunks::<PAGE_BYTES>();
            // A stretch that can't be read is gone through page by page.
            if read.is_err() || !(next..).zip(pages).all(|(at, page)| self.is_blank(at, page)) {
                break;
            }
            next += STRETCH_PAGES;
        }
        next
    }

    /// A page, or `None` where the disk can't read it. Only the file as a whole may fail a scan.
    fn read(&self, at: PageNumber) -> io::Result<Option<Box<Page>>> {
        match read_page(self.file, at) {
            Ok(page) => Ok(Some(page)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(error),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Arc;

    use super::super::block::BlockBuilder;
    use super::super::lane::Lane;
    use super::super::medium::Medium as _;
    use super::super::sim::{Faults, SimDisk};
    use super::*;

    static HEADER: SegmentHeader = SegmentHeader { sequence: 5, pages: 200, key: [7; 32] };

    fn table(at: PageNumber) -> Box<Page> {
        table_of(&HEADER, at)
    }

    fn table_of(header: &SegmentHeader, at: PageNumber) -> Box<Page> {
        let mut builder = BlockBuilder::new(Lane::News);
        builder.push(b"a record", false);
        builder.finish(header, at, Group { number: at.into(), index: 0, blocks: 1 })
    }

    /// A table with more wrong bits than can be found.
    fn rotten(at: PageNumber) -> Box<Page> {
        let mut table = table(at);
        table[60] ^= 3;
        table
    }

    /// A file of `pages` pages, zeros but for these.
    fn file(pages: PageNumber, written: &[(PageNumber, Box<Page>)]) -> Arc<dyn MediumFile> {
        let file = SimDisk::new(Faults::default()).create("segment").expect("a fresh name");
        let last = (pages - 1, page::zeroed());
        for (at, page) in [last].iter().chain(written) {
            file.write_at(&[IoSlice::new(&page[..])], page::offset(*at)).expect("a sound disk");
        }
        file
    }

    /// What a scan comes across: the page of each block, and the pages of each gap.
    fn found(scan: &mut Scan) -> Vec<(PageNumber, PageNumber)> {
        let next = || scan.advance().expect("the file can be read");
        core::iter::from_fn(next)
            .map(|found| match found {
                Found::Block { at, .. } => (at, at),
                Found::Gap { from, to } => (from, to),
            })
            .collect()
    }

    #[test]
    fn a_scan_goes_on_behind_what_has_rotted() {
        let file = file(200, &[(1, table(1)), (2, rotten(2)), (3, table(3)), (4, rotten(4))]);
        let mut scan = Scan::new(&*file, &HEADER, 0, Group::default());
        assert_eq!(found(&mut scan), [(1, 1), (2, 3), (3, 3)]);
        assert_eq!((scan.end(), scan.garbage()), (4, Some(5)));
    }

    #[test]
    fn what_stands_behind_a_long_stretch_of_zeros_is_seen() {
        let file = file(200, &[(1, table(1)), (190, rotten(190))]);
        let mut scan = Scan::new(&*file, &HEADER, 0, Group::default());
        assert_eq!(found(&mut scan), [(1, 1)]);
        assert_eq!((scan.end(), scan.garbage()), (2, Some(191)));
    }

    #[test]
    fn what_an_earlier_use_left_is_passed_over() {
        let earlier = SegmentHeader { sequence: 4, key: [6; 32], ..HEADER };
        let left = |at: PageNumber| table_of(&earlier, at);
        let file = file(200, &[(1, table(1)), (2, left(2)), (3, left(3)), (60, left(60)), (150, left(150))]);
        let mut scan = Scan::new(&*file, &HEADER, 0, Group::default());
        assert_eq!(found(&mut scan), [(1, 1)]);
        assert_eq!((scan.end(), scan.garbage()), (2, None));
    }

    #[test]
    fn a_file_that_ends_too_early_can_not_be_scanned() {
        let file = file(10, &[]);
        let scan = Scan::new(&*file, &HEADER, 0, Group::default()).advance();
        assert!(scan.is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof));
    }

    /// A disk that can't read one page any more.
    struct Unreadable(Arc<dyn MediumFile>, PageNumber);

    impl MediumFile for Unreadable {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let lost = page::offset(self.1);
            if (offset..offset + buffer.len() as u64).contains(&lost) {
                return Err(io::Error::other("a bad sector"));
            }
            self.0.read_at(buffer, offset)
        }

        fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
            self.0.write_at(parts, offset)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
    }

    #[test]
    fn a_page_that_can_not_be_read_is_a_gap() {
        let file = Unreadable(file(200, &[(1, table(1)), (2, table(2)), (3, table(3))]), 2);
        let mut scan = Scan::new(&file, &HEADER, 0, Group::default());
        assert_eq!(found(&mut scan), [(1, 1), (2, 3), (3, 3)]);
    }
}
