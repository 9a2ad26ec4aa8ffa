//! The power goes at any write while a file is on its way: after a restart it arrives whole and once, and no chunk was
//! ever sealed into two different envelopes.

use std::collections::{BTreeMap, BTreeSet};

use poterne_client_core::files::{FileState, Letter};
use poterne_client_core::requester::Requester;
use poterne_client_core::transcript::SentState;
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::op::Request;
use poterne_tests::table::{Seat, Table};

use crate::attachments::file;
use crate::people::{Asker, Desk, conversation, load_desk, messages, states};

/// Between two places at which the power goes.
const STRIDE: usize = 7;
/// Looks that a person takes before something is wrong.
const LOOKS: usize = 12;
const BYTES: u32 = 90_000;

/// Who is cut off.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Side {
    Receiver,
    Sender,
}

/// She sends a file, with a cut on one side. Whether the cut came before the end.
fn story(seed: u64, side: Side, writes: u64, tears: bool) -> bool {
    let mut table = Table::new(seed, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    let plan = |disk: &mut poterne_client_core::vault::memory::MemoryDisk| {
        if tears { disk.tear_after(writes) } else { disk.fail_after(writes) }
    };
    match side {
        Side::Sender => {
            let mut disk = asker.vault.into_disk();
            plan(&mut disk);
            asker = Seat::of_disk(disk, &table, Requester::load);
        }
        Side::Receiver => {
            let mut disk = desk.vault.into_disk();
            plan(&mut disk);
            desk = Seat::of_disk(disk, &table, load_desk);
        }
    }
    table.asked.clear();
    let (sent, mut was_cut) = (file(BYTES), false);
    for _ in 0..LOOKS {
        if asker.machine.files(id).is_empty() {
            let letter = Letter { text: "with a file", file: Some(&sent) };
            asker.machine.say(id, letter, table.now, &mut table.rng).unwrap();
        }
        if asker.try_refresh(&mut table).is_err() {
            was_cut = true;
            asker = after_the_cut_of_hers(&mut table, asker);
        }
        if desk.try_refresh(&mut table).is_err() {
            was_cut = true;
            desk = after_the_cut_of_his(&mut table, desk);
        }
        table.wait(60);
    }
    assert_eq!(states(&asker, id)[1..], [SentState::Stored; 2]);
    let expected = ["requester: with a file".to_owned(), format!("requester: a file of {BYTES} bytes")];
    assert_eq!(messages(&desk, case)[2..], expected);
    let views = desk.machine.files(case);
    assert_eq!((views.len(), views[0].state), (1, FileState::Complete));
    let kept = desk.machine.file_content(case, views[0].file, desk.records()).unwrap();
    assert_eq!(kept.as_slice(), sent.content().as_slice());
    assert_each_chunk_is_one_envelope(&table);
    was_cut
}

/// A mailbox of 32 chunks held 32 different envelopes, however often they were put; the one with texts held two.
fn assert_each_chunk_is_one_envelope(table: &Table) {
    let mut put: BTreeMap<[u8; 32], BTreeSet<EnvelopeId>> = BTreeMap::new();
    for (_, request) in &table.asked {
        if let Request::Put(one) = request {
            put.entry(*one.to.write.expose()).or_default().insert(one.envelope.id());
        }
    }
    let mut counts: Vec<usize> = put.values().map(BTreeSet::len).filter(|count| *count > 1).collect();
    counts.sort_unstable();
    assert_eq!(counts.last(), Some(&32), "{counts:?}");
}

fn after_the_cut_of_hers(table: &mut Table, asker: Asker) -> Asker {
    let mut disk = asker.vault.into_disk();
    disk.crash_randomly(&mut table.rng);
    Seat::of_disk(disk, table, Requester::load)
}

fn after_the_cut_of_his(table: &mut Table, desk: Desk) -> Desk {
    let mut disk = desk.vault.into_disk();
    disk.crash_randomly(&mut table.rng);
    Seat::of_disk(disk, table, load_desk)
}

fn stories(first_seed: u64, side: Side) {
    for (round, writes) in (0..).step_by(STRIDE).enumerate() {
        if !story(first_seed + round as u64, side, writes as u64, round % 2 == 1) {
            assert!(round > 5, "the cut was never met");
            return;
        }
    }
}

#[test]
fn a_file_is_sent_through_a_cut_at_any_write() {
    stories(750, Side::Sender);
}

#[test]
fn a_file_is_fetched_through_a_cut_at_any_write() {
    stories(800, Side::Receiver);
}
