//! Turns, order, loss, bounds.

use poterne_protocol::time::Day;

use super::super::{
    ANSWER_BODY_BYTES, BODY_BYTES, CHAIN_MESSAGES_MAX, Destination, OpenError, SealError, Session,
};
use super::settled;
use crate::fixture::{Pair, TODAY, pair, part};

fn seal_many(
    session: &mut Session,
    rng: &mut rand_chacha::ChaCha20Rng,
    count: u32,
) -> Vec<super::super::Sealed> {
    (0..count).map(|n| session.seal(&part(&n.to_string()), rng).unwrap()).collect()
}

#[test]
fn messages_go_both_ways_over_several_turns() {
    let mut it = pair(1);
    for turn in 0..5 {
        for number in 0..3 {
            let text = format!("hers {turn}.{number}");
            let sealed = it.requester.seal(&part(&text), &mut it.rng).unwrap();
            let opened = it.volunteer.open(&sealed.envelope, TODAY).unwrap();
            let found = (opened.chain, opened.n, opened.bytes.as_slice());
            assert_eq!(found, (2 * turn + 1, number, text.as_bytes()));
        }
        for number in 0..2 {
            let sealed = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
            let opened = it.requester.open(&sealed.envelope, TODAY).unwrap();
            assert_eq!((opened.chain, opened.n), (2 * turn + 2, number));
        }
    }
}

#[test]
fn a_message_that_comes_again_is_known() {
    let mut it = pair(2);
    let again = it.requester.open(&it.first.envelope, TODAY);
    assert_eq!(again.unwrap_err(), OpenError::Duplicate { chain: 0, n: 0 });
}

#[test]
fn messages_of_a_chain_open_in_any_order() {
    let mut it = settled(3);
    let sealed = seal_many(&mut it.requester, &mut it.rng, 5);
    for place in [4, 0, 3, 1, 2] {
        let opened = it.volunteer.open(&sealed[place].envelope, TODAY).unwrap();
        assert_eq!(opened.bytes.as_slice(), place.to_string().as_bytes());
    }
    assert_eq!(it.volunteer.skipped_keys(), 0);
}

#[test]
fn a_message_of_an_earlier_chain_opens_late_and_is_read_for_until_then() {
    let mut it = settled(4);
    let late = seal_many(&mut it.requester, &mut it.rng, 2).pop().unwrap();
    let Pair { requester, volunteer, rng, .. } = &mut it;
    let first = volunteer.mailboxes_to_read();
    for _ in 0..2 {
        let theirs = volunteer.seal(&part("go on"), rng).unwrap();
        requester.open(&theirs.envelope, TODAY).unwrap();
        let hers = requester.seal(&part("turn"), rng).unwrap();
        volunteer.open(&hers.envelope, TODAY).unwrap();
    }
    assert!(first.iter().any(|mailbox| is_read(volunteer, mailbox.expose())));
    assert_eq!(volunteer.open(&late.envelope, TODAY).unwrap().bytes.as_slice(), b"1");
}

fn is_read(session: &Session, mailbox: &[u8; 32]) -> bool {
    session.mailboxes_to_read().iter().any(|read| read.expose() == mailbox)
}

#[test]
fn every_message_lies_in_a_mailbox_that_its_reader_fetches() {
    let mut it = settled(5);
    for _ in 0..CHAIN_MESSAGES_MAX {
        let sealed = it.requester.seal(&part(""), &mut it.rng).unwrap();
        let Destination::Mailbox(mailbox) = &sealed.to else { panic!("she writes to mailboxes") };
        assert!(is_read(&it.volunteer, mailbox.expose()), "message {}", sealed.n);
        it.volunteer.open(&sealed.envelope, TODAY).unwrap();
    }
}

#[test]
fn messages_that_are_lost_do_not_hide_the_next_mailbox_for_ever() {
    let mut it = settled(6);
    let sealed = seal_many(&mut it.requester, &mut it.rng, 66);
    it.volunteer.open(&sealed[40].envelope, TODAY).unwrap();
    let Destination::Mailbox(second) = &sealed[65].to else { panic!("she writes to mailboxes") };
    assert!(is_read(&it.volunteer, second.expose()));
}

#[test]
fn the_257th_message_without_an_answer_is_refused_and_an_answer_helps() {
    let mut it = settled(7);
    let sealed = seal_many(&mut it.requester, &mut it.rng, CHAIN_MESSAGES_MAX);
    let refused = it.requester.seal(&part("one more"), &mut it.rng);
    assert_eq!(refused.unwrap_err(), SealError::Unanswered);
    it.volunteer.open(&sealed[255].envelope, TODAY).unwrap();
    let answer = it.volunteer.seal(&part("here"), &mut it.rng).unwrap();
    it.requester.open(&answer.envelope, TODAY).unwrap();
    assert!(it.requester.seal(&part("one more"), &mut it.rng).is_ok());
}

#[test]
fn a_body_fills_its_layout_to_the_last_byte() {
    let mut it = pair(8);
    let whole = |bytes| "a".repeat(bytes);
    assert_eq!((it.volunteer.body_bytes(), it.requester.body_bytes()), (1578, 1690));
    let sealed = it.volunteer.seal(&part(&whole(ANSWER_BODY_BYTES)), &mut it.rng).unwrap();
    assert_eq!(it.requester.open(&sealed.envelope, TODAY).unwrap().bytes.len(), 1578);
    let refused = it.requester.seal(&part(&whole(BODY_BYTES + 1)), &mut it.rng);
    assert_eq!(refused.unwrap_err(), SealError::BodyTooLong { max: 1690 });
    assert!(!it.requester.is_bound());
    let sealed = it.requester.seal(&part(&whole(BODY_BYTES)), &mut it.rng).unwrap();
    assert_eq!(it.requester.body_bytes(), 1690);
    assert_eq!(it.volunteer.open(&sealed.envelope, TODAY).unwrap().bytes.len(), 1690);
    assert_eq!(it.volunteer.body_bytes(), 1690);
}

#[test]
fn keys_of_skipped_messages_are_bounded() {
    let mut it = settled(9);
    for _ in 0..4 {
        let sealed = seal_many(&mut it.requester, &mut it.rng, 250).pop().unwrap();
        it.volunteer.open(&sealed.envelope, TODAY).unwrap();
        let theirs = it.volunteer.seal(&part("go on"), &mut it.rng).unwrap();
        it.requester.open(&theirs.envelope, TODAY).unwrap();
    }
    assert_eq!(it.volunteer.skipped_keys(), 512);
}

#[test]
fn at_most_four_older_chains_are_read() {
    let mut it = settled(10);
    for _ in 0..8 {
        let sealed = seal_many(&mut it.requester, &mut it.rng, 2).pop().unwrap();
        it.volunteer.open(&sealed.envelope, TODAY).unwrap();
        let theirs = it.volunteer.seal(&part("go on"), &mut it.rng).unwrap();
        it.requester.open(&theirs.envelope, TODAY).unwrap();
    }
    // Of each of her chains but the first the first message is missing: the current one and 4 older ones count.
    assert_eq!(it.volunteer.skipped_keys(), 5);
}

#[test]
fn sixteen_chains_are_watched_and_all_mailboxes_fit_into_one_fetch() {
    let mut it = settled(11);
    for _ in 0..20 {
        let hers = seal_many(&mut it.requester, &mut it.rng, 1).pop().unwrap();
        it.volunteer.open(&hers.envelope, TODAY).unwrap();
        let theirs = it.volunteer.seal(&part("go on"), &mut it.rng).unwrap();
        it.requester.open(&theirs.envelope, TODAY).unwrap();
    }
    assert_eq!(it.volunteer.mailboxes_to_watch().len(), 16);
    assert!(it.volunteer.mailboxes_to_read().len() <= 64);
}

#[test]
fn what_is_older_than_30_days_is_forgotten() {
    let mut it = settled(12);
    let late = seal_many(&mut it.requester, &mut it.rng, 2);
    it.volunteer.open(&late[1].envelope, TODAY).unwrap();
    it.volunteer.forget(TODAY + 30);
    assert_eq!(it.volunteer.skipped_keys(), 1);
    it.volunteer.forget(TODAY + 31);
    assert_eq!(it.volunteer.skipped_keys(), 0);
    let gone = it.volunteer.open(&late[0].envelope, Day(TODAY.0 + 31));
    assert_eq!(gone.unwrap_err(), OpenError::KeyGone { chain: 3, n: 0 });
}

#[test]
fn a_damaged_message_changes_nothing() {
    let mut it = settled(13);
    let sealed = it.requester.seal(&part("x"), &mut it.rng).unwrap();
    let before = it.volunteer.to_stored();
    let mut bytes = *sealed.envelope.as_bytes();
    bytes[4095] ^= 1;
    let damaged = poterne_protocol::envelope::SealedEnvelope::parse(&bytes).unwrap();
    assert_eq!(it.volunteer.open(&damaged, TODAY).unwrap_err(), OpenError::Spoilt { chain: 3, n: 0 });
    assert_eq!(*before, *it.volunteer.to_stored());
    assert!(it.volunteer.open(&sealed.envelope, TODAY).is_ok());
    assert_eq!(it.volunteer.open(&damaged, TODAY).unwrap_err(), OpenError::Duplicate { chain: 3, n: 0 });
}

#[test]
fn a_session_does_not_open_its_own_messages_or_those_of_others() {
    let (mut it, mut other) = (settled(14), settled(15));
    let sealed = it.requester.seal(&part("x"), &mut it.rng).unwrap();
    assert_eq!(it.requester.open(&sealed.envelope, TODAY).unwrap_err(), OpenError::NotOurs);
    assert_eq!(other.volunteer.open(&sealed.envelope, TODAY).unwrap_err(), OpenError::NotOurs);
}

#[test]
fn the_volunteer_learns_how_many_follow_ups_there_were() {
    let mut asked = crate::fixture::ask(16);
    let mut rng = crate::fixture::rng(1);
    for _ in 0..3 {
        asked.pending.follow_ups().seal(b"more", crate::body::PartMark::WHOLE, &mut rng).unwrap();
    }
    let mut volunteer = Session::for_volunteer(&asked.opened, &asked.desk.device, 1, &mut rng).unwrap();
    let answer = volunteer.seal(&part("answer"), &mut rng).unwrap();
    let mut requester = asked.pending.open_answer(&answer.envelope, TODAY).unwrap().session;
    assert_eq!(volunteer.follow_ups_told(), None);
    let hers = requester.seal(&part("hers"), &mut rng).unwrap();
    volunteer.open(&hers.envelope, TODAY).unwrap();
    assert_eq!(volunteer.follow_ups_told(), Some(3));
}

#[test]
fn the_answer_box_is_read_until_the_volunteer_turns() {
    let mut it = pair(17);
    assert!(it.requester.reads_answer_box() && !it.volunteer.reads_answer_box());
    let hers = it.requester.seal(&part("hers"), &mut it.rng).unwrap();
    assert!(it.requester.reads_answer_box());
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    assert!(matches!(theirs.to, Destination::Mailbox(_)));
    it.requester.open(&theirs.envelope, TODAY).unwrap();
    assert!(!it.requester.reads_answer_box());
}

#[test]
fn a_stored_session_of_a_newer_version_is_told_apart_from_a_damaged_one() {
    use crate::stored::StoredError;
    let mut stored = pair(18).requester.to_stored();
    assert!(Session::from_stored(&stored).is_ok());
    assert_eq!(Session::from_stored(&stored[..99]).unwrap_err(), StoredError::Damaged);
    stored[0] = 2;
    assert_eq!(Session::from_stored(&stored).unwrap_err(), StoredError::Version { version: 2 });
    assert_eq!(Session::from_stored(&[]).unwrap_err(), StoredError::Damaged);
}
