//! The checkpoint: how far the index has seen the log, and the book-keeping at that point (docs/spec/store.md §7).
//!
//! It is written after the index is lasting, in one small file that is replaced whole. Without it, or with one that
//! fails its check, the log is read from its beginning.

use std::collections::BTreeMap;
use std::io;

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::time::Day;

use super::bits::Bits;
use super::book::Pages;
use super::lane::{Lane, Lanes};
use super::medium::{self, Medium};
use super::page::Place;
use super::rows::BUCKETS;

const NAME: &str = "checkpoint";
const VERSION: u8 = 3;
const CHECK_CONTEXT: &str = "poterne relay store v1: check of a checkpoint";
const CHECK_BYTES: usize = 32;

/// How far the index has seen the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The number of the index that this belongs to.
    pub index: u64,
    /// The places behind the last blocks that the index has seen.
    pub ends: Lanes<Option<Place>>,
    /// The last group that the index has seen.
    pub group: u64,
    /// The sums of the rows of each bucket.
    pub digests: Vec<u64>,
    /// What was known of the pages of each segment.
    pub uses: BTreeMap<u32, Pages>,
}

impl Checkpoint {
    /// Reads the checkpoint; `None` where there is none or none that can be believed.
    pub fn load(medium: &dyn Medium) -> Option<Self> {
        let bytes = medium::read_whole(medium, NAME).ok().flatten()?;
        Self::decode(&bytes).ok()
    }

    /// Puts this in place of the last one, lastingly.
    pub fn save(&self, medium: &dyn Medium) -> io::Result<()> {
        medium::replace(medium, NAME, &self.encode())
    }

    /// Removes the checkpoint, lastingly: the log will be read from its beginning.
    pub fn forget(medium: &dyn Medium) -> io::Result<()> {
        match medium.remove(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed?,
        }
        medium.sync_dir()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(VERSION).u64(self.index).u64(self.group);
        for end in self.ends.iter() {
            let end = end.unwrap_or(Place { sequence: 0, page: 0 });
            out.u32(end.sequence).u32(end.page);
        }
        for digest in &self.digests {
            out.u64(*digest);
        }
        out.u32(self.uses.len() as u32);
        for (sequence, pages) in &self.uses {
            out.u32(*sequence).u32(pages.end).u32(pages.rows).u32(pages.records).u64(pages.record_bytes);
            out.u32(pages.first_end.map_or(0, |day| day.0)).u32(pages.begun.0).u8(u8::from(pages.has_copies));
            encode_bits(&pages.live, &mut out);
            encode_bits(&pages.soiled, &mut out);
        }
        let mut bytes = out.into_vec();
        let check = blake3::derive_key(CHECK_CONTEXT, &bytes);
        bytes.extend(check);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let length = bytes.len().checked_sub(CHECK_BYTES).ok_or(DecodeError::Check)?;
        let (bytes, check) = bytes.split_at(length);
        if check != blake3::derive_key(CHECK_CONTEXT, bytes) {
            return Err(DecodeError::Check);
        }
        let mut input = Reader::new(bytes);
        match input.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version { version }),
        }
        let index = input.u64()?;
        let group = input.u64()?;
        let mut ends = Lanes::default();
        for lane in Lane::ALL {
            let end = Place { sequence: input.u32()?, page: input.u32()? };
            ends[lane] = Some(end).filter(|end| end.sequence > 0);
        }
        let digests = (0..BUCKETS).map(|_| input.u64()).collect::<Result<_, _>>()?;
        let count = input.u32()?;
        let uses = (0..count).map(|_| decode_use(&mut input)).collect::<Result<_, _>>()?;
        input.finish()?;
        Ok(Self { index, ends, group, digests, uses })
    }
}

fn decode_use(input: &mut Reader<'_>) -> Result<(u32, Pages), DecodeError> {
    let sequence = input.u32()?;
    let (end, rows, records, record_bytes) = (input.u32()?, input.u32()?, input.u32()?, input.u64()?);
    let first_end = Some(Day(input.u32()?)).filter(|day| day.0 > 0);
    let begun = Day(input.u32()?);
    let has_copies = input.u8()? != 0;
    let (live, soiled) = (decode_bits(input)?, decode_bits(input)?);
    Ok((sequence, Pages { end, rows, records, record_bytes, begun, live, soiled, first_end, has_copies }))
}

fn encode_bits(bits: &Bits, out: &mut Writer) {
    out.u32(bits.words().len() as u32);
    for word in bits.words() {
        out.u64(*word);
    }
}

fn decode_bits(input: &mut Reader<'_>) -> Result<Bits, DecodeError> {
    let count = input.u32()?;
    let words = (0..count).map(|_| input.u64()).collect::<Result<_, _>>()?;
    Ok(Bits::from_words(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sim::{Faults, SimDisk};

    fn checkpoint() -> Checkpoint {
        let mut pages =
            Pages { end: 9, rows: 2, record_bytes: 1 << 33, first_end: Some(Day(77)), ..Pages::default() };
        pages.live.insert(5);
        pages.soiled.insert(70);
        let digests = (0..BUCKETS as u64).collect();
        let mut ends = Lanes::default();
        ends[Lane::Copies] = Some(Place { sequence: 4, page: 9 });
        Checkpoint { index: 3, ends, group: 12, digests, uses: [(4, pages)].into() }
    }

    #[test]
    fn a_checkpoint_reads_as_it_was_saved() {
        let disk = SimDisk::new(Faults::default());
        assert!(Checkpoint::load(&disk).is_none());
        checkpoint().save(&disk).expect("saves");
        assert_eq!(Checkpoint::load(&disk), Some(checkpoint()));
        Checkpoint::forget(&disk).expect("forgets");
        assert!(Checkpoint::load(&disk).is_none());
    }

    #[test]
    fn a_flipped_bit_makes_a_checkpoint_void() {
        for bit in [0, 8 * 100, 8 * 40_000] {
            let disk = SimDisk::new(Faults::default());
            let mut bytes = checkpoint().encode();
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            medium::replace(&disk, NAME, &bytes).expect("saves");
            assert!(Checkpoint::load(&disk).is_none());
        }
    }
}
