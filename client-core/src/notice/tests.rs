//! Notices that are forged, older, split, expired, or under new roots (docs/spec/notice.md §8).

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use poterne_protocol::time::Day;
use proptest::prelude::*;

use super::*;
use crate::desk::roots::RootLink;
use crate::desk::{CoordinatorCertificate, Epoch, RootSet, Signatures};
use crate::fixture::{Desk, TODAY, now, rng};
use crate::seal::{WHOLE_BYTES, nonce, seal_whole};
use crate::sign::SignSecret;

fn head_of(published: &Published) -> &SealedEnvelope {
    published.envelopes.last().unwrap()
}

/// Verifies a notice of today with nothing beside its head.
fn verify(trust: &mut NoticeTrust, published: &Published) -> Result<Notice, NoticeError> {
    trust.verify(head_of(published), &published.envelopes, TODAY, now())
}

/// Seals a head as anybody with the card could.
fn sealed(desk: &Desk, head: &Head) -> Published {
    let mut text = head.encode();
    text.resize(WHOLE_BYTES, 0);
    let key = notice_key(&desk.card, &desk.id, TODAY);
    let envelope = seal_whole(key.expose(), &nonce(&mut rng(99)), &text);
    Published { envelopes: vec![envelope], notice: Notice::verified(head.clone()) }
}

/// A second root set of that desk, signed as a link should be.
fn rotated(desk: &mut Desk) -> (RootSet, SignSecret, RootLink) {
    let root = SignSecret::generate(&mut desk.rng);
    let next = RootSet { version: 2, threshold: 1, keys: vec![root.public()] };
    let signed = |by: &SignSecret| {
        let mut signatures = Signatures::default();
        signatures.add(0, desk.roots.sign_next(by, &next, &desk.id));
        signatures
    };
    let link = RootLink { next: next.clone(), by_old: signed(&desk.root), by_new: signed(&root) };
    (next, root, link)
}

/// Puts the desk under its second root set; its notices carry the chain.
fn rotate(desk: &mut Desk) -> Annex {
    let (first, (next, root, link)) = (desk.roots.clone(), rotated(desk));
    (desk.roots, desk.root) = (next, root);
    Annex { entries: vec![Entry::RootChain { first, links: vec![link] }] }
}

#[test]
fn a_first_notice_is_believed_by_the_card_alone() {
    let mut desk = Desk::new(1);
    let published = desk.publish(desk.draft(1, None));
    let mut trust = desk.trust();
    let notice = verify(&mut trust, &published).unwrap();
    assert_eq!(notice, published.notice);
    assert_eq!(trust.highest(), Some(notice.version()));
}

#[test]
fn a_notice_of_another_desk_is_refused() {
    let (mut desk, other) = (Desk::new(1), Desk::new(2));
    let published = desk.publish(desk.draft(1, None));
    let mut trust = other.trust();
    assert_eq!(verify(&mut trust, &published), Err(NoticeError::NotOpened));
}

#[test]
fn a_notice_is_of_its_day_only() {
    let mut desk = Desk::new(1);
    let published = desk.publish(desk.draft(1, None));
    let result = desk.trust().verify(head_of(&published), &[], TODAY + 1, now());
    assert_eq!(result, Err(NoticeError::NotOpened));
}

#[test]
fn a_notice_expires_a_day_after_its_day() {
    let mut desk = Desk::new(1);
    let published = desk.publish(desk.draft(1, None));
    let end = (TODAY + 1).end();
    let at = |time| desk.trust().verify(head_of(&published), &[], TODAY, time);
    assert!(at(poterne_protocol::time::UnixTime(end.0 - 1)).is_ok());
    assert_eq!(at(end), Err(NoticeError::Expired));
}

#[test]
fn a_notice_that_claims_to_last_longer_is_forged() {
    let mut desk = Desk::new(1);
    let mut head = desk.publish(desk.draft(1, None)).notice.head().clone();
    head.expiry = head.expiry.plus(1);
    head.sign(&desk.coordinator);
    assert_eq!(verify(&mut desk.trust(), &sealed(&desk, &head)), Err(NoticeError::Forged));
}

#[test]
fn a_notice_that_the_coordinator_did_not_sign_is_forged() {
    let mut desk = Desk::new(1);
    let mut head = desk.publish(desk.draft(1, None)).notice.head().clone();
    head.revocations.insert(0);
    assert_eq!(verify(&mut desk.trust(), &sealed(&desk, &head)), Err(NoticeError::Forged));
}

#[test]
fn a_coordinator_that_no_root_certified_is_refused() {
    let mut desk = Desk::new(1);
    let mut head = desk.publish(desk.draft(1, None)).notice.head().clone();
    let thief = SignSecret::generate(&mut desk.rng);
    head.certificate.key = thief.public();
    head.sign(&thief);
    assert_eq!(verify(&mut desk.trust(), &sealed(&desk, &head)), Err(NoticeError::Certificate));
}

#[test]
fn a_certificate_counts_on_its_days_only() {
    let mut desk = Desk::new(1);
    let mut head = desk.publish(desk.draft(1, None)).notice.head().clone();
    let mut certificate = CoordinatorCertificate { last_day: TODAY - 1, ..desk.certificate(1) };
    certificate.signatures.add(0, certificate.sign(&desk.root, &desk.id, 1));
    head.certificate = certificate;
    head.sign(&desk.coordinator);
    assert_eq!(verify(&mut desk.trust(), &sealed(&desk, &head)), Err(NoticeError::Certificate));
}

#[test]
fn a_certificate_for_more_than_90_days_is_refused() {
    let mut desk = Desk::new(1);
    let mut head = desk.publish(desk.draft(1, None)).notice.head().clone();
    let mut certificate =
        CoordinatorCertificate { first_day: TODAY, last_day: TODAY + 91, ..desk.certificate(1) };
    certificate.signatures.add(0, certificate.sign(&desk.root, &desk.id, 1));
    head.certificate = certificate;
    head.sign(&desk.coordinator);
    assert_eq!(verify(&mut desk.trust(), &sealed(&desk, &head)), Err(NoticeError::Certificate));
}

#[test]
fn a_threshold_is_not_met_by_one_root_twice() {
    let mut rng = rng(4);
    let roots: Vec<SignSecret> = (0..3).map(|_| SignSecret::generate(&mut rng)).collect();
    let set = RootSet::first(2, roots.iter().map(SignSecret::public).collect()).unwrap();
    let next = RootSet { version: 2, ..set.clone() };
    let sign = |root: usize| set.sign_next(&roots[root], &next, &set.desk_id());
    let mut one = Signatures::default();
    one.add(0, sign(0));
    let link = |by_old: &Signatures, by_new: &Signatures| RootLink {
        next: next.clone(),
        by_old: by_old.clone(),
        by_new: by_new.clone(),
    };
    let mut two = one.clone();
    two.add(2, sign(2));
    assert!(link(&two, &two).follows(&set, &set.desk_id()));
    assert!(!link(&one, &two).follows(&set, &set.desk_id()));
    assert!(!link(&two, &one).follows(&set, &set.desk_id()));
    one.add(1, sign(0));
    assert!(!link(&one, &two).follows(&set, &set.desk_id()));
}

#[test]
fn an_older_notice_is_refused_once_a_newer_one_was_seen() {
    let mut desk = Desk::new(1);
    let old = desk.publish(desk.draft(1, None));
    let new = desk.publish(desk.draft(2, Some(old.notice.hash())));
    let mut trust = desk.trust();
    verify(&mut trust, &new).unwrap();
    assert_eq!(verify(&mut trust, &old), Err(NoticeError::Older));
    assert!(verify(&mut trust, &new).is_ok());
}

#[test]
fn a_rollback_is_noticed_after_a_restart() {
    let mut desk = Desk::new(1);
    let old = desk.publish(desk.draft(1, None));
    let new = desk.publish(desk.draft(2, Some(old.notice.hash())));
    let mut trust = desk.trust();
    verify(&mut trust, &new).unwrap();
    let mut restarted = NoticeTrust::from_stored(&trust.to_stored()).unwrap();
    assert_eq!(verify(&mut restarted, &old), Err(NoticeError::Older));
}

#[test]
fn two_notices_of_one_version_are_a_split() {
    let mut desk = Desk::new(1);
    let one = desk.publish(desk.draft(1, None));
    let mut draft = desk.draft(1, None);
    draft.revocations.insert(5);
    let two = desk.publish(draft);
    let mut trust = desk.trust();
    verify(&mut trust, &one).unwrap();
    assert_eq!(verify(&mut trust, &two), Err(NoticeError::Split));
}

#[test]
fn the_next_notice_must_name_the_one_before() {
    let mut desk = Desk::new(1);
    let one = desk.publish(desk.draft(1, None));
    let stranger = desk.publish(desk.draft(2, Some(NoticeHash([1; 32]))));
    let mut trust = desk.trust();
    verify(&mut trust, &one).unwrap();
    assert_eq!(verify(&mut trust, &stranger), Err(NoticeError::Split));
}

#[test]
fn a_rotation_of_the_roots_heals_a_stolen_coordinator() {
    let mut desk = Desk::new(1);
    let by_thief = desk.publish(desk.draft(1_000_000, None));
    let mut trust = desk.trust();
    verify(&mut trust, &by_thief).unwrap();
    let annex = rotate(&mut desk);
    let healed = desk.publish(NoticeDraft { annex, ..desk.draft(1, None) });
    assert!(verify(&mut trust, &healed).is_ok());
    assert_eq!(verify(&mut trust, &by_thief), Err(NoticeError::Older));
}

#[test]
fn new_roots_need_the_annex_that_leads_to_them() {
    let mut desk = Desk::new(1);
    let mut trust = desk.trust();
    let annex = rotate(&mut desk);
    let published = desk.publish(NoticeDraft { annex, ..desk.draft(1, None) });
    let alone = trust.verify(head_of(&published), &[], TODAY, now());
    assert_eq!(alone, Err(NoticeError::AnnexWanted));
    assert!(verify(&mut trust, &published).is_ok());
}

#[test]
fn roots_that_nobody_signed_over_to_are_refused() {
    let mut desk = Desk::new(1);
    let mut trust = desk.trust();
    let (first, (next, root, mut link)) = (desk.roots.clone(), rotated(&mut desk));
    link.by_old = Signatures::default();
    (desk.roots, desk.root) = (next, root);
    let annex = Annex { entries: vec![Entry::RootChain { first, links: vec![link] }] };
    let published = desk.publish(NoticeDraft { annex, ..desk.draft(1, None) });
    assert_eq!(verify(&mut trust, &published), Err(NoticeError::Roots));
}

#[test]
fn an_annex_comes_together_from_its_parts_in_any_order() {
    let mut desk = Desk::new(1);
    let text = "до побачення ".repeat(700);
    let annex = Annex {
        entries: vec![
            Entry::Text { language: *b"uk\0\0", text },
            Entry::Contact("+380".into()),
            Entry::Prices(vec![1]),
            Entry::Other(9, vec![2]),
        ],
    };
    let published = desk.publish(NoticeDraft { annex: annex.clone(), ..desk.draft(1, None) });
    assert_eq!(published.envelopes.len(), 6);
    let mut shuffled = published.envelopes.clone();
    shuffled.reverse();
    assert_eq!(desk.trust().annex(&published.notice, &shuffled), Some(annex));
    shuffled.pop();
    assert_eq!(desk.trust().annex(&published.notice, &shuffled), None);
}

#[test]
fn a_head_with_five_roots_and_eight_relays_fits() {
    let mut desk = Desk::new(1);
    let roots: Vec<SignSecret> = (0..5).map(|_| SignSecret::generate(&mut desk.rng)).collect();
    let set = RootSet::first(3, roots.iter().map(SignSecret::public).collect()).unwrap();
    desk.id = set.desk_id();
    let mut certificate = desk.certificate(1);
    certificate.signatures = Signatures::default();
    for (place, root) in roots.iter().enumerate().take(3) {
        certificate.signatures.add(place as u8, certificate.sign(root, &desk.id, 1));
    }
    let relay = |number: u8| {
        let mut relay = desk.draft(1, None).relays[0].clone();
        (relay.number, relay.pin) = (number, poterne_protocol::keys::Pin([number; 16]));
        relay.addresses = vec![Address { kind: 0, value: vec![b'a'; 175] }];
        relay
    };
    let relays: Vec<RelayEntry> = (1..=8).map(relay).collect();
    let draft = NoticeDraft { roots: set, certificate, relays, ..desk.draft(1, None) };
    let published = desk.publish(draft);
    assert_eq!(published.notice.head().encode().len(), WHOLE_BYTES - 1);
    assert!(verify(&mut desk.trust(), &published).is_ok());
}

#[test]
fn a_head_that_is_too_long_is_not_published() {
    let mut desk = Desk::new(1);
    let mut draft = desk.draft(1, None);
    for relay in &mut draft.relays {
        relay.addresses = vec![Address { kind: 0, value: vec![b'a'; 255] }; 8];
    }
    let result = draft.publish(&desk.coordinator, &desk.card, &mut desk.rng);
    assert!(matches!(result.unwrap_err(), build::BuildError::HeadTooLong { .. }));
}

#[test]
fn a_relay_table_with_one_number_twice_is_not_published() {
    let mut desk = Desk::new(1);
    let mut draft = desk.draft(1, None);
    draft.relays[1].number = 1;
    let result = draft.publish(&desk.coordinator, &desk.card, &mut desk.rng);
    assert_eq!(result.unwrap_err(), build::BuildError::Relays);
}

#[test]
fn an_index_that_no_device_has_counts_as_revoked() {
    let mut revocations = Revocations::default();
    revocations.insert(1023);
    assert!(revocations.contains(1023) && !revocations.contains(1022) && revocations.contains(1024));
}

#[test]
fn generations_of_one_day_lie_in_one_log() {
    let mut desk = Desk::new(1);
    let one = desk.publish(desk.draft(1, None));
    desk.epoch.generation = 1;
    let two = desk.publish(desk.draft(2, Some(one.notice.hash())));
    let mut trust = desk.trust();
    verify(&mut trust, &one).unwrap();
    let epoch = verify(&mut trust, &two).unwrap().epoch();
    assert_eq!(epoch, Epoch { day: TODAY, generation: 1 });
}

#[test]
fn a_notice_comes_out_of_the_vault_as_it_was() {
    let mut desk = Desk::new(1);
    let notice = desk.publish(desk.draft(1, None)).notice;
    assert_eq!(Notice::from_stored(&notice.to_stored()), Ok(notice));
}

#[test]
fn the_notice_log_of_a_day_has_a_reader_key_of_its_own() {
    let desk = Desk::new(1);
    let key = |day: Day| kdf::hash(&[notice_read_key(&desk.card, &desk.id, day).expose()]);
    assert_ne!(key(TODAY), key(TODAY + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_head_survives_any_input(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = Head::parse(&bytes);
    }

    #[test]
    fn a_head_with_changed_bytes_never_panics(place in 0usize..4056, value in any::<u8>()) {
        let mut desk = Desk::new(1);
        let mut bytes = desk.publish(desk.draft(1, None)).notice.head().encode();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok(head) = Head::parse(&bytes) {
            prop_assert_eq!(head.encode(), bytes);
        }
    }

    #[test]
    fn an_annex_survives_any_input(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Annex::parse(&bytes);
        let _ = annex::Part::parse(&bytes);
    }
}

/// A notice of that counter; those of one counter are alike.
fn numbered(desk: &mut Desk, counter: u32) -> Published {
    desk.rng = rng(u64::from(counter));
    desk.publish(desk.draft(counter, None))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_order_only_rising_versions_are_believed(
        shown in proptest::collection::vec(1u32..8, 1..12),
        restarts in any::<u16>(),
    ) {
        let mut desk = Desk::new(1);
        let mut trust = desk.trust();
        let mut highest = 0;
        for (place, counter) in shown.iter().enumerate() {
            // Of neighbours the later one would have to name the earlier: only even counters here.
            let published = numbered(&mut desk, counter * 2);
            let expected = if *counter < highest { Err(NoticeError::Older) } else { Ok(()) };
            prop_assert_eq!(verify(&mut trust, &published).map(|_| ()), expected);
            highest = highest.max(*counter);
            if restarts & (1 << place) != 0 {
                trust = NoticeTrust::from_stored(&trust.to_stored()).unwrap();
            }
        }
    }
}
