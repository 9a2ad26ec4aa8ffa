//! Requests that get lost, and receipts that stay true.

use poterne_client_core::device::DeviceError;
use poterne_client_core::requester::Requester;
use poterne_client_core::transcript::SentState;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, EnvelopeStatus, Put, Request};
use poterne_tests::table::Table;

use crate::people::{
    ask, claim, conversation, desk, join, messages, queue, reply, say, states, try_claim, try_reply,
};

/// A relay that says "stored" of requests and keeps none.
pub fn keeps_no_request(request: &Request) -> Option<Answer> {
    match request {
        Request::Put(Put { to, .. }) if to.kind == Kind::Intake => Some(Answer::Stored),
        _ => None,
    }
}

/// A relay that denies that it has any request.
fn denies_all(request: &Request) -> Option<Answer> {
    match request {
        Request::Status(status) => Some(Answer::Status(vec![EnvelopeStatus::Unknown; status.ids.len()])),
        _ => None,
    }
}

#[test]
fn a_request_that_its_relay_lost_is_sealed_anew_after_an_hour() {
    let mut table = Table::new(401, 1);
    let mut desk = desk(&mut table);
    table.lie = Some(keeps_no_request);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    table.lie = None;
    asker.refresh(&mut table);
    table.wait(3599);
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert!(queue(&desk).is_empty());
    table.wait(1);
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn a_request_that_got_lost_is_sealed_anew_in_short_runs_too() {
    let mut table = Table::new(402, 1);
    let mut desk = desk(&mut table);
    table.lie = Some(keeps_no_request);
    let (mut asker, _) = ask(&mut table, &desk, "Help me");
    table.lie = None;
    for _ in 0..5 {
        asker = asker.restart(&table, Requester::load);
        asker.refresh(&mut table);
        table.wait(1000);
    }
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

#[test]
fn what_was_said_after_a_lost_request_comes_with_the_new_one_and_keeps_its_place() {
    let mut table = Table::new(403, 1);
    let mut desk = desk(&mut table);
    table.lie = Some(keeps_no_request);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    say(&mut table, &mut asker, id, "It is urgent");
    table.lie = None;
    asker.refresh(&mut table);
    table.wait(3600);
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Please");
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me\n\nIt is urgent"]);
    let case = claim(&mut table, &mut desk);
    assert_eq!(messages(&desk, case), ["requester: Help me\n\nIt is urgent", "requester: Please"]);
    assert_eq!(messages(&asker, id), ["requester: Help me", "requester: It is urgent", "requester: Please"]);
}

#[test]
fn a_request_that_was_never_lost_and_its_second_copy_are_never_both_live() {
    let mut table = Table::new(404, 1);
    let mut first = desk(&mut table);
    let mut second = join(&mut table, &mut first, 1);
    let (mut asker, id) = ask(&mut table, &first, "Help me");
    table.lie = Some(denies_all);
    asker.refresh(&mut table);
    table.wait(3600);
    asker.refresh(&mut table);
    table.lie = None;
    first.refresh(&mut table);
    let items = first.machine.queue(first.records()).unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!((items[0].follows, items[1].follows), (None, Some(items[0].id)));
    let (old, new) = (items[0].id, items[1].id);
    second.refresh(&mut table);
    assert_eq!(try_claim(&mut table, &mut first, Some(old)), Ok(old));
    assert_eq!(try_claim(&mut table, &mut second, Some(new)), Ok(new));
    reply(&mut table, &mut first, old, "to the old one");
    reply(&mut table, &mut second, new, "to the new one");
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    first.refresh(&mut table);
    second.refresh(&mut table);
    let thanks =
        |desk: &crate::people::Desk, case| messages(desk, case).contains(&"requester: Thank you".to_owned());
    assert!(thanks(&first, old) ^ thanks(&second, new));
}

#[test]
fn a_request_whose_intake_is_closed_is_sealed_anew_at_once() {
    let mut table = Table::new(405, 1);
    let mut desk = desk(&mut table);
    table.filter = Some(|request| !matches!(request, Request::Put(_)));
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    table.filter = None;
    assert_eq!(states(&asker, id), [SentState::Queued]);
    for _ in 0..3 {
        table.wait_days(1);
        desk.refresh(&mut table);
    }
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn a_request_is_sealed_anew_a_bounded_number_of_times() {
    let mut table = Table::new(406, 1);
    let desk = desk(&mut table);
    table.lie = Some(keeps_no_request);
    let (mut asker, _) = ask(&mut table, &desk, "Help me");
    let sealed = |asker: &crate::people::Asker| {
        poterne_client_core::records::Records::keys_with(asker.records(), b"e").len()
    };
    for _ in 0..10 {
        asker.refresh(&mut table);
        table.wait(3600);
    }
    assert_eq!(sealed(&asker), 1);
    let attempts = table.asked.iter().filter(|(_, request)| matches!(request, Request::Put(_))).count();
    assert!(attempts < 40, "{attempts} puts");
}

#[test]
fn a_request_that_nobody_opens_expires_after_four_days() {
    let mut table = Table::new(407, 1);
    let desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    table.wait_days(4);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Stored]);
    table.wait_days(1);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Expired]);
}

#[test]
fn a_message_that_nobody_opens_expires_after_thirty_days() {
    let mut table = Table::new(408, 1);
    let (_, mut asker, id, _) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    table.wait_days(31);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Answered, SentState::Expired]);
}

#[test]
fn a_claimed_request_that_nobody_answers_counts_as_claimed_until_it_is_asked_anew() {
    let mut table = Table::new(409, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Claimed]);
    // The volunteer ends it without a word.
    let ticket = desk.machine.close(case, table.now, &mut table.rng);
    desk.refresh(&mut table);
    assert!(desk.machine.outcome(ticket).is_some());
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Claimed]);
    table.wait(3600);
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn a_text_that_no_relay_has_is_queued_whatever_becomes_of_the_others() {
    let mut table = Table::new(410, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "first");
    table.unreachable.insert(table.relay(1));
    asker.machine.say(id, "second", table.now, &mut table.rng).unwrap();
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Answered, SentState::Stored, SentState::Queued]);
    table.unreachable.clear();
    desk.refresh(&mut table);
    reply(&mut table, &mut desk, case, "one moment");
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id)[1], SentState::Answered);
}

#[test]
fn a_reply_to_a_request_that_her_client_has_given_up_says_so() {
    let mut table = Table::new(411, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    table.wait_days(7);
    assert_eq!(try_reply(&mut table, &mut desk, case, "Late"), Some(Err(DeviceError::Taken)));
}
