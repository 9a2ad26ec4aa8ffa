//! Root sets, certificates, a notice with its annex.

use poterne_protocol::codec::Writer;
use poterne_protocol::vectors::Vector;

use super::{counting, whole};
use crate::desk::roots::RootLink;
use crate::desk::{DeviceCertificate, Epoch, RootSet, Signatures};
use crate::dh::DhPublic;
use crate::fixture::{Desk, TODAY, now};
use crate::notice::{Annex, Entry, NoticeDraft};
use crate::sign::SignSecret;

pub(super) fn all() -> Vec<Vector> {
    vec![root_set(), certificates(), annex(), notice(), trust()]
}

fn rotated(desk: &Desk) -> (RootSet, RootLink) {
    let root = SignSecret::from_seed(&counting(2));
    let next = RootSet { version: 2, threshold: 1, keys: vec![root.public()] };
    let signed = |by: &SignSecret| {
        let mut signatures = Signatures::default();
        signatures.add(0, desk.roots.sign_next(by, &next, &desk.id));
        signatures
    };
    let link = RootLink { next: next.clone(), by_old: signed(&desk.root), by_new: signed(&root) };
    (next, link)
}

/// The bytes of a link of a root chain.
pub(crate) fn root_link(desk: &Desk) -> Vec<u8> {
    let mut writer = Writer::default();
    rotated(desk).1.write(&mut writer);
    writer.into_vec()
}

/// The bytes of an annex with an entry of each type.
pub(crate) fn annex_bytes(desk: &Desk) -> Vec<u8> {
    annex_of(desk).encode()
}

fn root_set() -> Vector {
    let keys = [1, 2, 3].map(|first| SignSecret::from_seed(&counting(first)).public());
    let set = RootSet::first(2, keys.to_vec()).expect("two of three");
    Vector::new("root set").bytes("root set", &set.encode()).bytes("desk id", &set.desk_id().0)
}

fn certificates() -> Vector {
    let desk = Desk::new(1);
    let certificate = desk.certificate(1);
    let mut encoded = Writer::default();
    certificate.write(&mut encoded);
    let last = Epoch { day: TODAY + 8, generation: 2 };
    let device = DeviceCertificate::sign(&desk.coordinator, &desk.id, 1, 258, DhPublic(counting(3)), last);
    Vector::new("certificates")
        .bytes("seed of the root", desk.root.expose_seed())
        .bytes("seed of the coordinator", desk.coordinator.expose_seed())
        .bytes("desk id", &desk.id.0)
        .bytes("coordinator certificate", encoded.as_slice())
        .bytes("device certificate", &device.encode())
}

fn annex_of(desk: &Desk) -> Annex {
    let (_, link) = rotated(desk);
    Annex {
        entries: vec![
            Entry::RootChain { first: desk.roots.clone(), links: vec![link] },
            Entry::Text { language: *b"uk\0\0", text: "вітаємо".into() },
            Entry::Contact("desk@example.org".into()),
            Entry::Prices(vec![1, 2]),
        ],
    }
}

fn annex() -> Vector {
    let desk = Desk::new(1);
    let annex = annex_of(&desk);
    assert_eq!(Annex::parse(&annex.encode()), Ok(annex.clone()), "an annex comes back as it was");
    whole(Vector::new("annex"), "annex", &annex.encode())
}

fn notice() -> Vector {
    let mut desk = Desk::new(1);
    let mut draft = NoticeDraft { annex: annex_of(&desk), ..desk.draft(7, None) };
    draft.revocations.insert(9);
    let published = desk.publish(draft);
    let [part, head] = &published.envelopes[..] else { unreachable!("a short annex is one part") };
    let notice =
        desk.trust().verify(head, core::slice::from_ref(part), TODAY, now()).expect("it was just published");
    let vector = Vector::new("notice")
        .bytes("seed of the randomness", &seed(1))
        .bytes("desk id", &desk.id.0)
        .bytes("card secret", desk.card.expose())
        .text("day", TODAY);
    let vector = whole(vector, "annex part", part.as_bytes());
    let vector = whole(vector, "head envelope", head.as_bytes());
    whole(vector, "head", &notice.head().encode())
        .bytes("notice hash", &notice.hash().0)
        .bytes("TH0", &notice.th0())
}

fn trust() -> Vector {
    let mut desk = Desk::new(1);
    let published = desk.publish(desk.draft(7, None));
    let mut trust = desk.trust();
    trust.verify(&published.envelopes[0], &[], TODAY, now()).expect("it was just published");
    let stored = trust.to_stored();
    let back = crate::notice::NoticeTrust::from_stored(&stored).expect("it was just stored");
    assert_eq!(*back.to_stored(), *stored, "a stored form comes back as it was");
    whole(Vector::new("stored notice trust"), "stored", &stored)
}

/// The ChaCha20 key of the fixture's randomness.
pub(super) fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}
