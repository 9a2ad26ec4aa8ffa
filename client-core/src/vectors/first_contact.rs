//! M0, follow-ups, the claimed receipt, the lifeline and an M0-shaped contact.

use poterne_protocol::kem::KemSecret;
use poterne_protocol::vectors::Vector;

use super::notices::seed;
use super::{counting, whole};
use crate::body::PartMark;
use crate::body::kinds::{HandOver, Reason, Successor};
use crate::claimed::Claimed;
use crate::contact::Offer;
use crate::fixture::{Asked, ask, request_draft, rng};
use crate::intake::OpenedRequest;
use crate::request::PendingRequest;

pub(super) fn all() -> Vec<Vector> {
    vec![request(), follow_up(), claimed(), lifeline(), contact(), stored()]
}

fn request() -> Vector {
    let it = ask(2);
    let intake = it.desk.intake();
    let vector = Vector::new("M0")
        .bytes("seed of the randomness", &seed(2))
        .bytes("epoch seed", it.desk.seed.expose())
        .bytes("desk id", &it.desk.id.0)
        .text("day", intake.epoch().day)
        .text("generation", intake.epoch().generation);
    whole(vector, "envelope", it.envelope.as_bytes())
        .bytes("TH0", &it.opened.handshake.th0)
        .bytes("H(M0)", &it.opened.handshake.contact_hash)
        .bytes("hs", it.opened.handshake.secret.expose())
        .bytes("notice hash", &it.opened.handshake.echoed_hash.0)
        .bytes("ek_R", it.opened.ratchet_key.as_bytes())
        .bytes("e_R", &it.opened.lasting_key().0)
        .bytes("language", &it.opened.language())
        .text("sent at, minutes", it.opened.sent_at_minutes())
        .bytes("text", it.opened.text())
}

fn follow_up() -> Vector {
    let Asked { mut pending, mut opened, .. } = ask(2);
    let start = pending.follow_ups().to_plain().0;
    let mark = PartMark { continues: true, left: 2 };
    let writer = pending.follow_ups();
    let first = writer.seal(b"first", PartMark::WHOLE, &mut rng(3)).expect("32 fit");
    let second = writer.seal("другий".as_bytes(), mark, &mut rng(4)).expect("32 fit");
    let reader = opened.follow_ups();
    let (second_opened, first_opened) = (reader.open(&second), reader.open(&first));
    let second_opened = second_opened.expect("both ends have the chain");
    assert_eq!((second_opened.n, second_opened.mark), (1, mark), "marks come back as they were");
    let vector = Vector::new("follow-ups").bytes("ck_pre", &start);
    let vector = whole(vector, "envelope 0", first.as_bytes())
        .bytes("text 0", &first_opened.expect("both ends have the chain").text);
    whole(vector, "envelope 1", second.as_bytes()).bytes("text 1", &second_opened.text)
}

fn claimed() -> Vector {
    let Asked { pending, opened, .. } = ask(2);
    let claimed = Claimed { lease: 66_051 };
    let envelope = opened.seal_claimed(claimed, &mut rng(5));
    assert_eq!(pending.open_claimed(&envelope), Ok(claimed), "a receipt opens");
    let vector = Vector::new("claimed").bytes("hs", opened.handshake.secret.expose());
    whole(vector, "envelope", envelope.as_bytes()).text("lease number", claimed.lease)
}

fn lifeline() -> Vector {
    let Asked { pending, opened, desk, .. } = ask(2);
    let one_time = KemSecret::from_seed(&counting(6));
    let hand_over = HandOver {
        reason: Reason::HandedOver,
        to: Successor::Device {
            certificate: Box::new(desk.device.certificate.clone()),
            key: one_time.public(),
        },
    };
    let lifeline = opened.lifeline();
    let envelope = lifeline
        .seal_call(&desk.device, one_time.public(), &hand_over, &mut rng(6))
        .expect("no key of ours is of small order");
    let call = pending.open_call(&envelope).expect("she holds e_R");
    assert_eq!(call.hand_over, hand_over, "a call opens");
    let vector = Vector::new("lifeline")
        .bytes("L", lifeline.secret.expose())
        .bytes("TH0", &lifeline.th0)
        .bytes("secret of IK_V", desk.device.identity.expose())
        .bytes("e_R", &lifeline.lasting_key.0)
        .bytes("seed of the one-time key", &counting(6));
    whole(vector, "envelope", envelope.as_bytes())
}

fn contact() -> Vector {
    let Asked { mut desk, .. } = ask(2);
    let secret = KemSecret::from_seed(&counting(7));
    let notice = desk.publish(desk.draft(1, None)).notice;
    let offer = Offer::new(desk.id, secret.public(), b"offering");
    let (envelope, _) =
        offer.seal_contact(&notice, &request_draft("again"), &mut rng(7)).expect("a short text");
    let opened = offer.open_contact(&secret, &envelope).expect("it is for this key");
    let vector = Vector::new("M0-shaped contact")
        .bytes("seed of the offered key", &counting(7))
        .bytes("desk id", &desk.id.0)
        .bytes("offering", b"offering");
    whole(vector, "envelope", envelope.as_bytes())
        .bytes("TH0", &opened.handshake.th0)
        .bytes("hs", opened.handshake.secret.expose())
        .bytes("text", opened.text())
}

fn stored() -> Vector {
    let Asked { pending, opened, .. } = ask(2);
    let (hers, theirs) = (pending.to_stored(), opened.to_stored());
    let back = PendingRequest::from_stored(&hers).expect("it was just stored");
    assert_eq!(*back.to_stored(), *hers, "a stored form comes back as it was");
    let back = OpenedRequest::from_stored(&theirs).expect("it was just stored");
    assert_eq!(*back.to_stored(), *theirs, "a stored form comes back as it was");
    whole(whole(Vector::new("stored requests"), "pending", &hers), "opened", &theirs)
}
