//! The work behind the commits: preparing segments, erasing, bringing the index up, ending uses
//! (docs/spec/store.md §8).
//!
//! Each step can be called by hand, as tests with a simulated disk do, or by the thread of [`Keeper::spawn`]. Nothing
//! here appends to the log.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::index::{Index, IndexError};
use super::overlay::Overlay;
use super::page::{PAGE_BYTES, PageNumber};
use super::renewal::is_whole;
use super::rows::{BUCKETS, Row};
use super::shared::Shared;
use super::spares::{RESERVED_SPARES, Segment, retire, zero};

/// Rows brought into the index in one batch: more would take memory without being quicker.
pub(super) const INDEX_BATCH_ROWS: usize = 250;
/// Buckets of rows that are told of at once, some ten microseconds of work each; a part of all of them.
const MIRROR_STEP_BUCKETS: usize = 64;
/// Buckets that are summed up before the thread looks for other work, each some ten microseconds while commits wait.
const CHECK_STEP_BUCKETS: usize = 64;
/// How long a put waits for a segment that is being prepared: some times what writing 64 MiB takes.
const SPARE_WAIT: Duration = Duration::from_secs(2);
/// How often the thread looks for work when nobody wakes it.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the index could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The disk failed.
    #[error("the disk failed: {0}")]
    Disk(#[from] io::Error),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl Shared {
    /// Whether the disk has room for another segment, beside what puts leave alone where it is for them.
    pub(super) fn may_grow(&self, for_puts: bool) -> bool {
        let Ok(space) = self.medium.space() else { return false };
        let percent = space.total / 100 * u64::from(self.config.reserve_percent);
        let reserve = if for_puts { self.config.reserve_bytes.max(percent) } else { 0 };
        let segment = u64::from(self.config.segment_pages) * PAGE_BYTES as u64;
        space.available >= reserve + segment
    }

    /// Passes a result on. Any failure but of a full disk is the end of writing: nobody knows what else is lost.
    fn heeded<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::StorageFull) {
            self.has_failed.store(true, Ordering::Release);
        }
        result
    }

    /// Sees to it that a put finds a spare segment, if that can be had soon. Says whether it can.
    pub fn await_spare(&self) -> bool {
        if self.spares.free() == 0 && !self.may_grow(true) {
            return self.spares.ready() > RESERVED_SPARES;
        }
        if self.is_kept.load(Ordering::Acquire) {
            return self.spares.wait(SPARE_WAIT);
        }
        while self.spares.ready() <= RESERVED_SPARES {
            if !self.prepare().unwrap_or(false) {
                return false;
            }
        }
        true
    }

    /// Makes one more spare segment where one is wanted. Says whether it did.
    pub fn prepare(&self) -> io::Result<bool> {
        let ready = self.spares.ready();
        let may = self.spares.free() > 0 || self.may_grow(ready >= RESERVED_SPARES);
        if ready >= self.config.spares || !may {
            return Ok(false);
        }
        self.heeded(self.spares.prepare()).map(|()| true)
    }

    /// Gives files in no use back to the disk where there are too many, or where the disk is short of room.
    pub fn give_back(&self) -> io::Result<bool> {
        let kept = if self.may_grow(true) { self.config.free_files } else { 0 };
        let wanted = self.spares.ready() < self.config.spares;
        if wanted || self.spares.free() <= kept { Ok(false) } else { self.spares.discard_one() }
    }

    /// Overwrites all envelopes that wait no more. Says how many.
    pub fn erase(&self) -> io::Result<u64> {
        let mut erased = 0;
        for sequence in self.due_for_erasure() {
            let _alone = self.overwriting.lock().unwrap_or_else(PoisonError::into_inner);
            // Looked at when its turn comes: its use may have ended meanwhile, and the file be overwritten as a whole.
            let Some((segment, runs)) = self.to_erase(sequence) else { continue };
            self.heeded(zero(&*segment.file, &runs))?;
            erased += runs.iter().map(|run| u64::from(run.end - run.start)).sum::<u64>();
            let mut inner = self.inner();
            if let Some(pages) = inner.book.pages(sequence) {
                pages.cleaned(runs.into_iter().flatten());
                inner.overwritten = true;
            }
        }
        Ok(erased)
    }

    fn due_for_erasure(&self) -> Vec<u32> {
        let inner = self.inner();
        let due = inner.book.uses.iter().filter(|(_, one)| one.pages.soiled.count() > one.pages.live.count());
        due.map(|(sequence, _)| *sequence).collect()
    }

    /// A segment, and its pages that are soiled and not live.
    fn to_erase(&self, sequence: u32) -> Option<(Arc<Segment>, Vec<Range<PageNumber>>)> {
        let inner = self.inner();
        let one = inner.book.uses.get(&sequence)?;
        Some((one.segment.clone(), one.pages.soiled.runs_without(&one.pages.live)))
    }

    /// Brings the index up to the end of the log and writes a checkpoint. Says whether there was anything to do.
    pub fn settle(&self) -> Result<bool, SettleError> {
        let Some(mut cut) = self.cut() else { return Ok(false) };
        let renewed = cut.renewal.and_then(|number| Some((self.renewed(&*cut.index, number)?, number)));
        if let Some((index, number)) = renewed {
            cut.index = index;
            cut.checkpoint.index = number;
        }
        let brought = self.bring(&cut);
        if brought.is_ok() {
            self.tell_of(&cut);
        }
        let mut inner = self.inner();
        if inner.index_number != cut.number {
            // The index was built anew meanwhile.
            return Ok(true);
        }
        match brought {
            Ok(()) => {
                inner.rows.thawed();
                inner.checkpointed = cut.checkpoint.group;
                if cut.is_renewed() {
                    let old = inner.go_on_with(cut.index, cut.checkpoint.index);
                    drop(inner);
                    drop(old);
                    self.remove_index(cut.number);
                }
                Ok(true)
            }
            Err(error) => {
                inner.rows.refrozen();
                inner.overwritten = true;
                inner.index_is_broken |= matches!(error, SettleError::Index(_));
                Err(error)
            }
        }
    }

    fn cut(&self) -> Option<Cut> {
        let mut inner = self.inner();
        if inner.rows.is_frozen() {
            return None;
        }
        let renewal = self.index_is_too_large(&inner).then(|| inner.number_of_new_index());
        let rows = inner.rows.waiting();
        if rows == 0 && inner.checkpointed == inner.group && !inner.overwritten && renewal.is_none() {
            return None;
        }
        inner.overwritten = false;
        inner.index_is_compact &= rows == 0;
        let frozen = inner.rows.freeze();
        let (index, number) = (inner.rows.index(), inner.index_number);
        let checkpoint = Self::checkpoint(&inner, frozen.digests);
        Some(Cut { index, number, renewal, checkpoint, overlay: frozen.overlay })
    }

    fn bring(&self, cut: &Cut) -> Result<(), SettleError> {
        let mut changes = cut.overlay.iter();
        loop {
            let batch: Vec<(Row, bool)> = changes.by_ref().take(INDEX_BATCH_ROWS).collect();
            if batch.is_empty() {
                break;
            }
            cut.index.apply(&batch)?;
        }
        cut.index.sync()?;
        if cut.is_renewed() && !is_whole(&*cut.index, &cut.checkpoint.digests)? {
            return Err(IndexError::Incomplete.into());
        }
        if cut.index.is_lasting() {
            cut.checkpoint.save(&*self.medium)?;
        }
        Ok(())
    }

    /// Tells the rows what the index holds now, in short steps: commits wait meanwhile.
    fn tell_of(&self, cut: &Cut) {
        for first in (0..BUCKETS).step_by(MIRROR_STEP_BUCKETS) {
            let mut inner = self.inner();
            if inner.index_number == cut.number {
                inner.rows.brought(&cut.overlay, first..first + MIRROR_STEP_BUCKETS);
            }
        }
    }

    /// Ends the use of one segment that holds nothing any more and that no replay will need. Says whether there was one.
    pub fn retire(&self) -> io::Result<bool> {
        let _alone = self.overwriting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((segment, end)) = self.next_to_retire() else { return Ok(false) };
        let file = self.heeded(retire(&segment, end))?;
        let mut inner = self.inner();
        inner.retiring.pop_front();
        inner.book.end(segment.header.sequence);
        drop(inner);
        self.spares.give_back(file);
        Ok(true)
    }

    fn next_to_retire(&self) -> Option<(Arc<Segment>, PageNumber)> {
        let mut inner = self.inner();
        let (sequence, since) = *inner.retiring.front()?;
        if inner.checkpointed < since {
            return None;
        }
        let Some(one) = inner.book.uses.get(&sequence) else {
            inner.retiring.pop_front();
            return None;
        };
        Some((one.segment.clone(), one.pages.end))
    }

    /// Sums up some buckets of the index that nobody has asked for yet. Says whether there may be more.
    fn check_ahead(&self) -> bool {
        for _ in 0..CHECK_STEP_BUCKETS {
            let mut inner = self.inner();
            match inner.rows.check_next() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    inner.index_is_broken = true;
                    return false;
                }
            }
        }
        true
    }
}

/// Rows on their way to the index.
struct Cut {
    /// The index that they go to.
    index: Arc<dyn Index>,
    /// The number of the index that was in use at the cut.
    number: u64,
    /// The number of one that is to take its place, because it is too large.
    renewal: Option<u64>,
    checkpoint: Checkpoint,
    overlay: Arc<Overlay>,
}

impl Cut {
    /// Whether the rows go to an index that was written anew.
    fn is_renewed(&self) -> bool {
        self.checkpoint.index != self.number
    }
}

/// The thread that does the work behind the commits. Dropping it ends the thread after the step it is at.
pub struct Keeper {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Stop {
    /// Waits a while; says whether to go on.
    fn pause(&self) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.stopped.load(Ordering::Acquire) {
            let _ = self.bell.wait_timeout(guard, PAUSE);
        }
        !self.stopped.load(Ordering::Acquire)
    }
}

impl Keeper {
    /// Starts the threads: one for segments and erasure, one for the index, which may take long.
    pub fn spawn(shared: &Arc<Shared>) -> io::Result<Self> {
        let mut keeper = Self { stop: Arc::new(Stop::default()), threads: Vec::new() };
        shared.is_kept.store(true, Ordering::Release);
        keeper.start("store-segments", shared, keep_segments)?;
        keeper.start("store-index", shared, keep_index)?;
        Ok(keeper)
    }

    fn start(&mut self, name: &str, shared: &Arc<Shared>, step: Step) -> io::Result<()> {
        let (shared, stop) = (shared.clone(), self.stop.clone());
        let thread = std::thread::Builder::new().name(name.to_owned());
        self.threads.push(thread.spawn(move || keep(&shared, &stop, step))?);
        Ok(())
    }
}

/// Does one round; says whether there may be more to do at once.
type Step = fn(&Shared, &mut Instant) -> bool;

fn keep(shared: &Shared, stop: &Stop, step: Step) {
    let mut last = Instant::now();
    loop {
        let go_on = step(shared, &mut last) && !stop.stopped.load(Ordering::Acquire);
        if !go_on && !stop.pause() {
            return;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.stopped.store(true, Ordering::Release);
        self.stop.bell.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One round over the segments; says whether there may be more to do at once.
fn keep_segments(shared: &Shared, last_erasure: &mut Instant) -> bool {
    let prepared = shared.prepare().unwrap_or_else(|error| {
        tracing::warn!(%error, "no segment could be prepared");
        false
    });
    if last_erasure.elapsed() >= shared.config.erase_after {
        *last_erasure = Instant::now();
        match shared.erase() {
            Ok(0) => {}
            Ok(pages) => tracing::debug!(pages, "erased"),
            Err(error) => tracing::error!(%error, "deleted envelopes could not be overwritten"),
        }
    }
    let ended = shared.retire().unwrap_or_else(|error| {
        tracing::error!(%error, "a segment could not be ended");
        false
    });
    let given_back = shared.give_back().unwrap_or(false);
    prepared || ended || given_back
}

/// One round over the index; says whether there may be more to do at once.
fn keep_index(shared: &Shared, last: &mut Instant) -> bool {
    let (waiting, retiring, broken) = {
        let inner = shared.inner();
        (inner.rows.waiting(), !inner.retiring.is_empty(), inner.index_is_broken)
    };
    let due = last.elapsed() >= shared.config.index_after;
    if broken {
        return false;
    }
    if !(waiting >= shared.config.index_rows || retiring || due) {
        return shared.check_ahead();
    }
    *last = Instant::now();
    match shared.settle() {
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the index could not be brought up"),
    }
    false
}
