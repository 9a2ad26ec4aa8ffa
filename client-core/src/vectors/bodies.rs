//! The bodies of messages, by type.

use poterne_protocol::kem::KemSecret;
use poterne_protocol::vectors::Vector;
use zeroize::Zeroizing;

use super::{counting, whole};
use crate::attachment::Descriptor;
use crate::body::Body;
use crate::body::kinds::{Ack, Close, Consent, Credits, ForkReport, Form, HandOver, Reason, Successor};
use crate::desk::{DeviceCertificate, Epoch};
use crate::dh::DhPublic;
use crate::secret::Secret;

pub(super) fn all() -> Vec<Vector> {
    samples().iter().map(described).collect()
}

fn described(body: &Body) -> Vector {
    let bytes = body.encode();
    assert_eq!(Body::parse(body.kind(), &bytes), *body, "a body comes back as it was");
    whole(Vector::new(format!("body of type {}", body.kind())), "body", &bytes)
}

/// One body of each type, two of a hand-over, and one of no type that is known.
pub(crate) fn samples() -> Vec<Body> {
    let certificate = Box::new(DeviceCertificate {
        index: 3,
        identity: DhPublic([4; 32]),
        last: Epoch::default(),
        signature: [5; 64],
    });
    let key = KemSecret::from_seed(&counting(1)).public();
    vec![
        Body::Text(Zeroizing::new("привіт".to_owned())),
        Body::HandOver(HandOver { reason: Reason::HandedOver, to: Successor::Device { certificate, key } }),
        Body::HandOver(HandOver { reason: Reason::Referred, to: Successor::Desk("poterne:x".into()) }),
        Body::Close(Close { reason: 1, text: "merci".into() }),
        Body::Cover,
        Body::Ack(vec![
            Ack { is_read: true, chain: 2, first: 3, last: 4 },
            Ack { is_read: false, chain: Ack::FOLLOW_UPS, first: 0, last: 31 },
        ]),
        Body::Attachment(Descriptor {
            file_key: Secret::from_bytes(&counting(2)),
            length: 5000,
            count: 16,
            media_type: "image/jpeg".into(),
            content_hash: counting(3),
        }),
        Body::Card("poterne:y".into()),
        Body::Credits(Credits { relay: 1, codes: vec![[7; 16], [8; 16]] }),
        Body::Relays([1, 2]),
        Body::Fork(ForkReport { chain: 4, n: 5 }),
        Body::Form(Form { form: 1, is_filled: true, fields: vec![1, 1, 0, 9] }),
        Body::Consent(Consent { what: 1, agrees: true, subject: counting(4) }),
        Body::Unknown(77, Zeroizing::new(vec![1, 2, 3])),
    ]
}
