//! One conversation whose keys are known, and the steps of its set-up one by one.

use poterne_protocol::envelope::SealedEnvelope;
use rand_core::CryptoRng;

use super::TODAY;
use crate::body::Part;
use crate::fixture::{self, Asked};
use crate::intake::{IntakeError, IntakeKey, OpenedRequest};
use crate::notice::Notice;
use crate::request::{PendingRequest, seal_request};
use crate::session::{Sealed, Session};

/// A conversation that has just begun, with what its ends were made of.
pub struct Talk {
    /// The request as its requester keeps it.
    pub pending: PendingRequest,
    /// The request as the desk holds it.
    pub opened: OpenedRequest,
    /// The requester's end, after A1.
    pub requester: Session,
    /// The volunteer's end.
    pub volunteer: Session,
    /// A1.
    pub first: Sealed,
}

/// The first contact, its opening, A1 and its opening: all that is done until two people can talk.
pub fn talk(seed: u64) -> Talk {
    let Asked { mut desk, pending, opened, .. } = fixture::ask(seed);
    let mut volunteer =
        Session::for_volunteer(&opened, &desk.device, 1, &mut desk.rng).expect("the device is certified");
    let first = volunteer.seal(&fixture::part("first"), &mut desk.rng).expect("a first answer is sealed");
    let answer = pending.open_answer(&first.envelope, TODAY).expect("A1 opens");
    Talk { pending, opened, requester: answer.session, volunteer, first }
}

/// A desk with its notice, to time the steps of a conversation's set-up one by one.
pub struct SetUp {
    desk: fixture::Desk,
    notice: Notice,
}

impl SetUp {
    /// A desk of that seed.
    pub fn new(seed: u64) -> Self {
        let mut desk = fixture::Desk::new(seed);
        let draft = desk.draft(1, None);
        let notice = desk.publish(draft).notice;
        Self { desk, notice }
    }

    /// Seals M0.
    pub fn ask(&self, rng: &mut impl CryptoRng) -> (SealedEnvelope, PendingRequest) {
        seal_request(&self.notice, &fixture::request_draft("потрібна допомога"), rng).expect("a short text")
    }

    /// The intake key, made from the seed of its epoch.
    pub fn intake(&self) -> IntakeKey {
        self.desk.intake()
    }

    /// Opens M0.
    pub fn open(&self, key: &IntakeKey, envelope: &SealedEnvelope) -> Result<OpenedRequest, IntakeError> {
        key.open(envelope)
    }

    /// The volunteer's end, and A1.
    pub fn answer(&self, opened: &OpenedRequest, rng: &mut impl CryptoRng) -> (Session, SealedEnvelope) {
        let mut session =
            Session::for_volunteer(opened, &self.desk.device, 1, rng).expect("the device is certified");
        let first = session.seal(&part("first"), rng).expect("a first answer is sealed");
        (session, first.envelope)
    }
}

/// A text in one part.
pub fn part(text: &str) -> Part {
    fixture::part(text)
}
