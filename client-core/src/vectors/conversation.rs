//! A1 and three turns of the ratchet, with what it takes to open them.

use poterne_protocol::vectors::Vector;

use super::notices::seed;
use super::whole;
use crate::fixture::{Asked, TODAY, ask, part};
use crate::session::{Destination, Opened, Sealed, Session};

pub(super) fn all() -> Vec<Vector> {
    let Asked { desk, pending, opened, .. } = ask(3);
    let mut rng = desk.rng;
    let mut volunteer =
        Session::for_volunteer(&opened, &desk.device, 5, &mut rng).expect("the device is certified");
    let mut sealed = Vec::new();
    let mut seal = |session: &mut Session, text| {
        let message = session.seal(&part(text), &mut rng).expect("a short text");
        sealed.push((text, message.clone()));
        message
    };
    let answer = seal(&mut volunteer, "answer");
    let again = seal(&mut volunteer, "answer, second message");
    let answered = pending.open_answer(&answer.envelope, TODAY).expect("it is for her");
    let mut requester = answered.session;
    open(&mut requester, &again);
    let hers = seal(&mut requester, "hers, chain 1");
    open(&mut volunteer, &hers);
    let theirs = seal(&mut volunteer, "theirs, chain 2");
    open(&mut requester, &theirs);
    let turned = seal(&mut requester, "hers, chain 3");
    open(&mut volunteer, &turned);

    let begin = Vector::new("conversation")
        .bytes("seed of the randomness", &seed(3))
        .bytes("TH0", &opened.handshake.th0)
        .bytes("hs", opened.handshake.secret.expose())
        .bytes("H(M0)", &opened.handshake.contact_hash)
        .bytes("notice hash", &opened.handshake.echoed_hash.0)
        .bytes("seed of dk_R", pending.ratchet.as_ref().expect("she has not bound").expose_seed())
        .bytes("secret of e_R", pending.lasting.as_ref().expect("no month has passed").expose())
        .bytes("secret of IK_V", desk.device.identity.expose())
        .bytes("device certificate", &desk.device.certificate.encode())
        .text("lease number", 5)
        .bytes("SID", &requester.id())
        .bytes("tag", &requester.tag());
    let messages = sealed.iter().map(|(text, message)| described(text, message));
    [begin].into_iter().chain(messages).chain([stored(&requester, &volunteer)]).collect()
}

fn open(session: &mut Session, sealed: &Sealed) -> Opened {
    let opened = session.open(&sealed.envelope, TODAY).expect("it is for this end");
    assert_eq!((opened.chain, opened.n), (sealed.chain, sealed.n), "both ends name it alike");
    opened
}

fn described(text: &str, message: &Sealed) -> Vector {
    let vector = Vector::new(format!("message {}.{}", message.chain, message.n));
    let vector = match &message.to {
        Destination::AnswerBox => vector.text("to", "answer box"),
        Destination::Mailbox(mailbox) => vector.bytes("to", mailbox.expose()),
    };
    whole(vector, "envelope", message.envelope.as_bytes()).bytes("body", text.as_bytes())
}

fn stored(requester: &Session, volunteer: &Session) -> Vector {
    let forms = [requester, volunteer].map(Session::to_stored);
    for form in &forms {
        let back = Session::from_stored(form).expect("it was just stored");
        assert_eq!(*back.to_stored(), **form, "a stored form comes back as it was");
    }
    whole(whole(Vector::new("stored sessions"), "requester", &forms[0]), "volunteer", &forms[1])
}
