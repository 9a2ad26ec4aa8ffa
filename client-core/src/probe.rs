//! For the tests of the workspace, with the feature `vectors` only: the layouts that have no parser of their own outside
//! this crate, one conversation whose keys are known, and true bytes of everything that is parsed.
//!
//! Each probe takes any bytes. What parses must be written as it was read, as far as the layout has one way to say it.

mod samples;
mod talk;

use poterne_protocol::codec::{Reader, Writer};
use poterne_protocol::time::Day;

pub use samples::true_bytes;
pub use talk::{SetUp, Talk, part, talk};

use crate::attachment::Descriptor;
use crate::body::Body;
use crate::body::kinds::HandOver;
use crate::desk::DeviceCertificate;
use crate::desk::certificate::CoordinatorCertificate;
use crate::desk::roots::{RootLink, RootSet, Signatures};
use crate::fixture;
use crate::intake::OpenedRequest;
use crate::log_envelope::{Entry, Event};
use crate::notice::annex;
use crate::notice::head::Head;
use crate::notice::{Notice, NoticeTrust};
use crate::request::PendingRequest;
use crate::request::layout::{FirstContact, TEXT_BYTES};
use crate::session::Session;
use crate::session::header::{AnswerHeader, Header};
use crate::{claimed, files, follow_up};

/// The day on which the fixtures live.
pub const TODAY: Day = fixture::TODAY;

/// The plaintext of a first contact.
pub fn first_contact(bytes: &[u8]) {
    if let Ok(contact) = FirstContact::parse(bytes) {
        assert_eq!(contact.encode().len(), TEXT_BYTES);
    }
}

/// Headers of messages, in both layouts.
pub fn headers(bytes: &[u8]) {
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(*header.encode(), bytes[..header.encode().len()]);
    }
    if let Ok(header) = AnswerHeader::parse(bytes) {
        // The last four bytes are reserved: written as zero, ignored by the reader.
        let written = header.encode();
        assert_eq!(written[..written.len() - 4], bytes[..written.len() - 4]);
    }
}

/// Certificates, root sets and their links.
pub fn certificates(bytes: &[u8]) {
    if let Ok(certificate) = DeviceCertificate::parse(bytes) {
        assert_eq!(certificate.encode(), bytes);
    }
    let read = |write: &dyn Fn(&mut Reader, &mut Writer) -> bool| {
        let (mut reader, mut writer) = (Reader::new(bytes), Writer::default());
        if write(&mut reader, &mut writer) {
            assert_eq!(writer.as_slice(), &bytes[..bytes.len() - reader.remaining()]);
        }
    };
    read(&|reader, writer| RootSet::read(reader).map(|set| set.write(writer)).is_ok());
    read(&|reader, writer| RootLink::read(reader).map(|link| link.write(writer)).is_ok());
    read(&|reader, writer| CoordinatorCertificate::read(reader).map(|one| one.write(writer)).is_ok());
    let _ = Signatures::read(&mut Reader::new(bytes));
}

/// The head of a notice, and a stored notice, which is one.
pub fn notice_head(bytes: &[u8]) {
    if let Ok(head) = Head::parse(bytes) {
        assert_eq!(*head.encode(), bytes);
        let _ = head.is_signed();
    }
    if let Ok(notice) = Notice::from_stored(bytes) {
        assert_eq!(*notice.to_stored(), bytes);
    }
}

/// An annex, and one part of it.
pub fn annex(bytes: &[u8]) {
    if let Ok(annex) = annex::Annex::parse(bytes) {
        assert_eq!(annex::Annex::parse(&annex.encode()), Ok(annex));
    }
    if let Ok(part) = annex::Part::parse(bytes) {
        let (hash, count) = (part.annex_hash, part.number);
        let _ = annex::assemble(&[part], &hash, count);
    }
}

/// An entry of a desk log as it stands in its envelope, and single events.
pub fn log_entry(bytes: &[u8]) {
    if let Ok(event) = Event::read(&mut Reader::new(bytes)) {
        let mut writer = Writer::default();
        event.write(&mut writer);
        assert!(Event::read(&mut Reader::new(writer.as_slice())).is_ok_and(|again| again == event));
    }
    let _ = Entry::read(&mut Reader::new(bytes));
}

/// A follow-up, a claimed receipt and a call of the lifeline, as they stand in their envelopes.
pub fn short_layouts(bytes: &[u8]) {
    if let Ok(follow_up) = follow_up::parse(0, bytes) {
        assert!(follow_up.text.len() <= follow_up::FOLLOW_UP_TEXT_BYTES);
    }
    let _ = claimed::parse(bytes);
}

/// What a message says of a file, and what a vault keeps of a conversation's files.
pub fn attachment(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    if let Ok(descriptor) = Descriptor::read(&mut reader) {
        let mut writer = Writer::default();
        descriptor.write(&mut writer);
        assert_eq!(writer.as_slice(), &bytes[..bytes.len() - reader.remaining()]);
        assert!(descriptor.filled() <= u32::from(descriptor.count));
        assert!(descriptor.join(&[]).is_err(), "a file has a chunk at least");
    }
    files::probe::record(bytes);
}

/// The body of a message of each type.
pub fn body(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let parsed = Body::parse(*kind, body);
    let again = Body::parse(parsed.kind(), &parsed.encode());
    assert_eq!(again, parsed, "a body comes back as it was");
    let _ = Descriptor::read(&mut Reader::new(body));
    let _ = HandOver::read(&mut Reader::new(body));
}

/// States out of a vault.
pub fn stored_states(bytes: &[u8]) {
    if let Ok(session) = Session::from_stored(bytes) {
        let stored = session.to_stored();
        let again = Session::from_stored(&stored).expect("what was stored can be loaded");
        assert_eq!(*again.to_stored(), *stored);
    }
    if let Ok(pending) = PendingRequest::from_stored(bytes) {
        let stored = pending.to_stored();
        let again = PendingRequest::from_stored(&stored).expect("what was stored can be loaded");
        assert_eq!(*again.to_stored(), *stored);
    }
    let _ = OpenedRequest::from_stored(bytes);
    let _ = NoticeTrust::from_stored(bytes);
}
