//! How long texts may be, how many may wait, and what a home holds.

use poterne_client_core::device::{Device, DeviceError};
use poterne_client_core::records::{LocalId, Records};
use poterne_client_core::requester::{REQUEST_BYTES_MAX, Requester, SayError, WAITING_BYTES_MAX, Warning};
use poterne_client_core::transcript::SentState;
use poterne_tests::table::{Seat, Table};

use crate::people::{
    Asker, Desk, ask, claim, conversation, desk, load_desk, messages, reply, say, states, stranger,
    try_reply, warnings,
};

/// A request, both sides with room for long texts.
fn roomy_request(table: &mut Table) -> (Desk, Asker, LocalId) {
    let relays = table.addresses();
    let machine = Device::create("desk", &relays, table.now, &mut table.rng).unwrap();
    let mut desk = Seat::new(machine, table.roomy_vault());
    desk.settle(table);
    desk.refresh(table);
    let mut asker = Seat::new(Requester::default(), table.roomy_vault());
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, "Help me", *b"fr\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(table);
    (desk, asker, id)
}

/// A conversation, both sides with room for long texts.
fn roomy_conversation(table: &mut Table) -> (Desk, Asker, LocalId, LocalId) {
    let (mut desk, mut asker, id) = roomy_request(table);
    let case = claim(table, &mut desk);
    reply(table, &mut desk, case, "I am here");
    asker.refresh(table);
    (desk, asker, id, case)
}

#[test]
fn texts_of_all_lengths_arrive_in_a_conversation() {
    let mut table = Table::new(601, 1);
    let (mut desk, mut asker, id, case) = roomy_conversation(&mut table);
    for bytes in [1, 1689, 1690, 1691, 3380, 40_000] {
        let text = "d".repeat(bytes);
        say(&mut table, &mut asker, id, &text);
        desk.refresh(&mut table);
        assert_eq!(messages(&desk, case).last().unwrap(), &format!("requester: {text}"));
    }
}

#[test]
fn the_longest_text_arrives_in_a_conversation_at_one_look() {
    let mut table = Table::new(602, 1);
    let (mut desk, mut asker, id, case) = roomy_conversation(&mut table);
    let text = "ж".repeat(REQUEST_BYTES_MAX / 2);
    say(&mut table, &mut asker, id, &text);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), &format!("requester: {text}"));
}

#[test]
fn the_longest_first_answer_arrives_as_she_makes_room_for_it() {
    let mut table = Table::new(603, 1);
    let (mut desk, mut asker, id) = roomy_request(&mut table);
    let case = claim(&mut table, &mut desk);
    let text = "ю".repeat(REQUEST_BYTES_MAX / 2);
    assert_eq!(try_reply(&mut table, &mut desk, case, &text), None);
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).last().unwrap(), &format!("volunteer: {text}"));
}

#[test]
fn no_text_and_too_long_a_text_are_refused_on_both_sides() {
    let mut table = Table::new(604, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    let too_long = "x".repeat(REQUEST_BYTES_MAX + 1);
    let now = table.now;
    assert_eq!(asker.machine.say(id, "", now, &mut table.rng), Err(SayError::Empty));
    assert!(matches!(asker.machine.say(id, &too_long, now, &mut table.rng), Err(SayError::TooLong { .. })));
    let card = desk.machine.card().unwrap();
    let asked = asker.machine.ask(card, &too_long, *b"en\0\0", now, &mut table.rng);
    assert!(matches!(asked, Err(SayError::TooLong { .. })));
    assert_eq!(try_reply(&mut table, &mut desk, case, ""), Some(Err(DeviceError::Text)));
    assert_eq!(try_reply(&mut table, &mut desk, case, &too_long), Some(Err(DeviceError::Text)));
}

#[test]
fn what_waits_to_be_sealed_is_bounded() {
    let mut table = Table::new(605, 1);
    let desk = desk(&mut table);
    table.unreachable.insert(table.relay(1));
    let mut asker = Seat::new(Requester::default(), table.roomy_vault());
    let text = "x".repeat(REQUEST_BYTES_MAX);
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, &text, *b"en\0\0", table.now, &mut table.rng).unwrap();
    for _ in 1..WAITING_BYTES_MAX / REQUEST_BYTES_MAX {
        asker.machine.say(id, &text, table.now, &mut table.rng).unwrap();
        asker.settle(&mut table);
    }
    assert!(matches!(asker.machine.say(id, "x", table.now, &mut table.rng), Err(SayError::TooLong { .. })));
    asker = asker.restart(&table, Requester::load);
    assert_eq!(asker.machine.drafts(id).len(), 4);
}

#[test]
fn after_256_messages_without_an_answer_hers_wait_and_she_is_told() {
    let mut table = Table::new(606, 1);
    let (mut desk, mut asker, id, case) = roomy_conversation(&mut table);
    for n in 0..257 {
        asker.machine.say(id, &format!("message {n}"), table.now, &mut table.rng).unwrap();
        asker.settle(&mut table);
    }
    assert_eq!(asker.machine.drafts(id), ["message 256"]);
    assert_eq!(warnings(&table, &asker, id), [Warning::Unanswered]);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).len(), 258);
    reply(&mut table, &mut desk, case, "so much");
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: message 256");
    assert!(warnings(&table, &asker, id).is_empty());
}

#[test]
fn a_text_that_needs_more_messages_than_are_left_waits_too() {
    let mut table = Table::new(607, 1);
    let (_, mut asker, id, _) = roomy_conversation(&mut table);
    let text = "x".repeat(REQUEST_BYTES_MAX);
    for _ in 0..4 {
        asker.machine.say(id, &text, table.now, &mut table.rng).unwrap();
        asker.settle(&mut table);
    }
    assert_eq!(asker.machine.drafts(id).len(), 1);
    assert_eq!(warnings(&table, &asker, id), [Warning::Unanswered]);
}

#[test]
fn after_256_messages_without_an_answer_a_volunteers_are_refused_and_kept() {
    let mut table = Table::new(608, 1);
    let (mut desk, mut asker, id, case) = roomy_conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    for n in 0..256 {
        desk.machine.reply(case, &format!("message {n}"), table.now, &mut table.rng);
        desk.settle(&mut table);
    }
    let refused = try_reply(&mut table, &mut desk, case, "one more");
    assert_eq!(refused, Some(Err(DeviceError::Unanswered)));
    assert_eq!(desk.machine.drafts(case), ["one more"]);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).len(), 259);
}

#[test]
fn many_conversations_live_in_one_home() {
    let mut table = Table::new(609, 1);
    let mut desk = desk(&mut table);
    let card = desk.machine.card().unwrap();
    let mut asker = stranger(&mut table);
    let now = table.now;
    let ask = |asker: &mut Asker, table: &mut Table, n: u32| {
        let id = asker.machine.ask(card.clone(), &format!("request {n}"), *b"en\0\0", now, &mut table.rng);
        asker.settle(table);
        id.unwrap()
    };
    let ids: Vec<LocalId> = (0..5).map(|n| ask(&mut asker, &mut table, n)).collect();
    for n in 0..5 {
        let case = claim(&mut table, &mut desk);
        reply(&mut table, &mut desk, case, &format!("answer {n}"));
    }
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(
            messages(&asker, *id),
            [format!("requester: request {n}"), format!("volunteer: answer {n}")]
        );
    }
}

#[test]
fn a_conversation_that_is_forgotten_leaves_nothing_and_the_others_stay() {
    let mut table = Table::new(610, 1);
    let (desk, mut asker, id, _) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    let card = desk.machine.card().unwrap();
    let other = asker.machine.ask(card, "Something else", *b"en\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    asker.machine.forget(id, &asker.vault);
    asker.settle(&mut table);
    let all = asker.records().keys_with(b"");
    assert!(all.iter().all(|key| key[1..9] == other.0), "something of it is left");
    assert_eq!(states(&asker, other), [SentState::Stored]);
    asker.refresh(&mut table);
    asker = asker.restart(&table, Requester::load);
    assert_eq!(asker.machine.conversations().len(), 1);
}

#[test]
fn the_vault_is_settled_when_a_machine_rests() {
    let mut table = Table::new(611, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    let before = asker.vault.generation();
    asker.settle(&mut table);
    assert_eq!(asker.vault.generation(), before, "a machine that rests saves nothing");
    desk.refresh(&mut table);
    let ticket = desk.machine.close(case, table.now, &mut table.rng);
    let before = desk.vault.generation();
    desk.settle(&mut table);
    assert!(desk.machine.outcome(ticket).is_some());
    assert!(desk.vault.generation() > before + 1);
    desk = desk.restart(&table, load_desk);
    assert_eq!(ask(&mut table, &desk, "and now?").0.machine.conversations().len(), 1);
}
