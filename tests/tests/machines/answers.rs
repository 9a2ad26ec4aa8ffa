//! Answers that are false, revoked, not checked yet; and everything that comes twice, damaged, or from a stranger.

use poterne_client_core::desk::epoch::{Epoch, EpochSeed};
use poterne_client_core::device::Stage;
use poterne_client_core::effect::CallResult;
use poterne_client_core::requester::{Requester, Standing, Warning};
use poterne_client_core::sign::SignSecret;
use poterne_client_core::transcript::SentState;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_tests::table::Table;
use rand_core::Rng;

use crate::hand::{self, Hand, today};
use crate::people::{
    ask, ask_card, claim, conversation, desk, join, load_desk, messages, queue, reply, say, states,
    try_reply, warnings,
};

fn is_of_a_log(request: &Request) -> bool {
    matches!(request, Request::Fetch(fetch) if fetch.from[0].mailbox.kind == Kind::Log)
}

#[test]
fn an_answer_under_a_false_certificate_is_not_shown() {
    let mut table = Table::new(801, 1);
    let (mut hand, seed) = (Hand::new(&mut table), EpochSeed::generate(&mut table.rng));
    let epoch = today(&table);
    let published = hand.notice(&mut table, epoch, &seed, &[]);
    hand.publish(&mut table, &published);
    let (mut good, mut evil) = (hand::device(&mut table, 1), hand::device(&mut table, 2));
    let stranger = SignSecret::generate(&mut table.rng);
    let grant = hand.grant_by(&stranger, &published, &seed, evil.machine.identity());
    hand::seat(&mut table, &mut evil, grant);
    let grant = hand.grant(&published, &seed, good.machine.identity());
    hand::seat(&mut table, &mut good, grant);
    let card = hand.card(&table);
    let (mut asker, id) = ask_card(&mut table, card, "Help me");
    table.filter = Some(|request| !matches!(request, Request::Delete(_)));
    let case = claim(&mut table, &mut evil);
    reply(&mut table, &mut evil, case, "Trust me");
    table.filter = None;
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me"]);
    table.wait(1000);
    let case = claim(&mut table, &mut good);
    reply(&mut table, &mut good, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me", "volunteer: I am here"]);
}

#[test]
fn the_answer_of_a_revoked_device_is_refused_and_the_request_sealed_anew_for_the_others() {
    let mut table = Table::new(802, 1);
    let (mut hand, old) = (Hand::new(&mut table), EpochSeed::generate(&mut table.rng));
    let new = EpochSeed::generate(&mut table.rng);
    let epoch = today(&table);
    let first = hand.notice(&mut table, epoch, &old, &[]);
    hand.publish(&mut table, &first);
    let (mut revoked, mut good) = (hand::device(&mut table, 3), hand::device(&mut table, 4));
    let grant = hand.grant(&first, &old, revoked.machine.identity());
    hand::seat(&mut table, &mut revoked, grant);
    let grant = hand.grant(&first, &old, good.machine.identity());
    hand::seat(&mut table, &mut good, grant);
    let card = hand.card(&table);
    let (mut asker, id) = ask_card(&mut table, card, "Help me");
    good.refresh(&mut table);
    let earlier = good.machine.queue(good.records()).unwrap()[0].id;
    let case = claim(&mut table, &mut revoked);
    reply(&mut table, &mut revoked, case, "Trust me");
    let second = hand.notice(&mut table, Epoch { generation: 1, ..epoch }, &new, &[3]);
    hand.publish(&mut table, &second);
    let grant = hand.grant(&second, &new, good.machine.identity());
    hand::seat(&mut table, &mut good, grant);
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me"]);
    good.refresh(&mut table);
    let items = good.machine.queue(good.records()).unwrap();
    assert_eq!(items.iter().map(|item| item.follows).collect::<Vec<_>>(), [Some(earlier)]);
    let case = claim(&mut table, &mut good);
    reply(&mut table, &mut good, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me", "volunteer: I am here"]);
}

#[test]
fn a_revocation_is_heard_of_in_a_run_that_lasts_for_hours() {
    let mut table = Table::new(820, 1);
    let (mut hand, old) = (Hand::new(&mut table), EpochSeed::generate(&mut table.rng));
    let new = EpochSeed::generate(&mut table.rng);
    let epoch = today(&table);
    let first = hand.notice(&mut table, epoch, &old, &[]);
    hand.publish(&mut table, &first);
    let mut revoked = hand::device(&mut table, 3);
    let grant = hand.grant(&first, &old, revoked.machine.identity());
    hand::seat(&mut table, &mut revoked, grant);
    let card = hand.card(&table);
    let (mut asker, id) = ask_card(&mut table, card, "Help me");
    let second = hand.notice(&mut table, Epoch { generation: 1, ..epoch }, &new, &[3]);
    hand.publish(&mut table, &second);
    table.wait(3600);
    let case = claim(&mut table, &mut revoked);
    reply(&mut table, &mut revoked, case, "Trust me");
    asker.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), ["requester: Help me"]);
}

#[test]
fn an_answer_is_shown_as_not_checked_while_no_newest_notice_can_be_had_and_nothing_is_sent() {
    let mut table = Table::new(803, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    asker = asker.restart(&table, Requester::load);
    table.filter = Some(|request| !is_of_a_log(request));
    asker.machine.say(id, "Thank you", table.now, &mut table.rng).unwrap();
    asker.refresh(&mut table);
    assert_eq!(
        asker.machine.unchecked(id).iter().map(|text| text.as_str()).collect::<Vec<_>>(),
        ["I am here"]
    );
    assert!(warnings(&table, &asker, id).contains(&Warning::Unchecked));
    assert_eq!(asker.machine.drafts(id), ["Thank you"]);
    table.filter = None;
    asker.refresh(&mut table);
    assert!(asker.machine.unchecked(id).is_empty());
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Thank you");
    assert_eq!(messages(&asker, id)[1], "volunteer: I am here");
}

#[test]
fn a_request_that_is_replayed_is_one_request() {
    let mut table = Table::new(804, 2);
    let mut desk = desk(&mut table);
    ask(&mut table, &desk, "Help me");
    let is_request =
        |request: &Request| matches!(request, Request::Put(Put { to, .. }) if to.kind == Kind::Intake);
    let (pin, put) = table.asked.iter().find(|(_, request)| is_request(request)).cloned().unwrap();
    desk.refresh(&mut table);
    assert!(table.ask(pin, put).is_ok());
    desk.refresh(&mut table);
    assert_eq!(queue(&desk), ["Help me"]);
}

/// A relay that gives out again everything that it ever had.
fn replay_everything(table: &mut Table) {
    let asked = table.asked.clone();
    let pin = table.relay(1);
    table.wipe_relay(&pin);
    for (pin, request) in asked {
        if matches!(request, Request::Put(_) | Request::Open(_)) {
            table.ask(pin, request).unwrap();
        }
    }
}

#[test]
fn receipts_answers_and_messages_that_are_replayed_change_nothing() {
    let mut table = Table::new(805, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    reply(&mut table, &mut desk, case, "You are welcome");
    asker.refresh(&mut table);
    let (hers, his) = (messages(&asker, id), messages(&desk, case));
    for _ in 0..2 {
        replay_everything(&mut table);
        asker = asker.restart(&table, Requester::load);
        desk = desk.restart(&table, load_desk);
        asker.refresh(&mut table);
        desk.refresh(&mut table);
        assert_eq!((messages(&asker, id), messages(&desk, case)), (hers.clone(), his.clone()));
        assert_eq!(asker.machine.conversations()[0].standing, Standing::Open);
        assert_eq!(desk.machine.case(case).unwrap().stage, Stage::Talking);
        assert!(queue(&desk).is_empty());
    }
}

#[test]
fn junk_in_every_mailbox_stops_nobody() {
    let mut table = Table::new(806, 1);
    let mut desk = desk(&mut table);
    let (mut asker, id) = ask(&mut table, &desk, "Help me");
    say(&mut table, &mut asker, id, "It is urgent");
    strew_junk(&mut table);
    let case = claim(&mut table, &mut desk);
    reply(&mut table, &mut desk, case, "I am here");
    for turn in 0..3 {
        strew_junk(&mut table);
        asker = asker.restart(&table, Requester::load);
        asker.refresh(&mut table);
        say(&mut table, &mut asker, id, &format!("question {turn}"));
        strew_junk(&mut table);
        desk = desk.restart(&table, load_desk);
        desk.refresh(&mut table);
        reply(&mut table, &mut desk, case, &format!("answer {turn}"));
    }
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id), messages(&desk, case));
    assert_eq!(messages(&asker, id).len(), 9);
}

/// Puts an envelope of random bytes into every mailbox that anything was put into.
fn strew_junk(table: &mut Table) {
    let asked = table.asked.clone();
    for (pin, request) in &asked {
        match request {
            Request::Put(put) if !matches!(put.payment, Payment::Steward(_)) => {
                let mut bytes = [0; 4096];
                table.rng.fill_bytes(&mut bytes);
                let envelope = SealedEnvelope::parse(&bytes).unwrap();
                table.ask(*pin, Request::Put(Put { envelope, ..put.clone() })).unwrap();
            }
            _ => {}
        }
    }
    table.asked = asked;
}

#[test]
fn copies_that_were_damaged_on_their_way_lose_nothing() {
    for place in [0, 30, 1200, 2400, 2500, 4000, 4095] {
        let mut table = Table::new(810 + place as u64, 1);
        let mut desk = desk(&mut table);
        let (mut asker, id) = ask(&mut table, &desk, "Help me");
        let damage = move |table: &mut Table| {
            table.meddler = Some(Box::new(move |_, _, result| damaged(result, place)));
        };
        damage(&mut table);
        desk.refresh(&mut table);
        table.meddler = None;
        let mut fresh = join(&mut table, &mut desk, 1);
        let case = claim(&mut table, &mut fresh);
        reply(&mut table, &mut fresh, case, "I am here");
        damage(&mut table);
        asker.refresh(&mut table);
        table.meddler = None;
        asker.refresh(&mut table);
        say(&mut table, &mut asker, id, "Thank you");
        damage(&mut table);
        fresh.refresh(&mut table);
        table.meddler = None;
        fresh.refresh(&mut table);
        assert_eq!(messages(&fresh, case).last().unwrap(), "requester: Thank you", "byte {place}");
        assert_eq!(messages(&asker, id), messages(&fresh, case));
    }
}

fn damaged(result: CallResult, place: usize) -> CallResult {
    let Ok(Answer::Fetched(mut found)) = result else { return result };
    for envelope in found.iter_mut().flat_map(|one| &mut one.envelopes) {
        let mut bytes = *envelope.as_bytes();
        bytes[place] ^= 1;
        *envelope = SealedEnvelope::parse(&bytes).unwrap();
    }
    Ok(Answer::Fetched(found))
}

#[test]
fn a_relay_that_never_comes_to_an_end_holds_nobody_up() {
    let mut table = Table::new(830, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.meddler = Some(Box::new(|_, _, result| match result {
        Ok(Answer::Fetched(mut found)) => {
            found.iter_mut().for_each(|one| one.more = true);
            Ok(Answer::Fetched(found))
        }
        other => other,
    }));
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Thank you");
}

#[test]
fn a_relay_that_answers_what_was_not_asked_changes_nothing() {
    let mut table = Table::new(831, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    let (hers, his) = (messages(&asker, id), messages(&desk, case));
    let wrong = [
        || Answer::Done,
        || Answer::Ended,
        || Answer::Nothing,
        || Answer::Malformed,
        || Answer::Unsupported,
        || Answer::Fetched(Vec::new()),
        || Answer::Status(Vec::new()),
        || Answer::Busy { retry_after_secs: u16::MAX },
    ];
    for answer in wrong {
        table.meddler = Some(Box::new(move |_, _, _| Ok(answer())));
        asker.refresh(&mut table);
        desk.refresh(&mut table);
        try_reply(&mut table, &mut desk, case, "lost for now");
        table.meddler = None;
        assert_eq!(messages(&asker, id), hers);
    }
    assert_eq!(his.len(), 2);
    table.wait(600);
    desk.refresh(&mut table);
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, id).len(), hers.len() + 8);
    assert_eq!(states(&asker, id), [SentState::Answered]);
}
