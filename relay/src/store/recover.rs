//! Finding the log again: which files are in use, what their blocks say, and where writing goes on
//! (docs/spec/store.md §5).
//!
//! The last group may have been under way when the power went. It counts whole or not at all: where one of its blocks
//! or envelopes is not as it was to be, nobody was told that it is stored, and it is overwritten with zeros. What is
//! wrong anywhere else has rotted, and is reported.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, Group};
use super::lane::{Lane, Lanes};
use super::log::Active;
use super::medium::{Medium, MediumFile};
use super::page::{Address, PAGE_BYTES, PageNumber, Place};
use super::scan::{Found, Scan};
use super::segment::{
    HeaderState, SEGMENT_PAGES_MIN, SegmentHeader, is_zero, read_header, read_page, write_header,
};
use super::spares::{FreeFile, Segment, segment_number, write_zeros};

/// The files of a log, by what they are.
#[derive(Default)]
pub struct Survey {
    /// Segments in use, with or without blocks, in the order of their use.
    pub used: Vec<Arc<Segment>>,
    /// Files in no use.
    pub free: Vec<FreeFile>,
    /// How many of those in use had lost one of their headers.
    pub worn: u64,
    /// Names of files whose making was cut short: they hold no header and nothing else.
    pub unmade: Vec<String>,
    /// Names of files that have lost both headers. They are left alone.
    pub lost: Vec<String>,
    /// Names of files that a build with another layout of the log has written. They are left alone.
    pub foreign: Vec<String>,
}

/// What was found wrong and could not be put right, or could.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Damage {
    /// Files that have lost both headers.
    pub lost_segments: u64,
    /// Pages where blocks must have been.
    pub lost_pages: u64,
    /// Tables in which one wrong bit was put right.
    pub repaired_tables: u64,
    /// Records of a layout that this build does not know.
    pub unknown_records: u64,
    /// Pages of a group that the power cut; nobody was told that it is stored.
    pub torn_pages: u64,
}

/// A block of the log, with its place.
pub struct PlacedBlock {
    /// The segment.
    pub segment: Arc<Segment>,
    /// The page of its table.
    pub at: PageNumber,
    /// The block.
    pub block: Block,
}

impl PlacedBlock {
    /// Its records, each with its address.
    pub fn records(&self) -> impl Iterator<Item = (Address, &[u8])> {
        let table = Place { sequence: self.segment.header.sequence, page: self.at };
        let placed = move |(index, (record, attached)): (u16, (_, Option<PageNumber>))| {
            (Address::new(table, index, attached.unwrap_or(0)), record)
        };
        (0..).zip(self.block.records()).map(placed)
    }
}

/// Looks at the headers of all files, and puts right what can be.
pub fn survey(medium: &dyn Medium) -> io::Result<Survey> {
    let survey = Survey::of(medium, true)?;
    survey.unmade.iter().try_for_each(|name| medium.remove(name))?;
    Ok(survey)
}

/// Looks at the headers of all files and changes nothing.
pub fn look(medium: &dyn Medium) -> io::Result<Survey> {
    Survey::of(medium, false)
}

type File = (String, Arc<dyn MediumFile>, PageNumber);

fn segment_files(medium: &dyn Medium) -> io::Result<Vec<File>> {
    let names = medium.list()?.into_iter().filter(|name| segment_number(name).is_some());
    let open = |name: String| {
        let file = medium.open(&name)?;
        let pages = PageNumber::try_from(file.len()? / PAGE_BYTES as u64).map_err(io::Error::other)?;
        Ok((name, file, pages))
    };
    names.map(open).collect()
}

fn holds_nothing(file: &dyn MediumFile, pages: PageNumber) -> io::Result<bool> {
    for number in 0..pages {
        if !is_zero(&*read_page(file, number)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Survey {
    fn of(medium: &dyn Medium, may_write: bool) -> io::Result<Self> {
        let mut survey = Self::default();
        for (name, file, pages) in segment_files(medium)? {
            if pages < SEGMENT_PAGES_MIN {
                survey.unmade.push(name);
            } else {
                survey.file(name, file, pages, may_write)?;
            }
        }
        survey.used.sort_by_key(|segment| segment.header.sequence);
        Ok(survey)
    }

    fn file(
        &mut self,
        name: String,
        file: Arc<dyn MediumFile>,
        pages: PageNumber,
        may_write: bool,
    ) -> io::Result<()> {
        match read_header(&*file, pages)? {
            (HeaderState::Whole, Some(header)) => self.sound_file(name, file, header),
            (HeaderState::Worn, Some(header)) => {
                if may_write {
                    write_header(&*file, &header)?;
                }
                self.worn += 1;
                self.sound_file(name, file, header);
            }
            (HeaderState::Foreign, _) => self.foreign.push(name),
            _ if holds_nothing(&*file, pages)? => self.unmade.push(name),
            _ => self.lost.push(name),
        }
        Ok(())
    }

    fn sound_file(&mut self, name: String, file: Arc<dyn MediumFile>, header: SegmentHeader) {
        if header.is_in_use() {
            self.used.push(Arc::new(Segment { name, header, file }));
        } else {
            self.free.push(FreeFile { name, file, pages: header.pages });
        }
    }
}

/// Where a replay begins: behind everything that a checkpoint holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Start {
    /// The pages where the next blocks may begin; `None` for the first of all.
    pub ends: Lanes<Option<Place>>,
    /// The last group before them.
    pub group: u64,
}

/// Where a replay came to its end.
pub struct Replayed {
    /// Where writing goes on.
    pub active: Lanes<Option<Active>>,
    /// Segments that were prepared and hold nothing yet, in order.
    pub spares: VecDeque<Arc<Segment>>,
    /// The last group seen.
    pub group: u64,
    /// What was wrong.
    pub damage: Damage,
}

/// Reads all blocks of `used` behind `start` in the order of their groups. `visit` gets each block of each group that
/// counts; `is_sound` says of a block of the last group whether its envelopes are what its records say.
pub fn replay(
    used: &[Arc<Segment>],
    start: Start,
    visit: &mut dyn FnMut(PlacedBlock),
    is_sound: &mut dyn FnMut(&PlacedBlock) -> io::Result<bool>,
) -> io::Result<Replayed> {
    let mut replay = Replay::new(used, start, visit)?;
    replay.read_all()?;
    replay.finish(is_sound)?;
    let Replay { active, last_group, mut damage, garbage, gaps, .. } = replay;
    let written = active.map(|active| active.as_ref().map(|active| active.segment.header.sequence));
    let begun = written.iter().flatten().copied().chain(newest_of(&start)).max().unwrap_or(0);
    damage.lost_pages += gaps.iter().map(Gap::count).sum::<u64>();
    for (segment, pages) in garbage {
        let sequence = segment.header.sequence;
        // Behind the last block of a segment that is written no more nothing may be but zeros.
        if sequence < begun && !written.iter().any(|written| *written == Some(sequence)) {
            damage.lost_pages += u64::from(pages.end - pages.start);
        } else {
            damage.torn_pages += u64::from(pages.end - pages.start);
            write_zeros(&*segment.file, pages)?;
            segment.file.sync_data()?;
        }
    }
    let spares = used.iter().filter(|segment| segment.header.sequence > begun).cloned().collect();
    Ok(Replayed { active, spares, group: last_group, damage })
}

/// Reads all blocks of `used` in the order of their groups and puts nothing right: for a log that is being written.
pub fn read(used: &[Arc<Segment>], visit: &mut dyn FnMut(PlacedBlock)) -> io::Result<Damage> {
    let mut replay = Replay::new(used, Start::default(), visit)?;
    replay.read_all()?;
    replay.count_group();
    let lost = replay.gaps.iter().map(Gap::count).sum();
    let stray = replay.garbage.iter().map(|(_, pages)| u64::from(pages.end - pages.start)).sum();
    Ok(Damage { lost_pages: lost, torn_pages: stray, ..replay.damage })
}

/// The newest segment that had been begun when the checkpoint was written.
fn newest_of(start: &Start) -> Option<u32> {
    start.ends.iter().flatten().map(|end| end.sequence).max()
}

struct Replay<'a> {
    visit: &'a mut dyn FnMut(PlacedBlock),
    /// All segments, and by the next block of each which of them it is.
    cursors: Vec<Cursor<'a>>,
    next: BinaryHeap<Reverse<(Group, usize)>>,
    /// The blocks of the group that is being read.
    group: Vec<PlacedBlock>,
    /// The last group seen, whether it counts or not: the next one goes above it.
    last_group: u64,
    active: Lanes<Option<Active>>,
    damage: Damage,
    garbage: Vec<(Arc<Segment>, Range<PageNumber>)>,
    gaps: Vec<Gap>,
}

/// How far a segment is read.
struct Cursor<'a> {
    segment: &'a Arc<Segment>,
    scan: Scan<'a>,
    block: Option<PlacedBlock>,
}

/// Pages that should be blocks and are none.
struct Gap {
    sequence: u32,
    pages: Range<PageNumber>,
    /// The group of the block behind them.
    before: u64,
}

impl Gap {
    fn count(&self) -> u64 {
        u64::from(self.pages.end - self.pages.start)
    }
}

impl<'a> Replay<'a> {
    fn new(
        used: &'a [Arc<Segment>],
        start: Start,
        visit: &'a mut dyn FnMut(PlacedBlock),
    ) -> io::Result<Self> {
        let mut replay = Self {
            visit,
            cursors: Vec::new(),
            next: BinaryHeap::new(),
            group: Vec::new(),
            last_group: start.group,
            active: Lanes::default(),
            damage: Damage::default(),
            garbage: Vec::new(),
            gaps: Vec::new(),
        };
        for segment in used {
            replay.begin(segment, &start)?;
        }
        Ok(replay)
    }

    /// Begins to read a segment, if anything in it can be behind `start`.
    fn begin(&mut self, segment: &'a Arc<Segment>, start: &Start) -> io::Result<()> {
        let sequence = segment.header.sequence;
        let begun = |lane: &Lane| start.ends[*lane].filter(|end| end.sequence == sequence);
        let from = match Lane::ALL.iter().find_map(|lane| Some((*lane, begun(lane)?.page))) {
            Some((lane, page)) => {
                self.active[lane] = Some(Active { segment: segment.clone(), next: page });
                page
            }
            None if Some(sequence) > newest_of(start) => 1,
            None => return Ok(()),
        };
        let last = Group { number: start.group, index: u16::MAX, blocks: 0 };
        let scan = Scan::new(&*segment.file, &segment.header, from, last);
        self.cursors.push(Cursor { segment, scan, block: None });
        self.advance(self.cursors.len() - 1)
    }

    /// Finds the next block of a segment.
    fn advance(&mut self, index: usize) -> io::Result<()> {
        let Cursor { segment, scan, block: next } = &mut self.cursors[index];
        let sequence = segment.header.sequence;
        let mut gap = None;
        while let Some(found) = scan.advance()? {
            match found {
                Found::Block { at, block, repaired } => {
                    let before = block.group.number;
                    self.gaps.extend(gap.take().map(|pages| Gap { sequence, pages, before }));
                    self.damage.repaired_tables += u64::from(repaired);
                    self.next.push(Reverse((block.group, index)));
                    *next = Some(PlacedBlock { segment: segment.clone(), at, block });
                    return Ok(());
                }
                Found::Gap { from, to } => gap = Some(from..to),
            }
        }
        self.garbage.extend(scan.garbage().map(|end| (segment.clone(), scan.end()..end)));
        Ok(())
    }

    fn read_all(&mut self) -> io::Result<()> {
        while let Some(Reverse((_, index))) = self.next.pop() {
            let block = self.cursors[index].block.take();
            self.advance(index)?;
            self.block(block.expect("a segment that is next has a block"));
        }
        Ok(())
    }

    fn block(&mut self, block: PlacedBlock) {
        let number = block.block.group.number;
        if self.group.first().is_some_and(|first| first.block.group.number != number) {
            self.count_group();
        }
        self.last_group = number;
        self.group.push(block);
    }

    fn count_group(&mut self) {
        for block in self.group.drain(..) {
            let next = block.at + block.block.pages();
            let lane = lane_of(&self.active, &block);
            self.active[lane] = Some(Active { segment: block.segment.clone(), next });
            (self.visit)(block);
        }
    }

    /// Decides on the last group.
    fn finish(&mut self, is_sound: &mut dyn FnMut(&PlacedBlock) -> io::Result<bool>) -> io::Result<()> {
        let complete =
            self.group.first().is_none_or(|first| self.group.len() == usize::from(first.block.group.blocks));
        let mut sound = complete;
        for block in &self.group {
            sound = sound && is_sound(block)?;
        }
        if sound {
            self.count_group();
            return Ok(());
        }
        self.undo_last_group()
    }

    /// Overwrites the last group with zeros: writing goes on where it began.
    fn undo_last_group(&mut self) -> io::Result<()> {
        let group = std::mem::take(&mut self.group);
        for same in group.chunk_by(|one, next| Arc::ptr_eq(&one.segment, &next.segment)).rev() {
            let (first, last) = (&same[0], &same[same.len() - 1]);
            let pages = self.start_of(first)..last.at + last.block.pages();
            self.damage.torn_pages += u64::from(pages.end - pages.start);
            write_zeros(&*first.segment.file, pages.clone())?;
            first.segment.file.sync_data()?;
            let lane = lane_of(&self.active, first);
            self.active[lane] = Some(Active { segment: first.segment.clone(), next: pages.start });
        }
        Ok(())
    }

    /// The page where a group began whose first block found is `first`: lost blocks before it were torn with it.
    fn start_of(&mut self, first: &PlacedBlock) -> PageNumber {
        let (sequence, number) = (first.segment.header.sequence, first.block.group.number);
        let torn = |gap: &mut Gap| gap.sequence == sequence && gap.before == number;
        self.gaps.extract_if(.., torn).map(|gap| gap.pages.start).fold(first.at, PageNumber::min)
    }
}

/// The lane that a block belongs to: that of its segment. Only a disk that somebody else wrote has both in one.
fn lane_of(active: &Lanes<Option<Active>>, block: &PlacedBlock) -> Lane {
    let is_written = |lane: &Lane| {
        active[*lane].as_ref().is_some_and(|active| Arc::ptr_eq(&active.segment, &block.segment))
    };
    Lane::ALL.into_iter().find(is_written).unwrap_or(block.block.lane)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::super::page::offset;
    use super::super::sim::{Faults, SimDisk};
    use super::*;

    const PAGES: PageNumber = 8;

    fn file(disk: &SimDisk, name: &str, pages: PageNumber) -> Arc<dyn MediumFile> {
        let file = disk.create(name).expect("a fresh name");
        write_zeros(&*file, 0..pages).expect("a sound disk");
        file
    }

    #[test]
    fn a_file_that_was_being_made_is_removed_and_one_that_holds_something_is_lost() {
        let disk = SimDisk::new(Faults::default());
        file(&disk, "segment-00000000", SEGMENT_PAGES_MIN - 1);
        file(&disk, "segment-00000001", PAGES);
        let envelope = file(&disk, "segment-00000002", PAGES);
        envelope.write_at(&[IoSlice::new(&[0x77; PAGE_BYTES])], offset(5)).expect("a sound disk");
        let free = file(&disk, "segment-00000003", PAGES);
        write_header(&*free, &SegmentHeader::of_no_use(PAGES)).expect("a sound disk");

        let looked = look(&disk).expect("a sound disk");
        assert_eq!((looked.lost.len(), looked.free.len(), disk.list().expect("lists").len()), (1, 1, 4));

        let survey = survey(&disk).expect("a sound disk");
        assert_eq!((survey.lost, survey.free.len()), (vec!["segment-00000002".to_owned()], 1));
        assert_eq!(disk.list().expect("lists"), ["segment-00000002", "segment-00000003"]);
    }
}
