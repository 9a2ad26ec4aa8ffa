//! Finding the log again: which files are in use, what their blocks say, and where writing goes on
//! (docs/spec/store.md §5).
//!
//! The last group may have been under way when the power went. It counts whole or not at all: where one of its blocks
//! or envelopes is not as it was to be, nobody was told that it is stored, and it is overwritten with zeros. What is
//! wrong anywhere else has rotted, and is reported.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, Group};
use super::log::Active;
use super::medium::{Medium, MediumFile};
use super::page::{Address, PAGE_BYTES, PageNumber, Place};
use super::scan::{Found, Scan};
use super::segment::{HeaderState, SEGMENT_PAGES_MIN, clear_header, read_header, write_header};
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
    /// Names of files that have lost both headers. They are left alone.
    pub lost: Vec<String>,
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
    let mut survey = Survey::default();
    for (name, file, pages) in segment_files(medium)? {
        if pages < SEGMENT_PAGES_MIN {
            // Its making was cut short; it was never used.
            medium.remove(&name)?;
            continue;
        }
        survey.file(name, file, pages, true)?;
    }
    survey.used.sort_by_key(|segment| segment.header.sequence);
    Ok(survey)
}

/// Looks at the headers of all files and changes nothing.
pub fn look(medium: &dyn Medium) -> io::Result<Survey> {
    let mut survey = Survey::default();
    for (name, file, pages) in segment_files(medium)? {
        if pages >= SEGMENT_PAGES_MIN {
            survey.file(name, file, pages, false)?;
        }
    }
    survey.used.sort_by_key(|segment| segment.header.sequence);
    Ok(survey)
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

impl Survey {
    fn file(
        &mut self,
        name: String,
        file: Arc<dyn MediumFile>,
        pages: PageNumber,
        may_write: bool,
    ) -> io::Result<()> {
        match read_header(&*file, pages)? {
            (HeaderState::Whole, Some(header)) => self.used.push(Arc::new(Segment { name, header, file })),
            (HeaderState::Worn, Some(header)) => {
                if may_write {
                    write_header(&*file, &header)?;
                }
                self.worn += 1;
                self.used.push(Arc::new(Segment { name, header, file }));
            }
            (HeaderState::Blank, _) => {
                let soiled = std::iter::once(1..pages - 1).collect();
                self.free.push(FreeFile { name, file, pages, soiled });
            }
            _ => self.lost.push(name),
        }
        Ok(())
    }
}

/// Where a replay begins: behind everything that a checkpoint holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Start {
    /// The page where the next block may begin; `None` for the first of all.
    pub place: Option<Place>,
    /// The last group before it.
    pub group: u64,
}

/// Where a replay came to its end.
pub struct Replayed {
    /// Where writing goes on.
    pub active: Option<Active>,
    /// Segments that were prepared and hold nothing yet, in order.
    pub spares: VecDeque<Arc<Segment>>,
    /// The last group that counts.
    pub group: u64,
    /// What was wrong.
    pub damage: Damage,
}

/// Reads all blocks of `used` behind `start` in order. `visit` gets each block of each group that counts; `is_sound`
/// says of a block of the last group whether its envelopes are what its records say.
pub fn replay(
    used: &[Arc<Segment>],
    start: Start,
    visit: &mut dyn FnMut(PlacedBlock),
    is_sound: &mut dyn FnMut(&PlacedBlock) -> io::Result<bool>,
) -> io::Result<Replayed> {
    let mut replay = Replay::new(start, visit);
    let first = start.place.map_or(0, |place| place.sequence);
    let behind = used.iter().filter(|segment| segment.header.sequence >= first);
    for segment in behind.clone() {
        let from = start.place.filter(|place| place.sequence == segment.header.sequence);
        replay.segment(segment, from.map_or(1, |place| place.page))?;
    }
    replay.finish(is_sound)?;
    let Replay { active, last, mut damage, garbage, gaps, .. } = replay;
    let newest = active.as_ref().map_or(first, |active: &Active| active.segment.header.sequence);
    damage.lost_pages += gaps.iter().map(|gap| u64::from(gap.pages.end - gap.pages.start)).sum::<u64>();
    for (segment, pages) in garbage {
        // Behind the last block of a segment that is written no more nothing may be but zeros.
        if segment.header.sequence < newest {
            damage.lost_pages += u64::from(pages.end - pages.start);
        } else {
            damage.torn_pages += u64::from(pages.end - pages.start);
            write_zeros(&*segment.file, pages)?;
            segment.file.sync_data()?;
        }
    }
    let spares = behind.filter(|segment| segment.header.sequence > newest).cloned().collect();
    Ok(Replayed { active, spares, group: last.number, damage })
}

/// Reads all blocks of `used` behind `start` in order and puts nothing right: for a log that is being written.
pub fn read(used: &[Arc<Segment>], start: Start, visit: &mut dyn FnMut(PlacedBlock)) -> io::Result<Damage> {
    let mut replay = Replay::new(start, visit);
    for segment in used {
        replay.segment(segment, 1)?;
    }
    replay.count_group();
    let lost = replay.gaps.iter().map(|gap| u64::from(gap.pages.end - gap.pages.start)).sum();
    let stray = replay.garbage.iter().map(|(_, pages)| u64::from(pages.end - pages.start)).sum();
    Ok(Damage { lost_pages: lost, torn_pages: stray, ..replay.damage })
}

struct Replay<'a> {
    visit: &'a mut dyn FnMut(PlacedBlock),
    /// The blocks of the group that is being read.
    group: Vec<PlacedBlock>,
    last: Group,
    active: Option<Active>,
    damage: Damage,
    garbage: Vec<(Arc<Segment>, Range<PageNumber>)>,
    gaps: Vec<Gap>,
}

/// Pages that should be blocks and are none.
struct Gap {
    sequence: u32,
    pages: Range<PageNumber>,
    /// The group of the block behind them.
    before: u64,
}

impl<'a> Replay<'a> {
    fn new(start: Start, visit: &'a mut dyn FnMut(PlacedBlock)) -> Self {
        let last = Group { number: start.group, index: u16::MAX, blocks: 0 };
        let damage = Damage::default();
        Self { visit, group: Vec::new(), last, active: None, damage, garbage: Vec::new(), gaps: Vec::new() }
    }

    fn segment(&mut self, segment: &Arc<Segment>, from: PageNumber) -> io::Result<()> {
        let mut scan = Scan::new(&*segment.file, &segment.header, from, self.last);
        let mut gap = None;
        while let Some(found) = scan.advance()? {
            match found {
                Found::Block { at, block, repaired } => {
                    let (sequence, before) = (segment.header.sequence, block.group.number);
                    self.gaps.extend(gap.take().map(|pages| Gap { sequence, pages, before }));
                    self.damage.repaired_tables += u64::from(repaired);
                    self.block(PlacedBlock { segment: segment.clone(), at, block });
                }
                Found::Gap { from, to } => gap = Some(from..to),
            }
        }
        if let Some(end) = scan.garbage() {
            self.garbage.push((segment.clone(), scan.end()..end));
        }
        if scan.end() > from.max(1) || from > 1 {
            self.active = Some(Active { segment: segment.clone(), next: scan.end() });
        }
        self.last = scan.last_group();
        Ok(())
    }

    fn block(&mut self, block: PlacedBlock) {
        let number = block.block.group.number;
        if self.group.first().is_some_and(|first| first.block.group.number != number) {
            self.count_group();
        }
        self.group.push(block);
    }

    fn count_group(&mut self) {
        for block in self.group.drain(..) {
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
            self.active = Some(Active { segment: first.segment.clone(), next: pages.start });
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

/// Ends the use of a segment: from then on nothing of it is found again.
pub fn retire(segment: &Segment, soiled: Vec<Range<PageNumber>>) -> io::Result<FreeFile> {
    let pages = segment.header.pages;
    clear_header(&*segment.file, pages)?;
    Ok(FreeFile { name: segment.name.clone(), file: segment.file.clone(), pages, soiled })
}
