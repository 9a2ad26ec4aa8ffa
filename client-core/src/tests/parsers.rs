//! No bytes from outside make a parser panic: any bytes, and true ones with a few changes.

use poterne_protocol::codec::{Reader, Writer};
use proptest::prelude::*;

use crate::attachment::Descriptor;
use crate::body::kinds::HandOver;
use crate::desk::roots::RootLink;
use crate::desk::{CoordinatorCertificate, DeviceCertificate, RootSet, Signatures};
use crate::fixture::{Asked, Pair, ask, pair};
use crate::intake::OpenedRequest;
use crate::log_envelope::Event;
use crate::notice::{Notice, NoticeTrust};
use crate::request::PendingRequest;
use crate::request::layout::FirstContact;
use crate::session::Session;
use crate::session::header::{AnswerHeader, Header};

fn parse_all(bytes: &[u8]) {
    let _ = FirstContact::parse(bytes);
    let _ = Header::parse(bytes);
    let _ = AnswerHeader::parse(bytes);
    let _ = DeviceCertificate::parse(bytes);
    let _ = RootSet::read(&mut Reader::new(bytes));
    let _ = RootLink::read(&mut Reader::new(bytes));
    let _ = Signatures::read(&mut Reader::new(bytes));
    let _ = CoordinatorCertificate::read(&mut Reader::new(bytes));
    let _ = Descriptor::read(&mut Reader::new(bytes));
    let _ = HandOver::read(&mut Reader::new(bytes));
    let _ = Event::read(&mut Reader::new(bytes));
    let _ = Notice::from_stored(bytes);
    let _ = NoticeTrust::from_stored(bytes);
    let _ = PendingRequest::from_stored(bytes);
    let _ = OpenedRequest::from_stored(bytes);
    let _ = Session::from_stored(bytes);
}

/// True bytes of several layouts.
fn true_bytes() -> Vec<Vec<u8>> {
    let Asked { desk, pending, opened, .. } = ask(1);
    let Pair { requester, volunteer, .. } = pair(1);
    let mut certificate = Writer::default();
    desk.certificate(1).write(&mut certificate);
    let bodies = crate::vectors::samples().into_iter().map(|body| body.encode().to_vec());
    let states = [pending.to_stored(), opened.to_stored(), requester.to_stored(), volunteer.to_stored()];
    let states = states.into_iter().map(|state| state.to_vec());
    let mut all: Vec<Vec<u8>> = bodies.chain(states).collect();
    all.extend([certificate.into_vec(), desk.roots.encode(), desk.device.certificate.encode()]);
    all
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        parse_all(&bytes);
    }

    #[test]
    fn changed_bytes_are_parsed_or_refused(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let all = true_bytes();
        let mut bytes = which.get(&all).clone();
        for (place, value) in changes.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        parse_all(&bytes);
        parse_all(&bytes[..cut.index(bytes.len() + 1)]);
    }
}
