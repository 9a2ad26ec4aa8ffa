//! The relay's envelope log out of a directory that somebody else wrote: segments of any bytes, and such whose checks
//! hold over records of any bytes.
//!
//! The store opens or says why not, reads and verifies, takes a put, and finds it again.

use std::io::IoSlice;
use std::sync::Arc;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::time::Day;
use poterne_relay::store::block::{BlockBuilder, Group};
use poterne_relay::store::lane::Lane;
use poterne_relay::store::medium::{Medium as _, MediumFile};
use poterne_relay::store::page::{self, PAGE_BYTES, PageNumber};
use poterne_relay::store::record::{Content, Owner, Record};
use poterne_relay::store::segment::SegmentHeader;
use poterne_relay::store::sim::{Faults, SimDisk};
use poterne_relay::store::sim_index::SimIndexes;
use poterne_relay::store::{Config, EmbeddedStore, open, verify};
use poterne_relay_core::change::{Arrival, Change, Locator};
use poterne_relay_core::store::{Store as _, Write};

use super::dice::Dice;

const TODAY: Day = Day(20_000);
const PAGES: PageNumber = 6;
const MAILBOX: MailboxId = MailboxId([1; 32]);
const SEGMENTS_MAX: usize = 2;
/// Bits at the front of a table of which one may be flipped: its header, and some of its first record.
const FLIPPED_BITS: usize = 800;
/// Where a table holds the high byte of how many bytes its records take.
const TABLE_USED_HIGH: usize = 37;
const SECTOR_BYTES: usize = 512;

fn config() -> Config {
    Config {
        segment_pages: PAGES,
        spares: 3,
        free_files: 1,
        reserve_bytes: 0,
        reserve_percent: 0,
        copy_pages: 4,
        ..Config::default()
    }
}

pub(super) fn log(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let disk = SimDisk::new(Faults::default());
    for number in 0..1 + dice.below(SEGMENTS_MAX) {
        write_segment(&disk, number, &mut dice);
    }
    let _ = verify(&disk, TODAY);
    let Ok(store) = open(Arc::new(disk.clone()), Box::new(SimIndexes::default()), config(), TODAY) else {
        return;
    };
    look(&store);
    if put(store) {
        let again = open(Arc::new(disk), Box::new(SimIndexes::default()), config(), TODAY);
        look(&again.expect("what was committed opens"));
    }
}

fn write_segment(disk: &SimDisk, number: usize, dice: &mut Dice) {
    let file = disk.create(&format!("segment-{number:08}")).expect("a fresh name");
    let shown = if dice.byte() % 8 == 7 { u32::from(dice.byte()) } else { PAGES };
    let header = SegmentHeader { sequence: 2 + number as u32, pages: shown, key: [9; 32] };
    let earlier = SegmentHeader { sequence: 1 + number as u32, pages: PAGES, key: [8; 32] };
    let mut group = Group { number: 0, index: 0, blocks: 1 };
    let (mut at, copies) = (1, dice.byte());
    write_page(&*file, PAGES - 1, &[0; PAGE_BYTES]);
    for page in [0, PAGES - 1].iter().filter(|page| copies % 4 != 0 || **page == 0) {
        write_page(&*file, *page, &header.encode()[..]);
    }
    while at + 1 < PAGES && !dice.is_empty() {
        if dice.one_in(4) {
            let mut raw = [dice.byte(); PAGE_BYTES];
            let own = dice.bytes(200);
            raw[..own.len()].copy_from_slice(own);
            // What it may be taken for is a short table: one flipped bit of it is looked for.
            raw[TABLE_USED_HIGH] = 0;
            write_page(&*file, at, &raw);
            at += 1;
            continue;
        }
        group.number += u64::from(dice.byte() % 3);
        let (builder, attached) = block(dice, PAGES - 2 - at);
        if dice.one_in(8) {
            write_page(&*file, at, &builder.finish(&earlier, at, group)[..]);
            at += 1;
            continue;
        }
        let mut table = builder.finish(&header, at, group);
        if dice.one_in(8) {
            let bit = dice.below(FLIPPED_BITS);
            table[bit / 8] ^= 1 << (bit % 8);
        }
        write_page(&*file, at, &table[..]);
        for (envelope, fill) in (1..).zip(&attached) {
            write_page(&*file, at + envelope, &envelope_page(*fill, dice));
        }
        at += 1 + attached.len() as PageNumber;
    }
    file.sync_data().and_then(|()| disk.sync_dir()).expect("a sound disk");
}

/// The page of an attached envelope: as its record says, with one bit flipped, or torn. Of a record of any bytes it is
/// torn: where the store takes a page for one with a flipped bit, it tries all its bits, and a run would take seconds.
fn envelope_page(fill: Option<u8>, dice: &mut Dice) -> [u8; PAGE_BYTES] {
    let mut page = [fill.unwrap_or(0xff); PAGE_BYTES];
    match (fill, dice.byte() % 4) {
        (Some(_), 0 | 1) => {}
        (Some(_), 2) => page[0] ^= 1 << (dice.byte() % 8),
        _ => page[..SECTOR_BYTES].fill(0),
    }
    page
}

/// A block of records of any bytes, of which at most `room` attach an envelope: what fills each, where it is known.
fn block(dice: &mut Dice, room: PageNumber) -> (BlockBuilder, Vec<Option<u8>>) {
    let lane = if dice.one_in(4) { Lane::Copies } else { Lane::News };
    let (mut builder, mut attached) = (BlockBuilder::new(lane), Vec::new());
    for _ in 0..dice.byte() % 6 {
        let (record, fill) = match dice.byte() % 3 {
            0 => {
                let fill = 1 + dice.byte() % 3;
                (true_record(fill), Some(fill))
            }
            _ => (dice.bytes(255).to_vec(), None),
        };
        if record.is_empty() || !builder.fits(1, BlockBuilder::cost(&record)) {
            continue;
        }
        let attaches = attached.len() < room as usize && dice.one_in(2);
        if builder.push(&record, attaches).is_some() {
            attached.push(fill);
        }
    }
    (builder, attached)
}

/// A record that arrives, with an envelope that is full of one byte.
fn true_record(fill: u8) -> Vec<u8> {
    let page = SealedEnvelope::parse(&[fill; PAGE_BYTES]).expect("4096 bytes");
    let state = poterne_relay_core::state::MailboxState::default();
    let position = state.next_position(TODAY);
    let (id, last_day, at) = (page.id(), TODAY + 4, Locator::UNPLACED);
    let change = Change::Put(Arrival { position, id, day: TODAY, last_day, at });
    Record::new(Owner(MAILBOX.0), vec![], Content::change(change)).encode()
}

fn write_page(file: &dyn MediumFile, at: PageNumber, bytes: &[u8]) {
    file.write_at(&[IoSlice::new(bytes)], page::offset(at)).expect("a sound disk");
}

/// Reads what stands in the mailbox. An envelope is the one whose id is known, or damaged.
fn look(store: &EmbeddedStore) {
    let Ok(state) = store.load(&MAILBOX) else { return };
    for (_, entry) in state.entries().iter() {
        if let Ok(envelope) = store.read(entry.at, &entry.id) {
            assert_eq!(envelope.id(), entry.id, "an envelope that nobody put");
        }
    }
}

/// Puts one more envelope, tidies up, and says whether it was committed.
fn put(mut store: EmbeddedStore) -> bool {
    if !store.has_room() {
        return false;
    }
    let envelope = SealedEnvelope::parse(&[0x77; PAGE_BYTES]).expect("4096 bytes");
    let Ok(state) = store.load(&MAILBOX) else { return false };
    let (position, id, at) = (state.next_position(TODAY), envelope.id(), Locator::UNPLACED);
    let change = Change::Put(Arrival { position, id, day: TODAY, last_day: TODAY + 1, at });
    store.stage(Write::Mailbox { id: MAILBOX, change, envelope: Some(envelope) });
    let committed = store.commit().is_ok();
    let _ = (store.tidy(), store.shared().settle(), store.shared().erase(), store.shared().retire());
    look(&store);
    committed
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let with_record = [&[0, 0, 0, 1, 1, 1, 1, 0, 0, 0][..], &[0; 8]].concat();
    let any_record = [&[0, 0, 0, 1, 1, 1, 2, 1, 60, 0, 4][..], &[1; 70], &[1, 2, 0, 0, 0, 0]].concat();
    vec![vec![0, 0, 0, 3, 0, 5, 9, 0, 1, 2, 3], with_record, any_record]
}
