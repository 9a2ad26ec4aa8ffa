//! A peer, or somebody else at the desk, that seals what no session would: headers beyond every bound, and answers of
//! another device. And states out of a vault that nobody has stored.

use poterne_protocol::envelope::SealedEnvelope;

use super::super::header::{AnswerHeader, Header};
use super::super::message::{self, HeaderSeal};
use super::super::{CHAIN_MESSAGES_MAX, OpenError, Session};
use super::settled;
use crate::body::PartMark;
use crate::dh::DhPublic;
use crate::fixture::{Pair, TODAY, pair, part};
use crate::secret::Secret;
use crate::stored::StoredError;

/// The requester's next message with a changed header, and a payload that opens under no key.
fn forged(it: &mut Pair, change: impl FnOnce(&mut Header)) -> SealedEnvelope {
    let sending = it.requester.sending.as_ref().unwrap();
    let mut header = sending.header(1, PartMark::WHOLE);
    change(&mut header);
    let (key, _) = sending.keys.as_ref().unwrap();
    let by = HeaderSeal { key, aad: &message::header_aad(&it.requester.id) };
    let secret = Secret::from_bytes(&[9; 32]);
    message::seal(&by, &header.encode(), &secret, &it.requester.id, b"x", &mut it.rng).0
}

#[test]
fn numbers_that_no_message_has_are_refused() {
    let mut it = settled(1);
    it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    for (change, expected) in [
        (change(|header| header.n = 255), OpenError::Spoilt { chain: 3, n: 255 }),
        (change(|header| header.n = 256), OpenError::TooFarAhead),
        (change(|header| header.n = u32::MAX), OpenError::TooFarAhead),
        (change(|header| header.previous = 256), OpenError::Spoilt { chain: 3, n: 1 }),
        (change(|header| header.previous = 257), OpenError::TooFarAhead),
    ] {
        let envelope = forged(&mut it, change);
        assert_eq!(it.volunteer.open(&envelope, TODAY).unwrap_err(), expected);
    }
}

fn change(with: impl FnOnce(&mut Header) + 'static) -> Box<dyn FnOnce(&mut Header)> {
    Box::new(with)
}

/// An answer to the request of `it` under its header key, with a changed header.
fn forged_answer(it: &mut Pair, change: impl FnOnce(&mut AnswerHeader)) -> SealedEnvelope {
    let (zero, sending) = (&it.volunteer.zero, it.volunteer.sending.as_ref().unwrap());
    let ratchet = sending.header(1, PartMark::WHOLE);
    let mut header = AnswerHeader { ratchet, certificate: zero.certificate.clone(), lease: zero.lease };
    change(&mut header);
    let by = HeaderSeal { key: &zero.header, aad: &zero.th0 };
    let secret = Secret::from_bytes(&[9; 32]);
    message::seal(&by, &header.encode(), &secret, &it.volunteer.id, b"x", &mut it.rng).0
}

#[test]
fn an_answer_counts_only_with_the_device_the_lease_and_the_keys_of_the_first() {
    let mut it = pair(2);
    let own = forged_answer(&mut it, |_| {});
    assert_eq!(it.requester.open(&own, TODAY).unwrap_err(), OpenError::Spoilt { chain: 0, n: 1 });
    let others = [
        forged_answer(&mut it, |header| header.certificate.identity = DhPublic([7; 32])),
        forged_answer(&mut it, |header| header.certificate.index += 1),
        forged_answer(&mut it, |header| header.lease += 1),
        forged_answer(&mut it, |header| header.ratchet.ct = [7; 1120].into()),
    ];
    for other in others {
        assert_eq!(it.requester.open(&other, TODAY).unwrap_err(), OpenError::OtherAnswer);
    }
}

#[test]
fn a_stored_chain_has_at_most_256_messages() {
    let mut it = settled(3);
    it.requester.seal(&part("turned"), &mut it.rng).unwrap();
    let load = |session: &Session| Session::from_stored(&session.to_stored()).map(|_| ());
    for (next, expected) in [(255, Ok(())), (256, Ok(())), (257, Err(StoredError::Damaged))] {
        it.requester.sending.as_mut().unwrap().next = next;
        assert_eq!(load(&it.requester), expected);
        it.volunteer.receiving.get_mut(&1).unwrap().next = next;
        assert_eq!(load(&it.volunteer), expected);
    }
}

#[test]
fn a_chain_ends_where_its_sender_says_and_never_before_what_was_seen() {
    let it = settled(4);
    let finished = |total| it.requester.receiving[&2].clone().finish(total);
    assert_eq!(it.requester.receiving[&2].next, 1);
    assert_eq!([0, 1, 2].map(finished), [None, Some(()), Some(())]);
    assert_eq!([CHAIN_MESSAGES_MAX, CHAIN_MESSAGES_MAX + 1].map(finished), [Some(()), None]);
}
