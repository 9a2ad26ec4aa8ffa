//! Which entry is put where, and when (docs/spec/client.md §3).

use poterne_protocol::keys::MailboxSecret;

use super::*;
use crate::effect::CallError;

const NOW: UnixTime = UnixTime(1_800_000_000);
const DEAD: CallResult = Err(CallError::Unreachable);

#[test]
fn an_envelope_goes_to_the_first_relay_only_when_it_is_stored_there() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
    assert_eq!(places(outbox.take_due(NOW, &Reach::default())), [(id, 0)]);
    assert_eq!(outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW), PutOutcome::Stored);
    assert!(outbox.is_stored(id));
    assert_eq!(places(outbox.take_due(NOW.plus(SECOND_RELAY_AFTER_SECS), &Reach::default())), []);
}

#[test]
fn the_second_relay_is_asked_when_the_first_is_silent_for_15_seconds() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
    outbox.take_due(NOW, &Reach::default());
    assert_eq!(places(outbox.take_due(NOW.plus(14), &Reach::default())), []);
    assert_eq!(places(outbox.take_due(NOW.plus(15), &Reach::default())), [(id, 1)]);
}

#[test]
fn both_relays_are_asked_at_once_when_the_first_is_known_to_be_silent() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
    let reach = first_is_silent(NOW);
    assert_eq!(outbox.poll_timeout(&reach), Some(NOW));
    assert_eq!(places(outbox.take_due(NOW, &reach)), [(id, 0), (id, 1)]);
}

#[test]
fn an_unopened_envelope_is_put_at_the_second_relay_after_four_hours() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
    outbox.take_due(NOW, &Reach::default());
    outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW);
    assert_eq!(places(outbox.take_due(NOW.plus(SECOND_COPY_AFTER_SECS - 1), &Reach::default())), []);
    assert_eq!(places(outbox.take_due(NOW.plus(SECOND_COPY_AFTER_SECS), &Reach::default())), [(id, 1)]);
}

#[test]
fn an_envelope_is_put_at_the_second_relay_when_the_first_has_been_dead_for_ten_minutes() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, targets(), NOW);
    outbox.take_due(NOW, &Reach::default());
    outbox.handle_outcome(id, 0, &Ok(Answer::Stored), NOW);
    let reach = first_is_silent(NOW.plus(60));
    assert_eq!(places(outbox.take_due(NOW.plus(659), &reach)), []);
    assert_eq!(places(outbox.take_due(NOW.plus(660), &reach)), [(id, 1)]);
}

#[test]
fn a_failed_put_is_repeated_ever_more_slowly() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::THIRTY, vec![targets().remove(0)], NOW);
    let mut now = NOW;
    for pause in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        assert_eq!(places(outbox.take_due(now, &Reach::default())), [(id, 0)]);
        assert_eq!(outbox.handle_outcome(id, 0, &DEAD, now), PutOutcome::Again);
        assert_eq!(outbox.poll_timeout(&Reach::default()), Some(now.plus(pause)));
        now = now.plus(pause);
    }
}

#[test]
fn what_goes_after_all_waits_until_the_others_are_stored() {
    let mut outbox = Outbox::default();
    let part = outbox.push(envelope(1), Class::FOUR, targets(), NOW);
    let last = outbox.push(envelope(2), Class::FOUR, targets(), NOW);
    outbox.set_turn(last, Turn::AfterAll);
    assert_eq!(places(outbox.take_due(NOW, &Reach::default())), [(part, 0)]);
    assert_eq!(outbox.poll_timeout(&Reach::default()), Some(NOW.plus(SECOND_RELAY_AFTER_SECS)));
    outbox.handle_outcome(part, 0, &Ok(Answer::Stored), NOW);
    assert_eq!(places(outbox.take_due(NOW, &Reach::default())), [(last, 0)]);
}

#[test]
fn an_outbox_at_rest_repeats_the_same_bytes() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(7), Class::THIRTY, targets(), NOW);
    outbox.take_due(NOW, &Reach::default());
    let mut again = Outbox::from_plain(&outbox.to_plain(), |_| Ok(envelope(7))).unwrap();
    assert_eq!(places(again.take_due(NOW, &Reach::default())), [(id, 0)]);
    assert_eq!(again.envelope(id), Some(&envelope(7)));
}

#[test]
fn an_envelope_leaves_after_its_last_day() {
    let mut outbox = Outbox::default();
    let id = outbox.push(envelope(1), Class::ONE, targets(), NOW);
    assert!(outbox.expire((NOW.day() + 1).start()).is_empty());
    assert_eq!(outbox.expire((NOW.day() + 1).end()), [id]);
}

fn places(due: Vec<(EntryId, usize, Pin, Request)>) -> Vec<(EntryId, usize)> {
    due.into_iter().map(|(id, place, ..)| (id, place)).collect()
}

fn first_is_silent(since: UnixTime) -> Reach {
    let mut reach = Reach::default();
    reach.note(&targets()[0].relay, false, since);
    reach
}

fn envelope(byte: u8) -> SealedEnvelope {
    SealedEnvelope::from(Box::new([byte; 4096]))
}

fn targets() -> Vec<Target> {
    let keys = MailboxSecret::from_bytes(&[5; 32]).keys();
    let target = |pin: Pin| Target { relay: pin, to: WriteTo::plain(&keys, &pin) };
    vec![target(Pin([1; 16])), target(Pin([2; 16]))]
}
