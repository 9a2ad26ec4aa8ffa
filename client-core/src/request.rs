//! M0, the first contact, as its requester makes it (docs/spec/handshake.md §3).
//!
//! encapsulation 1120 | commit 32 | ciphertext 2928 + 16, under HPKE to the intake key of a verified notice. What she
//! keeps afterwards is a [`PendingRequest`]. Invariant: everything in it is fresh for each request.

pub(crate) mod layout;
pub mod pending;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::hpke;
use poterne_protocol::kdf;
use poterne_protocol::kem::{KemPublic, KemSecret};
use poterne_protocol::keys::Pin;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

pub use layout::{REQUEST_TEXT_BYTES, RequestFlags};
pub use pending::PendingRequest;

use crate::answer_box::{AnswerBox, AnswerRelay};
use crate::dh::DhSecret;
use crate::handshake::Handshake;
use crate::labels;
use crate::notice::{Notice, NoticeHash, RelayEntry, Version};
use crate::seal;
use crate::secret::Secret;

/// What a requester wants to ask, as far as it fits into the first contact.
#[derive(Clone)]
pub struct RequestDraft<'a> {
    /// The text or its beginning, at most [`REQUEST_TEXT_BYTES`] bytes.
    pub text: &'a str,
    /// Whether the text goes on in follow-ups.
    pub goes_on: bool,
    /// The language of the text: ASCII, padded with zeros.
    pub language: [u8; 4],
    /// The time of her clock.
    pub sent_at: UnixTime,
    /// Where she wants the answer: one or two relays, of different operators where there are two.
    pub answer_relays: [Option<ChosenRelay>; 2],
    /// The reveal of an earlier request that this one follows, where she wants to prove that it is hers.
    pub reveal: Option<Reveal>,
}

/// 16 bytes whose hash an earlier request held.
pub type Reveal = Secret<16>;

/// A relay of the desk's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChosenRelay {
    /// 1–255.
    pub number: u8,
    /// The relay's pin.
    pub pin: Pin,
}

impl From<&RelayEntry> for ChosenRelay {
    fn from(entry: &RelayEntry) -> Self {
        Self { number: entry.number, pin: entry.pin }
    }
}

/// Why a request was not sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// No relay was chosen for the answer.
    #[error("a request needs a relay for its answer")]
    NoRelay,
    /// The beginning of the text is too long for the first contact.
    #[error("the first part of a request has at most {REQUEST_TEXT_BYTES} bytes")]
    TextTooLong,
}

/// To whom a first contact goes: the desk's intake, or a key that something offered.
pub(crate) struct Recipient<'a> {
    pub(crate) key: &'a KemPublic,
    pub(crate) th0: [u8; 32],
    pub(crate) echoed_version: Version,
    pub(crate) echoed_hash: NoticeHash,
}

/// Seals a request to the desk of that notice. The envelope is put into the intake with class 4.
pub fn seal_request(
    notice: &Notice,
    draft: &RequestDraft,
    rng: &mut impl CryptoRng,
) -> Result<(SealedEnvelope, PendingRequest), RequestError> {
    let recipient = Recipient {
        key: notice.intake_key(),
        th0: notice.th0(),
        echoed_version: notice.version(),
        echoed_hash: notice.hash(),
    };
    seal_first_contact(&recipient, draft, rng)
}

pub(crate) fn seal_first_contact(
    recipient: &Recipient,
    draft: &RequestDraft,
    rng: &mut impl CryptoRng,
) -> Result<(SealedEnvelope, PendingRequest), RequestError> {
    check(draft)?;
    let (ratchet, lasting) = (KemSecret::generate(rng), DhSecret::generate(rng));
    let (own, next_reveal) = (Secret::generate(rng), Reveal::generate(rng));
    let reveal = draft.reveal.clone().unwrap_or_else(|| Reveal::generate(rng));
    let (encapsulation, mut context) = hpke::setup_sender(recipient.key, &recipient.th0, rng);
    let secret = Secret::from_bytes(&context.export(labels::EXPORT_HANDSHAKE));
    let follow_ups = Secret::from_bytes(&context.export(labels::EXPORT_FOLLOW_UPS));
    let commit = context.export::<32>(labels::EXPORT_COMMIT);
    let answer_box = AnswerBox::new(&secret, own.clone());
    let text = layout::FirstContact {
        echoed_version: recipient.echoed_version,
        echoed_hash: recipient.echoed_hash,
        ratchet_key: ratchet.public(),
        lasting_key: lasting.public(),
        flags: RequestFlags::new(draft.goes_on),
        language: draft.language,
        sent_at_minutes: u32::try_from(draft.sent_at.0 / 60).unwrap_or(u32::MAX),
        reveal,
        commitment: commitment(&next_reveal),
        answer_relays: draft.answer_relays.map(|relay| answer_relay(relay, &answer_box)),
        text: draft.text.as_bytes().to_vec().into(),
    };
    let sealed = context.seal(&text.encode(), &commit[..]);
    let envelope = seal::envelope(&[encapsulation.as_bytes(), &commit[..], &sealed]);
    let handshake = Handshake {
        secret,
        th0: recipient.th0,
        contact_hash: kdf::hash(&[envelope.as_bytes()]),
        echoed_version: recipient.echoed_version,
        echoed_hash: recipient.echoed_hash,
    };
    let pending = PendingRequest {
        handshake,
        follow_ups: follow_ups.into(),
        ratchet: Some(ratchet),
        lasting: Some(lasting),
        own,
        next_reveal,
        relays: draft.answer_relays,
    };
    Ok((envelope, pending))
}

fn check(draft: &RequestDraft) -> Result<(), RequestError> {
    if draft.text.len() > REQUEST_TEXT_BYTES {
        return Err(RequestError::TextTooLong);
    }
    match draft.answer_relays {
        [Some(_), _] => Ok(()),
        [None, _] => Err(RequestError::NoRelay),
    }
}

fn answer_relay(relay: Option<ChosenRelay>, answer_box: &AnswerBox) -> AnswerRelay {
    match relay {
        Some(relay) => AnswerRelay { number: relay.number, own: answer_box.own_hash(&relay.pin) },
        None => AnswerRelay { number: 0, own: poterne_protocol::keys::KeyHash::NOBODY },
    }
}

/// H(reveal)[..16].
pub fn commitment(reveal: &Reveal) -> [u8; 16] {
    kdf::hash16(&[reveal.expose()])
}
