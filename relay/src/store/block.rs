//! A block: one table page with up to 4040 bytes of records, then the envelopes that these records attach, a page
//! each (docs/spec/store.md §4).
//!
//! The table's check is keyed by the segment's use and covers the page number, so a block is valid in one place of one
//! use only. An envelope's own check is its id: a record that attaches an envelope holds the hash of its bytes. A block
//! counts whole or not at all: what belongs to one operation stands in one block.
//!
//! Records are encrypted with a key that only the segment's header holds. When a use ends, the header is overwritten,
//! and what its tables said of mailboxes and envelopes is gone with it.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use zeroize::Zeroizing;

use super::lane::Lane;
use super::page::{self, PAGE_BYTES, Page, PageNumber, RECORDS_MAX};
use super::segment::SegmentHeader;

const MAGIC: &[u8; 4] = b"PBLK";
const CHECK_BYTES: usize = 16;
const HEADER_BYTES: usize = 40;
const BODY_START: usize = CHECK_BYTES + HEADER_BYTES;
const LANE_AT: usize = 42;
const SEQUENCE_AT: usize = 24;
const GROUP_AT: usize = 48;
const RECORDS_CONTEXT: &str = "poterne relay store v1: records of a table";
/// Bytes of records in a block at most.
pub const BODY_BYTES: usize = PAGE_BYTES - BODY_START;
/// Bytes before each record: its length, and whether an envelope is attached.
const RECORD_HEADER_BYTES: usize = 2;
/// In the second of them: an envelope is attached. The bits above it are the higher ones of the length.
const ATTACHES: u8 = 1;
/// Bytes of a record at most.
pub const RECORD_BYTES_MAX: usize = 1023;

/// Which blocks were written and synced together.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Group {
    /// Rises by one with each group write of the store.
    pub number: u64,
    /// This block's index in the group.
    pub index: u16,
    /// Blocks in the group.
    pub blocks: u16,
}

/// Collects the records of one block.
pub struct BlockBuilder {
    lane: Lane,
    table: Box<Page>,
    used: usize,
    records: u16,
    envelopes: u16,
}

impl BlockBuilder {
    /// An empty block of that lane.
    pub fn new(lane: Lane) -> Self {
        Self { lane, table: page::zeroed(), used: 0, records: 0, envelopes: 0 }
    }

    /// Bytes that a record takes of [`BODY_BYTES`].
    pub fn cost(record: &[u8]) -> usize {
        RECORD_HEADER_BYTES + record.len()
    }

    /// Whether `records` more of together `bytes` bytes, see [`BlockBuilder::cost`], have room.
    pub fn fits(&self, records: usize, bytes: usize) -> bool {
        self.used + bytes <= BODY_BYTES && self.records as usize + records < RECORDS_MAX as usize
    }

    /// Records so far.
    pub fn records(&self) -> u16 {
        self.records
    }

    /// Adds a record of 1 to [`RECORD_BYTES_MAX`] bytes. Where it attaches an envelope, the answer says which page of
    /// the block that is, counted from the table.
    pub fn push(&mut self, record: &[u8], attaches: bool) -> Option<PageNumber> {
        let start = BODY_START + self.used;
        assert!(record.len() <= RECORD_BYTES_MAX, "a record is bounded");
        let [low, high] = (record.len() as u16).to_le_bytes();
        self.table[start..start + RECORD_HEADER_BYTES]
            .copy_from_slice(&[low, high << 1 | if attaches { ATTACHES } else { 0 }]);
        self.table[start + RECORD_HEADER_BYTES..][..record.len()].copy_from_slice(record);
        self.used += Self::cost(record);
        self.records += 1;
        attaches.then(|| {
            self.envelopes += 1;
            PageNumber::from(self.envelopes)
        })
    }

    /// Pages of the block so far, its table included.
    pub fn pages(&self) -> PageNumber {
        1 + PageNumber::from(self.envelopes)
    }

    /// The table page, for page `at` of the segment.
    pub fn finish(mut self, segment: &SegmentHeader, at: PageNumber, group: Group) -> Box<Page> {
        let table = &mut self.table;
        table[16..20].copy_from_slice(MAGIC);
        table[20..22].copy_from_slice(&self.records.to_le_bytes());
        table[22..24].copy_from_slice(&self.envelopes.to_le_bytes());
        table[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&segment.sequence.to_le_bytes());
        table[32..36].copy_from_slice(&at.to_le_bytes());
        table[36..38].copy_from_slice(&(self.used as u16).to_le_bytes());
        table[38..40].copy_from_slice(&group.index.to_le_bytes());
        table[40..42].copy_from_slice(&group.blocks.to_le_bytes());
        table[LANE_AT] = self.lane.number();
        table[GROUP_AT..GROUP_AT + 8].copy_from_slice(&group.number.to_le_bytes());
        encrypt_or_decrypt(&segment.key, table, self.used);
        let check = check(&segment.key, table, self.used);
        table[..CHECK_BYTES].copy_from_slice(&check);
        self.table
    }
}

/// A table page that passed its check.
pub struct Block {
    table: Box<Page>,
    used: usize,
    /// Which group it belongs to.
    pub group: Group,
    /// Which lane it was written to.
    pub lane: Lane,
    /// Pages behind the table.
    pub envelopes: PageNumber,
    /// Records in the table.
    pub records: u16,
}

impl Block {
    /// Reads a page as the table of a block at page `at`; `None` where it is none or not whole.
    pub fn decode(segment: &SegmentHeader, at: PageNumber, mut table: Box<Page>) -> Option<Self> {
        if !is_table(segment, at, &table) {
            return None;
        }
        let used = used(&table);
        encrypt_or_decrypt(&segment.key, &mut table, used);
        let group = Group {
            number: number::<8>(&table, GROUP_AT),
            index: number::<2>(&table, 38) as u16,
            blocks: number::<2>(&table, 40) as u16,
        };
        let (records, envelopes) = (number::<2>(&table, 20) as u16, number::<2>(&table, 22) as PageNumber);
        let lane = Lane::from_number(table[LANE_AT])?;
        let block = Self { used, table, group, lane, envelopes, records };
        block.is_consistent().then_some(block)
    }

    /// Tries whether `table` is a valid table but for one bit, which it finds by trying all that are checked.
    pub fn repair(segment: &SegmentHeader, at: PageNumber, table: &Page) -> Option<Self> {
        let checked = BODY_START + used(table).min(BODY_BYTES);
        let mut draft = Box::new(*table);
        for bit in 0..checked * 8 {
            draft[bit / 8] ^= 1 << (bit % 8);
            if is_table(segment, at, &draft) {
                return Self::decode(segment, at, draft);
            }
            draft[bit / 8] ^= 1 << (bit % 8);
        }
        None
    }

    /// Pages of the block, its table included.
    pub fn pages(&self) -> PageNumber {
        1 + self.envelopes
    }

    /// Its records in order, each with the page of its envelope counted from the table.
    pub fn records(&self) -> Records<'_> {
        Records { rest: &self.table[BODY_START..BODY_START + self.used], envelopes: 0 }
    }

    /// Whether the bytes that the check does not cover are zeros, as they were written.
    pub fn padding_is_zero(&self) -> bool {
        self.table[BODY_START + self.used..].iter().all(|byte| *byte == 0)
    }

    fn is_consistent(&self) -> bool {
        let mut records = self.records();
        let (mut count, mut attached) = (0, 0);
        for (_, envelope) in records.by_ref() {
            count += 1;
            attached += PageNumber::from(envelope.is_some());
        }
        records.rest.is_empty() && count == self.records && attached == self.envelopes
    }
}

/// The records of a block.
pub struct Records<'a> {
    rest: &'a [u8],
    envelopes: PageNumber,
}

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], Option<PageNumber>);

    fn next(&mut self) -> Option<Self::Item> {
        let (header, rest) = self.rest.split_at_checked(RECORD_HEADER_BYTES)?;
        let length = u16::from_le_bytes([header[0], header[1] >> 1]);
        let (record, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        let envelope = (header[1] & ATTACHES != 0).then(|| {
            self.envelopes += 1;
            self.envelopes
        });
        Some((record, envelope))
    }
}

/// Whether a page is a table of an earlier use of the file. Nobody can read it any more. One of this use with a wrong
/// bit where the use stands is none.
pub fn is_of_earlier_use(segment: &SegmentHeader, at: PageNumber, table: &Page) -> bool {
    let its_use = number::<4>(table, SEQUENCE_AT) as u32;
    if &table[16..20] != MAGIC || its_use >= segment.sequence {
        return false;
    }
    let is_ours = || {
        let mut draft = Box::new(*table);
        draft[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&segment.sequence.to_le_bytes());
        is_table(segment, at, &draft)
    };
    (its_use ^ segment.sequence).count_ones() > 1 || !is_ours()
}

/// Whether a page is the whole table of a block at page `at` of this use.
pub fn is_table(segment: &SegmentHeader, at: PageNumber, table: &Page) -> bool {
    if &table[16..20] != MAGIC || number::<4>(table, SEQUENCE_AT) != u64::from(segment.sequence) {
        return false;
    }
    let envelopes = number::<2>(table, 22) as PageNumber;
    let in_place = number::<4>(table, 32) == u64::from(at) && at + envelopes < segment.end_page();
    in_place && used(table) <= BODY_BYTES && table[..CHECK_BYTES] == check(&segment.key, table, used(table))
}

fn used(table: &Page) -> usize {
    number::<2>(table, 36) as usize
}

/// XORs the records with the key stream of this page and group, which a use writes once: ChaCha20 (RFC 8439), whose
/// nonce is page u32 | group u64.
fn encrypt_or_decrypt(key: &[u8; 32], table: &mut Page, used: usize) {
    let key = Zeroizing::new(blake3::derive_key(RECORDS_CONTEXT, key));
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&table[32..36]);
    nonce[4..].copy_from_slice(&table[GROUP_AT..GROUP_AT + 8]);
    ChaCha20::new((&*key).into(), &nonce.into()).apply_keystream(&mut table[BODY_START..BODY_START + used]);
}

fn check(key: &[u8; 32], table: &Page, used: usize) -> [u8; CHECK_BYTES] {
    // One stretch of bytes, so that the hash can take its parts side by side.
    let hash = blake3::keyed_hash(key, &table[CHECK_BYTES..BODY_START + used]);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash.as_bytes()[..CHECK_BYTES]);
    check
}

fn number<const N: usize>(table: &Page, start: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..N].copy_from_slice(&table[start..start + N]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static SEGMENT: SegmentHeader = SegmentHeader { sequence: 5, pages: 32, key: [7; 32] };
    const GROUP: Group = Group { number: 11, index: 1, blocks: 2 };

    fn table() -> Box<Page> {
        let mut builder = BlockBuilder::new(Lane::News);
        assert_eq!(builder.push(b"one", true), Some(1));
        assert_eq!(builder.push(b"two", false), None);
        assert_eq!(builder.push(b"three", true), Some(2));
        builder.finish(&SEGMENT, 4, GROUP)
    }

    #[test]
    fn a_block_reads_as_it_was_written() {
        let block = Block::decode(&SEGMENT, 4, table()).expect("whole");
        let records: Vec<_> = block.records().collect();
        assert_eq!(records, [(&b"one"[..], Some(1)), (&b"two"[..], None), (&b"three"[..], Some(2))]);
        assert_eq!((block.group, block.lane, block.pages()), (GROUP, Lane::News, 3));
    }

    #[test]
    fn what_a_record_says_can_be_read_with_the_key_of_its_use_alone() {
        let mut builder = BlockBuilder::new(Lane::News);
        let record = [0xa5; 200];
        builder.push(&record, false);
        let table = builder.finish(&SEGMENT, 4, GROUP);
        let shows = |page: &Page| page.windows(4).any(|bytes| bytes == &record[..4]);
        assert!(!shows(&table));
        assert!(shows(&Block::decode(&SEGMENT, 4, table).expect("whole").table));
    }

    #[test]
    fn a_table_of_an_earlier_use_is_told_from_one_of_this_use_with_a_wrong_bit() {
        let later = SegmentHeader { sequence: SEGMENT.sequence + 1, key: [8; 32], ..SEGMENT };
        assert!(is_of_earlier_use(&later, 4, &table()));
        assert!(!is_of_earlier_use(&SEGMENT, 4, &table()));
        for bit in 0..32 {
            let mut rotten = table();
            rotten[SEQUENCE_AT + bit / 8] ^= 1 << (bit % 8);
            assert!(!is_of_earlier_use(&SEGMENT, 4, &rotten), "bit {bit}");
        }
        assert!(!is_of_earlier_use(&SEGMENT, 4, &page::zeroed()));
    }

    #[test]
    fn a_record_of_any_length_reads_as_it_was_written() {
        for length in [1, 255, 256, 511, 512, RECORD_BYTES_MAX] {
            for attaches in [false, true] {
                let mut builder = BlockBuilder::new(Lane::News);
                builder.push(&vec![3; length], attaches);
                let block = Block::decode(&SEGMENT, 4, builder.finish(&SEGMENT, 4, GROUP)).expect("whole");
                let records: Vec<_> =
                    block.records().map(|(record, at)| (record.len(), at.is_some())).collect();
                assert_eq!(records, [(length, attaches)]);
            }
        }
    }

    #[test]
    fn a_block_is_valid_in_one_page_of_one_use_only() {
        let other_key = SegmentHeader { key: [8; 32], ..SEGMENT };
        let other_use = SegmentHeader { sequence: 6, ..SEGMENT };
        assert!(Block::decode(&SEGMENT, 5, table()).is_none());
        assert!(Block::decode(&other_key, 4, table()).is_none());
        assert!(Block::decode(&other_use, 4, table()).is_none());
    }

    #[test]
    fn a_block_tells_its_lane() {
        for lane in Lane::ALL {
            let mut builder = BlockBuilder::new(lane);
            builder.push(b"one", false);
            let block = Block::decode(&SEGMENT, 4, builder.finish(&SEGMENT, 4, GROUP)).expect("whole");
            assert_eq!(block.lane, lane);
        }
    }

    #[test]
    fn one_flipped_bit_is_noticed_and_found() {
        let whole = table();
        let sound = Block::decode(&SEGMENT, 4, whole.clone()).expect("whole");
        let checked = BODY_START + used(&whole);
        for bit in 0..checked * 8 {
            let mut rotten = whole.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::decode(&SEGMENT, 4, rotten.clone()).is_none(), "bit {bit}");
            let repaired = Block::repair(&SEGMENT, 4, &rotten).expect("repairable");
            assert!(repaired.records().eq(sound.records()) && repaired.group == GROUP, "bit {bit}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_padding_does_no_harm_and_shows() {
        let mut rotten = table();
        rotten[4000] ^= 1;
        assert!(!Block::decode(&SEGMENT, 4, rotten).expect("whole").padding_is_zero());
    }

    #[test]
    fn sixty_four_puts_share_a_table() {
        let mut builder = BlockBuilder::new(Lane::News);
        let record = [0; 61];
        for _ in 0..64 {
            assert!(builder.fits(1, BlockBuilder::cost(&record)));
            builder.push(&record, true);
        }
        assert!(!builder.fits(1, BlockBuilder::cost(&record)));
    }

    #[test]
    fn a_block_does_not_reach_into_the_second_header() {
        let mut builder = BlockBuilder::new(Lane::News);
        builder.push(b"one", true);
        let table = builder.finish(&SEGMENT, 30, GROUP);
        assert!(Block::decode(&SEGMENT, 30, table).is_none());
    }

    proptest! {
        #[test]
        fn any_page_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), PAGE_BYTES), at in 0u32..40) {
            let mut page = page::zeroed();
            page.copy_from_slice(&bytes);
            page[16..20].copy_from_slice(MAGIC);
            page[24..28].copy_from_slice(&SEGMENT.sequence.to_le_bytes());
            prop_assert!(Block::decode(&SEGMENT, at, page).is_none());
        }
    }
}
