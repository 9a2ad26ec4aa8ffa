//! True bytes of everything that is parsed in this crate.

use poterne_protocol::codec::Writer;
use poterne_protocol::kem::{CIPHERTEXT_BYTES, KemCiphertext, KemSecret};
use poterne_protocol::keys::KeyHash;
use zeroize::Zeroizing;

use super::{Talk, talk};
use crate::answer_box::AnswerRelay;
use crate::body::{Body, PartMark};
use crate::dh::DhPublic;
use crate::fixture::{self, Asked, Desk};
use crate::notice::{NoticeHash, Version, annex};
use crate::request::layout::FirstContact;
use crate::request::{RequestFlags, Reveal};
use crate::session::header::{AnswerHeader, Header};
use crate::{files, vectors};

/// True bytes of the layouts of this crate, each behind the name of the probe that takes it.
pub fn true_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let Asked { mut desk, pending, opened, .. } = fixture::ask(1);
    let Talk { requester, volunteer, .. } = talk(1);
    let draft = desk.draft(1, None);
    let notice = desk.publish(draft).notice;
    let mut certificate = Writer::default();
    desk.certificate(1).write(&mut certificate);
    let link = vectors::root_link(&desk);
    let mut all = vec![
        ("certificates", certificate.into_vec()),
        ("certificates", desk.roots.encode()),
        ("certificates", desk.device.certificate.encode()),
        ("certificates", link),
        ("notice_head", notice.to_stored().to_vec()),
        ("annex", vectors::annex_bytes(&desk)),
        ("stored_states", pending.to_stored().to_vec()),
        ("stored_states", opened.to_stored().to_vec()),
        ("stored_states", requester.to_stored().to_vec()),
        ("stored_states", volunteer.to_stored().to_vec()),
        ("stored_states", desk.trust().to_stored().to_vec()),
        ("first_contact", first_contact().encode().to_vec()),
        ("header", answer_header(&desk).encode().to_vec()),
        ("short_layouts", vec![1, 1, 0, 0, 0, 0, 2, 0, b'a', b'b']),
        ("short_layouts", vec![1, 1, 1, 0, 0, 0]),
        ("log_entry", vectors::entry_bytes()),
    ];
    all.push(("attachment", files::probe::true_record(&mut desk.rng).to_vec()));
    let bodies = vectors::samples();
    let announced = bodies.iter().filter(|body| matches!(body, Body::Attachment(_)));
    all.extend(announced.map(|body| ("attachment", body.encode().to_vec())));
    all.extend(bodies.iter().map(|body| ("body", [&[body.kind()][..], &body.encode()].concat())));
    all.extend(vectors::event_bytes().into_iter().map(|bytes| ("log_entry", bytes)));
    all.extend(annex::split(&vectors::annex_bytes(&desk)).into_iter().map(|bytes| ("annex", bytes)));
    all
}

fn first_contact() -> FirstContact {
    FirstContact {
        echoed_version: Version { root: 1, serial: 1, counter: 1 },
        echoed_hash: NoticeHash([1; 32]),
        ratchet_key: KemSecret::from_seed(&[1; 32]).public(),
        lasting_key: DhPublic([2; 32]),
        flags: RequestFlags::default(),
        language: *b"uk\0\0",
        sent_at_minutes: 1,
        reveal: Reveal::from_bytes(&[3; 16]),
        commitment: [4; 16],
        answer_relays: [1, 2].map(|number| AnswerRelay { number, own: KeyHash([number; 32]) }),
        text: Zeroizing::new(b"help".to_vec()),
    }
}

fn answer_header(desk: &Desk) -> AnswerHeader {
    let ratchet = Header {
        kind: 1,
        mark: PartMark::WHOLE,
        previous: 0,
        n: 0,
        ek: KemSecret::from_seed(&[1; 32]).public(),
        ct: KemCiphertext::from([7; CIPHERTEXT_BYTES]),
    };
    AnswerHeader { ratchet, certificate: desk.device.certificate.clone(), lease: 1 }
}
