//! Answers, as the requester opens and judges them (docs/spec/handshake.md §6).
//!
//! An [`Answer`] is opened with the request's keys and gives a candidate of a conversation. Whether the device is
//! believed, `DeviceCertificate::check` says; whether it counts beside an answer that is there already,
//! [`Session::judge`]. Her first message binds; from then on dk_R is gone and no further answer opens.

#[cfg(test)]
mod tests;

use poterne_protocol::codec::DecodeError;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::limits::LEASE_NUMBER_MAX;
use poterne_protocol::time::Day;

use crate::desk::certificate::DeviceCertificate;
use crate::request::PendingRequest;
use crate::seal::TwoParts;
use crate::session::header::{ANSWER_HEADER_BYTES, AnswerHeader};
use crate::session::message::{self, HeaderSeal};
use crate::session::start::{Transcript, answer_header_key};
use crate::session::{OpenError, Opened, Session, establish};

/// How often a later answer may take the place of an earlier one.
pub const REPLACEMENTS_MAX: u8 = 3;

/// An answer that opens. Check its certificate before anything is sent.
#[derive(Clone)]
pub struct Answer {
    /// Who answered.
    pub certificate: DeviceCertificate,
    /// Under which lease.
    pub lease: u32,
    /// The message.
    pub opened: Opened,
    /// The conversation that begins with it.
    pub session: Session,
}

crate::secret::silent!(Answer);

/// Why an envelope is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// She has sent in a conversation: no other answer counts.
    #[error("the request is answered already")]
    Bound,
    /// It opens and is not of the form of this version.
    #[error("the answer is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// A key in it is of small order, or a number in it is above what is allowed.
    #[error("the answer is refused")]
    Refused,
    /// Its header does not open: it is not from this desk.
    #[error("the envelope does not open as an answer")]
    NotOpened,
    /// Its header opens and its payload does not: it was damaged, or made without the device's key.
    #[error("the answer was damaged or forged")]
    Spoilt,
}

/// What an answer is beside one that was opened before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Two copies of the same volunteer's state answered.
    Fork,
    /// It does not count.
    Ignored,
    /// It takes the earlier one's place: "another volunteer answers now".
    Replaces,
}

impl PendingRequest {
    /// Opens an answer out of the answer box.
    pub fn open_answer(&self, envelope: &SealedEnvelope, today: Day) -> Result<Answer, AnswerError> {
        let header_key = answer_header_key(&self.handshake.secret);
        let parts = TwoParts::of(envelope, ANSWER_HEADER_BYTES);
        let by = HeaderSeal { key: &header_key, aad: &self.handshake.th0 };
        let header = message::open_header(&by, &parts).map_err(|_| AnswerError::NotOpened)?;
        let header = AnswerHeader::parse(&header)?;
        let (ratchet, lasting) =
            self.ratchet.as_ref().zip(self.lasting.as_ref()).ok_or(AnswerError::Bound)?;
        if header.lease > LEASE_NUMBER_MAX {
            return Err(AnswerError::Refused);
        }
        let dh = lasting.agree(&header.certificate.identity).map_err(|_| AnswerError::Refused)?;
        let kem = ratchet.decapsulate(&header.ratchet.ct).map_err(|_| AnswerError::Refused)?;
        let transcript = Transcript {
            handshake: &self.handshake.secret,
            contact_hash: &self.handshake.contact_hash,
            echoed_hash: &self.handshake.echoed_hash.0,
            certificate: &header.certificate,
            lease: header.lease,
            ct: &header.ratchet.ct,
            ek: &header.ratchet.ek,
        };
        let established = establish(&transcript, &kem, &dh);
        let follow_ups = self.follow_ups.sealed();
        let mut session =
            Session::for_requester(self.handshake.th0, header_key, &header, established, follow_ups, today);
        let opened = session.advance_first(header.ratchet, &parts, today)?;
        Ok(Answer { certificate: header.certificate, lease: header.lease, opened, session })
    }
}

impl From<OpenError> for AnswerError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Decode(error) => Self::Decode(error),
            OpenError::TooFarAhead => Self::Refused,
            _ => Self::Spoilt,
        }
    }
}

impl Session {
    /// Judges another answer to the request of this conversation, which has taken the place of `replaced` earlier ones.
    pub fn judge(&self, other: &Answer, replaced: u8) -> Verdict {
        let mine = (self.lease(), self.certificate().identity);
        if (other.lease, other.certificate.identity) == mine {
            return Verdict::Fork;
        }
        if !self.is_bound() && other.lease > self.lease() && replaced < REPLACEMENTS_MAX {
            Verdict::Replaces
        } else {
            Verdict::Ignored
        }
    }
}
