//! Files beside texts: sent in chunks, fetched into the vault, erased at the relay; through damage, dead relays and full
//! vaults (docs/spec/attachments.md). Cuts: `attachment_cuts`.

use std::collections::BTreeSet;

use poterne_client_core::attachment::{Attachable, OTHER_TYPE};
use poterne_client_core::effect::CallError;
use poterne_client_core::files::{ContentError, FileState, Letter};
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::{Requester, SayError};
use poterne_client_core::transcript::SentState;
use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::op::{Answer, Request};
use poterne_tests::table::{Meddler, Table};

use crate::people::{
    Asker, Desk, claim, conversation, desk, load_desk, messages, reply, say, states, stranger,
};

/// A file of so many bytes, of which no two chunks are alike.
pub fn file(bytes: u32) -> Attachable {
    let content: Vec<u8> = (0..bytes).map(|place| (place / 251) as u8 ^ place as u8).collect();
    Attachable::new(content.into(), OTHER_TYPE).unwrap()
}

/// She says something with a file.
pub fn say_with(
    table: &mut Table,
    asker: &mut Asker,
    id: LocalId,
    file: &Attachable,
) -> Result<(), SayError> {
    let letter = Letter { text: "with a file", file: Some(file) };
    asker.machine.say(id, letter, table.now, &mut table.rng)?;
    asker.refresh(table);
    Ok(())
}

fn reply_with(table: &mut Table, desk: &mut Desk, case: LocalId, file: &Attachable) {
    let letter = Letter { text: "with a file", file: Some(file) };
    desk.machine.reply(case, letter, table.now, &mut table.rng);
    desk.refresh(table);
}

fn her_files(asker: &Asker, id: LocalId) -> Vec<FileState> {
    asker.machine.files(id).into_iter().map(|view| view.state).collect()
}

fn his_files(desk: &Desk, case: LocalId) -> Vec<FileState> {
    desk.machine.files(case).into_iter().map(|view| view.state).collect()
}

/// The content of the only file of a case.
fn content(desk: &Desk, case: LocalId) -> Result<Vec<u8>, ContentError> {
    let file = desk.machine.files(case)[0].file;
    desk.machine.file_content(case, file, desk.records()).map(|content| content.to_vec())
}

/// The envelopes that were put, as far as they are not copies.
fn put(table: &Table) -> BTreeSet<EnvelopeId> {
    let id = |(_, request): &(_, Request)| match request {
        Request::Put(put) => Some(put.envelope.id()),
        _ => None,
    };
    table.asked.iter().filter_map(id).collect()
}

/// Ids that were erased by their key.
fn erased(table: &Table) -> BTreeSet<EnvelopeId> {
    let ids = |(_, request): &(_, Request)| match request {
        Request::Delete(delete) => delete.ids.clone(),
        _ => Vec::new(),
    };
    table.asked.iter().flat_map(ids).collect()
}

#[test]
fn a_file_of_a_first_request_reaches_the_volunteer_whole() {
    let mut table = Table::new(701, 1);
    let mut desk = desk(&mut table);
    let (mut asker, sent) = (stranger(&mut table), file(100_000));
    let letter = Letter { text: "Help me", file: Some(&sent) };
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, letter, *b"en\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    assert_eq!(states(&asker, id), [SentState::Stored; 2]);
    let case = claim(&mut table, &mut desk);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case), ["requester: Help me", "requester: a file of 100000 bytes"]);
    assert_eq!(content(&desk, case).unwrap(), sent.content().as_slice());
}

#[test]
fn chunks_that_another_device_may_need_are_erased_only_after_her_first_message() {
    let mut table = Table::new(702, 1);
    let mut desk = desk(&mut table);
    let (mut asker, sent) = (stranger(&mut table), file(100_000));
    let letter = Letter { text: "Help me", file: Some(&sent) };
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, letter, *b"en\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    let case = claim(&mut table, &mut desk);
    desk.refresh(&mut table);
    reply(&mut table, &mut desk, case, "I am here");
    assert_eq!(his_files(&desk, case), [FileState::Complete]);
    assert_eq!(erased(&table).len(), 1, "the request itself");
    asker.refresh(&mut table);
    say(&mut table, &mut asker, id, "Thank you");
    desk.refresh(&mut table);
    desk.refresh(&mut table);
    assert!(erased(&table).len() > 32, "25 chunks, padded to 32");
    assert_eq!(content(&desk, case).unwrap(), sent.content().as_slice());
}

#[test]
fn a_file_of_the_volunteer_comes_into_her_vault_and_nothing_of_it_stays_at_the_relay() {
    let mut table = Table::new(703, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    let sent = file(300_000);
    table.asked.clear();
    reply_with(&mut table, &mut desk, case, &sent);
    let chunks = put(&table);
    assert_eq!(chunks.len(), 2 + 128, "74 chunks, padded to 128, behind the text and the announcement");
    asker.refresh(&mut table);
    assert_eq!(her_files(&asker, id), [FileState::Complete]);
    assert!(chunks.is_subset(&erased(&table)));
    let asker = asker.restart(&table, Requester::load);
    let name = asker.machine.files(id)[0].file;
    let kept = asker.machine.file_content(id, name, asker.records()).unwrap();
    assert_eq!(kept.as_slice(), sent.content().as_slice());
}

#[test]
fn a_message_is_stored_only_when_all_chunks_of_its_file_are() {
    let mut table = Table::new(704, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    let mut puts = 0;
    table.asked.clear();
    table.meddler = Some(Box::new(move |_, request, answer| {
        puts += u32::from(matches!(request, Request::Put(_)));
        if puts > 12 { Err(CallError::TimedOut) } else { answer }
    }));
    say_with(&mut table, &mut asker, id, &file(60_000)).unwrap();
    assert_eq!(states(&asker, id)[1..], [SentState::Stored, SentState::Queued]);
    assert_eq!(her_files(&asker, id), [FileState::Sending]);
    table.meddler = None;
    asker = asker.restart(&table, Requester::load);
    asker.refresh(&mut table);
    assert_eq!(states(&asker, id)[1..], [SentState::Stored; 2]);
    desk.refresh(&mut table);
    assert_eq!(content(&desk, case).unwrap(), file(60_000).content().as_slice());
    assert_eq!(put(&table).len(), 2 + 16, "a chunk that is put twice is the same bytes");
}

#[test]
fn a_damaged_chunk_shows_and_the_true_one_still_counts() {
    let mut table = Table::new(705, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say_with(&mut table, &mut asker, id, &file(60_000)).unwrap();
    table.meddler = Some(on_one_chunk(|envelope| {
        let mut bytes = envelope.as_bytes().to_vec();
        bytes[100] ^= 1;
        Some(SealedEnvelope::parse(&bytes).unwrap())
    }));
    desk.refresh(&mut table);
    assert_eq!(his_files(&desk, case), [FileState::Damaged]);
    assert_eq!(content(&desk, case), Err(ContentError::Missing));
    table.meddler = None;
    desk = desk.restart(&table, load_desk);
    assert_eq!(his_files(&desk, case), [FileState::Damaged]);
    desk.refresh(&mut table);
    assert_eq!(content(&desk, case).unwrap(), file(60_000).content().as_slice());
}

/// Somebody who makes something else, or nothing, of the third envelope of the first mailbox that holds many.
fn on_one_chunk(make: fn(&SealedEnvelope) -> Option<SealedEnvelope>) -> Meddler {
    let mut victim = None;
    Box::new(move |_, _, answer| {
        let Ok(Answer::Fetched(mut mailboxes)) = answer else { return answer };
        for mailbox in &mut mailboxes {
            let third = mailbox.envelopes.get(2).filter(|_| mailbox.envelopes.len() > 8);
            victim = victim.or(third.map(SealedEnvelope::id));
            let envelopes = std::mem::take(&mut mailbox.envelopes).into_iter();
            let changed = |one: SealedEnvelope| if victim == Some(one.id()) { make(&one) } else { Some(one) };
            mailbox.envelopes = envelopes.filter_map(changed).collect();
        }
        Ok(Answer::Fetched(mailboxes))
    })
}

#[test]
fn a_file_of_which_a_chunk_never_comes_is_expired_in_the_end() {
    let mut table = Table::new(706, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say_with(&mut table, &mut asker, id, &file(60_000)).unwrap();
    table.meddler = Some(on_one_chunk(|_| None));
    desk.refresh(&mut table);
    assert_eq!(his_files(&desk, case), [FileState::Arriving]);
    table.wait_days(32);
    desk.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(his_files(&desk, case), [FileState::Expired]);
    assert_eq!(content(&desk, case), Err(ContentError::Missing));
}

#[test]
fn a_file_waits_at_its_relay_until_those_before_it_are_saved() {
    let mut table = Table::new(707, 1);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    say_with(&mut table, &mut asker, id, &file(400_000)).unwrap();
    desk.refresh(&mut table);
    say_with(&mut table, &mut asker, id, &file(400_001)).unwrap();
    desk.refresh(&mut table);
    let mut found = his_files(&desk, case);
    found.sort_by_key(|state| *state == FileState::NoRoom);
    assert_eq!(found, [FileState::Complete, FileState::NoRoom]);
    let views = desk.machine.files(case);
    let first = views.iter().find(|view| view.bytes == 400_000).unwrap().file;
    desk.machine.note_saved(case, first);
    desk.refresh(&mut table);
    let views = desk.machine.files(case);
    let state = |bytes| views.iter().find(|view| view.bytes == bytes).unwrap().state;
    assert_eq!((state(400_000), state(400_001)), (FileState::Removed, FileState::Complete));
}

#[test]
fn a_file_for_which_the_vault_has_no_room_is_refused_and_nothing_is_said() {
    let mut table = Table::new(708, 1);
    let (_, mut asker, id, _) = conversation(&mut table);
    let before = messages(&asker, id);
    assert_eq!(say_with(&mut table, &mut asker, id, &file(700_000)), Err(SayError::FileRoom));
    assert_eq!(messages(&asker, id), before);
    table.unreachable = [table.relay(1)].into();
    asker = asker.restart(&table, Requester::load);
    say_with(&mut table, &mut asker, id, &file(400_000)).unwrap();
    assert_eq!(say_with(&mut table, &mut asker, id, &file(400_000)), Err(SayError::FileRoom));
    assert_eq!(asker.machine.drafts(id), ["with a file"]);
}

#[test]
fn chunks_go_to_the_second_relay_when_the_first_is_dead() {
    let mut table = Table::new(709, 2);
    let (mut desk, mut asker, id, case) = conversation(&mut table);
    table.unreachable = [table.relay(1)].into();
    say_with(&mut table, &mut asker, id, &file(60_000)).unwrap();
    for _ in 0..3 {
        table.wait(16);
        asker.tick(&mut table);
    }
    assert_eq!(states(&asker, id)[1..], [SentState::Stored; 2]);
    desk.refresh(&mut table);
    desk.refresh(&mut table);
    assert_eq!(content(&desk, case).unwrap(), file(60_000).content().as_slice());
}

#[test]
fn a_text_that_is_taken_back_takes_its_file_along() {
    let mut table = Table::new(710, 1);
    let (_, mut asker, id, _) = conversation(&mut table);
    table.unreachable = [table.relay(1)].into();
    asker = asker.restart(&table, Requester::load);
    say_with(&mut table, &mut asker, id, &file(60_000)).unwrap();
    assert_eq!(her_files(&asker, id), [FileState::Sending]);
    asker.machine.withdraw_draft(id);
    asker.settle(&mut table);
    let asker = asker.restart(&table, Requester::load);
    assert!(asker.machine.files(id).is_empty());
    let pieces = poterne_client_core::records::Records::keys_with(asker.records(), b"p");
    assert!(pieces.is_empty());
}

#[test]
fn a_request_that_is_sealed_anew_announces_its_file_again() {
    let mut table = Table::new(711, 1);
    let mut desk = desk(&mut table);
    table.lie = Some(crate::lost::keeps_no_request);
    let (mut asker, sent) = (stranger(&mut table), file(60_000));
    let letter = Letter { text: "Help me", file: Some(&sent) };
    let card = desk.machine.card().unwrap();
    let id = asker.machine.ask(card, letter, *b"en\0\0", table.now, &mut table.rng).unwrap();
    asker.settle(&mut table);
    table.lie = None;
    asker.refresh(&mut table);
    table.wait(3600);
    asker.refresh(&mut table);
    let case = claim(&mut table, &mut desk);
    desk.refresh(&mut table);
    assert_eq!(messages(&desk, case), ["requester: Help me", "requester: a file of 60000 bytes"]);
    assert_eq!(content(&desk, case).unwrap(), sent.content().as_slice());
    assert_eq!(states(&asker, id), [SentState::Stored; 2]);
}
