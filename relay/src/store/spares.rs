//! Segments that wait to be used: every page written before, and their header lasting, so that the commit that takes
//! one neither grows a file nor syncs a directory (docs/spec/store.md §3).
//!
//! Spares are used in the order of their sequence numbers. Puts leave the last two alone, so that a full disk does not
//! stop deletes, leases and closes; these leave the last one to copying, which gives room back.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::block;
use super::medium::{Medium, MediumFile};
use super::page::{self, PAGE_BYTES, Page, PageNumber};
use super::segment::{SegmentHeader, is_zero, write_header};

/// Spares that puts may not take.
pub const RESERVED_SPARES: usize = 2;

/// What a segment is begun for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Purpose {
    /// Copying what still counts, so that another segment's use can end.
    Copy,
    /// Any other record without an envelope.
    #[default]
    Other,
    /// An envelope that arrives.
    Put,
}

impl Purpose {
    /// Spares that must be left.
    fn leaves(self) -> usize {
        match self {
            Self::Copy => 0,
            Self::Other => 1,
            Self::Put => RESERVED_SPARES,
        }
    }
}
/// Bytes of zeros in one write.
const ZEROS_BYTES: usize = 256 * 1024;
/// Pages of zeros until they are synced: some milliseconds' work for a disk, since a commit that comes meanwhile waits
/// behind them.
const ZEROS_PER_SYNC: PageNumber = 256;
const NAME_PREFIX: &str = "segment-";

/// A file of the log in one use.
pub struct Segment {
    /// The file's name.
    pub name: String,
    /// Which use this is.
    pub header: SegmentHeader,
    /// The open file.
    pub file: Arc<dyn MediumFile>,
}

/// A file that is in no use. It holds zeros, and tables that nobody can read any more.
pub struct FreeFile {
    /// Its name.
    pub name: String,
    /// The open file.
    pub file: Arc<dyn MediumFile>,
    /// Pages of it.
    pub pages: PageNumber,
}

/// The spares of a log, and the files that can become some.
pub struct Spares {
    medium: Arc<dyn Medium>,
    segment_pages: PageNumber,
    state: Mutex<State>,
    made: Condvar,
}

struct State {
    ready: VecDeque<Arc<Segment>>,
    free: Vec<FreeFile>,
    /// Somebody waited for a spare in vain, and none has been made since.
    is_short: bool,
    next_sequence: u32,
    next_file: u64,
}

impl Spares {
    /// Spares over `medium`, whose segments have `segment_pages` pages. `ready` and `free` are what opening found;
    /// the next use gets a sequence above `last_sequence`.
    pub fn new(
        medium: Arc<dyn Medium>,
        segment_pages: PageNumber,
        ready: VecDeque<Arc<Segment>>,
        free: Vec<FreeFile>,
        last_sequence: u32,
    ) -> io::Result<Self> {
        let names = medium.list()?;
        let next_file = names.iter().filter_map(|name| segment_number(name)).max().map_or(0, |last| last + 1);
        let next_sequence = last_sequence + 1;
        let state = State { ready, free, is_short: false, next_sequence, next_file };
        let state = Mutex::new(state);
        Ok(Self { medium, segment_pages, state, made: Condvar::new() })
    }

    /// Spares that are ready.
    pub fn ready(&self) -> usize {
        self.state().ready.len()
    }

    /// Files that wait to be made spares.
    pub fn free(&self) -> usize {
        self.state().free.len()
    }

    /// Takes the next spare, if there is one for that purpose.
    pub fn take(&self, purpose: Purpose) -> Option<Arc<Segment>> {
        let mut state = self.state();
        if state.ready.len() <= purpose.leaves() {
            return None;
        }
        state.ready.pop_front()
    }

    /// Waits until there is a spare that puts may take, but no longer than `limit`. Who has waited in vain is the last
    /// one to wait until a spare is made: behind each put others wait that need none.
    pub fn wait(&self, limit: Duration) -> bool {
        let none = |state: &mut State| state.ready.len() <= RESERVED_SPARES;
        let mut state = self.state();
        if state.is_short && none(&mut state) {
            return false;
        }
        let waited = self.made.wait_timeout_while(state, limit, none);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_short = timeout.timed_out();
        !timeout.timed_out()
    }

    /// Puts back a spare that was taken and not written to.
    pub fn put_back(&self, segment: Arc<Segment>) {
        self.state().ready.push_front(segment);
    }

    /// Hands in a file whose use has ended.
    pub fn give_back(&self, file: FreeFile) {
        self.state().free.push(file);
    }

    /// Makes one more spare, of a free file where there is one. Only one thread may do this at a time.
    pub fn prepare(&self) -> io::Result<()> {
        let free = self.state().free.pop();
        let blank = match free {
            Some(file) => file,
            None => self.create()?,
        };
        let sequence = self.next_sequence();
        let header = SegmentHeader { sequence, pages: blank.pages, key: fresh_key()? };
        // Where this fails, half a header may be on the disk. Its sequence is not used again, and opening finds a
        // use without blocks.
        write_header(&*blank.file, &header)?;
        let segment = Arc::new(Segment { name: blank.name, header, file: blank.file });
        let mut state = self.state();
        state.ready.push_back(segment);
        state.is_short = false;
        drop(state);
        self.made.notify_all();
        Ok(())
    }

    /// Removes one free file, to give its space back to the disk. Says whether there was one.
    pub fn discard_one(&self) -> io::Result<bool> {
        let Some(file) = self.state().free.pop() else { return Ok(false) };
        self.medium.remove(&file.name)?;
        self.medium.sync_dir()?;
        Ok(true)
    }

    fn create(&self) -> io::Result<FreeFile> {
        let name = self.next_name();
        let file = self.medium.create(&name)?;
        if let Err(error) = self.fill(&*file) {
            // What was written takes space that a full disk needs; failing to remove it changes nothing.
            let _ = self.medium.remove(&name);
            return Err(error);
        }
        Ok(FreeFile { name, file, pages: self.segment_pages })
    }

    fn fill(&self, file: &dyn MediumFile) -> io::Result<()> {
        zero(file, std::slice::from_ref(&(0..self.segment_pages)))?;
        self.medium.sync_dir()
    }

    fn next_name(&self) -> String {
        let mut state = self.state();
        let name = segment_name(state.next_file);
        state.next_file += 1;
        name
    }

    fn next_sequence(&self) -> u32 {
        let mut state = self.state();
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        sequence
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the use of a segment whose blocks end before page `end`: overwrites all but tables, and then its header, which
/// holds the key to them. Behind the end may stand what has rotted, and tables of earlier uses.
pub fn retire(segment: &Segment, end: PageNumber) -> io::Result<FreeFile> {
    let Segment { name, header, file } = segment;
    let may_stay = |at: PageNumber, page: &Page| match at < end {
        true => block::is_table(header, at, page),
        false => block::is_of_earlier_use(header, at, page),
    };
    clean(&**file, 1..header.end_page(), &may_stay)?;
    write_header(&**file, &SegmentHeader::of_no_use(header.pages))?;
    Ok(FreeFile { name: name.clone(), file: file.clone(), pages: header.pages })
}

/// Overwrites what these pages hold, but for those that may stay. Pages that are zeros already are not written again.
fn clean(file: &dyn MediumFile, range: Range<PageNumber>, may_stay: &MayStay) -> io::Result<()> {
    let mut pages = vec![[0; PAGE_BYTES]; ZEROS_PER_SYNC as usize];
    for start in range.clone().step_by(ZEROS_PER_SYNC as usize) {
        let end = range.end.min(start + ZEROS_PER_SYNC);
        clean_some(file, start, &mut pages[..(end - start) as usize], may_stay)?;
    }
    Ok(())
}

/// Whether a page is left as it is.
type MayStay<'a> = dyn Fn(PageNumber, &Page) -> bool + 'a;

/// Overwrites those of the pages from `start` on that hold something. What can't be read is overwritten.
fn clean_some(
    file: &dyn MediumFile,
    start: PageNumber,
    pages: &mut [Page],
    may_stay: &MayStay,
) -> io::Result<()> {
    let readable = file.read_at(pages.as_flattened_mut(), page::offset(start)).is_ok();
    let stays = |at: PageNumber, page: &Page| readable && (is_zero(page) || may_stay(at, page));
    let mut soiled: Vec<Range<PageNumber>> = Vec::new();
    for (number, _) in (start..).zip(pages.iter()).filter(|(at, page)| !stays(*at, page)) {
        match soiled.last_mut() {
            Some(run) if run.end == number => run.end += 1,
            _ => soiled.push(number..number + 1),
        }
    }
    zero(file, &soiled)
}

/// The name of the file of that number.
fn segment_name(number: u64) -> String {
    format!("{NAME_PREFIX}{number:08x}")
}

/// The number in a segment's name; `None` for any other file.
pub fn segment_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(NAME_PREFIX)?, 16).ok()
}

/// Overwrites pages with zeros, which are lasting then.
pub fn zero(file: &dyn MediumFile, runs: &[Range<PageNumber>]) -> io::Result<()> {
    let mut unsynced = 0;
    for run in runs {
        for start in run.clone().step_by(ZEROS_PER_SYNC as usize) {
            let some = start..run.end.min(start + ZEROS_PER_SYNC);
            unsynced += some.end - some.start;
            write_zeros(file, some)?;
            if unsynced >= ZEROS_PER_SYNC {
                file.sync_data()?;
                unsynced = 0;
            }
        }
    }
    if unsynced > 0 { file.sync_data() } else { Ok(()) }
}

/// Overwrites pages with zeros, which a sync must make lasting.
pub fn write_zeros(file: &dyn MediumFile, pages: Range<PageNumber>) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min(pages.len() * PAGE_BYTES)];
    let mut page = pages.start;
    while page < pages.end {
        let some = (pages.end - page).min((ZEROS_BYTES / PAGE_BYTES) as PageNumber);
        file.write_at(&[IoSlice::new(&zeros[..some as usize * PAGE_BYTES])], page::offset(page))?;
        page += some;
    }
    Ok(())
}

fn fresh_key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::super::block::{BlockBuilder, Group};
    use super::super::lane::Lane;
    use super::super::segment::{HeaderState, read_header, read_page};
    use super::super::sim::{Faults, SimDisk};
    use super::*;

    static EARLIER: SegmentHeader = SegmentHeader { sequence: 1, pages: 10, key: [1; 32] };
    static HEADER: SegmentHeader = SegmentHeader { sequence: 2, pages: 10, key: [2; 32] };

    fn table(header: &SegmentHeader, at: PageNumber) -> Box<Page> {
        let mut builder = BlockBuilder::new(Lane::News);
        builder.push(b"a record", false);
        builder.finish(header, at, Group { number: at.into(), index: 0, blocks: 1 })
    }

    #[test]
    fn of_a_segment_that_is_given_up_only_tables_stay_and_their_key_goes() {
        let disk = SimDisk::new(Faults::default());
        let file = disk.create("segment-00000000").expect("a fresh name");
        let write = |at: PageNumber, page: &[u8]| {
            file.write_at(&[IoSlice::new(page)], page::offset(at)).expect("a sound disk");
        };
        write_header(&*file, &HEADER).expect("a sound disk");
        let envelope = [0x77; PAGE_BYTES];
        // An envelope that looks like a table of an earlier use is one all the same.
        let pages = [(1, table(&HEADER, 1)), (2, Box::new(envelope)), (3, table(&EARLIER, 3))];
        let behind_the_end = [(5, table(&EARLIER, 5)), (6, Box::new(envelope)), (7, table(&HEADER, 6))];
        pages.iter().chain(&behind_the_end).for_each(|(at, page)| write(*at, &page[..]));
        let segment = Segment { name: "segment-00000000".to_owned(), header: HEADER.clone(), file };

        let freed = retire(&segment, 5).expect("a sound disk");

        let stays: Vec<PageNumber> =
            (1..9).filter(|at| !is_zero(&read_page(&*freed.file, *at).expect("reads"))).collect();
        assert_eq!(stays, [1, 5]);
        let (state, header) = read_header(&*freed.file, 10).expect("reads");
        assert!(state == HeaderState::Whole && header == Some(SegmentHeader::of_no_use(10)));
        assert!(!disk.contains(&HEADER.key));
    }
}
