//! Several devices of one desk: leases, two answers, and what is left behind.

use poterne_client_core::device::{DeviceError, Outcome, Stage};
use poterne_client_core::effect::Machine;
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::Warning;
use poterne_client_core::transcript::SentState;
use poterne_protocol::op::{Delete, DeleteBy, Request};
use poterne_tests::table::Table;

use crate::people::{
    Asker, Desk, ask, claim, desk, join, load_desk, messages, queue, reply, say, states, try_claim,
    try_reply, warnings,
};

/// A desk with two devices, and a request that waits.
fn two_devices(table: &mut Table) -> (Desk, Desk, Asker, LocalId) {
    let mut first = desk(table);
    let second = join(table, &mut first, 1);
    let (asker, id) = ask(table, &first, "Help me");
    (first, second, asker, id)
}

/// The first device answers and can't erase the request: another one may claim it when the lease is over.
fn answer_without_erasing(table: &mut Table, first: &mut Desk) -> LocalId {
    let case = claim(table, first);
    table.filter = Some(|request| !matches!(request, Request::Delete(Delete { by: DeleteBy::Lease(_), .. })));
    reply(table, first, case, "from the first");
    table.filter = None;
    case
}

/// Another device claims the request after that, and answers too.
fn answer_again(table: &mut Table, second: &mut Desk) -> LocalId {
    table.wait(1000);
    let case = claim(table, second);
    reply(table, second, case, "from the second");
    case
}

#[test]
fn a_leased_request_is_not_offered_to_another_device() {
    let mut table = Table::new(201, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    claim(&mut table, &mut first);
    second.refresh(&mut table);
    assert!(queue(&second).is_empty());
    assert_eq!(try_claim(&mut table, &mut second, None), Err(DeviceError::NothingWaits));
}

#[test]
fn a_leased_request_that_is_named_is_taken() {
    let mut table = Table::new(202, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    second.refresh(&mut table);
    let case = claim(&mut table, &mut first);
    assert_eq!(try_claim(&mut table, &mut second, Some(case)), Err(DeviceError::Taken));
}

#[test]
fn another_device_claims_when_the_lease_has_ended() {
    let mut table = Table::new(203, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    let case = claim(&mut table, &mut first);
    table.wait(901);
    assert_eq!(claim(&mut table, &mut second), case);
}

#[test]
fn a_reply_is_a_draft_when_another_device_has_the_request_by_then() {
    let mut table = Table::new(204, 1);
    let (mut first, mut second, mut asker, id) = two_devices(&mut table);
    let case = claim(&mut table, &mut first);
    table.wait(901);
    claim(&mut table, &mut second);
    assert_eq!(try_reply(&mut table, &mut first, case, "Too late"), Some(Err(DeviceError::Taken)));
    assert_eq!(first.machine.drafts(case), ["Too late"]);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me"]);
}

#[test]
fn an_adopted_request_leaves_the_queue_of_all_devices() {
    let mut table = Table::new(205, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    second.refresh(&mut table);
    assert_eq!(queue(&second), ["Help me"]);
    let case = claim(&mut table, &mut first);
    reply(&mut table, &mut first, case, "I am here");
    table.wait(1000);
    second.refresh(&mut table);
    assert!(queue(&second).is_empty());
}

#[test]
fn the_answer_under_the_higher_lease_counts_until_she_has_sent() {
    let mut table = Table::new(206, 1);
    let (mut first, mut second, mut asker, id) = two_devices(&mut table);
    answer_without_erasing(&mut table, &mut first);
    let case = answer_again(&mut table, &mut second);
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    first.refresh(&mut table);
    second.refresh(&mut table);
    assert_eq!(messages(&second, case).last().unwrap(), "requester: Thank you");
    assert!(!messages(&first, case).contains(&"requester: Thank you".to_owned()));
}

#[test]
fn an_answer_that_takes_the_place_of_another_is_announced() {
    let mut table = Table::new(207, 1);
    let (mut first, mut second, mut asker, id) = two_devices(&mut table);
    answer_without_erasing(&mut table, &mut first);
    asker.refresh(&mut table);
    assert!(warnings(&table, &asker, id).is_empty());
    answer_again(&mut table, &mut second);
    asker.refresh(&mut table);
    assert_eq!(warnings(&table, &asker, id), [Warning::AnotherVolunteer]);
    assert_eq!(
        messages(&asker, id),
        ["requester: Help me", "volunteer: from the first", "volunteer: from the second"]
    );
}

#[test]
fn an_answer_after_she_has_sent_is_ignored_whatever_its_lease() {
    let mut table = Table::new(208, 1);
    let (mut first, mut second, mut asker, id) = two_devices(&mut table);
    let case = answer_without_erasing(&mut table, &mut first);
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    answer_again(&mut table, &mut second);
    asker.refresh(&mut table);
    assert!(!messages(&asker, id).contains(&"volunteer: from the second".to_owned()));
    say(&mut table, &mut asker, id, "Are you there?");
    first.refresh(&mut table);
    assert_eq!(messages(&first, case).last().unwrap(), "requester: Are you there?");
}

#[test]
fn of_two_answers_under_equal_leases_the_first_opened_counts() {
    let mut table = Table::new(209, 2);
    let mut first = desk(&mut table);
    let mut second = join(&mut table, &mut first, 1);
    let (mut asker, id) = ask(&mut table, &first, "Help me");
    // Her copy of the request reaches the second relay, where leases are counted anew.
    table.wait(4 * 3600);
    asker.tick(&mut table);
    table.unreachable.insert(table.relay(2));
    let case = claim(&mut table, &mut first);
    reply(&mut table, &mut first, case, "from the first");
    table.unreachable = [table.relay(1)].into();
    let case = claim(&mut table, &mut second);
    let now = table.now;
    second.machine.reply(case, "from the second", now, &mut table.rng);
    second.refresh(&mut table);
    table.wait(15);
    second.tick(&mut table);
    table.unreachable.clear();
    asker.refresh(&mut table);
    let opened = messages(&asker, id);
    assert_eq!(opened.len(), 2, "{opened:?}");
    say(&mut table, &mut asker, id, "Thank you");
    first.refresh(&mut table);
    second.refresh(&mut table);
    let heard = |desk: &Desk| messages(desk, case).contains(&"requester: Thank you".to_owned());
    assert!(heard(&first) ^ heard(&second));
}

#[test]
fn a_request_that_was_seen_at_two_relays_is_erased_at_both_after_its_adoption() {
    let mut table = Table::new(210, 2);
    let mut first = desk(&mut table);
    let mut second = join(&mut table, &mut first, 1);
    let (mut asker, _) = ask(&mut table, &first, "Help me");
    table.wait(4 * 3600);
    asker.tick(&mut table);
    let case = claim(&mut table, &mut first);
    reply(&mut table, &mut first, case, "I am here");
    first.refresh(&mut table);
    second.refresh(&mut table);
    assert!(queue(&second).is_empty());
}

#[test]
fn a_copy_of_the_request_that_comes_after_its_adoption_is_erased_too() {
    let mut table = Table::new(211, 2);
    let mut first = desk(&mut table);
    let (mut asker, _) = ask(&mut table, &first, "Help me");
    let case = claim(&mut table, &mut first);
    reply(&mut table, &mut first, case, "I am here");
    // She has not seen the answer: her first relay is dead for her.
    table.wait(4 * 3600);
    table.unreachable.insert(table.relay(1));
    asker.tick(&mut table);
    table.unreachable.clear();
    first.refresh(&mut table);
    first.refresh(&mut table);
    let mut second = join(&mut table, &mut first, 1);
    second.refresh(&mut table);
    assert!(queue(&second).is_empty());
}

#[test]
fn the_device_that_claimed_and_crashed_loses_nothing_but_its_lease() {
    let mut table = Table::new(212, 1);
    let (mut first, mut second, mut asker, id) = two_devices(&mut table);
    let case = claim(&mut table, &mut first);
    first = first.restart(&table, load_desk);
    assert_eq!(first.machine.case(case).unwrap().stage, Stage::Claimed);
    table.wait(1000);
    let case = claim(&mut table, &mut second);
    reply(&mut table, &mut second, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id), [SentState::Answered]);
    assert_eq!(try_reply(&mut table, &mut first, case, "Me too"), Some(Err(DeviceError::Taken)));
}

#[test]
fn a_released_request_goes_to_another_device() {
    let mut table = Table::new(213, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    let case = claim(&mut table, &mut first);
    let ticket = first.machine.release(case, table.now, &mut table.rng);
    first.settle(&mut table);
    assert_eq!(first.machine.outcome(ticket), Some(Ok(Outcome::Released)));
    assert_eq!(claim(&mut table, &mut second), case);
}

#[test]
fn a_request_that_was_closed_without_an_answer_is_gone_for_all_devices() {
    let mut table = Table::new(214, 1);
    let (mut first, mut second, ..) = two_devices(&mut table);
    let case = claim(&mut table, &mut first);
    let ticket = first.machine.close(case, table.now, &mut table.rng);
    first.refresh(&mut table);
    assert_eq!(first.machine.outcome(ticket), Some(Ok(Outcome::Closed)));
    second.refresh(&mut table);
    assert!(queue(&second).is_empty());
}

#[test]
fn a_device_says_when_it_calls_again_after_a_relay_has_failed() {
    let mut table = Table::new(320, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    desk.refresh(&mut table);
    table.filter = Some(|request| !matches!(request, Request::Claim(_)));
    let ticket = desk.machine.claim(None, table.now, &mut table.rng);
    desk.settle(&mut table);
    assert_eq!(desk.machine.poll_timeout(), Some(table.now.plus(5)));
    table.filter = None;
    table.wait(5);
    desk.tick(&mut table);
    assert!(matches!(desk.machine.outcome(ticket), Some(Ok(Outcome::Claimed(_)))));
}
