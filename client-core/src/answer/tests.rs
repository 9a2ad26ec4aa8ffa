//! Two answers, false certificates, leases, and the lifeline, against each other (docs/spec/handshake.md §6).

use poterne_protocol::time::Day;

use super::*;
use crate::body::Part;
use crate::desk::{CertificateError, DeviceCertificate, Epoch};
use crate::dh::DhSecret;
use crate::fixture::{Asked, Desk, TODAY, ask, part, rng};
use crate::session::{DeviceKeys, OpenError};

/// The device answers the request under that lease.
fn answer(asked: &mut Asked, lease: u32) -> (Session, SealedEnvelope) {
    answer_by(asked, &asked.desk.device.clone(), lease)
}

fn answer_by(asked: &mut Asked, device: &DeviceKeys, lease: u32) -> (Session, SealedEnvelope) {
    let mut session = Session::for_volunteer(&asked.opened, device, lease, &mut asked.desk.rng).unwrap();
    let envelope = seal(&mut session, asked, "answer");
    (session, envelope)
}

fn seal(session: &mut Session, asked: &mut Asked, text: &str) -> SealedEnvelope {
    let part: Part = part(text);
    session.seal(&part, &mut asked.desk.rng).unwrap().envelope
}

fn second_device(desk: &mut Desk) -> DeviceKeys {
    let identity = DhSecret::generate(&mut desk.rng);
    let last = desk.device.certificate.last;
    let certificate = DeviceCertificate::sign(&desk.coordinator, &desk.id, 1, 1, identity.public(), last);
    DeviceKeys { identity, certificate }
}

#[test]
fn both_ends_of_an_answer_have_the_same_session() {
    let mut it = ask(1);
    let (volunteer, envelope) = answer(&mut it, 3);
    let answer = it.pending.open_answer(&envelope, TODAY).unwrap();
    assert_eq!((answer.lease, answer.opened.bytes.as_slice()), (3, &b"answer"[..]));
    assert_eq!(answer.session.id(), volunteer.id());
    assert_eq!(answer.session.tag(), volunteer.tag());
    assert!(!answer.session.is_bound());
}

#[test]
fn losing_the_first_answer_costs_nothing() {
    let mut it = ask(1);
    let (mut volunteer, first) = answer(&mut it, 1);
    let second = seal(&mut volunteer, &mut it, "again");
    let mut answer = it.pending.open_answer(&second, TODAY).unwrap();
    assert_eq!(answer.opened.n, 1);
    assert_eq!(answer.session.open(&first, TODAY).unwrap().bytes.as_slice(), b"answer");
}

#[test]
fn a_replayed_answer_is_known_before_and_after_binding() {
    let mut it = ask(1);
    let (mut volunteer, envelope) = answer(&mut it, 1);
    let mut session = it.pending.open_answer(&envelope, TODAY).unwrap().session;
    let known = OpenError::Duplicate { chain: 0, n: 0 };
    assert_eq!(session.open(&envelope, TODAY), Err(known));
    let hers = seal(&mut session, &mut it, "thanks");
    it.pending.bind();
    assert!(session.is_bound());
    assert_eq!(session.open(&envelope, TODAY), Err(known));
    assert_eq!(it.pending.open_answer(&envelope, TODAY).unwrap_err(), AnswerError::Bound);
    volunteer.open(&hers, TODAY).unwrap();
    assert!(volunteer.is_bound());
}

#[test]
fn a_higher_lease_takes_the_place_of_a_lower_one_at_most_three_times() {
    let mut it = ask(1);
    let device = second_device(&mut it.desk);
    let (_, first) = answer(&mut it, 1);
    let (_, second) = answer_by(&mut it, &device, 2);
    let mut current = it.pending.open_answer(&first, TODAY).unwrap().session;
    assert_eq!(current.open(&second, TODAY), Err(OpenError::OtherAnswer));
    let other = it.pending.open_answer(&second, TODAY).unwrap();
    assert_eq!(current.judge(&other, 0), Verdict::Replaces);
    assert_eq!(current.judge(&other, 3), Verdict::Ignored);
    let earlier = it.pending.open_answer(&first, TODAY).unwrap();
    assert_eq!(other.session.judge(&earlier, 1), Verdict::Ignored);
}

#[test]
fn of_two_answers_under_one_lease_the_first_opened_counts() {
    let mut it = ask(1);
    let device = second_device(&mut it.desk);
    let (_, first) = answer(&mut it, 1);
    let (_, second) = answer_by(&mut it, &device, 1);
    let current = it.pending.open_answer(&first, TODAY).unwrap().session;
    let other = it.pending.open_answer(&second, TODAY).unwrap();
    assert_eq!(current.judge(&other, 0), Verdict::Ignored);
}

#[test]
fn once_she_has_sent_no_other_answer_counts() {
    let mut it = ask(1);
    let device = second_device(&mut it.desk);
    let (_, first) = answer(&mut it, 1);
    let (_, second) = answer_by(&mut it, &device, 2);
    let mut current = it.pending.open_answer(&first, TODAY).unwrap().session;
    let other = it.pending.open_answer(&second, TODAY).unwrap();
    seal(&mut current, &mut it, "thanks");
    assert_eq!(current.judge(&other, 0), Verdict::Ignored);
}

#[test]
fn a_volunteer_that_answers_again_from_an_older_state_is_a_fork() {
    let mut it = ask(1);
    let (_, first) = answer(&mut it, 1);
    let (_, again) = answer(&mut it, 1);
    let current = it.pending.open_answer(&first, TODAY).unwrap().session;
    let other = it.pending.open_answer(&again, TODAY).unwrap();
    assert_eq!(current.judge(&other, 0), Verdict::Fork);
}

#[test]
fn another_member_of_the_desk_cannot_answer_in_the_name_of_a_device() {
    let mut it = ask(1);
    let thief = DhSecret::generate(&mut it.desk.rng);
    let mut claimed = it.desk.device.certificate.clone();
    claimed.identity = thief.public();
    let (_, mut envelope) = answer_by(&mut it, &DeviceKeys { identity: thief, certificate: claimed }, 1);
    let opened = it.pending.open_answer(&envelope, TODAY).unwrap();
    let mut desk = Desk::new(1);
    let notice = desk.publish(desk.draft(1, None)).notice;
    let checked = opened.certificate.check(&notice, &notice, it.desk.epoch);
    assert_eq!(checked, Err(CertificateError::NotSigned));
    // With the true certificate in the header she derives what the thief can't know.
    envelope = forged_header(&it, &envelope);
    assert_eq!(it.pending.open_answer(&envelope, TODAY).unwrap_err(), AnswerError::Spoilt);
}

/// The envelope with its header sealed anew around the true certificate: everyone at the desk knows the header's key.
fn forged_header(it: &Asked, envelope: &SealedEnvelope) -> SealedEnvelope {
    let parts = TwoParts::of(envelope, ANSWER_HEADER_BYTES);
    let key = answer_header_key(&it.opened.handshake.secret);
    let by = HeaderSeal { key: &key, aad: &it.opened.handshake.th0 };
    let mut header = AnswerHeader::parse(&message::open_header(&by, &parts).unwrap()).unwrap();
    header.certificate = it.desk.device.certificate.clone();
    let sealed = crate::seal::seal(key.expose(), parts.nonce, &it.opened.handshake.th0, &header.encode());
    crate::seal::envelope(&[parts.nonce, &sealed, parts.payload])
}

#[test]
fn a_lease_number_above_65535_is_refused_on_both_sides() {
    let mut it = ask(1);
    let result = Session::for_volunteer(&it.opened, &it.desk.device, 65_536, &mut it.desk.rng);
    assert_eq!(result.unwrap_err(), crate::session::StartError::Lease);
    let (_, envelope) = answer(&mut it, 65_535);
    assert!(it.pending.open_answer(&envelope, TODAY).is_ok());
}

#[test]
fn a_session_starts_with_the_key_of_its_certificate_only() {
    let mut it = ask(1);
    let keys = DeviceKeys {
        identity: DhSecret::generate(&mut it.desk.rng),
        certificate: it.desk.device.certificate.clone(),
    };
    let result = Session::for_volunteer(&it.opened, &keys, 1, &mut it.desk.rng);
    assert_eq!(result.unwrap_err(), crate::session::StartError::Certificate);
}

#[test]
fn keys_of_small_order_are_refused_on_both_sides() {
    let mut it = ask(1);
    let (_, envelope) = answer(&mut it, 1);
    it.desk.device.certificate.identity = crate::dh::DhPublic([0; 32]);
    let forged = forged_header(&it, &envelope);
    assert_eq!(it.pending.open_answer(&forged, TODAY).unwrap_err(), AnswerError::Refused);
    let mut it = ask(1);
    it.opened.lasting_key = crate::dh::DhPublic([0; 32]);
    let result = Session::for_volunteer(&it.opened, &it.desk.device, 1, &mut it.desk.rng);
    assert_eq!(result.unwrap_err(), crate::session::StartError::Key);
}

#[test]
fn an_answer_to_another_request_does_not_open() {
    let (mut it, other) = (ask(1), ask(2));
    let (_, envelope) = answer(&mut it, 1);
    assert_eq!(other.pending.open_answer(&envelope, TODAY).unwrap_err(), AnswerError::NotOpened);
}

#[test]
fn the_state_of_a_pending_request_comes_back_as_it_was() {
    let mut it = ask(1);
    let (_, envelope) = answer(&mut it, 1);
    let pending = PendingRequest::from_stored(&it.pending.to_stored()).unwrap();
    assert!(pending.open_answer(&envelope, TODAY).is_ok());
    it.pending.bind();
    let bound = PendingRequest::from_stored(&it.pending.to_stored()).unwrap();
    assert!(!bound.can_be_answered());
}

mod certificates {
    use super::*;

    fn since() -> Epoch {
        Epoch { day: TODAY, generation: 0 }
    }

    #[test]
    fn a_device_of_the_desk_is_believed() {
        let mut desk = Desk::new(1);
        let notice = desk.publish(desk.draft(1, None)).notice;
        assert_eq!(desk.device.certificate.check(&notice, &notice, since()), Ok(()));
    }

    #[test]
    fn a_changed_certificate_is_not_signed() {
        let mut desk = Desk::new(1);
        let notice = desk.publish(desk.draft(1, None)).notice;
        let mut certificate = desk.device.certificate.clone();
        certificate.last.day = certificate.last.day + 1;
        assert_eq!(certificate.check(&notice, &notice, since()), Err(CertificateError::NotSigned));
    }

    #[test]
    fn a_certificate_that_ended_before_the_request_is_refused() {
        let mut desk = Desk::new(1);
        let notice = desk.publish(desk.draft(1, None)).notice;
        let later = Epoch { day: Day(TODAY.0 + 9), generation: 0 };
        let result = desk.device.certificate.check(&notice, &notice, later);
        assert_eq!(result, Err(CertificateError::Ended));
    }

    #[test]
    fn a_device_that_the_newest_notice_revokes_is_refused() {
        let mut desk = Desk::new(1);
        let echoed = desk.publish(desk.draft(1, None)).notice;
        let mut draft = desk.draft(2, Some(echoed.hash()));
        draft.revocations.insert(0);
        let newest = desk.publish(draft).notice;
        let result = desk.device.certificate.check(&echoed, &newest, since());
        assert_eq!(result, Err(CertificateError::Revoked));
    }

    #[test]
    fn a_certificate_under_the_echoed_notice_counts_after_a_change_of_coordinator() {
        let mut desk = Desk::new(1);
        let echoed = desk.publish(desk.draft(1, None)).notice;
        let certificate = desk.device.certificate.clone();
        desk.coordinator = crate::sign::SignSecret::generate(&mut desk.rng);
        let newest = crate::notice::NoticeDraft { certificate: desk.certificate(2), ..desk.draft(1, None) };
        let newest = desk.publish(newest).notice;
        assert_eq!(certificate.check(&echoed, &newest, since()), Ok(()));
        assert_eq!(certificate.check(&newest, &newest, since()), Err(CertificateError::NotSigned));
    }

    #[test]
    fn a_certificate_from_before_a_rotation_of_the_roots_is_refused() {
        let mut desk = Desk::new(1);
        let echoed = desk.publish(desk.draft(1, None)).notice;
        let certificate = desk.device.certificate.clone();
        desk.roots.version = 2;
        desk.coordinator = crate::sign::SignSecret::generate(&mut desk.rng);
        let newest = desk.publish(desk.draft(1, None)).notice;
        let result = certificate.check(&echoed, &newest, since());
        assert_eq!(result, Err(CertificateError::RootsChanged));
    }
}

mod first_contact {
    use super::*;
    use crate::body::PartMark;
    use crate::fixture::request_draft;
    use crate::follow_up::{FOLLOW_UPS_MAX, FollowUpError, FollowUpOpenError};
    use crate::intake::{IntakeError, OpenedRequest};
    use crate::request::{REQUEST_TEXT_BYTES, RequestError, seal_request};

    #[test]
    fn what_she_wrote_is_what_the_desk_reads() {
        let it = ask(1);
        assert_eq!(it.opened.text(), "потрібна допомога".as_bytes());
        assert_eq!(it.opened.language(), *b"uk\0\0");
        assert_eq!(it.opened.handshake.contact_hash, it.pending.handshake.contact_hash);
        assert_eq!(it.opened.handshake.th0, it.pending.handshake.th0);
        assert_eq!(it.opened.handshake.echoed_hash, it.pending.handshake.echoed_hash);
    }

    #[test]
    fn a_replayed_request_has_the_same_hash_and_a_new_one_another() {
        let it = ask(1);
        let again = it.desk.intake().open(&it.envelope).unwrap();
        assert_eq!(again.handshake.contact_hash, it.opened.handshake.contact_hash);
        assert_ne!(ask(2).opened.handshake.contact_hash, it.opened.handshake.contact_hash);
    }

    #[test]
    fn a_request_opens_in_its_own_epoch_only() {
        let mut it = ask(1);
        it.desk.epoch.generation = 1;
        assert_eq!(it.desk.intake().open(&it.envelope).unwrap_err(), IntakeError::NotOpened);
    }

    #[test]
    fn the_longest_first_part_fits_and_a_longer_one_is_refused() {
        let mut desk = Desk::new(1);
        let notice = desk.publish(desk.draft(1, None)).notice;
        let text = "a".repeat(REQUEST_TEXT_BYTES + 1);
        let whole = request_draft(&text[1..]);
        let (envelope, _) = seal_request(&notice, &whole, &mut desk.rng).unwrap();
        assert_eq!(desk.intake().open(&envelope).unwrap().text().len(), 1528);
        let result = seal_request(&notice, &request_draft(&text), &mut desk.rng);
        assert_eq!(result.unwrap_err(), RequestError::TextTooLong);
    }

    #[test]
    fn a_request_without_a_relay_for_its_answer_is_not_sealed() {
        let mut desk = Desk::new(1);
        let notice = desk.publish(desk.draft(1, None)).notice;
        let mut draft = request_draft("x");
        draft.answer_relays = [None, None];
        let result = seal_request(&notice, &draft, &mut desk.rng);
        assert_eq!(result.unwrap_err(), RequestError::NoRelay);
    }

    #[test]
    fn a_reveal_proves_that_a_later_request_is_hers() {
        let mut it = ask(1);
        let notice = it.desk.publish(it.desk.draft(1, None)).notice;
        let mut draft = request_draft("again");
        draft.reveal = Some(it.pending.next_reveal().clone());
        let (envelope, _) = seal_request(&notice, &draft, &mut it.desk.rng).unwrap();
        let again = it.desk.intake().open(&envelope).unwrap();
        assert!(again.follows(&it.opened));
        assert!(!it.opened.follows(&again));
        assert!(!ask(2).opened.follows(&it.opened));
    }

    #[test]
    fn follow_ups_open_in_any_order_and_once() {
        let mut it = ask(1);
        let mut seal =
            |text: &[u8]| it.pending.follow_ups().seal(text, PartMark::WHOLE, &mut it.desk.rng).unwrap();
        let (one, two) = (seal(b"one"), seal(b"two"));
        let reader = it.opened.follow_ups();
        assert_eq!(reader.open(&two).unwrap().text.as_slice(), b"two");
        assert!(!reader.has_first(2));
        assert_eq!(reader.open(&two), Err(FollowUpOpenError::NotOpened));
        assert_eq!(reader.open(&one).unwrap().n, 0);
        assert!(reader.has_first(2) && !reader.has_first(3));
    }

    #[test]
    fn an_old_state_sees_that_a_newer_one_has_sealed_follow_ups() {
        use crate::session::Own;
        let mut it = ask(1);
        let mut rng = rng(5);
        let mut seal = |pending: &mut PendingRequest| {
            pending.follow_ups().seal(b"more", PartMark::WHOLE, &mut rng).unwrap()
        };
        let mut old = PendingRequest::from_stored(&it.pending.to_stored()).unwrap();
        seal(&mut it.pending);
        let newer = seal(&mut it.pending);
        assert_eq!(old.follow_ups().judge_own(&newer), Own::Newer);
        assert_eq!(old.follow_ups().judge_own(&it.envelope), Own::NotOurs);
        assert_eq!(it.pending.follow_ups().judge_own(&newer), Own::NotOurs);
    }

    #[test]
    fn the_thirty_third_follow_up_is_refused() {
        let mut it = ask(1);
        let mut seal = || it.pending.follow_ups().seal(b"", PartMark::WHOLE, &mut it.desk.rng);
        for _ in 0..FOLLOW_UPS_MAX {
            seal().unwrap();
        }
        assert_eq!(seal().unwrap_err(), FollowUpError::TooMany);
    }

    #[test]
    fn the_state_of_an_opened_request_comes_back_as_it_was() {
        let mut it = ask(1);
        let follow_up = it.pending.follow_ups().seal(b"more", PartMark::WHOLE, &mut it.desk.rng).unwrap();
        let mut opened = OpenedRequest::from_stored(&it.opened.to_stored()).unwrap();
        assert_eq!(opened.text(), it.opened.text());
        assert_eq!(opened.follow_ups().open(&follow_up).unwrap().text.as_slice(), b"more");
        it.opened = opened;
        let (_, envelope) = answer(&mut it, 1);
        assert!(it.pending.open_answer(&envelope, TODAY).is_ok());
    }

    #[test]
    fn both_ends_name_the_same_boxes() {
        let it = ask(1);
        let pin = poterne_protocol::keys::Pin([1; 16]);
        let writer = it.opened.answer_box();
        let named = writer.write_to(&writer.relays()[0], &pin).hashes().id();
        assert_eq!(it.pending.answer_box().read_from(&pin).hashes().id(), named);
        assert_eq!(
            it.pending.handshake.follow_up_mailbox().expose(),
            it.opened.handshake.follow_up_mailbox().expose()
        );
    }
}

mod lifeline {
    use super::*;
    use crate::body::kinds::{HandOver, Reason, Successor};
    use crate::contact::{Offer, contact_mailbox};
    use crate::fixture::request_draft;
    use crate::lifeline::CallError;
    use poterne_protocol::kem::KemSecret;

    #[test]
    fn a_call_reaches_her_and_leads_to_a_fresh_contact() {
        let mut it = ask(1);
        let one_time = KemSecret::generate(&mut it.desk.rng);
        let device = second_device(&mut it.desk);
        let hand_over = HandOver {
            reason: Reason::Gone,
            to: Successor::Device {
                certificate: Box::new(device.certificate.clone()),
                key: one_time.public(),
            },
        };
        let lifeline = it.opened.lifeline();
        let envelope = lifeline.seal_call(&device, one_time.public(), &hand_over, &mut it.desk.rng).unwrap();
        it.pending.bind();
        let call = it.pending.open_call(&envelope).unwrap();
        assert_eq!((&call.hand_over, &call.certificate), (&hand_over, &device.certificate));

        let offer = Offer::new(it.desk.id, call.key, envelope.as_bytes());
        let notice = it.desk.publish(it.desk.draft(1, None)).notice;
        let (contact, _) = offer.seal_contact(&notice, &request_draft("yes"), &mut it.desk.rng).unwrap();
        assert_eq!(offer.open_contact(&one_time, &contact).unwrap().text(), b"yes");
        assert_eq!(
            contact_mailbox(&it.pending.handshake.lifeline()).expose(),
            contact_mailbox(&lifeline.secret).expose()
        );
    }

    #[test]
    fn an_answer_is_no_call_and_a_call_is_no_answer() {
        let mut it = ask(1);
        let (_, envelope) = answer(&mut it, 1);
        assert_eq!(it.pending.open_call(&envelope), Err(CallError::NotOpened));
        let hand_over = HandOver { reason: Reason::Referred, to: Successor::Desk("poterne:x".into()) };
        let key = KemSecret::generate(&mut rng(3)).public();
        let device = it.desk.device.clone();
        let call = it.opened.lifeline().seal_call(&device, key, &hand_over, &mut it.desk.rng).unwrap();
        assert_eq!(it.pending.open_answer(&call, TODAY).unwrap_err(), AnswerError::NotOpened);
    }
}
