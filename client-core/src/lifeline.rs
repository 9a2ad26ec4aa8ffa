//! The lifeline: the answer box as the way to reach a requester whose conversation broke (docs/spec/handshake.md §7).
//!
//! A1's layout: header under KDF(–, L, "lifeline header"), AAD TH0, with a random ct and the one-time key of the device
//! that offers to take over; payload {reason and successor, as in a hand-over} under KDF(nonce, X25519(IK_V, e_R) ‖ L,
//! "lifeline payload"), AAD nonce ‖ header ciphertext. It reads nothing of the conversation. Layout only.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kem::{CIPHERTEXT_BYTES, KemCiphertext, KemPublic};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::body::kinds::HandOver;
use crate::body::{Body, PartMark};
use crate::chain;
use crate::desk::certificate::DeviceCertificate;
use crate::dh::{DhPublic, DhSecret, Refused};
use crate::labels;
use crate::request::PendingRequest;
use crate::seal::{self, TwoParts, nonce};
use crate::secret::Secret;
use crate::session::header::{ANSWER_HEADER_BYTES, AnswerHeader, Header};
use crate::session::message::{self, HeaderSeal};
use crate::session::start::DeviceKeys;

/// What a desk keeps of a request after its adoption, to reach the requester again.
#[derive(Clone)]
pub struct Lifeline {
    /// L.
    pub secret: Secret,
    /// TH0 of the request.
    pub th0: [u8; 32],
    /// e_R.
    pub lasting_key: DhPublic,
}

crate::secret::silent!(Lifeline);

/// A call by the lifeline. Check the certificate (`since` is today − 30) and ask her before anything is sent.
#[derive(Clone, Eq, PartialEq)]
pub struct Call {
    /// The device that calls.
    pub certificate: DeviceCertificate,
    /// Its one-time key, the offered one.
    pub key: KemPublic,
    /// Why, and who goes on.
    pub hand_over: HandOver,
}

crate::secret::silent!(Call);

/// Why an envelope is no call.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// It opens and is not of the form of this version.
    #[error("the call is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// Its header does not open, or the time of the lifeline is over.
    #[error("the envelope does not open as a call")]
    NotOpened,
    /// The device's key is of small order.
    #[error("the call is refused")]
    Refused,
    /// Its header opens and its payload does not: damaged, or made without the device's key.
    #[error("the call was damaged or forged")]
    Spoilt,
}

impl From<Refused> for CallError {
    fn from(_: Refused) -> Self {
        Self::Refused
    }
}

impl Lifeline {
    /// Seals a call for the answer box. `key` is the one-time key of this device.
    pub fn seal_call(
        &self,
        device: &DeviceKeys,
        key: KemPublic,
        hand_over: &HandOver,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedEnvelope, Refused> {
        let mut random = [0; CIPHERTEXT_BYTES];
        rng.fill_bytes(&mut random);
        let ct = KemCiphertext::from(random);
        let (kind, mark) = (Body::HAND_OVER, PartMark::WHOLE);
        let ratchet = Header { kind, mark, previous: 0, n: 0, ek: key, ct };
        let header = AnswerHeader { ratchet, certificate: device.certificate.clone(), lease: 0 };
        let secret = payload_secret(&device.identity, &self.lasting_key, &self.secret)?;
        let nonce = nonce(rng);
        let header_key = header_key(&self.secret);
        let sealed_header = seal::seal(header_key.expose(), &nonce, &self.th0, &header.encode());
        let mut body = Writer::with_capacity(message::ANSWER_BODY_BYTES);
        hand_over.write(&mut body);
        let mut payload = Writer::with_capacity(message::ANSWER_BODY_BYTES + 2);
        payload.var(body.as_slice()).pad_to(message::ANSWER_BODY_BYTES + 2);
        let (key, own_nonce) = chain::message_key(&nonce, &secret, labels::LIFELINE_PAYLOAD);
        let aad = [&nonce[..], &sealed_header].concat();
        let sealed = seal::seal(key.expose(), &own_nonce, &aad, payload.as_slice());
        Ok(seal::envelope(&[&nonce, &sealed_header, &sealed]))
    }
}

impl PendingRequest {
    /// Opens a call out of the answer box.
    pub fn open_call(&self, envelope: &SealedEnvelope) -> Result<Call, CallError> {
        let lifeline = self.handshake.lifeline();
        let parts = TwoParts::of(envelope, ANSWER_HEADER_BYTES);
        let by = HeaderSeal { key: &header_key(&lifeline), aad: &self.handshake.th0 };
        let header = message::open_header(&by, &parts).map_err(|_| CallError::NotOpened)?;
        let header = AnswerHeader::parse(&header)?;
        let lasting = self.lasting.as_ref().ok_or(CallError::NotOpened)?;
        let secret = payload_secret(lasting, &header.certificate.identity, &lifeline)?;
        let (key, own_nonce) = chain::message_key(parts.nonce, &secret, labels::LIFELINE_PAYLOAD);
        let aad = [&parts.nonce[..], parts.header].concat();
        let payload =
            seal::open(key.expose(), &own_nonce, &aad, parts.payload).map_err(|_| CallError::Spoilt)?;
        let body = message::read_body(&payload)?;
        let hand_over = HandOver::read(&mut Reader::new(&body))?;
        Ok(Call { certificate: header.certificate, key: header.ratchet.ek, hand_over })
    }
}

fn header_key(lifeline: &Secret) -> Secret {
    lifeline.derive(labels::LIFELINE_HEADER, &[])
}

/// X25519(IK_V, e_R) ‖ L.
fn payload_secret(
    ours: &DhSecret,
    theirs: &DhPublic,
    lifeline: &Secret,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let shared = ours.agree(theirs)?;
    Ok(Zeroizing::new([*shared, *lifeline.expose()].concat()))
}
