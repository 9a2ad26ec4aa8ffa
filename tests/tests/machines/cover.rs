//! Messages that say nothing, and polls of one shape (docs/spec/client.md §9).

use poterne_client_core::cover::{
    CONSTANT_ENVELOPES, CONSTANT_MAILBOXES, COVER_UNANSWERED_MAX, CoverError, PollShape,
};
use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::SentState;
use poterne_protocol::op::{Fetch, Put, Request};
use poterne_tests::table::Table;

use crate::people::{Asker, Desk, ask, claim, desk, messages, reply, say, states};

const SAID: [&str; 3] = ["requester: Help me", "volunteer: I am here", "requester: Thank you"];

/// Both have written, and her last text is not answered yet.
fn conversation(table: &mut Table) -> (Desk, LocalId, Asker, LocalId) {
    let mut desk = desk(table);
    let (mut asker, conversation) = ask(table, &desk, "Help me");
    let case = claim(table, &mut desk);
    reply(table, &mut desk, case, "I am here");
    asker.refresh(table);
    say(table, &mut asker, conversation, "Thank you");
    desk.refresh(table);
    (desk, case, asker, conversation)
}

fn cover(table: &mut Table, asker: &mut Asker, conversation: LocalId) -> Result<(), CoverError> {
    let now = asker.now(table);
    let outcome = asker.machine.cover(conversation, now, &mut table.rng);
    asker.refresh(table);
    assert!(asker.machine.is_settled(conversation));
    outcome
}

fn answer_by_cover(table: &mut Table, desk: &mut Desk, case: LocalId) -> Result<(), CoverError> {
    let now = desk.now(table);
    let outcome = desk.machine.cover(case, now, &mut table.rng);
    desk.refresh(table);
    assert!(desk.machine.is_settled(case));
    outcome
}

fn puts(table: &mut Table) -> Vec<Put> {
    let put = |(_, request)| match request {
        Request::Put(put) => Some(put),
        _ => None,
    };
    std::mem::take(&mut table.asked).into_iter().filter_map(put).collect()
}

#[test]
fn cover_is_an_envelope_like_any_other_and_nobody_is_shown_it() {
    let mut table = Table::new(1, 1);
    let (mut desk, case, mut asker, conversation) = conversation(&mut table);
    table.asked.clear();
    cover(&mut table, &mut asker, conversation).unwrap();
    assert_eq!(puts(&mut table).len(), 1);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case), SAID);
    assert_eq!(messages(&asker, conversation), SAID);

    reply(&mut table, &mut desk, case, "Where are you?");
    asker.refresh(&mut table);
    assert_eq!(messages(&asker, conversation).last().unwrap(), "volunteer: Where are you?");
    assert_eq!(messages(&asker, conversation), messages(&desk, case));
}

#[test]
fn cover_of_the_other_side_answers_nothing() {
    let mut table = Table::new(2, 1);
    let (mut desk, case, mut asker, conversation) = conversation(&mut table);
    answer_by_cover(&mut table, &mut desk, case).unwrap();
    asker.refresh(&mut table);
    assert_eq!(states(&asker, conversation), [SentState::Answered, SentState::Stored]);
    assert_eq!(messages(&asker, conversation), SAID);
    reply(&mut table, &mut desk, case, "Where are you?");
    asker.refresh(&mut table);
    assert_eq!(states(&asker, conversation), [SentState::Answered; 2]);
}

#[test]
fn cover_goes_on_as_long_as_both_sides_send_it() {
    let mut table = Table::new(3, 1);
    let (mut desk, case, mut asker, conversation) = conversation(&mut table);
    for _ in 0..3 * COVER_UNANSWERED_MAX {
        cover(&mut table, &mut asker, conversation).unwrap();
        desk.refresh(&mut table);
        answer_by_cover(&mut table, &mut desk, case).unwrap();
        asker.refresh(&mut table);
    }
    say(&mut table, &mut asker, conversation, "Still here");
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Still here");
}

#[test]
fn without_an_answer_cover_leaves_the_room_to_messages() {
    let mut table = Table::new(4, 1);
    let (mut desk, case, mut asker, conversation) = conversation(&mut table);
    let sent = (0..).take_while(|_| cover(&mut table, &mut asker, conversation).is_ok()).count();
    assert_eq!(sent, COVER_UNANSWERED_MAX as usize - 1, "the text before it counts too");
    assert_eq!(cover(&mut table, &mut asker, conversation), Err(CoverError::Unanswered));
    say(&mut table, &mut asker, conversation, "Still here");
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case).last().unwrap(), "requester: Still here");
}

#[test]
fn cover_begins_nothing() {
    let mut table = Table::new(5, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    assert_eq!(cover(&mut table, &mut asker, conversation), Err(CoverError::NotOpen));
    let case = claim(&mut table, &mut desk);
    assert_eq!(answer_by_cover(&mut table, &mut desk, case), Err(CoverError::NotOpen));
    reply(&mut table, &mut desk, case, "I am here");
    asker.refresh(&mut table);
    assert_eq!(cover(&mut table, &mut asker, conversation), Err(CoverError::NotOpen));
    assert_eq!(answer_by_cover(&mut table, &mut desk, case), Err(CoverError::NotOpen));
    assert_eq!(cover(&mut table, &mut asker, LocalId([9; 8])), Err(CoverError::Unknown));
}

#[test]
fn polls_of_constant_shape_look_alike_whatever_there_is_to_read() {
    let mut table = Table::new(6, 1);
    let mut desk = desk(&mut table);
    let (mut asker, conversation) = ask(&mut table, &desk, "Help me");
    asker.machine.set_poll_shape(PollShape::Constant);
    let case = claim(&mut table, &mut desk);
    for turn in 0..4 {
        table.asked.clear();
        asker.refresh(&mut table);
        let is_poll = |fetch: &Fetch| fetch.max == CONSTANT_ENVELOPES;
        let fetches: Vec<Fetch> = fetches(&table).into_iter().filter(is_poll).collect();
        assert!(!fetches.is_empty());
        for fetch in fetches {
            assert_eq!((fetch.from.len(), fetch.wait_secs), (CONSTANT_MAILBOXES, 0));
        }
        desk.refresh(&mut table);
        reply(&mut table, &mut desk, case, &format!("answer {turn}"));
        asker.refresh(&mut table);
        say(&mut table, &mut asker, conversation, &format!("text {turn}"));
    }
    assert_eq!(messages(&asker, conversation).len(), 9);
}

fn fetches(table: &Table) -> Vec<Fetch> {
    let fetch = |(_, request): &(_, Request)| match request {
        Request::Fetch(fetch) => Some(fetch.clone()),
        _ => None,
    };
    table.asked.iter().filter_map(fetch).collect()
}
