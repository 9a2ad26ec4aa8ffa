//! Pages and places: the log is addressed in pages of 4096 bytes, and an envelope fills exactly one
//! (docs/spec/store.md §2).

use core::fmt;

use poterne_protocol::limits::ENVELOPE_BYTES;

/// Bytes of a page: one envelope. Erasing an envelope touches no other page.
pub const PAGE_BYTES: usize = ENVELOPE_BYTES;

/// The number of a page within its segment.
pub type PageNumber = u32;

/// One page's bytes.
pub type Page = [u8; PAGE_BYTES];

const SEQUENCE_SHIFT: u32 = 32;
const PAGE_SHIFT: u32 = 14;
const RECORD_SHIFT: u32 = 7;
const PAGE_MASK: u64 = (1 << (SEQUENCE_SHIFT - PAGE_SHIFT)) - 1;
const SMALL_MASK: u64 = (1 << RECORD_SHIFT) - 1;

/// Pages in a segment at most, 1 GiB: what an address can name.
pub const SEGMENT_PAGES_MAX: u32 = 1 << (SEQUENCE_SHIFT - PAGE_SHIFT);
/// Records in a block at most, and envelopes: what an address can name.
pub const RECORDS_MAX: u16 = 1 << RECORD_SHIFT;

/// A page of the log: the sequence number of a segment's use, and the page in it. Rises with time.
///
/// A sequence number is never used twice, so a place never comes to mean something else.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The sequence number of the segment's use.
    pub sequence: u32,
    /// The page within the segment.
    pub page: PageNumber,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.page)
    }
}

/// Where a record lies, and the envelope that it attaches: sequence 32 bits, page of the table 18, index of the record
/// in the table 7, pages from the table to the envelope 7 (0: none). Rises with time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address(u64);

impl Address {
    /// The record at `index` of the table at `table`; its envelope is `attached` pages behind the table.
    pub fn new(table: Place, index: u16, attached: PageNumber) -> Self {
        debug_assert!(
            table.page < SEGMENT_PAGES_MAX && index < RECORDS_MAX && attached < u32::from(RECORDS_MAX)
        );
        let (sequence, page) = (u64::from(table.sequence), u64::from(table.page));
        let low = (u64::from(index) << RECORD_SHIFT) | u64::from(attached);
        Self((sequence << SEQUENCE_SHIFT) | (page << PAGE_SHIFT) | low)
    }

    /// The table that holds the record.
    pub fn table(self) -> Place {
        Place { sequence: self.sequence(), page: ((self.0 >> PAGE_SHIFT) & PAGE_MASK) as PageNumber }
    }

    /// The sequence number of the segment's use.
    pub fn sequence(self) -> u32 {
        (self.0 >> SEQUENCE_SHIFT) as u32
    }

    /// The record's index in its table.
    pub fn index(self) -> u16 {
        ((self.0 >> RECORD_SHIFT) & SMALL_MASK) as u16
    }

    /// The page of the envelope that the record attaches.
    pub fn envelope(self) -> Option<Place> {
        let attached = (self.0 & SMALL_MASK) as PageNumber;
        let table = self.table();
        (attached > 0).then(|| Place { page: table.page + attached, ..table })
    }

    /// As records, the index and the rules keep it.
    pub fn to_number(self) -> u64 {
        self.0
    }

    /// The address of that number; see [`Address::to_number`]. Any number is one.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// The byte at which a page begins in its file.
pub fn offset(page: PageNumber) -> u64 {
    u64::from(page) * PAGE_BYTES as u64
}

/// A page on the heap, all zero.
pub fn zeroed() -> Box<Page> {
    Box::new([0; PAGE_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_parts_and_rises_with_time() {
        let table = Place { sequence: 7, page: 12 };
        let address = Address::new(table, 3, 2);
        assert_eq!((address.table(), address.index()), (table, 3));
        assert_eq!(address.envelope(), Some(Place { sequence: 7, page: 14 }));
        assert_eq!(format!("{table:?}"), "7:12");
        assert_eq!(Address::new(table, 4, 0).envelope(), None);
        assert_eq!(Address::from_number(address.to_number()), address);
        let last = Address::new(Place { sequence: 7, page: SEGMENT_PAGES_MAX - 1 }, RECORDS_MAX - 1, 127);
        assert!(address < last && last < Address::new(Place { sequence: 8, page: 0 }, 0, 0));
    }
}
