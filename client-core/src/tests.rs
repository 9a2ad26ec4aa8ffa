//! What holds for every type of envelope.

mod flipped_bits;
mod parsers;
mod silence;
mod uniformity;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kem::KemSecret;

use crate::attachment::Descriptor;
use crate::body::PartMark;
use crate::body::kinds::{HandOver, Reason, Successor};
use crate::claimed::Claimed;
use crate::fixture::{Asked, Pair, TODAY, ask, pair, part};
use crate::intake::IntakeKey;
use crate::log_envelope::{Entry, Event, LogOf};
use crate::notice::NoticeTrust;
use crate::request::seal_request;
use crate::session::Session;
use crate::sign::SignSecret;

/// One envelope of a type and whether an envelope opens as it does.
struct Specimen {
    name: &'static str,
    envelope: SealedEnvelope,
    opens: Box<dyn Fn(&SealedEnvelope) -> bool>,
}

fn specimens(seed: u64) -> Vec<Specimen> {
    vec![
        notice(seed),
        request(seed),
        follow_up(seed),
        claimed(seed),
        answer(seed),
        message(seed),
        call(seed),
        chunk(seed),
        log_entry(seed),
    ]
}

fn notice(seed: u64) -> Specimen {
    let Asked { mut desk, .. } = ask(seed);
    let envelope = desk.publish(desk.draft(1, None)).envelopes.pop().unwrap();
    let stored = desk.trust().to_stored();
    let opens = move |envelope: &SealedEnvelope| {
        let mut trust = NoticeTrust::from_stored(&stored).unwrap();
        trust.verify(envelope, &[], TODAY, crate::fixture::now()).is_ok()
    };
    Specimen { name: "notice", envelope, opens: Box::new(opens) }
}

fn request(seed: u64) -> Specimen {
    let Asked { desk, envelope, .. } = ask(seed);
    let key: IntakeKey = desk.intake();
    let opens = move |envelope: &SealedEnvelope| key.open(envelope).is_ok();
    Specimen { name: "request", envelope, opens: Box::new(opens) }
}

fn follow_up(seed: u64) -> Specimen {
    let Asked { mut pending, opened, mut desk, .. } = ask(seed);
    let envelope = pending.follow_ups().seal(b"more", PartMark::WHOLE, &mut desk.rng).unwrap();
    let opens = move |envelope: &SealedEnvelope| opened.clone().follow_ups().open(envelope).is_ok();
    Specimen { name: "follow-up", envelope, opens: Box::new(opens) }
}

fn claimed(seed: u64) -> Specimen {
    let Asked { pending, opened, mut desk, .. } = ask(seed);
    let envelope = opened.seal_claimed(Claimed { lease: 1 }, &mut desk.rng);
    let opens = move |envelope: &SealedEnvelope| pending.open_claimed(envelope).is_ok();
    Specimen { name: "claimed", envelope, opens: Box::new(opens) }
}

fn answer(seed: u64) -> Specimen {
    let Asked { pending, opened, mut desk, .. } = ask(seed);
    let mut session = Session::for_volunteer(&opened, &desk.device, 1, &mut desk.rng).unwrap();
    let envelope = session.seal(&part("answer"), &mut desk.rng).unwrap().envelope;
    let opens = move |envelope: &SealedEnvelope| pending.open_answer(envelope, TODAY).is_ok();
    Specimen { name: "answer", envelope, opens: Box::new(opens) }
}

fn message(seed: u64) -> Specimen {
    let Pair { mut requester, volunteer, mut rng, .. } = pair(seed);
    let envelope = requester.seal(&part("hers"), &mut rng).unwrap().envelope;
    let opens = move |envelope: &SealedEnvelope| volunteer.clone().open(envelope, TODAY).is_ok();
    Specimen { name: "message", envelope, opens: Box::new(opens) }
}

fn call(seed: u64) -> Specimen {
    let Asked { pending, opened, mut desk, .. } = ask(seed);
    let hand_over = HandOver { reason: Reason::Gone, to: Successor::Desk("poterne:x".into()) };
    let key = KemSecret::generate(&mut desk.rng).public();
    let envelope = opened.lifeline().seal_call(&desk.device, key, &hand_over, &mut desk.rng).unwrap();
    let opens = move |envelope: &SealedEnvelope| pending.open_call(envelope).is_ok();
    Specimen { name: "lifeline", envelope, opens: Box::new(opens) }
}

fn chunk(seed: u64) -> Specimen {
    let mut rng = crate::fixture::rng(seed);
    let descriptor = Descriptor::of(b"content", "", &mut rng).unwrap();
    let envelope = descriptor.seal_chunks(b"content", &mut rng).next().unwrap();
    let opens = move |envelope: &SealedEnvelope| descriptor.open_chunk(0, envelope).is_ok();
    Specimen { name: "attachment", envelope, opens: Box::new(opens) }
}

fn log_entry(seed: u64) -> Specimen {
    let Asked { mut desk, opened, .. } = ask(seed);
    let key = SignSecret::generate(&mut desk.rng);
    let events = vec![Event::Claimed { request: opened.handshake.contact_hash, lease: 1 }];
    let entry = Entry { author: 0, sequence: 0, previous: [0; 32], heads: vec![], events };
    let (id, epoch, epoch_seed) = (desk.id, desk.epoch, desk.seed.clone());
    let log = LogOf { desk: id, epoch, seed: &epoch_seed, index: 0 };
    let (envelope, _) = entry.seal(&log, &key, &mut desk.rng).unwrap();
    let seed = desk.seed.clone();
    let opens = move |envelope: &SealedEnvelope| {
        let log = LogOf { desk: id, epoch, seed: &seed, index: 0 };
        Entry::open(&log, &key.public(), envelope).is_ok()
    };
    Specimen { name: "desk log", envelope, opens: Box::new(opens) }
}

#[test]
fn every_specimen_opens() {
    for specimen in specimens(1) {
        assert!((specimen.opens)(&specimen.envelope), "{}", specimen.name);
    }
}

#[test]
fn no_type_of_envelope_opens_as_another() {
    let specimens = specimens(1);
    for (place, specimen) in specimens.iter().enumerate() {
        for (other_place, other) in specimens.iter().enumerate() {
            let opens = (specimen.opens)(&other.envelope);
            assert_eq!(opens, place == other_place, "{} as {}", other.name, specimen.name);
        }
    }
}

/// A fresh envelope of each type over the same state and text, for statistics.
fn many(name: &'static str, count: usize, mut take: impl FnMut(&SealedEnvelope)) {
    let Asked { mut desk, opened, pending, .. } = ask(7);
    let draft = desk.draft(1, None);
    let notice = desk.publish(draft.clone()).notice;
    let mut pair: Pair = pair(7);
    let stored = pair.requester.seal(&part("x"), &mut pair.rng).map(|_| pair.requester.to_stored());
    let stored = stored.unwrap();
    let answering = Session::for_volunteer(&opened, &desk.device, 1, &mut desk.rng).unwrap();
    let descriptor = Descriptor::of(b"content", "", &mut desk.rng).unwrap();
    let key = SignSecret::generate(&mut desk.rng);
    let entry = Entry { author: 0, sequence: 0, previous: [0; 32], heads: vec![], events: vec![] };
    let lifeline = opened.lifeline();
    let one_time = KemSecret::generate(&mut desk.rng).public();
    let hand_over = HandOver { reason: Reason::Gone, to: Successor::Desk("poterne:x".into()) };
    let follow_ups = pending.to_stored();
    let session = Session::from_stored(&stored).unwrap();
    let seed = desk.seed.clone();
    for _ in 0..count {
        let envelope = match name {
            "notice" => desk.publish(draft.clone()).envelopes.pop().unwrap(),
            "request" => {
                let draft = crate::fixture::request_draft("x");
                seal_request(&notice, &draft, &mut desk.rng).unwrap().0
            }
            "follow-up" => {
                let mut pending = crate::request::PendingRequest::from_stored(&follow_ups).unwrap();
                pending.follow_ups().seal(b"more", PartMark::WHOLE, &mut desk.rng).unwrap()
            }
            "claimed" => opened.seal_claimed(Claimed { lease: 1 }, &mut desk.rng),
            "answer" => answering.clone().seal(&part("x"), &mut desk.rng).unwrap().envelope,
            "message" => session.clone().seal(&part("x"), &mut desk.rng).unwrap().envelope,
            "lifeline" => {
                lifeline.seal_call(&desk.device, one_time.clone(), &hand_over, &mut desk.rng).unwrap()
            }
            "attachment" => descriptor.seal_chunks(b"content", &mut desk.rng).next().unwrap(),
            "desk log" => {
                let log = LogOf { desk: desk.id, epoch: desk.epoch, seed: &seed, index: 0 };
                entry.seal(&log, &key, &mut desk.rng).unwrap().0
            }
            other => unreachable!("no such specimen: {other}"),
        };
        take(&envelope);
    }
}
