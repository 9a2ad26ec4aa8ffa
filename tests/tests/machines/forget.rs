//! What is erased when its time is over, and what stays (docs/spec/client.md §4, §8.1).

use std::collections::BTreeSet;

use poterne_client_core::device::Outcome;
use poterne_client_core::requester::{Requester, Warning};
use poterne_protocol::mailbox::{Kind, MailboxId};
use poterne_protocol::op::{Answer, Request};
use poterne_tests::table::Table;

use crate::people::{ask, claim, conversation, desk, load_desk, messages, reply, say, warnings};

/// The plain mailboxes that were fetched since the table's record was cleared.
fn read(table: &Table) -> BTreeSet<MailboxId> {
    let plain = |request: &Request| match request {
        Request::Fetch(fetch) => fetch.from.iter().map(|one| one.mailbox.clone()).collect(),
        _ => Vec::new(),
    };
    let all = table.asked.iter().flat_map(|(_, request)| plain(request));
    all.filter(|mailbox| mailbox.kind == Kind::Plain).map(|mailbox| mailbox.hashes().id()).collect()
}

#[test]
fn the_answer_box_is_read_until_30_days_after_the_last_message() {
    let mut table = Table::new(1001, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    asker.refresh(&mut table);
    table.asked.clear();
    asker.refresh(&mut table);
    let answer_box = *read(&table).first().unwrap();
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    reply(&mut table, &mut desk, case, "You are welcome");
    asker.refresh(&mut table);
    for (days, is_read) in [(30, true), (1, false)] {
        table.wait_days(days);
        let mut later = asker.restart(&table, Requester::load);
        later.refresh(&mut table);
        later.refresh(&mut table);
        table.asked.clear();
        later.refresh(&mut table);
        assert_eq!(read(&table).contains(&answer_box), is_read);
        asker = later;
    }
    assert_eq!(messages(&asker, id).len(), 4);
}

#[test]
fn an_answer_that_comes_late_to_somebody_who_looks_later_still_is_read() {
    let mut table = Table::new(1002, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    desk.refresh(&mut table);
    table.wait_days(4);
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    for _ in 0..30 {
        table.wait_days(1);
        desk.refresh(&mut table);
    }
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me", "volunteer: I am here"]);
}

#[test]
fn keys_of_messages_that_never_came_are_erased_after_30_days() {
    let mut table = Table::new(1003, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    table.lie = Some(|request| matches!(request, Request::Put(_)).then_some(Answer::Stored));
    reply(&mut table, &mut desk, case, "lost");
    table.lie = None;
    reply(&mut table, &mut desk, case, "found");
    asker.refresh(&mut table);
    assert!(warnings(&table, &asker, id).contains(&Warning::Missing));
    table.wait_days(31);
    asker.refresh(&mut table);
    assert!(!warnings(&table, &asker, id).contains(&Warning::Missing));
}

#[test]
fn an_ended_conversation_loses_its_keys_after_30_days_and_keeps_its_texts() {
    let mut table = Table::new(1004, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    let ticket = desk.machine.close(case, table.now, &mut table.rng);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.outcome(ticket), Some(Ok(Outcome::Closed)));
    asker.refresh(&mut table);
    table.wait_days(31);
    asker.refresh(&mut table);
    asker.refresh(&mut table);
    table.asked.clear();
    asker.refresh(&mut table);
    assert_eq!(read(&table), BTreeSet::new());
    desk.refresh(&mut table);
    let (asker, desk) = (asker.restart(&table, Requester::load), desk.restart(&table, load_desk));
    let shown = ["requester: Help me", "volunteer: I am here", "requester: Thank you"];
    assert_eq!(messages(&asker, id), shown);
    assert_eq!(messages(&desk, case), shown);
}

#[test]
fn a_request_that_was_closed_without_an_answer_is_erased_with_the_keys_of_its_day() {
    let mut table = Table::new(1005, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Buy this");
    let case = claim(&mut table, &mut desk);
    desk.machine.close(case, table.now, &mut table.rng);
    desk.refresh(&mut table);
    for (days, is_there) in [(5, true), (2, false)] {
        table.wait_days(days);
        desk.refresh(&mut table);
        desk.refresh(&mut table);
        assert_eq!(desk.machine.case(case).is_some(), is_there);
    }
}

#[test]
fn a_request_that_was_claimed_and_never_answered_is_erased_after_30_days() {
    let mut table = Table::new(1006, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    for (days, is_there) in [(30, true), (1, false)] {
        table.wait_days(days);
        desk.refresh(&mut table);
        desk.refresh(&mut table);
        assert_eq!(desk.machine.case(case).is_some(), is_there);
    }
}
