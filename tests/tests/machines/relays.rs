//! Two relays: what happens when one of them is dead, silent, or comes back.

use poterne_client_core::requester::Requester;
use poterne_client_core::transcript::SentState;
use poterne_protocol::op::Request;
use poterne_tests::table::Table;

use crate::people::{ask, claim, conversation, desk, messages, reply, say, states};

/// How many envelopes were put at a relay since the table's record was cleared.
fn puts(table: &Table, relay: u8) -> usize {
    let is_put =
        |(pin, request): &&(_, Request)| *pin == table.relay(relay) && matches!(request, Request::Put(_));
    table.asked.iter().filter(is_put).count()
}

#[test]
fn a_message_goes_to_the_first_relay_only_while_that_one_answers() {
    let mut table = Table::new(101, 2);
    let (_, mut asker, id, _) = conversation(&mut table);
    table.asked.clear();
    say(&mut table, &mut asker, id, "Thank you");
    assert_eq!((puts(&table, 1), puts(&table, 2)), (1, 0));
}

#[test]
fn a_message_goes_to_the_second_relay_as_soon_as_the_first_is_found_dead() {
    let mut table = Table::new(102, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.unreachable.insert(table.relay(1));
    say(&mut table, &mut asker, id, "Thank you");
    assert_eq!(states(&asker, id).last(), Some(&SentState::Stored));
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Thank you");
}

#[test]
fn a_message_goes_to_the_second_relay_when_the_first_is_silent() {
    let mut table = Table::new(103, 2);
    let (_, mut asker, id, _) = conversation(&mut table);
    asker.refresh(&mut table);
    table.silent.insert(table.relay(1));
    asker.machine.say(id, "Thank you", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    table.wait(15);
    asker.tick(&mut table);
    assert_eq!(states(&asker, id).last(), Some(&SentState::Stored));
}

#[test]
fn the_second_relay_is_asked_as_often_as_the_first_while_that_one_is_dead() {
    let mut table = Table::new(111, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    table.unreachable.insert(table.relay(1));
    asker.refresh(&mut table);
    table.wait(30);
    asker.tick(&mut table);
    desk.machine.reply(case, "You are welcome", table.now, &mut table.rng);
    desk.settle(&mut table);
    table.wait(30);
    asker.tick(&mut table);
    assert_eq!(messages(&asker, id).last().unwrap(), "volunteer: You are welcome");
}

#[test]
fn a_second_conversation_knows_that_a_relay_is_dead() {
    let mut table = Table::new(112, 2);
    let desk = desk(&mut table);
    table.unreachable.insert(table.relay(1));
    let (mut asker, _) = ask(&mut table, &desk, "Help me");
    table.silent.insert(table.relay(1));
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, "And again", *b"en\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn a_request_that_lies_at_both_relays_is_claimed_at_the_one_that_lives() {
    let mut table = Table::new(113, 2);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    table.wait(4 * 3600);
    asker.tick(&mut table);
    desk.refresh(&mut table);
    table.unreachable.insert(table.relay(1));
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(asker.machine.unchecked(id).len(), 1);
}

#[test]
fn an_unopened_message_is_copied_to_the_second_relay_after_four_hours_and_shown_once() {
    let mut table = Table::new(104, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    table.asked.clear();
    table.wait(4 * 3600);
    asker.tick(&mut table);
    assert_eq!(puts(&table, 2), 1);
    desk.refresh(&mut table);
    desk.refresh(&mut table);
    let thanks = messages(&desk, case).iter().filter(|line| *line == "requester: Thank you").count();
    assert_eq!(thanks, 1);
    assert_eq!(messages(&desk, case).len(), 3);
}

#[test]
fn with_both_relays_dead_a_message_waits_and_goes_out_before_the_next_one() {
    let mut table = Table::new(105, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.unreachable = [table.relay(1), table.relay(2)].into();
    asker.machine.say(id, "first", table.now, &mut table.rng).unwrap();
    asker.refresh(&mut table);
    asker = asker.restart(&table, Requester::load);
    table.unreachable.clear();
    say(&mut table, &mut asker, id, "second");
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case)[2..], ["requester: first", "requester: second"]);
}

#[test]
fn a_request_reaches_the_desk_while_the_first_relay_is_dead_from_the_start() {
    let mut table = Table::new(106, 2);
    let mut desk = desk(&mut table);
    table.unreachable.insert(table.relay(1));
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    assert_eq!(states(&asker, id), [SentState::Stored]);
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(asker.machine.unchecked(id).len(), 1);
    table.wait(3600);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).last().unwrap(), "volunteer: I am here");
}

#[test]
fn an_answer_is_believed_after_an_hour_of_one_relay_in_short_runs_too() {
    let mut table = Table::new(107, 2);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    table.unreachable.insert(table.relay(2));
    for _ in 0..4 {
        asker = asker.restart(&table, Requester::load);
        asker.refresh(&mut table);
        assert_eq!(asker.machine.unchecked(id).len(), 1);
        table.wait(1000);
    }
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).last().unwrap(), "volunteer: I am here");
}

#[test]
fn both_sides_go_on_when_the_first_relay_dies_in_the_middle() {
    let mut table = Table::new(108, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.unreachable.insert(table.relay(1));
    for turn in 0..3 {
        say(&mut table, &mut asker, id, &format!("question {turn}"));
        desk.refresh(&mut table);
        reply(&mut table, &mut desk, case, &format!("answer {turn}"));
        asker.refresh(&mut table);
    }
    assert_eq!(messages(&asker, id), messages(&desk, case));
    assert_eq!(messages(&asker, id).len(), 8);
}

#[test]
fn a_relay_that_forgets_everything_loses_nothing_that_lies_at_the_other_later() {
    let mut table = Table::new(109, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    table.wipe_relay(&table.relay(1));
    table.wait(4 * 3600);
    asker.tick(&mut table);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Thank you");
}

#[test]
fn an_answer_of_a_relay_that_gets_lost_makes_no_second_message() {
    let mut table = Table::new(110, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.lost = Some(|request| matches!(request, Request::Put(_)));
    say(&mut table, &mut asker, id, "Thank you");
    table.wait(20);
    asker.tick(&mut table);
    assert_eq!(states(&asker, id).last(), Some(&SentState::Queued));
    table.lost = None;
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).len(), 3);
}
