//! The header of a segment: which use of the file this is, and the key that its blocks are checked with
//! (docs/spec/store.md §3).
//!
//! Each use draws a fresh key. What an earlier use left in the file, and what a stranger sends in an envelope, can
//! therefore never pass for a block. The header stands in the first and in the last page, so that losing one page loses
//! no segment.

use std::io::{self, IoSlice};

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::medium::MediumFile;
use super::page::{self, PAGE_BYTES, Page, PageNumber};

const MAGIC: &[u8; 8] = b"PTRNSEG2";
/// What a header begins with in any build; the byte behind it tells the layout of the log.
const MAGIC_OF_ALL: &[u8; 7] = b"PTRNSEG";
/// The sequence of a file in no use that holds no envelope.
const NO_USE: u32 = 0;
const CHECK_CONTEXT: &str = "poterne relay store v1: check of a segment header";
const CHECKED_BYTES: usize = 64;
const CHECK_BYTES: usize = 32;
/// Pages of the smallest segment: both headers and a block of one envelope.
pub const SEGMENT_PAGES_MIN: u32 = 4;

/// What a segment says of itself. Wiped from memory when it is dropped: a use that has ended is to leave no key.
#[derive(Clone, Eq, PartialEq, ZeroizeOnDrop)]
pub struct SegmentHeader {
    /// Its place in the order of use, from 1. Never used twice. 0 stands in a file that is in no use.
    pub sequence: u32,
    /// Pages of the file, both headers included.
    pub pages: PageNumber,
    /// The key of this use's checks.
    pub key: [u8; 32],
}

/// What the header pages of a file hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderState {
    /// A log of another build, whose layout is another.
    Foreign,
    /// Neither page can be read as a header.
    Lost,
    /// A use, with both copies.
    Whole,
    /// A use, with one copy; the other must be written again.
    Worn,
}

impl SegmentHeader {
    /// What stands in a file of `pages` pages that is in no use and holds no envelope.
    pub fn of_no_use(pages: PageNumber) -> Self {
        Self { sequence: NO_USE, pages, key: [0; 32] }
    }

    /// Whether it stands for a use.
    pub fn is_in_use(&self) -> bool {
        self.sequence != NO_USE
    }

    /// The last page that blocks may fill, plus one.
    pub fn end_page(&self) -> PageNumber {
        self.pages - 1
    }

    /// Its 4096 bytes.
    pub fn encode(&self) -> Zeroizing<Page> {
        let mut page = Zeroizing::new([0; PAGE_BYTES]);
        page[..8].copy_from_slice(MAGIC);
        page[8..12].copy_from_slice(&self.pages.to_le_bytes());
        page[16..20].copy_from_slice(&self.sequence.to_le_bytes());
        page[24..56].copy_from_slice(&self.key);
        let check = check(&page[..CHECKED_BYTES]);
        page[CHECKED_BYTES..CHECKED_BYTES + CHECK_BYTES].copy_from_slice(&check);
        page
    }

    /// Reads a page as a header; `None` where it is none.
    pub fn decode(page: &Page) -> Option<Self> {
        let (checked, rest) = page.split_at(CHECKED_BYTES);
        if &page[..8] != MAGIC || rest[..CHECK_BYTES] != check(checked) {
            return None;
        }
        Some(Self {
            sequence: u32::from_le_bytes(field(page, 16)),
            pages: u32::from_le_bytes(field(page, 8)),
            key: field(page, 24),
        })
    }
}

fn is_foreign(page: &Page) -> bool {
    page.starts_with(MAGIC_OF_ALL) && !page.starts_with(MAGIC)
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    blake3::derive_key(CHECK_CONTEXT, bytes)
}

fn field<const N: usize>(page: &Page, start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&page[start..start + N]);
    bytes
}

/// Reads both copies of the header of a file of `pages` pages.
pub fn read_header(
    file: &dyn MediumFile,
    pages: PageNumber,
) -> io::Result<(HeaderState, Option<SegmentHeader>)> {
    let read = |number| {
        let mut page = Zeroizing::new([0; PAGE_BYTES]);
        file.read_at(&mut page[..], page::offset(number)).map(|()| page)
    };
    let (first, last) = (read(0)?, read(pages - 1)?);
    let sound = |page: &Page| SegmentHeader::decode(page).filter(|header| header.pages == pages);
    Ok(match (sound(&first), sound(&last)) {
        (Some(header), Some(_)) if [&first, &last].iter().all(|page| ***page == *header.encode()) => {
            (HeaderState::Whole, Some(header))
        }
        // A use that was being prepared when the power went wrote its first page first.
        (Some(header), _) | (None, Some(header)) => (HeaderState::Worn, Some(header)),
        (None, None) if is_foreign(&first) || is_foreign(&last) => (HeaderState::Foreign, None),
        (None, None) => (HeaderState::Lost, None),
    })
}

/// Writes both copies and makes them lasting.
pub fn write_header(file: &dyn MediumFile, header: &SegmentHeader) -> io::Result<()> {
    let page = header.encode();
    file.write_at(&[IoSlice::new(&page[..])], 0)?;
    file.write_at(&[IoSlice::new(&page[..])], page::offset(header.pages - 1))?;
    file.sync_data()
}

/// Reads one page of a file.
pub fn read_page(file: &dyn MediumFile, number: PageNumber) -> io::Result<Box<Page>> {
    let mut page = page::zeroed();
    file.read_at(&mut page[..], page::offset(number))?;
    Ok(page)
}

/// Whether a page holds nothing.
pub fn is_zero(page: &Page) -> bool {
    page.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::medium::Medium;
    use crate::store::page::PAGE_BYTES;
    use crate::store::sim::{Faults, SimDisk};

    const PAGES: u32 = 8;

    fn header() -> SegmentHeader {
        SegmentHeader { sequence: 3, pages: PAGES, key: [9; 32] }
    }

    fn disk() -> SimDisk {
        let disk = SimDisk::new(Faults::default());
        let file = disk.create("a").expect("creates");
        file.write_at(&[IoSlice::new(&vec![0; PAGES as usize * PAGE_BYTES])], 0).expect("writes");
        disk
    }

    fn state(disk: &SimDisk) -> HeaderState {
        read_header(&*disk.open("a").expect("opens"), PAGES).expect("reads").0
    }

    #[test]
    fn a_header_reads_as_it_was_written() {
        assert!(SegmentHeader::decode(&header().encode()) == Some(header()));
    }

    #[test]
    fn any_flipped_bit_in_a_header_is_noticed() {
        let page = header().encode();
        for bit in 0..(CHECKED_BYTES + CHECK_BYTES) * 8 {
            let mut rotten = page.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&rotten).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn either_copy_is_enough() {
        for page in [0, PAGES - 1] {
            let disk = disk();
            write_header(&*disk.open("a").expect("opens"), &header()).expect("writes");
            assert_eq!(state(&disk), HeaderState::Whole);
            disk.flip_bit("a", page::offset(page) * 8 + 77);
            assert_eq!(state(&disk), HeaderState::Worn);
        }
    }

    #[test]
    fn of_two_uses_in_the_headers_the_first_page_tells_the_last_one() {
        let (disk, none) = (disk(), SegmentHeader::of_no_use(PAGES));
        write_header(&*disk.open("a").expect("opens"), &header()).expect("writes");
        let file = disk.open("a").expect("opens");
        file.write_at(&[IoSlice::new(&none.encode()[..])], 0).expect("writes");
        let (state, found) = read_header(&*file, PAGES).expect("reads");
        assert!((state, found) == (HeaderState::Worn, Some(none)));
    }

    #[test]
    fn a_log_of_another_build_is_told_from_rot() {
        let disk = disk();
        let file = disk.open("a").expect("opens");
        write_header(&*file, &header()).expect("writes");
        for page in [0, PAGES - 1] {
            file.write_at(&[IoSlice::new(b"PTRNSEG1")], page::offset(page)).expect("writes");
        }
        assert_eq!(state(&disk), HeaderState::Foreign);
    }

    #[test]
    fn a_file_with_two_spoilt_copies_is_lost() {
        let disk = disk();
        write_header(&*disk.open("a").expect("opens"), &header()).expect("writes");
        disk.flip_bit("a", 0);
        disk.flip_bit("a", page::offset(PAGES - 1) * 8);
        assert_eq!(state(&disk), HeaderState::Lost);
    }
}
