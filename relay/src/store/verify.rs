//! Reads every record and every envelope of a store and says what it found (docs/spec/store.md §9). Changes nothing.
//!
//! Beside a relay that writes the store, what changes meanwhile may be told as damage: then it is run again.

use std::io;
use std::path::Path;
use std::sync::Arc;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::time::Day;
use poterne_relay_core::change::Change;

use super::disk::DiskMedium;
use super::index::MemoryIndex;
use super::medium::Medium;
use super::page::{Address, PageNumber};
use super::record::{Content, Record};
use super::recover::{self, PlacedBlock};
use super::rows::BUCKETS;
use super::segment::{is_zero, read_page};
use super::shared::{Inner, Mode};
use super::spares::Segment;

/// What was found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Segments in use.
    pub segments: u64,
    /// Records that stand.
    pub records: u64,
    /// Envelopes that wait and are whole.
    pub envelopes: u64,
    /// Envelopes that wait and are not what was put, or can't be read.
    pub rotten_envelopes: u64,
    /// Envelopes that wait no more and are not overwritten yet: some, while the relay runs.
    pub unerased: u64,
    /// Tables with one wrong bit, which a start puts right.
    pub repairable_tables: u64,
    /// Pages where blocks must have been.
    pub lost_pages: u64,
    /// Pages behind the last block of a segment up to the last that is not zero.
    pub stray_pages: u64,
    /// Segments with one spoilt header, which a start puts right.
    pub worn_headers: u64,
    /// Segments with two spoilt headers.
    pub lost_segments: u64,
    /// Segments of a build with another layout of the log, which were not read.
    pub foreign_segments: u64,
    /// Tables with something behind their records, where nothing is used.
    pub soiled_tables: u64,
    /// Records of a layout that this build does not know.
    pub unknown_records: u64,
}

impl Report {
    /// Whether everything that was acknowledged can be had.
    pub fn is_whole(&self) -> bool {
        let lost = self.rotten_envelopes + self.lost_pages + self.lost_segments;
        lost + self.foreign_segments + self.unknown_records == 0
    }

    /// Whether anything at all is not as it was written.
    pub fn is_flawless(&self) -> bool {
        self.is_whole()
            && self.repairable_tables + self.worn_headers + self.soiled_tables + self.stray_pages == 0
    }
}

/// Verifies the store in a directory; see [`verify`].
pub fn verify_directory(path: &Path, today: Day) -> io::Result<Report> {
    verify(&DiskMedium::look(path)?, today)
}

/// Reads every record and every envelope. `today` tells which envelopes have expired.
pub fn verify(medium: &dyn Medium, today: Day) -> io::Result<Report> {
    let survey = recover::look(medium)?;
    let mut inner = Inner::new(Arc::new(MemoryIndex::default()), 0, vec![0; BUCKETS], 0);
    for segment in &survey.used {
        inner.book.begin(segment.clone(), today);
    }
    let mut report = Report {
        segments: survey.used.len() as u64,
        worn_headers: survey.worn,
        lost_segments: survey.lost.len() as u64,
        foreign_segments: survey.foreign.len() as u64,
        ..Report::default()
    };
    let mut visit = |block: PlacedBlock| {
        report.soiled_tables += u64::from(!block.block.padding_is_zero());
        report.unknown_records += inner.block(&block, Mode::Rebuild);
    };
    let damage = recover::read(&survey.used, &mut visit)?;
    report.lost_pages = damage.lost_pages;
    report.stray_pages = damage.torn_pages;
    report.repairable_tables = damage.repaired_tables;
    report.records = inner.book.uses.values().map(|one| u64::from(one.pages.rows)).sum();
    let mut visit = |block: PlacedBlock| report.envelopes_of(&block, &inner, today);
    recover::read(&survey.used, &mut visit)?;
    Ok(report)
}

impl Report {
    fn envelopes_of(&mut self, block: &PlacedBlock, inner: &Inner, today: Day) {
        for (at, bytes) in block.records() {
            let Some(place) = at.envelope() else { continue };
            let Ok(record) = Record::decode(bytes, at) else { continue };
            match waits(inner, at, &record, today) {
                true if is_sound(&block.segment, place.page, &record) => self.envelopes += 1,
                true => self.rotten_envelopes += 1,
                false => self.unerased += u64::from(!is_blank(&block.segment, place.page)),
            }
        }
    }
}

fn waits(inner: &Inner, at: Address, record: &Record, today: Day) -> bool {
    inner.book.is_live(at) && record.served_until().is_some_and(|last| last >= today)
}

fn is_sound(segment: &Segment, page: PageNumber, record: &Record) -> bool {
    let Content::Change(Change::Put(arrival), _) = &record.content else { return false };
    read_page(&*segment.file, page).is_ok_and(|page| SealedEnvelope::from(page).id() == arrival.id)
}

fn is_blank(segment: &Segment, page: PageNumber) -> bool {
    read_page(&*segment.file, page).is_ok_and(|page| is_zero(&page))
}
