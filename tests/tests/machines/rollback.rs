//! Homes that are copied back to an older state: nothing is sent under a used key, and it is noticed.

use std::collections::BTreeMap;

use poterne_client_core::device::{DeviceError, Stage};
use poterne_client_core::requester::{Requester, SayError, Standing, Stop, Warning};
use poterne_client_core::transcript::SentState;
use poterne_client_core::vault::memory::MemoryDisk;
use poterne_protocol::op::{Payment, Put, Request};
use poterne_tests::table::{Seat, Table};

use crate::people::{
    Asker, Desk, ask, claim, conversation, desk, load_desk, messages, queue, reply, say, states, try_reply,
    warnings,
};
use poterne_client_core::records::LocalId;

fn standing(asker: &Asker, id: LocalId) -> Standing {
    asker.machine.conversations().iter().find(|one| one.id == id).unwrap().standing
}

fn old_asker(table: &Table, disk: MemoryDisk) -> Asker {
    Seat::of_disk(disk, table, Requester::load)
}

fn old_desk(table: &Table, disk: MemoryDisk) -> Desk {
    Seat::of_disk(disk, table, load_desk)
}

/// No two envelopes that were ever put begin with the same nonce, or the same encapsulation.
fn assert_no_nonce_was_used_twice(table: &Table) {
    let mut seen = BTreeMap::new();
    for (_, request) in &table.asked {
        let Request::Put(Put { envelope, payment, .. }) = request else { continue };
        if matches!(payment, Payment::Steward(_)) {
            continue;
        }
        let nonce = envelope.as_bytes()[..24].to_vec();
        let known = seen.entry(nonce).or_insert_with(|| envelope.id());
        assert_eq!(*known, envelope.id(), "two envelopes under one nonce");
    }
}

#[test]
fn an_old_copy_of_her_home_stops_while_what_the_newer_one_sent_is_unread() {
    let mut table = Table::new(701, 1);
    let (_, asker, id, _) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    let mut old = old_asker(&table, copy);
    old.refresh(&mut table);
    assert_eq!(standing(&old, id), Standing::Stopped(Stop::Rollback));
    assert_eq!(old.machine.say(id, "again", table.now, &mut table.rng), Err(SayError::Stopped));
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn a_text_in_an_old_copy_is_not_sealed_when_the_newer_one_has_sent() {
    let mut table = Table::new(702, 1);
    let (_, asker, id, _) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    let mut old = old_asker(&table, copy);
    old.machine.say(id, "from the old one", table.now, &mut table.rng).unwrap();
    old.refresh(&mut table);
    assert_eq!(old.machine.drafts(id), ["from the old one"]);
    assert_eq!(warnings(&table, &old, id), [Warning::Stopped(Stop::Rollback)]);
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn the_volunteer_sees_a_fork_when_an_old_copy_of_her_home_goes_on() {
    let mut table = Table::new(703, 1);
    let (mut desk, asker, id, case) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    desk.refresh(&mut table);
    let mut old = old_asker(&table, copy);
    say(&mut table, &mut old, id, "from the old one");
    desk.refresh(&mut table);
    assert_eq!(desk.machine.case(case).unwrap().stage, Stage::Stopped);
    assert!(!messages(&desk, case).contains(&"requester: from the old one".to_owned()));
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn a_fork_is_noticed_after_the_volunteer_has_turned_too() {
    let mut table = Table::new(704, 1);
    let (mut desk, asker, id, case) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    for turn in 0..3 {
        say(&mut table, &mut asker, id, &format!("question {turn}"));
        desk.refresh(&mut table);
        reply(&mut table, &mut desk, case, &format!("answer {turn}"));
        asker.refresh(&mut table);
    }
    let mut old = old_asker(&table, copy);
    say(&mut table, &mut old, id, "from the old one");
    let mut desk = desk.restart(&table, load_desk);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.case(case).unwrap().stage, Stage::Stopped);
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn both_copies_of_her_home_stop_when_the_volunteer_has_seen_the_fork() {
    let mut table = Table::new(705, 1);
    let (mut desk, asker, id, _) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    desk.refresh(&mut table);
    let mut old = old_asker(&table, copy);
    say(&mut table, &mut old, id, "from the old one");
    desk.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(standing(&asker, id), Standing::Stopped(Stop::Fork));
}

#[test]
fn an_old_copy_of_a_device_stops_while_what_the_newer_one_sent_is_unread() {
    let mut table = Table::new(706, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    let (mut desk, copy) = desk.copied(&table, load_desk);
    reply(&mut table, &mut desk, case, "from the newer one");
    let mut old = old_desk(&table, copy);
    assert_eq!(try_reply(&mut table, &mut old, case, "from the old one"), Some(Err(DeviceError::Over)));
    assert_eq!(old.machine.case(case).unwrap().stage, Stage::Stopped);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).last().unwrap(), "volunteer: from the newer one");
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn she_sees_a_fork_when_an_old_copy_of_a_device_goes_on_and_the_device_is_told() {
    let mut table = Table::new(707, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    let (mut desk, copy) = desk.copied(&table, load_desk);
    reply(&mut table, &mut desk, case, "from the newer one");
    asker.refresh(&mut table);
    let mut old = old_desk(&table, copy);
    reply(&mut table, &mut old, case, "from the old one");
    asker.refresh(&mut table);
    assert_eq!(standing(&asker, id), Standing::Stopped(Stop::Fork));
    assert!(!messages(&asker, id).contains(&"volunteer: from the old one".to_owned()));
    desk.refresh(&mut table);
    assert_eq!(desk.machine.case(case).unwrap().stage, Stage::Stopped);
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn an_old_copy_of_a_device_does_not_answer_a_request_twice() {
    let mut table = Table::new(708, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    let (mut desk, copy) = desk.copied(&table, load_desk);
    reply(&mut table, &mut desk, case, "from the newer one");
    let mut old = old_desk(&table, copy);
    assert_eq!(try_reply(&mut table, &mut old, case, "from the old one"), Some(Err(DeviceError::Taken)));
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me", "volunteer: from the newer one"]);
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn she_sees_a_fork_in_the_first_answers_of_a_device_that_was_copied_back() {
    let mut table = Table::new(709, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    let (mut desk, copy) = desk.copied(&table, load_desk);
    reply(&mut table, &mut desk, case, "from the newer one");
    asker.refresh(&mut table);
    let mut old = old_desk(&table, copy);
    reply(&mut table, &mut old, case, "from the old one");
    asker.refresh(&mut table);
    assert_eq!(standing(&asker, id), Standing::Stopped(Stop::Fork));
    // She tells both copies, which stop too.
    for copy in [&mut desk, &mut old] {
        copy.refresh(&mut table);
        assert_eq!(copy.machine.case(case).unwrap().stage, Stage::Stopped);
    }
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn an_old_copy_of_her_home_stops_when_the_newer_one_has_added_to_the_request() {
    let mut table = Table::new(710, 1);
    let desk = desk(&mut table);
    let (asker, id) = ask(&mut table, &desk, "Help me");
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    let mut old = old_asker(&table, copy);
    old.refresh(&mut table);
    assert_eq!(standing(&old, id), Standing::Stopped(Stop::Rollback));
}

#[test]
fn an_old_copy_from_before_the_answer_asks_anew_and_the_desk_sees_that_it_is_she() {
    let mut table = Table::new(711, 1);
    let mut desk = desk(&mut table);
    let (asker, id) = ask(&mut table, &desk, "Help me");
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "from the newer one");
    desk.refresh(&mut table);
    let mut old = old_asker(&table, copy);
    old.refresh(&mut table);
    table.wait(3600);
    old.refresh(&mut table);
    desk.refresh(&mut table);
    let items = desk.machine.queue(desk.records()).unwrap();
    assert_eq!(items.iter().map(|item| item.follows).collect::<Vec<_>>(), [Some(case)]);
    assert_no_nonce_was_used_twice(&table);
}

#[test]
fn after_a_full_stop_a_new_first_contact_helps_and_shows_that_it_is_the_same_person() {
    let mut table = Table::new(712, 1);
    let (mut desk, asker, id, case) = conversation(&mut table);
    let (mut asker, copy) = asker.copied(&table, Requester::load);
    say(&mut table, &mut asker, id, "from the newer one");
    let mut old = old_asker(&table, copy);
    old.refresh(&mut table);
    old.machine.ask_again(id, "It is me again", table.now, &mut table.rng).unwrap();
    old.refresh(&mut table);
    desk.refresh(&mut table);
    let items = desk.machine.queue(desk.records()).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].follows, Some(case));
    let again = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, again, "Welcome back");
    old.refresh(&mut table);
    assert_eq!(messages(&old, id).last().unwrap(), "volunteer: Welcome back");
    assert_eq!(standing(&old, id), Standing::Open);
}

#[test]
fn a_new_first_contact_gives_up_what_no_relay_has() {
    let mut table = Table::new(713, 1);
    let (_, mut asker, id, _) = conversation(&mut table);
    table.unreachable.insert(table.relay(1));
    asker.machine.say(id, "never sent", table.now, &mut table.rng).unwrap();
    asker.refresh(&mut table);
    let mut asker = asker.restart(&table, Requester::load);
    asker.machine.ask_again(id, "It is me again", table.now, &mut table.rng).unwrap();
    table.unreachable.clear();
    asker.refresh(&mut table);
    let last = states(&asker, id);
    assert!(!last.contains(&SentState::Queued), "{last:?}");
}

/// One step of a whole story, on one side of it.
fn step(table: &mut Table, desk: &mut Desk, asker: &mut Asker, id: LocalId, number: usize) {
    let case = desk.machine.cases().first().map(|case| case.id);
    match (number, case) {
        (0, _) => drop(claim(table, desk)),
        (1 | 4 | 7, Some(case)) => _ = try_reply(table, desk, case, &format!("answer {number}")),
        (2 | 5 | 8, _) => asker.refresh(table),
        (3 | 6, _) => {
            let _ = asker.machine.say(id, &format!("question {number}"), table.now, &mut table.rng);
            asker.refresh(table);
            desk.refresh(table);
        }
        _ => {}
    }
}

const STEPS: usize = 9;

#[test]
fn her_home_put_back_at_any_step_uses_no_nonce_twice_and_doubles_no_text() {
    for cut in 0..STEPS {
        let mut table = Table::new(720 + cut as u64, 1);
        let mut desk = desk(&mut table);
        let (mut asker, id) = ask(&mut table, &desk, "Help me");
        (0..cut).for_each(|number| step(&mut table, &mut desk, &mut asker, id, number));
        let (mut asker, copy) = asker.copied(&table, Requester::load);
        (cut..STEPS).for_each(|number| step(&mut table, &mut desk, &mut asker, id, number));
        let mut old = old_asker(&table, copy);
        let _ = old.machine.say(id, "from the old one", table.now, &mut table.rng);
        old.refresh(&mut table);
        desk.refresh(&mut table);
        assert_no_nonce_was_used_twice(&table);
        let case = desk.machine.cases()[0].id;
        let shown = messages(&desk, case);
        let distinct: std::collections::BTreeSet<&String> = shown.iter().collect();
        assert_eq!(distinct.len(), shown.len(), "put back at step {cut}");
        let is_noticed = matches!(standing(&old, id), Standing::Stopped(_))
            || desk.machine.case(case).unwrap().stage == Stage::Stopped;
        let has_sent = cut < STEPS - 2 && shown.contains(&"requester: from the old one".to_owned());
        assert!(is_noticed || !has_sent, "put back at step {cut}: not noticed");
    }
}

#[test]
fn a_desks_home_put_back_at_any_step_uses_no_nonce_twice_and_doubles_no_text() {
    for cut in 0..STEPS {
        let mut table = Table::new(740 + cut as u64, 1);
        let mut desk = desk(&mut table);
        let (mut asker, id) = ask(&mut table, &desk, "Help me");
        (0..cut).for_each(|number| step(&mut table, &mut desk, &mut asker, id, number));
        let (mut desk, copy) = desk.copied(&table, load_desk);
        (cut..STEPS).for_each(|number| step(&mut table, &mut desk, &mut asker, id, number));
        let mut old = old_desk(&table, copy);
        old.refresh(&mut table);
        if let Some(case) = old.machine.cases().first().map(|case| case.id) {
            try_reply(&mut table, &mut old, case, "from the old one");
        }
        asker.refresh(&mut table);
        assert_no_nonce_was_used_twice(&table);
        assert!(queue(&old).is_empty());
        let shown = messages(&asker, id);
        let distinct: std::collections::BTreeSet<&String> = shown.iter().collect();
        assert_eq!(distinct.len(), shown.len(), "put back at step {cut}");
    }
}
