//! Clocks that are off: the person's, the volunteer's, a relay's.

use poterne_client_core::device::DeskWarning;
use poterne_client_core::requester::Warning;
use poterne_client_core::transcript::SentState;
use poterne_protocol::time::DAY_SECS;
use poterne_tests::table::Table;

use crate::people::{
    ask, claim, conversation, desk, messages, queue, reply, say, states, stranger, warnings,
};

const DAY: i64 = DAY_SECS as i64;
const YEAR: i64 = 365 * DAY;

#[test]
fn a_clock_that_is_some_hours_off_is_bridged() {
    for (seed, ahead) in [(501, 20 * 3600), (502, -20 * 3600)] {
        let mut table = Table::new(seed, 1);
        let mut desk = desk(&mut table);
        let mut asker = stranger(&mut table);
        asker.ahead_secs = ahead;
        let (card, now) = (desk.machine.card().unwrap(), asker.now(&table));
        let id = asker.machine.ask(card, "Help me", *b"uk\0\0", now, &mut table.rng).unwrap();
        asker.settle(&mut table);
        let case = claim(&mut table, &mut desk);
        reply(&mut table, &mut desk, case, "I am here");
        asker.refresh(&mut table);
        say(&mut table, &mut asker, id, "Thank you");
        desk.refresh(&mut table);
        assert_eq!(messages(&asker, id), messages(&desk, case));
        assert_eq!(messages(&desk, case).len(), 3);
    }
}

#[test]
fn a_clock_that_is_days_or_years_off_seals_nothing_until_the_person_decides() {
    for (seed, ahead) in
        [(503, 3 * DAY), (504, -3 * DAY), (505, YEAR), (506, -YEAR), (507, 30 * YEAR), (508, -30 * YEAR)]
    {
        let mut table = Table::new(seed, 1);
        let mut desk = desk(&mut table);
        let mut asker = stranger(&mut table);
        asker.ahead_secs = ahead;
        let (card, now) = (desk.machine.card().unwrap(), asker.now(&table));
        let id = asker.machine.ask(card, "Help me", *b"uk\0\0", now, &mut table.rng).unwrap();
        asker.refresh(&mut table);
        assert_eq!(warnings(&table, &asker, id), [Warning::ClockOff { secs: -ahead }]);
        assert_eq!(asker.machine.drafts(id), ["Help me"]);
        asker.machine.believe_relays_clock();
        asker.refresh(&mut table);
        assert_eq!(states(&asker, id), [SentState::Stored]);
        let case = claim(&mut table, &mut desk);
        reply(&mut table, &mut desk, case, "I am here");
        asker.refresh(&mut table);
        say(&mut table, &mut asker, id, "Thank you");
        desk.refresh(&mut table);
        assert_eq!(messages(&desk, case).len(), 3);
    }
}

#[test]
fn a_clock_that_was_set_right_is_believed_at_the_next_look() {
    let mut table = Table::new(509, 1);
    let mut desk = desk(&mut table);
    let mut asker = stranger(&mut table);
    asker.ahead_secs = YEAR;
    let (card, now) = (desk.machine.card().unwrap(), asker.now(&table));
    let id = asker.machine.ask(card, "Help me", *b"uk\0\0", now, &mut table.rng).unwrap();
    asker.refresh(&mut table);
    asker.ahead_secs = 0;
    asker.refresh(&mut table);
    assert!(warnings(&table, &asker, id).is_empty());
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

#[test]
fn a_clock_that_jumps_ahead_loses_nothing_of_hers() {
    let mut table = Table::new(510, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.unreachable.insert(table.relay(1));
    asker.machine.say(id, "Thank you", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    asker.ahead_secs = 30 * YEAR;
    asker.refresh(&mut table);
    table.unreachable.clear();
    asker.refresh(&mut table);
    asker.ahead_secs = 0;
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Thank you");
}

#[test]
fn a_clock_that_jumps_ahead_erases_no_key_of_a_desk() {
    let mut table = Table::new(511, 1);
    let mut desk = desk(&mut table);
    desk.ahead_secs = 30 * YEAR;
    table.unreachable.insert(table.relay(1));
    desk.refresh(&mut table);
    table.unreachable.clear();
    desk.refresh(&mut table);
    assert!(desk.machine.warnings(desk.now(&table)).contains(&DeskWarning::ClockOff { secs: -30 * YEAR }));
    desk.ahead_secs = 0;
    ask(&mut table, &desk, "Help me");
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

#[test]
fn one_relay_that_lies_about_the_time_changes_nothing_where_another_tells_it() {
    let mut table = Table::new(512, 2);
    table.ahead_secs.insert(table.relay(1), -YEAR);
    let mut desk = desk(&mut table);
    let (asker, id) = ask(&mut table, &desk, "Help me");
    assert!(warnings(&table, &asker, id).is_empty());
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

#[test]
fn the_only_relay_is_not_believed_unasked() {
    let mut table = Table::new(513, 1);
    let desk = desk(&mut table);
    table.ahead_secs.insert(table.relay(1), YEAR);
    let (asker, id) = ask(&mut table, &desk, "Help me");
    assert_eq!(warnings(&table, &asker, id), [Warning::ClockOff { secs: YEAR }]);
    assert_eq!(asker.machine.drafts(id), ["Help me"]);
}
