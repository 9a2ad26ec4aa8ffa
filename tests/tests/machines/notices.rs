//! Notices that are missing, old, forged, withheld; and what a desk does over weeks.

use poterne_client_core::desk::epoch::{Epoch, EpochSeed};
use poterne_client_core::device::{DeskWarning, DeviceError, LOOK_SECS};
use poterne_client_core::notice::{self, NoticeError};
use poterne_client_core::records::Records;
use poterne_client_core::requester::{Requester, Warning};
use poterne_client_core::transcript::SentState;
use poterne_protocol::card::{Card, CardExtras};
use poterne_protocol::desk::DeskId;
use poterne_protocol::keys::{KeyHash, Permit, Pin};
use poterne_protocol::op::{Answer, Open, Request};
use poterne_protocol::time::Day;
use poterne_tests::table::Table;

use crate::hand::{self, Hand, today};
use crate::people::{
    ask, ask_card, claim, desk, join, messages, pass_grants, queue, reply, states, try_claim, warnings,
};

/// The one reason why her text is not sealed.
fn refused(
    table: &Table,
    asker: &crate::people::Asker,
    id: poterne_client_core::records::LocalId,
) -> NoticeError {
    assert_eq!(asker.machine.drafts(id).len(), 1);
    match warnings(table, asker, id)[..] {
        [Warning::Notice(error)] => error,
        ref other => panic!("she is warned of {other:?}"),
    }
}

fn seed(table: &mut Table) -> EpochSeed {
    EpochSeed::generate(&mut table.rng)
}

#[test]
fn an_expired_notice_seals_nothing() {
    let mut table = Table::new(301, 1);
    let (mut hand, seed) = (Hand::new(&mut table), seed(&mut table));
    let epoch = today(&table);
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    hand.publish(&mut table, &published);
    let card = hand.card(&table);
    table.wait_days(2);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(refused(&table, &asker, id), NoticeError::Expired);
}

#[test]
fn yesterdays_notice_is_good_for_a_day_more() {
    let mut table = Table::new(302, 1);
    let (mut hand, seed) = (Hand::new(&mut table), seed(&mut table));
    let epoch = today(&table);
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    hand.publish(&mut table, &published);
    table.wait_days(1);
    let card = hand.card(&table);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn tomorrows_notice_is_taken_where_todays_is_missing() {
    let mut table = Table::new(303, 1);
    let (mut hand, seed) = (Hand::new(&mut table), seed(&mut table));
    let epoch = Epoch { day: table.now.day() + 1, generation: 0 };
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    hand.publish(&mut table, &published);
    let card = hand.card(&table);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(states(&asker, id), [SentState::Stored]);
}

#[test]
fn a_notice_of_another_day_in_todays_log_is_not_believed() {
    let mut table = Table::new(304, 1);
    let (mut hand, seed) = (Hand::new(&mut table), seed(&mut table));
    let epoch = Epoch { day: table.now.day() + 3, generation: 0 };
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    let (pin, day) = (table.relay(1), table.now.day());
    hand.put_into_log(&mut table, pin, day, published.envelopes[0].clone());
    let card = hand.card(&table);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(refused(&table, &asker, id), NoticeError::NotOpened);
}

#[test]
fn a_notice_that_another_desk_has_signed_is_not_believed() {
    let mut table = Table::new(305, 1);
    let (hand, mut other) = (Hand::new(&mut table), Hand::new(&mut table));
    let (seed, epoch) = (seed(&mut table), today(&table));
    let forged = other.notice(&mut table, epoch, &seed, &[]);
    let (pin, day) = (table.relay(1), table.now.day());
    hand.put_into_log(&mut table, pin, day, forged.envelopes[0].clone());
    let card = hand.card(&table);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(refused(&table, &asker, id), NoticeError::NotOpened);
}

#[test]
fn a_card_of_a_desk_that_is_not_there_seals_nothing() {
    let mut table = Table::new(306, 1);
    let desk = desk(&mut table);
    let card = desk.machine.card().unwrap();
    let wrong =
        Card::new(DeskId([1; 32]), card.secret().clone(), card.relays().to_vec(), CardExtras::default());
    let (asker, id) = ask_card(&mut table, wrong.unwrap(), "Help me");
    assert_eq!(refused(&table, &asker, id), NoticeError::Expired);
}

#[test]
fn a_relay_that_shows_an_older_notice_does_not_lead_her_back() {
    let mut table = Table::new(307, 1);
    let (mut hand, old, new) = (Hand::new(&mut table), seed(&mut table), seed(&mut table));
    let epoch = today(&table);
    let first = hand.notice(&mut table, epoch, &old, &[]);
    let second = hand.notice(&mut table, Epoch { generation: 1, ..epoch }, &new, &[]);
    hand.publish(&mut table, &first);
    hand.publish(&mut table, &second);
    let card = hand.card(&table);
    let (mut asker, _) = ask_card(&mut table, card.clone(), "Help me");
    // From now on the relay knows the first notice only; its intake is open, for whoever still falls for it.
    let pin = table.relay(1);
    table.wipe_relay(&pin);
    hand.publish(&mut table, &first);
    asker = asker.restart(&table, Requester::load);
    let conversation = asker.machine.conversations()[0].id;
    table.wait(3601);
    asker.refresh(&mut table);
    table.wait(3601);
    asker.refresh(&mut table);
    assert!(warnings(&table, &asker, conversation).contains(&Warning::Notice(NoticeError::Older)));
    let mut device = hand::device(&mut table, 0);
    let grant = hand.grant(&first, &old, device.machine.identity());
    hand::seat(&mut table, &mut device, grant);
    device.refresh(&mut table);
    assert!(queue(&device).is_empty());
}

#[test]
fn two_notices_under_one_number_are_an_alarm() {
    let mut table = Table::new(308, 2);
    let (mut hand, one, other) = (Hand::new(&mut table), seed(&mut table), seed(&mut table));
    let epoch = today(&table);
    let shown_here = hand.notice(&mut table, epoch, &one, &[]);
    let shown_there = hand.notice_of_counter(&mut table, epoch, &other, &[]);
    let (here, there) = (table.relay(1), table.relay(2));
    hand.publish_at(&mut table, here, &shown_here);
    hand.publish_at(&mut table, there, &shown_there);
    let card = hand.card(&table);
    let (asker, id) = ask_card(&mut table, card, "Help me");
    assert_eq!(warnings(&table, &asker, id), [Warning::Notice(NoticeError::Split)]);
}

#[test]
fn a_new_notice_that_one_of_two_relays_withholds_is_found_at_the_other() {
    let mut table = Table::new(309, 2);
    let (mut hand, old, new) = (Hand::new(&mut table), seed(&mut table), seed(&mut table));
    let epoch = today(&table);
    let first = hand.notice(&mut table, epoch, &old, &[]);
    let second = hand.notice(&mut table, Epoch { generation: 1, ..epoch }, &new, &[3]);
    hand.publish(&mut table, &first);
    let honest = table.relay(2);
    hand.publish_at(&mut table, honest, &second);
    let mut revoked = hand::device(&mut table, 3);
    let grant = hand.grant(&first, &old, revoked.machine.identity());
    hand::seat(&mut table, &mut revoked, grant);
    // Her first notice is the old one: the honest relay is dead for a moment.
    table.unreachable.insert(honest);
    let card = hand.card(&table);
    let (mut asker, id) = ask_card(&mut table, card, "Help me");
    let case = claim(&mut table, &mut revoked);
    reply(&mut table, &mut revoked, case, "Trust me");
    table.unreachable.clear();
    table.wait(61);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me"]);
}

#[test]
fn a_desk_that_sleeps_for_a_week_is_told_and_so_are_those_who_ask() {
    let mut table = Table::new(310, 1);
    let mut desk = desk(&mut table);
    table.wait_days(4);
    assert!(desk.machine.warnings(table.now).contains(&DeskWarning::FewNotices { days: 1 }));
    table.wait_days(3);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    assert_eq!(refused(&table, &asker, id), NoticeError::Expired);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.days_published(table.now.day()), Some(5));
    asker.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

#[test]
fn a_desk_lives_on_when_its_coordinators_certificate_is_renewed() {
    let mut table = Table::new(311, 1);
    let mut desk = desk(&mut table);
    let mut other = join(&mut table, &mut desk, 1);
    let (mut early, id) = ask(&mut table, &desk, "on the first day");
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "welcome");
    early.refresh(&mut table);
    for _ in 0..24 {
        table.wait_days(4);
        desk.refresh(&mut table);
    }
    pass_grants(&mut table, &mut desk, &mut other);
    let (mut late, _) = ask(&mut table, &desk, "on the last day");
    let case = claim(&mut table, &mut other);
    reply(&mut table, &mut other, case, "welcome again");
    late.refresh(&mut table);
    assert_eq!(states(&late, late.machine.conversations()[0].id), [SentState::Answered]);
    early.machine.ask_again(id, "and again", table.now, &mut table.rng).unwrap();
    early.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["and again"]);
}

#[test]
fn the_keys_of_an_epoch_are_erased_132_hours_after_its_day() {
    let mut table = Table::new(312, 1);
    let mut desk = desk(&mut table);
    let first = table.now.day();
    let keys_of_first_day = |desk: &crate::people::Desk| {
        let prefix = [&b"g"[..], &first.0.to_be_bytes()].concat();
        desk.records().keys_with(&prefix).len()
    };
    table.wait(first.end().since(table.now) + 132 * 3600 - 1);
    desk.refresh(&mut table);
    assert_eq!(keys_of_first_day(&desk), 1);
    table.wait(1);
    desk.refresh(&mut table);
    assert_eq!(keys_of_first_day(&desk), 0);
}

#[test]
fn a_request_of_an_erased_epoch_is_not_offered_any_more() {
    let mut table = Table::new(313, 1);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    desk.refresh(&mut table);
    let case = desk.machine.queue(desk.records()).unwrap()[0].id;
    table.wait_days(7);
    desk.refresh(&mut table);
    assert!(queue(&desk).is_empty());
    assert_eq!(try_claim(&mut table, &mut desk, Some(case)), Err(DeviceError::Taken));
}

/// Somebody with the card opens the notice log of a day at a relay, under a steward key of their own.
fn squat(table: &mut Table, card: &Card, pin: Pin, day: Day) {
    let relay = card.relays().iter().find(|relay| relay.pin == pin).unwrap();
    let log = notice::notice_log_at(card.secret(), card.desk(), day, &pin, relay.notice_log);
    let open = Open {
        permit: Permit::from_bytes(&[66; 32]),
        mailbox: log.hashes(),
        last_day: day + 1,
        quota: 0,
        gated: true,
        steward: KeyHash([66; 32]),
    };
    assert!(matches!(table.ask(pin, Request::Open(open)), Ok(Answer::Opened)));
}

#[test]
fn a_log_that_somebody_else_has_opened_holds_up_its_own_day_at_its_own_relay_only() {
    let mut table = Table::new(531, 2);
    let mut desk = desk(&mut table);
    let (card, day) = (desk.machine.card().unwrap(), table.now.day() + 5);
    let pin = table.relay(1);
    squat(&mut table, &card, pin, day);
    table.wait_days(1);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.days_published(table.now.day()), Some(5));
    assert_eq!(desk.machine.warnings(table.now), [DeskWarning::LogTaken]);
    table.wait_days(4);
    desk.refresh(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    assert_eq!(states(&asker, id), [SentState::Stored]);
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    table.wait_days(1);
    desk.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.warnings(table.now), []);
}

#[test]
fn a_notice_that_no_device_expected_is_an_alarm() {
    let mut table = Table::new(532, 1);
    let (mut hand, seed) = (Hand::new(&mut table), EpochSeed::generate(&mut table.rng));
    let epoch = today(&table);
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    hand.publish(&mut table, &published);
    let mut device = hand::device(&mut table, 1);
    let grant = hand.grant(&published, &seed, device.machine.identity());
    hand::seat(&mut table, &mut device, grant);
    device.refresh(&mut table);
    device.refresh(&mut table);
    assert_eq!(device.machine.warnings(table.now), []);
    let other = hand.notice(&mut table, epoch, &EpochSeed::from_bytes(&[6; 32]), &[]);
    hand.publish(&mut table, &other);
    table.wait(LOOK_SECS);
    device.tick(&mut table);
    assert_eq!(device.machine.warnings(table.now), [DeskWarning::ForeignNotice]);
}

#[test]
fn a_notice_that_a_relay_has_lost_is_an_alarm_and_is_published_again() {
    let mut table = Table::new(533, 1);
    let mut desk = desk(&mut table);
    desk.refresh(&mut table);
    assert_eq!(desk.machine.warnings(table.now), []);
    let pin = table.relay(1);
    table.wipe_relay(&pin);
    table.wait(LOOK_SECS);
    desk.tick(&mut table);
    assert_eq!(desk.machine.warnings(table.now), [DeskWarning::MissingNotice]);
    let (asker, id) = ask(&mut table, &desk, "Help me");
    assert_eq!(states(&asker, id), [SentState::Stored]);
    table.wait(LOOK_SECS);
    desk.tick(&mut table);
    assert_eq!(desk.machine.warnings(table.now), []);
}

#[test]
fn a_notice_of_today_that_no_relay_shows_is_an_alarm_at_every_device() {
    let mut table = Table::new(534, 1);
    let (mut hand, seed) = (Hand::new(&mut table), EpochSeed::generate(&mut table.rng));
    let epoch = today(&table);
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    let mut device = hand::device(&mut table, 1);
    let grant = hand.grant(&published, &seed, device.machine.identity());
    hand::seat(&mut table, &mut device, grant);
    device.refresh(&mut table);
    device.refresh(&mut table);
    assert_eq!(device.machine.warnings(table.now), [DeskWarning::MissingNotice]);
}
