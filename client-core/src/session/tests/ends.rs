//! What an end says of itself, and where it looks.

use super::super::{CHAIN_MESSAGES_MAX, Role, SealError, Session, chain_mailbox};
use super::settled;
use crate::fixture::{self, Asked, TODAY, pair, part};

#[test]
fn both_ends_name_the_conversation_alike_and_no_other_so() {
    let (it, other) = (pair(1), pair(2));
    assert_eq!((it.requester.id(), it.requester.tag()), (it.volunteer.id(), it.volunteer.tag()));
    assert_ne!(it.requester.id(), other.requester.id());
    assert_ne!(it.requester.tag(), other.requester.tag());
    assert_eq!((it.requester.role(), it.volunteer.role()), (Role::Requester, Role::Volunteer));
    assert_eq!(it.requester.certificate(), it.volunteer.certificate());
}

#[test]
fn both_ends_know_the_number_of_the_lease() {
    let mut asked = fixture::ask(8);
    let Asked { desk, opened, .. } = &mut asked;
    let mut volunteer = Session::for_volunteer(opened, &desk.device, 9, &mut desk.rng).unwrap();
    let answer = volunteer.seal(&part("answer"), &mut desk.rng).unwrap();
    let requester = asked.pending.open_answer(&answer.envelope, TODAY).unwrap().session;
    assert_eq!((volunteer.lease(), requester.lease()), (9, 9));
}

#[test]
fn the_newest_chain_is_that_of_either_side() {
    let mut it = settled(3);
    assert_eq!((it.requester.newest_chain(), it.volunteer.newest_chain()), (2, 2));
    let hers = it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    assert_eq!((it.requester.newest_chain(), it.volunteer.newest_chain()), (3, 2));
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    assert_eq!(it.volunteer.newest_chain(), 3);
}

#[test]
fn a_conversation_is_bound_by_her_first_message() {
    let mut it = pair(4);
    assert!(!it.requester.is_bound() && !it.volunteer.is_bound());
    assert_eq!(it.requester.follow_ups_told(), None);
    let hers = it.requester.seal(&part("hers"), &mut it.rng).unwrap();
    assert!(it.requester.is_bound() && !it.volunteer.is_bound());
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    assert!(it.volunteer.is_bound());
    assert_eq!((it.requester.follow_ups_told(), it.volunteer.follow_ups_told()), (None, Some(0)));
}

#[test]
fn an_end_looks_as_far_ahead_as_a_resumed_copy_may_have_jumped() {
    let mut it = settled(5);
    let hers = it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    it.volunteer.open(&hers.envelope, TODAY).unwrap();
    let (_, mailbox) = it.requester.sending.as_ref().unwrap().keys.clone().unwrap();
    for (next, places) in [(1, 0..=0), (31, 0..=0), (32, 0..=1), (40, 0..=1), (100, 1..=2), (256, 3..=3)] {
        let chain = it.volunteer.receiving.get_mut(&3).unwrap();
        chain.next = next;
        assert!(chain.open_mailboxes().into_iter().eq(places.clone()), "{next} messages");
        assert!(chain.watched_mailboxes().into_iter().eq(0..=*places.end()), "{next} messages");
        it.requester.sending.as_mut().unwrap().next = next;
        let own: Vec<_> = it.requester.own_mailboxes().iter().map(|own| *own.expose()).collect();
        assert!(own.into_iter().eq(places.map(|place| *chain_mailbox(&mailbox, place).expose())));
    }
}

#[test]
fn a_resumed_state_near_the_end_of_its_chain_leaves_the_rest_out() {
    let mut it = settled(6);
    it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    it.requester.sending.as_mut().unwrap().next = 240;
    assert_eq!(it.requester.messages_left(), 16);
    it.requester.resume();
    assert_eq!(it.requester.messages_left(), 0);
    assert_eq!(it.requester.seal(&part(""), &mut it.rng).unwrap_err(), SealError::Unanswered);
    assert_eq!(it.volunteer.messages_left(), CHAIN_MESSAGES_MAX - 1);
}

#[test]
fn forgetting_tells_whether_there_was_anything() {
    let mut it = settled(7);
    let skipping = [(); 2].map(|()| it.requester.seal(&part(""), &mut it.rng).unwrap());
    it.volunteer.open(&skipping[1].envelope, TODAY).unwrap();
    assert!(!it.volunteer.forget(TODAY + 30));
    assert!(it.volunteer.forget(TODAY + 31));
    assert!(!it.volunteer.forget(TODAY + 31));
    assert!(it.volunteer.mailboxes_to_watch().len() == 1, "only the newest chain is remembered");
}
