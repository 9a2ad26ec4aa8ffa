//! The intake's side of a first contact (docs/spec/handshake.md §3).
//!
//! The commitment is compared, in constant time, before anything is decrypted, so that an envelope opens under one key
//! of the desk only. A replay is known by H(M0), which the caller keeps.

use poterne_protocol::codec::DecodeError;
use poterne_protocol::desk::DeskId;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::hpke;
use poterne_protocol::kdf;
use poterne_protocol::kem::{CIPHERTEXT_BYTES, KemCiphertext, KemPublic, KemSecret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::answer_box::{self, AnswerBoxWriter, AnswerRelay};
use crate::desk::epoch::Epoch;
use crate::dh::DhPublic;
use crate::follow_up::{FollowUpReader, PlainReader};
use crate::handshake::Handshake;
use crate::labels;
use crate::lifeline::Lifeline;
use crate::notice::{self, NoticeHash, Version};
use crate::request::layout::{COMMIT_BYTES, FirstContact};
use crate::request::{RequestFlags, Reveal};
use crate::secret::Secret;
use crate::stored::{self, StoredError};

const STORED_VERSION: u8 = 1;

/// The secret key of an epoch's intake.
pub struct IntakeKey {
    secret: KemSecret,
    public: KemPublic,
    desk: DeskId,
    epoch: Epoch,
}

/// A first contact, opened. Everyone who holds the intake key can make the same of it.
#[derive(Clone)]
pub struct OpenedRequest {
    pub(crate) handshake: Handshake,
    pub(crate) follow_ups: FollowUpReader,
    pub(crate) ratchet_key: KemPublic,
    pub(crate) lasting_key: DhPublic,
    flags: RequestFlags,
    language: [u8; 4],
    sent_at_minutes: u32,
    reveal: Reveal,
    commitment: [u8; 16],
    relays: [AnswerRelay; 2],
    text: Zeroizing<Vec<u8>>,
}

/// Why an envelope of the intake was not opened. None of these is the desk's fault: the envelope can be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IntakeError {
    /// It opened and its fields are not of the form of this version.
    #[error("the request is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// It is not sealed to this key, or was changed on its way.
    #[error("the request does not open under this intake key")]
    NotOpened,
}

impl IntakeKey {
    pub(crate) fn new(secret: KemSecret, desk: DeskId, epoch: Epoch) -> Self {
        Self { public: secret.public(), secret, desk, epoch }
    }

    /// What stands in the notice.
    pub fn public(&self) -> &KemPublic {
        &self.public
    }

    /// The epoch that it belongs to.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Opens a first contact to this intake.
    pub fn open(&self, envelope: &SealedEnvelope) -> Result<OpenedRequest, IntakeError> {
        let th0 = notice::th0(&self.desk, self.epoch, &self.public);
        open_first_contact(&self.secret, th0, envelope)
    }
}

crate::secret::silent!(IntakeKey);

pub(crate) fn open_first_contact(
    secret: &KemSecret,
    th0: [u8; 32],
    envelope: &SealedEnvelope,
) -> Result<OpenedRequest, IntakeError> {
    let (encapsulation, rest) =
        envelope.as_bytes().split_first_chunk::<CIPHERTEXT_BYTES>().expect("an envelope has 4096 bytes");
    let (commit, sealed) = rest.split_first_chunk::<COMMIT_BYTES>().expect("an envelope has 4096 bytes");
    let mut context = hpke::setup_receiver(secret, &KemCiphertext::from(*encapsulation), &th0)
        .map_err(|_| IntakeError::NotOpened)?;
    let expected = context.export::<COMMIT_BYTES>(labels::EXPORT_COMMIT);
    if !bool::from(expected.ct_eq(commit)) {
        return Err(IntakeError::NotOpened);
    }
    let text = context.open(sealed, commit).map_err(|_| IntakeError::NotOpened)?;
    let contact = FirstContact::parse(&text)?;
    let follow_ups = Secret::from_bytes(&context.export(labels::EXPORT_FOLLOW_UPS));
    let handshake = Handshake {
        secret: Secret::from_bytes(&context.export(labels::EXPORT_HANDSHAKE)),
        th0,
        contact_hash: kdf::hash(&[envelope.as_bytes()]),
        echoed_version: contact.echoed_version,
        echoed_hash: contact.echoed_hash,
    };
    Ok(OpenedRequest::new(contact, handshake, follow_ups.into()))
}

impl OpenedRequest {
    fn new(contact: FirstContact, handshake: Handshake, follow_ups: FollowUpReader) -> Self {
        Self {
            handshake,
            follow_ups,
            ratchet_key: contact.ratchet_key,
            lasting_key: contact.lasting_key,
            flags: contact.flags,
            language: contact.language,
            sent_at_minutes: contact.sent_at_minutes,
            reveal: contact.reveal,
            commitment: contact.commitment,
            relays: contact.answer_relays,
            text: contact.text,
        }
    }

    /// e_R. Two requests with one e_R are shown together, and answered each for itself.
    pub fn lasting_key(&self) -> DhPublic {
        self.lasting_key
    }

    /// What she asks of the reader.
    pub fn flags(&self) -> RequestFlags {
        self.flags
    }

    /// ASCII, padded with zeros.
    pub fn language(&self) -> [u8; 4] {
        self.language
    }

    /// Her word for when it was sent, in minutes since 1970. Queues sort by arrival.
    pub fn sent_at_minutes(&self) -> u32 {
        self.sent_at_minutes
    }

    /// The text or its beginning, as it came.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether this request reveals what an earlier one committed to.
    pub fn follows(&self, earlier: &Self) -> bool {
        crate::request::commitment(&self.reveal).ct_eq(&earlier.commitment).into()
    }

    /// Where the answer goes.
    pub fn answer_box(&self) -> AnswerBoxWriter {
        AnswerBoxWriter::new(answer_box::write_key(&self.handshake.secret), self.relays)
    }

    /// Opens follow-ups.
    pub fn follow_ups(&mut self) -> &mut FollowUpReader {
        &mut self.follow_ups
    }

    /// What reaches the requester when the conversation breaks; the desk log keeps it.
    pub fn lifeline(&self) -> Lifeline {
        Lifeline { secret: self.handshake.lifeline(), th0: self.handshake.th0, lasting_key: self.lasting_key }
    }

    /// The state for the vault.
    pub fn to_stored(&self) -> Zeroizing<Vec<u8>> {
        stored::save(STORED_VERSION, &Plain::from(self))
    }

    /// The state out of the vault.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::load::<Plain>(STORED_VERSION, bytes)?.try_into()
    }
}

crate::secret::silent!(OpenedRequest);

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    handshake: [u8; 32],
    follow_ups: PlainReader,
    th0: [u8; 32],
    contact_hash: [u8; 32],
    echoed_version: (u16, u16, u32),
    echoed_hash: [u8; 32],
    ratchet_key: Vec<u8>,
    lasting_key: [u8; 32],
    flags: u16,
    language: [u8; 4],
    sent_at_minutes: u32,
    reveal: [u8; 16],
    commitment: [u8; 16],
    relays: [(u8, [u8; 32]); 2],
    text: Vec<u8>,
}

impl From<&OpenedRequest> for Plain {
    fn from(state: &OpenedRequest) -> Self {
        let Handshake { secret, th0, contact_hash, echoed_version, echoed_hash } = &state.handshake;
        let Version { root, serial, counter } = *echoed_version;
        Self {
            handshake: *secret.expose(),
            follow_ups: state.follow_ups.to_plain(),
            th0: *th0,
            contact_hash: *contact_hash,
            echoed_version: (root, serial, counter),
            echoed_hash: echoed_hash.0,
            ratchet_key: state.ratchet_key.as_bytes().to_vec(),
            lasting_key: state.lasting_key.0,
            flags: state.flags.0,
            language: state.language,
            sent_at_minutes: state.sent_at_minutes,
            reveal: *state.reveal.expose(),
            commitment: state.commitment,
            relays: state.relays.map(|relay| (relay.number, relay.own.0)),
            text: state.text.to_vec(),
        }
    }
}

impl TryFrom<Plain> for OpenedRequest {
    type Error = StoredError;

    fn try_from(plain: Plain) -> Result<Self, StoredError> {
        let (root, serial, counter) = plain.echoed_version;
        let ratchet_key = stored::kem_public(&plain.ratchet_key)?;
        let own = poterne_protocol::keys::KeyHash;
        let handshake = Handshake {
            secret: Secret::from_bytes(&plain.handshake),
            th0: plain.th0,
            contact_hash: plain.contact_hash,
            echoed_version: Version { root, serial, counter },
            echoed_hash: NoticeHash(plain.echoed_hash),
        };
        Ok(Self {
            handshake,
            follow_ups: FollowUpReader::from_plain(&plain.follow_ups),
            ratchet_key,
            lasting_key: DhPublic(plain.lasting_key),
            flags: RequestFlags(plain.flags),
            language: plain.language,
            sent_at_minutes: plain.sent_at_minutes,
            reveal: Reveal::from_bytes(&plain.reveal),
            commitment: plain.commitment,
            relays: plain.relays.map(|(number, hash)| AnswerRelay { number, own: own(hash) }),
            text: Zeroizing::new(plain.text.clone()),
        })
    }
}
