//! States that were put back: forks are noticed, and no (key, nonce) is used twice.

use std::collections::BTreeSet;

use super::super::{OpenError, Own, Session};
use super::settled;
use crate::fixture::{Pair, TODAY, pair, part};
use crate::seal::split_nonce;

/// The same state as it stands in the vault.
fn copy(session: &Session) -> Session {
    Session::from_stored(&session.to_stored()).unwrap()
}

#[test]
fn two_messages_for_one_place_are_a_fork() {
    let mut it = settled(1);
    let mut old = copy(&it.requester);
    let one = it.requester.seal(&part("one"), &mut it.rng).unwrap();
    it.volunteer.open(&one.envelope, TODAY).unwrap();
    let turned = old.seal(&part("other keys"), &mut it.rng).unwrap();
    let seen = it.volunteer.open(&turned.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 3, n: 0 });

    let mut old = copy(&it.requester);
    let two = it.requester.seal(&part("two"), &mut it.rng).unwrap();
    it.volunteer.open(&two.envelope, TODAY).unwrap();
    let again = old.seal(&part("another two"), &mut it.rng).unwrap();
    assert_ne!(two.envelope, again.envelope);
    let seen = it.volunteer.open(&again.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 3, n: 1 });
}

#[test]
fn nothing_of_a_fork_is_opened() {
    let mut it = settled(2);
    let mut old = copy(&it.requester);
    let one = it.requester.seal(&part("one"), &mut it.rng).unwrap();
    it.volunteer.open(&one.envelope, TODAY).unwrap();
    let before = it.volunteer.to_stored();
    let fork = old.seal(&part("fork"), &mut it.rng).unwrap();
    it.volunteer.open(&fork.envelope, TODAY).unwrap_err();
    assert_eq!(*before, *it.volunteer.to_stored());
}

#[test]
fn a_copy_that_turns_with_fewer_messages_than_were_seen_is_a_fork() {
    let mut it = settled(3);
    let one = it.requester.seal(&part("one"), &mut it.rng).unwrap();
    let mut old = copy(&it.requester);
    let two = it.requester.seal(&part("two"), &mut it.rng).unwrap();
    for sealed in [&one, &two] {
        it.volunteer.open(&sealed.envelope, TODAY).unwrap();
    }
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    old.open(&theirs.envelope, TODAY).unwrap();
    let turned = old.seal(&part("turned"), &mut it.rng).unwrap();
    let seen = it.volunteer.open(&turned.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 3, n: 1 });
}

#[test]
fn a_message_beyond_the_end_of_a_finished_chain_is_a_fork() {
    let mut it = settled(4);
    let one = it.requester.seal(&part("one"), &mut it.rng).unwrap();
    let mut old = copy(&it.requester);
    it.volunteer.open(&one.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    it.requester.open(&theirs.envelope, TODAY).unwrap();
    let turned = it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    it.volunteer.open(&turned.envelope, TODAY).unwrap();
    let behind = old.seal(&part("behind"), &mut it.rng).unwrap();
    let seen = it.volunteer.open(&behind.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 3, n: 1 });
}

#[test]
fn a_fork_of_chain_0_needs_a_payload_that_opens() {
    let mut it = pair(5);
    let mut old = copy(&it.volunteer);
    let two = it.volunteer.seal(&part("two"), &mut it.rng).unwrap();
    it.requester.open(&two.envelope, TODAY).unwrap();
    let again = old.seal(&part("another two"), &mut it.rng).unwrap();
    let seen = it.requester.open(&again.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 0, n: 1 });
    let mut bytes = *again.envelope.as_bytes();
    bytes[4000] ^= 1;
    let forged = poterne_protocol::envelope::SealedEnvelope::parse(&bytes).unwrap();
    assert_eq!(it.requester.open(&forged, TODAY).unwrap_err(), OpenError::Spoilt { chain: 0, n: 1 });
}

#[test]
fn the_desk_cannot_make_a_fork_of_chain_0_once_the_volunteer_has_turned() {
    let mut it = pair(6);
    let mut old = copy(&it.volunteer);
    let two = it.volunteer.seal(&part("two"), &mut it.rng).unwrap();
    it.requester.open(&two.envelope, TODAY).unwrap();
    let hers = it.requester.seal(&part("hers"), &mut it.rng).unwrap();
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    it.requester.open(&theirs.envelope, TODAY).unwrap();
    let again = old.seal(&part("another two"), &mut it.rng).unwrap();
    assert_eq!(it.requester.open(&again.envelope, TODAY).unwrap_err(), OpenError::Spoilt { chain: 0, n: 1 });
}

#[test]
fn a_message_of_chain_0_that_comes_after_the_turn_leaves_no_secret_behind() {
    let mut it = pair(13);
    let mut old = copy(&it.volunteer);
    let late = it.volunteer.seal(&part("late"), &mut it.rng).unwrap();
    let hers = it.requester.seal(&part("hers"), &mut it.rng).unwrap();
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    it.requester.open(&theirs.envelope, TODAY).unwrap();
    assert!(it.requester.open(&late.envelope, TODAY).is_ok());
    let again = old.seal(&part("another"), &mut it.rng).unwrap();
    assert_eq!(it.requester.open(&again.envelope, TODAY).unwrap_err(), OpenError::Spoilt { chain: 0, n: 1 });
}

#[test]
fn an_old_state_sees_in_its_own_mailbox_that_a_newer_one_lives() {
    let mut it = settled(7);
    let old = copy(&it.requester);
    let turned = it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    assert_eq!(old.judge_own(&turned.envelope), Own::Newer);
    assert_eq!(old.judge_own(&it.first.envelope), Own::NotOurs);
    let old = copy(&it.requester);
    assert_eq!(old.judge_own(&turned.envelope), Own::Sent);
    let next = it.requester.seal(&part("next"), &mut it.rng).unwrap();
    assert_eq!(old.judge_own(&next.envelope), Own::Newer);
    assert_eq!(old.judge_own(&it.first.envelope), Own::NotOurs);
}

#[test]
fn an_old_state_looks_into_the_mailboxes_that_a_newer_one_writes_to() {
    let mut it = settled(8);
    let old = copy(&it.requester);
    let mut looks_into = |newer: &mut Session, old: &Session| {
        let sealed = newer.seal(&part("x"), &mut it.rng).unwrap();
        let super::super::Destination::Mailbox(mailbox) = sealed.to else { panic!("a mailbox") };
        old.own_mailboxes().iter().any(|own| own.expose() == mailbox.expose())
    };
    assert!(looks_into(&mut it.requester, &old));
    let old = copy(&it.requester);
    assert!(looks_into(&mut it.requester, &old));
}

#[test]
fn a_state_that_resumes_knowingly_makes_no_fork() {
    let mut it = settled(9);
    let mut old = {
        it.requester.seal(&part("zero"), &mut it.rng).unwrap();
        copy(&it.requester)
    };
    for _ in 0..3 {
        let sealed = it.requester.seal(&part("newer"), &mut it.rng).unwrap();
        it.volunteer.open(&sealed.envelope, TODAY).unwrap();
    }
    old.resume();
    let sealed = old.seal(&part("resumed"), &mut it.rng).unwrap();
    assert_eq!(sealed.n, 33);
    assert!(it.volunteer.open(&sealed.envelope, TODAY).is_ok());
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    old.open(&theirs.envelope, TODAY).unwrap();
    let turned = old.seal(&part("turned"), &mut it.rng).unwrap();
    assert!(it.volunteer.open(&turned.envelope, TODAY).is_ok());
}

#[test]
fn a_state_that_resumes_after_the_peer_has_turned_makes_no_fork() {
    let mut it = settled(10);
    it.requester.seal(&part("zero"), &mut it.rng).unwrap();
    let mut old = copy(&it.requester);
    let newer = it.requester.seal(&part("newer"), &mut it.rng).unwrap();
    it.volunteer.open(&newer.envelope, TODAY).unwrap();
    let theirs = it.volunteer.seal(&part("theirs"), &mut it.rng).unwrap();
    old.open(&theirs.envelope, TODAY).unwrap();
    old.resume();
    let turned = old.seal(&part("turned"), &mut it.rng).unwrap();
    let opened = it.volunteer.open(&turned.envelope, TODAY).unwrap();
    assert_eq!(opened.bytes.as_slice(), b"turned");
}

#[test]
fn a_watched_mailbox_shows_a_fork_of_an_old_chain() {
    let mut it = settled(11);
    let mut old = copy(&it.requester);
    for _ in 0..6 {
        let Pair { requester, volunteer, rng, .. } = &mut it;
        let hers = requester.seal(&part("hers"), rng).unwrap();
        volunteer.open(&hers.envelope, TODAY).unwrap();
        let theirs = volunteer.seal(&part("theirs"), rng).unwrap();
        requester.open(&theirs.envelope, TODAY).unwrap();
    }
    let fork = old.seal(&part("fork"), &mut it.rng).unwrap();
    let super::super::Destination::Mailbox(mailbox) = fork.to else { panic!("a mailbox") };
    let watched = it.volunteer.mailboxes_to_watch();
    assert!(watched.iter().any(|watched| watched.expose() == mailbox.expose()));
    let seen = it.volunteer.open(&fork.envelope, TODAY);
    assert_eq!(seen.unwrap_err(), OpenError::Fork { chain: 3, n: 0 });
}

#[test]
fn states_put_back_never_use_a_nonce_twice() {
    let mut it = settled(12);
    let old = copy(&it.requester);
    let mut nonces = BTreeSet::new();
    for _ in 0..50 {
        let mut again = copy(&old);
        for _ in 0..3 {
            let sealed = again.seal(&part("x"), &mut it.rng).unwrap();
            assert!(nonces.insert(*split_nonce(&sealed.envelope).0));
        }
    }
}

#[test]
fn one_message_secret_under_two_nonces_gives_two_keys() {
    let secret = [1; 32];
    let keys = [[1; 24], [2; 24]].map(|nonce| {
        let (key, own) = crate::chain::message_key(&nonce, &secret, crate::labels::MESSAGE);
        (*key.expose(), own)
    });
    assert_ne!(keys[0].0, keys[1].0);
    assert_ne!(keys[0].1, keys[1].1);
}
