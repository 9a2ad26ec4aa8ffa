//! The end of the envelope log: records are staged to pages of the active segment and reach the disk in groups, with
//! one write and one fdatasync (docs/spec/store.md §4). While a group is on its way, the next one can be staged, and wait
//! to follow it.
//!
//! Invariant: what [`Log::commit`] said yes to is not lost by a power cut. After a write or sync has failed the log
//! takes nothing more, because nobody knows what the disk holds.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_relay_core::store::Bell;

use super::lane::{Lane, Lanes};
use super::page::{Address, PageNumber, Place};
use super::plan::Plan;
use super::spares::{Purpose, RESERVED_SPARES, Segment, Spares};
use super::writer::Writer;

/// Pages that one step of copying takes at most, about.
const STEP_PAGES: PageNumber = 256;

/// Why a group was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Writing or syncing failed: whether the group is on the disk is unknown, and the log takes nothing more.
    #[error("writing the log failed: {0}")]
    Failed(#[from] io::Error),
    /// A record of the group found no segment to go to. Nothing was written.
    #[error("no segment is left to write to")]
    NoSpace,
    /// An earlier write failed.
    #[error("the log is read-only since a write failed")]
    ReadOnly,
}

/// The writing end of the log.
pub struct Log {
    spares: Arc<Spares>,
    active: Lanes<Option<Active>>,
    group: u64,
    failed: bool,
    plan: Plan,
    writer: Writer,
    /// The groups that the writer has, in order.
    under_way: VecDeque<Committed>,
}

/// The segment that a lane is written to, and its next free page.
#[derive(Clone)]
pub struct Active {
    /// The segment.
    pub segment: Arc<Segment>,
    /// The page where the next block goes.
    pub next: PageNumber,
}

impl Active {
    /// Where the next block goes.
    pub fn place(&self) -> Place {
        Place { sequence: self.segment.header.sequence, page: self.next }
    }

    /// Pages that are left.
    pub fn room(&self) -> PageNumber {
        self.segment.header.end_page() - self.next
    }
}

/// A group that is on the disk.
pub struct Committed {
    /// Its number.
    pub group: u64,
    /// Segments that it began, in order.
    pub begun: Vec<Arc<Segment>>,
    /// Where the next block of each lane goes.
    pub ends: Lanes<Option<Place>>,
}

impl Log {
    /// A log that goes on at `active` with groups above `last_group`.
    pub fn new(active: Lanes<Option<Active>>, spares: Arc<Spares>, last_group: u64) -> Self {
        let plan = Plan::new(Lane::News, active[Lane::News].clone());
        let writer = Writer::default();
        Self { spares, active, group: last_group, failed: false, plan, writer, under_way: VecDeque::new() }
    }

    /// Whether an earlier write failed.
    pub fn is_read_only(&self) -> bool {
        self.failed
    }

    /// The segment that a lane is written to.
    pub fn active(&self, lane: Lane) -> Option<u32> {
        self.active[lane].as_ref().map(|active| active.segment.header.sequence)
    }

    /// Writes no more to the segment of a lane; its next group begins another. Nothing may be staged.
    pub fn close_segment(&mut self, lane: Lane) {
        self.active[lane] = None;
        self.turn_to(Lane::News);
    }

    /// The next group goes to that lane, those behind it are news again. Nothing may be staged.
    pub fn turn_to(&mut self, lane: Lane) {
        assert!(self.plan.is_empty(), "a group goes to one lane");
        self.plan = Plan::new(lane, self.active[lane].clone());
    }

    /// Takes no more: something else that the log relies on has failed.
    pub fn set_read_only(&mut self) {
        self.failed = true;
    }

    /// Whether one more record with an envelope can be staged. While the reserve is not whole, the rest of the active
    /// segment is part of it.
    pub fn has_room(&self) -> bool {
        let fits = |active: &Active| active.room() >= 2;
        let needed = RESERVED_SPARES + usize::from(!self.plan.active.as_ref().is_some_and(fits));
        self.spares.ready() >= needed
    }

    /// Pages that are left in the segment of a lane.
    pub fn room(&self, lane: Lane) -> PageNumber {
        self.active[lane].as_ref().map_or(0, Active::room)
    }

    /// The lane that the next step of copying goes to: where there is no room for it, among news, as long as these have
    /// some. Else a full disk could stay full.
    pub fn lane_of_copies(&self) -> Lane {
        if self.room(Lane::Copies) >= STEP_PAGES || self.spares.ready() > 0 {
            Lane::Copies
        } else {
            Lane::News
        }
    }

    /// Stages a record of 1 to [`RECORD_BYTES_MAX`](super::block::RECORD_BYTES_MAX) bytes for the next commit. Where
    /// there is no room, that commit will fail.
    pub fn stage(
        &mut self,
        record: &[u8],
        envelope: Option<SealedEnvelope>,
        purpose: Purpose,
    ) -> Result<Address, AppendError> {
        if self.failed {
            return Err(AppendError::ReadOnly);
        }
        let staged = self.plan.add(record, envelope, purpose, &self.spares);
        self.plan.overflowed |= staged.is_none();
        staged.ok_or(AppendError::NoSpace)
    }

    /// Writes what is staged; when this returns well, it is lasting.
    pub fn commit(&mut self) -> Result<Committed, AppendError> {
        let (plan, committed) = self.take_plan()?;
        let written = plan.write(committed.group);
        self.failed |= written.is_err();
        written?;
        Ok(committed)
    }

    /// Begins to write what is staged, on another thread, as soon as what was begun before is written; what is staged from
    /// now on belongs to the next group. Where this is an error, nothing was written and `ended` is not called.
    pub fn begin(&mut self, ended: Bell) -> Result<(), AppendError> {
        let (plan, committed) = self.take_plan()?;
        let handed_over = self.writer.write(plan, committed.group, ended);
        self.failed |= handed_over.is_err();
        handed_over?;
        self.under_way.push_back(committed);
        Ok(())
    }

    /// Takes back what was begun behind what is under way, if it is not being written yet and nothing is staged behind it:
    /// more can be staged to it then. Says whether it did.
    pub fn take_back(&mut self) -> bool {
        if self.under_way.len() < 2 || !self.plan.is_empty() {
            return false;
        }
        let Some(plan) = self.writer.take_back() else { return false };
        self.under_way.pop_back();
        self.group -= 1;
        self.active[plan.lane] = plan.begins_at.clone();
        self.plan = plan;
        true
    }

    /// Waits for the first of what was begun; `None` where nothing was.
    pub fn end(&mut self) -> Option<Result<Committed, AppendError>> {
        let committed = self.under_way.pop_front()?;
        let written = self.writer.outcome();
        self.failed |= written.is_err();
        Some(written.map(|()| committed).map_err(AppendError::Failed))
    }

    /// What is staged, and what it will have been when it is on the disk.
    fn take_plan(&mut self) -> Result<(Plan, Committed), AppendError> {
        let next = Plan::new(Lane::News, self.active[Lane::News].clone());
        let plan = std::mem::replace(&mut self.plan, next);
        if self.failed {
            return Err(AppendError::ReadOnly);
        }
        if plan.overflowed {
            plan.give_back(&self.spares);
            return Err(AppendError::NoSpace);
        }
        self.group += 1;
        // Where the write fails, nothing is written any more, here or elsewhere.
        self.active[plan.lane] = plan.active.clone();
        self.plan = Plan::new(Lane::News, self.active[Lane::News].clone());
        let ends = self.active.map(|active| active.as_ref().map(Active::place));
        let committed = Committed { group: self.group, begun: plan.begun.clone(), ends };
        Ok((plan, committed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::block::Group;
    use crate::store::medium::Medium;
    use crate::store::recover::{self, PlacedBlock, Start};
    use crate::store::scan::{Found, Scan};
    use crate::store::sim::{Faults, SimDisk};

    const PAGES: PageNumber = 10;

    fn log(disk: &SimDisk, spares: usize) -> Log {
        let medium: Arc<dyn Medium> = Arc::new(disk.clone());
        let pool = Spares::new(medium, PAGES, Default::default(), Vec::new(), 0).expect("lists");
        for _ in 0..spares {
            pool.prepare().expect("prepares");
        }
        Log::new(Lanes::default(), Arc::new(pool), 0)
    }

    fn envelope(byte: u8) -> SealedEnvelope {
        SealedEnvelope::parse(&[byte; 4096]).expect("4096 bytes")
    }

    fn records(segment: &Segment) -> Vec<Vec<u8>> {
        let mut scan = Scan::new(&*segment.file, &segment.header, 1, Group::default());
        let mut records = Vec::new();
        while let Some(found) = scan.advance().expect("reads") {
            let Found::Block { block, .. } = found else { panic!("no gap is expected") };
            records.extend(block.records().map(|(record, _)| record.to_vec()));
        }
        records
    }

    #[test]
    fn a_group_costs_one_sync_and_is_found_again() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let before = disk.syncs();
        log.stage(b"a", Some(envelope(1)), Purpose::Put).expect("stages");
        log.stage(b"b", None, Purpose::Other).expect("stages");
        let committed = log.commit().expect("commits");
        assert_eq!(disk.syncs() - before, 1);
        assert_eq!(records(&committed.begun[0]), [b"a", b"b"]);
    }

    #[test]
    fn a_group_may_go_on_in_the_next_segment() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 4);
        let addresses: Vec<Address> = (0..10)
            .map(|byte| log.stage(&[byte], Some(envelope(byte)), Purpose::Put).expect("stages"))
            .collect();
        let committed = log.commit().expect("commits");
        assert_eq!(committed.begun.len(), 2);
        assert_eq!(
            addresses.iter().map(|at| at.sequence()).collect::<Vec<_>>(),
            [1, 1, 1, 1, 1, 1, 1, 2, 2, 2]
        );
        assert_eq!(committed.ends[Lane::News], Some(Place { sequence: 2, page: 5 }));
    }

    /// A group of one record.
    fn write(log: &mut Log, lane: Lane, byte: u8, envelope: Option<SealedEnvelope>) -> Committed {
        log.turn_to(lane);
        log.stage(&[byte], envelope, Purpose::Copy).expect("stages");
        log.commit().expect("commits")
    }

    #[test]
    fn a_lane_is_written_to_segments_of_its_own() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 4);
        let mut write = |lane, byte| write(&mut log, lane, byte, Some(envelope(byte)));
        let (news, copies) = (write(Lane::News, 1), write(Lane::Copies, 2));
        let more = write(Lane::News, 3);
        assert_eq!((news.begun.len(), copies.begun.len(), more.begun.len()), (1, 1, 0));
        assert_eq!(records(&news.begun[0]), [[1], [3]]);
        assert_eq!(records(&copies.begun[0]), [[2]]);
        let at = |sequence, page| Some(Place { sequence, page });
        assert_eq!((more.ends[Lane::News], more.ends[Lane::Copies]), (at(1, 5), at(2, 3)));
    }

    /// What a replay from `start` sees, and where each lane goes on.
    fn replayed(disk: &SimDisk, start: Start, last_is_sound: bool) -> (Vec<Vec<u8>>, Lanes<Option<Place>>) {
        let survey = recover::survey(disk).expect("a sound disk");
        let mut seen = Vec::new();
        let mut visit = |block: PlacedBlock| seen.extend(block.records().map(|(_, record)| record.to_vec()));
        let is_sound = &mut |_: &PlacedBlock| Ok(last_is_sound);
        let replayed = recover::replay(&survey.used, start, &mut visit, is_sound).expect("a sound disk");
        (seen, replayed.active.map(|active| active.as_ref().map(Active::place)))
    }

    #[test]
    fn groups_are_found_in_their_order_whichever_lane_they_lie_in() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 4);
        let mut write = |lane, byte| write(&mut log, lane, byte, None);
        write(Lane::Copies, 1);
        write(Lane::News, 2);
        let second = write(Lane::Copies, 3);
        let third = write(Lane::News, 4);
        let fourth = write(Lane::Copies, 5);
        assert_eq!(
            replayed(&disk, Start::default(), true),
            (vec![vec![1], vec![2], vec![3], vec![4], vec![5]], fourth.ends)
        );
        let start = Start { ends: second.ends, group: second.group };
        assert_eq!(replayed(&disk, start, true), (vec![vec![4], vec![5]], fourth.ends));
        // A last group that does not count is undone in its own lane.
        assert_eq!(replayed(&disk, start, false), (vec![vec![4]], third.ends));
        assert_eq!(replayed(&disk, start, true), (vec![vec![4]], third.ends));
    }

    #[test]
    fn copies_go_among_news_where_no_segment_is_left_for_them() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 1);
        assert_eq!(log.lane_of_copies(), Lane::Copies);
        log.stage(b"the last segment", None, Purpose::Copy).expect("stages");
        log.commit().expect("commits");
        assert_eq!(log.lane_of_copies(), Lane::News);
    }

    #[test]
    fn puts_leave_the_last_spares_to_deletes() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 2);
        assert!(matches!(log.stage(b"put", Some(envelope(1)), Purpose::Put), Err(AppendError::NoSpace)));
        assert!(matches!(log.commit(), Err(AppendError::NoSpace)));
        log.stage(b"delete", None, Purpose::Other).expect("stages");
        log.commit().expect("commits");
    }

    #[test]
    fn a_group_that_found_no_room_leaves_the_log_as_it_was() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let written = disk.bytes_written();
        while log.stage(b"put", Some(envelope(1)), Purpose::Put).is_ok() {}
        assert!(matches!(log.commit(), Err(AppendError::NoSpace)));
        assert_eq!(disk.bytes_written(), written);
        log.stage(b"put", Some(envelope(1)), Purpose::Put).expect("stages");
        log.commit().expect("commits");
    }

    /// A bell, and where it is heard.
    fn bell() -> (Bell, std::sync::mpsc::Receiver<()>) {
        let (bell, rung) = std::sync::mpsc::channel();
        (Box::new(move || bell.send(()).expect("we listen")), rung)
    }

    #[test]
    fn while_a_group_is_on_its_way_the_next_one_is_staged() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let (ring, rung) = bell();
        log.stage(b"a", Some(envelope(1)), Purpose::Put).expect("stages");
        log.begin(ring).expect("begins");
        log.stage(b"b", None, Purpose::Other).expect("stages");
        rung.recv().expect("the group comes to its end");
        let first = log.end().expect("one is under way").expect("is written");
        let second = log.commit().expect("commits");
        assert_eq!((first.group, second.group), (1, 2));
        assert_eq!(records(&first.begun[0]), [b"a", b"b"]);
        assert!(log.end().is_none());
    }

    #[test]
    fn what_was_staged_behind_a_group_that_failed_fails_too() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        disk.set_faults(Faults { failed_sync_at: Some(disk.syncs()), ..Faults::default() });
        log.stage(b"a", None, Purpose::Other).expect("stages");
        log.begin(Box::new(|| ())).expect("begins");
        log.stage(b"b", None, Purpose::Other).expect("stages");
        assert!(matches!(log.end(), Some(Err(AppendError::Failed(_)))));
        assert!(matches!(log.commit(), Err(AppendError::ReadOnly)));
    }

    #[test]
    fn a_group_that_waits_follows_by_itself() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        let rung: Vec<_> = [b"a", b"b"]
            .map(|record| {
                let (ring, rung) = bell();
                log.stage(record, None, Purpose::Other).expect("stages");
                log.begin(ring).expect("begins");
                rung
            })
            .into();
        rung.iter().for_each(|rung| rung.recv().expect("both come to their end"));
        let [first, second] = [(); 2].map(|()| log.end().expect("two are under way").expect("is written"));
        assert_eq!((first.group, second.group), (1, 2));
        assert_eq!(records(&first.begun[0]), [b"a", b"b"]);
        assert!(!log.take_back());
    }

    #[test]
    fn a_group_that_waits_can_be_taken_back() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 4);
        let held = disk.hold();
        let ((ring, rung), (unheard, nothing)) = (bell(), bell());
        log.stage(b"a", Some(envelope(1)), Purpose::Put).expect("stages");
        log.begin(ring).expect("begins");
        for byte in 0..10 {
            log.stage(&[byte], Some(envelope(byte)), Purpose::Put).expect("stages");
        }
        log.begin(unheard).expect("begins");
        assert!(log.take_back());
        assert!(nothing.recv().is_err(), "its bell is gone");
        log.stage(b"more", None, Purpose::Other).expect("stages");
        drop(held);
        rung.recv().expect("the first comes to its end");
        let first = log.end().expect("one is under way").expect("is written");
        let second = log.commit().expect("commits");
        assert_eq!((first.group, second.group), (1, 2));
        let written: Vec<_> = [&first, &second].iter().flat_map(|one| &one.begun).collect();
        assert_eq!(written.iter().map(|segment| records(segment).len()).sum::<usize>(), 12);
        assert!(log.end().is_none());
    }

    #[test]
    fn a_group_that_was_taken_back_and_found_no_room_leaves_the_log_as_it_was() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 5);
        let held = disk.hold();
        log.stage(b"a", Some(envelope(1)), Purpose::Put).expect("stages");
        log.begin(Box::new(|| ())).expect("begins");
        while log.plan.begun.is_empty() {
            log.stage(b"b", Some(envelope(2)), Purpose::Put).expect("stages");
            log.begin(Box::new(|| ())).expect("begins");
            assert!(log.take_back());
        }
        while log.stage(b"c", Some(envelope(3)), Purpose::Put).is_ok() {}
        drop(held);
        let first = log.end().expect("one is under way").expect("is written");
        assert!(matches!(log.commit(), Err(AppendError::NoSpace)));
        log.stage(b"d", None, Purpose::Other).expect("stages");
        let second = log.commit().expect("commits");
        assert_eq!((second.group, second.begun.len()), (2, 0));
        assert_eq!(records(&first.begun[0]), [b"a", b"d"]);
    }

    #[test]
    fn what_waits_behind_a_group_that_failed_is_not_written() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        disk.set_faults(Faults { failed_sync_at: Some(disk.syncs()), ..Faults::default() });
        for record in [b"a", b"b"] {
            log.stage(record, None, Purpose::Other).expect("stages");
            log.begin(Box::new(|| ())).expect("begins");
        }
        assert!(matches!(log.end(), Some(Err(AppendError::Failed(_)))));
        assert!(matches!(log.end(), Some(Err(AppendError::Failed(_)))));
        let survey = recover::survey(&disk).expect("a sound disk");
        let all: Vec<_> = survey.used.iter().flat_map(|segment| records(segment)).collect();
        assert!(!all.contains(&b"b".to_vec()));
    }

    #[test]
    fn after_a_failed_sync_nothing_is_taken() {
        let disk = SimDisk::new(Faults::default());
        let mut log = log(&disk, 3);
        disk.set_faults(Faults { failed_sync_at: Some(disk.syncs()), ..Faults::default() });
        log.stage(b"a", None, Purpose::Other).expect("stages");
        assert!(matches!(log.commit(), Err(AppendError::Failed(_))));
        assert!(matches!(log.stage(b"b", None, Purpose::Other), Err(AppendError::ReadOnly)));
        assert!(matches!(log.commit(), Err(AppendError::ReadOnly)));
    }
}
