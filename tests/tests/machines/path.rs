//! The whole path from a request to a conversation, step by step.

use poterne_client_core::device::{DeviceError, Outcome};
use poterne_client_core::effect::Machine;
use poterne_client_core::requester::Requester;
use poterne_client_core::transcript::SentState;
use poterne_tests::table::Table;

use crate::people::{ask, claim, desk, load_desk, messages, reply, say, states};

#[test]
fn a_request_is_answered_and_both_sides_hold_the_same_conversation() {
    let mut table = Table::new(1, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    assert_eq!(states(&asker, conversation), [SentState::Stored]);

    let case = claim(&mut table, &mut desk);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, conversation), [SentState::Claimed]);

    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(states(&asker, conversation), [SentState::Answered]);

    say(&mut table, &mut asker, conversation, "Thank you");
    desk.refresh(&mut table);
    reply(&mut table, &mut desk, case, "Tell me more");
    asker.refresh(&mut table);
    let expected =
        ["requester: Help me", "volunteer: I am here", "requester: Thank you", "volunteer: Tell me more"];
    assert_eq!(messages(&asker, conversation), expected);
    assert_eq!(messages(&desk, case), expected);
    assert_eq!(states(&asker, conversation), [SentState::Answered; 2]);
}

#[test]
fn a_long_first_request_arrives_whole() {
    let mut table = Table::new(2, 2);
    let mut desk = desk(&mut table);
    let text = "Прошу о помощи. ".repeat(1250);
    let (_, _) = ask(&mut table, &desk, &text);
    desk.refresh(&mut table);
    let queue = desk.machine.queue(desk.records()).unwrap();
    assert_eq!(queue.len(), 1);
    assert!(queue[0].complete);
    assert_eq!(queue[0].text.as_str(), text);
}

#[test]
fn every_step_survives_a_restart_of_both_sides() {
    let mut table = Table::new(3, 2);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    let mut case = None;
    for turn in 0..3 {
        desk = desk.restart(&table, load_desk);
        asker = asker.restart(&table, Requester::load);
        let case = *case.get_or_insert_with(|| claim(&mut table, &mut desk));
        desk = desk.restart(&table, load_desk);
        desk.refresh(&mut table);
        reply(&mut table, &mut desk, case, &format!("answer {turn}"));
        asker.refresh(&mut table);
        asker = asker.restart(&table, Requester::load);
        asker.refresh(&mut table);
        say(&mut table, &mut asker, conversation, &format!("question {turn}"));
        desk.refresh(&mut table);
    }
    asker.refresh(&mut table);
    let case = case.unwrap();
    assert_eq!(messages(&asker, conversation), messages(&desk, case));
    assert_eq!(messages(&desk, case).len(), 7);
}

#[test]
fn a_request_waits_in_the_vault_while_no_relay_can_be_reached() {
    let mut table = Table::new(4, 1);
    let desk = desk(&mut table);
    table.unreachable = table.addresses().iter().map(|address| address.pin).collect();
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    assert_eq!(asker.machine.drafts(conversation), ["Help me"]);
    table.unreachable.clear();
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, conversation), [SentState::Stored]);
}

#[test]
fn nothing_is_claimed_from_an_empty_queue() {
    let mut table = Table::new(5, 1);
    let mut desk = desk(&mut table);
    let ticket = desk.machine.claim(None, table.now, &mut table.rng);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.outcome(ticket), Some(Err(DeviceError::NothingWaits)));
}

#[test]
fn the_status_of_a_request_does_not_overtake_its_claim() {
    let mut table = Table::new(11, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    desk.refresh(&mut table);
    let id = desk.machine.queue(desk.records()).unwrap()[0].id;
    let ticket = desk.machine.claim(Some(id), table.now, &mut table.rng);
    desk.machine.refresh(table.now);
    desk.machine.handle_timeout(table.now, &mut table.rng);
    desk.settle_backwards(&mut table);
    assert_eq!(desk.machine.outcome(ticket), Some(Ok(Outcome::Claimed(id))));
}

#[test]
fn requests_of_one_second_are_claimed_in_the_order_of_their_arrival() {
    let mut table = Table::new(13, 1);
    let mut desk = desk(&mut table);
    let texts: Vec<String> = (0..8).map(|number| format!("request {number}")).collect();
    for text in &texts {
        ask(&mut table, &desk, text);
    }
    desk.refresh(&mut table);
    let mut desk = desk.restart(&table, load_desk);
    let queue = desk.machine.queue(desk.records()).unwrap();
    assert!(queue.iter().map(|item| item.text.as_str()).eq(&texts));
    for expected in &texts {
        let case = claim(&mut table, &mut desk);
        let text = desk.machine.request_text(case, desk.records()).unwrap().unwrap();
        assert_eq!(text.as_str(), expected);
    }
}

#[test]
fn an_answer_counts_more_than_a_release_that_no_relay_has_heard_of() {
    let mut table = Table::new(12, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    table.unreachable = table.addresses().iter().map(|address| address.pin).collect();
    let release = desk.machine.release(case, table.now, &mut table.rng);
    desk.settle(&mut table);
    table.unreachable.clear();
    reply(&mut table, &mut desk, case, "I am here");
    assert_eq!(desk.machine.outcome(release), Some(Err(DeviceError::NotClaimed)));
    asker.refresh(&mut table);
    say(&mut table, &mut asker, conversation, "Thank you");
    desk.refresh(&mut table);
    let expected = ["requester: Help me", "volunteer: I am here", "requester: Thank you"];
    assert_eq!(messages(&desk, case), expected);
}

#[test]
fn a_release_that_comes_after_an_answer_takes_nothing_back() {
    let mut table = Table::new(14, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    table.unreachable = table.addresses().iter().map(|address| address.pin).collect();
    let answer = desk.machine.reply(case, "I am here", table.now, &mut table.rng);
    desk.settle(&mut table);
    let release = desk.machine.release(case, table.now, &mut table.rng);
    desk.settle(&mut table);
    table.unreachable.clear();
    table.now = table.now.plus(10);
    desk.refresh(&mut table);
    let outcomes = [desk.machine.outcome(answer), desk.machine.outcome(release)];
    asker.refresh(&mut table);
    let was_answered = messages(&asker, conversation).len() == 2;
    let is_released = outcomes[1] == Some(Ok(Outcome::Released));
    assert_ne!(was_answered, is_released, "{outcomes:?}");
}

#[test]
fn a_released_request_can_be_claimed_again() {
    let mut table = Table::new(6, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    let ticket = desk.machine.release(case, table.now, &mut table.rng);
    desk.settle(&mut table);
    assert_eq!(desk.machine.outcome(ticket), Some(Ok(Outcome::Released)));
    assert_eq!(claim(&mut table, &mut desk), case);
}

#[test]
fn a_reply_after_the_lease_ended_claims_again_by_itself() {
    let mut table = Table::new(7, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    table.wait(1000);
    reply(&mut table, &mut desk, case, "Late, but here");
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, conversation).last().unwrap(), "volunteer: Late, but here");
}

#[test]
fn what_is_said_before_an_answer_reaches_the_volunteer() {
    let mut table = Table::new(8, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    say(&mut table, &mut asker, conversation, "It is urgent");
    let case = claim(&mut table, &mut desk);
    assert_eq!(messages(&desk, case), ["requester: Help me", "requester: It is urgent"]);
}

#[test]
fn closing_tells_the_other_side() {
    let mut table = Table::new(9, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "All the best");
    let ticket = desk.machine.close(case, table.now, &mut table.rng);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.outcome(ticket), Some(Ok(Outcome::Closed)));
    asker.refresh(&mut table);
    assert!(asker.machine.say(conversation, "wait", table.now, &mut table.rng).is_err());
}
