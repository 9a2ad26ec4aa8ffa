//! What a requester keeps of a request until it is answered, and of the handshake for as long as the lifeline may be
//! needed (docs/spec/handshake.md §3, §7).
//!
//! Invariant: dk_R is erased when her first message binds the conversation; e_R stays for the lifeline, and is
//! erased when its time is over.

use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::Pin;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{ChosenRelay, Reveal};
use crate::answer_box::AnswerBox;
use crate::dh::DhSecret;
use crate::follow_up::FollowUpWriter;
use crate::handshake::Handshake;
use crate::notice::{NoticeHash, Version};
use crate::secret::Secret;
use crate::stored::{self, StoredError};

const STORED_VERSION: u8 = 1;

/// A request that was sealed, as its requester keeps it.
pub struct PendingRequest {
    pub(crate) handshake: Handshake,
    pub(crate) follow_ups: FollowUpWriter,
    pub(crate) ratchet: Option<KemSecret>,
    /// e_R.
    pub(crate) lasting: Option<DhSecret>,
    pub(crate) own: Secret,
    pub(crate) next_reveal: Reveal,
    pub(crate) relays: [Option<ChosenRelay>; 2],
}

crate::secret::silent!(PendingRequest);

impl PendingRequest {
    /// Where the answer will lie.
    pub fn answer_box(&self) -> AnswerBox {
        AnswerBox::new(&self.handshake.secret, self.own.clone())
    }

    /// The relays of the answer box and of the conversation, the first one preferred.
    pub fn relays(&self) -> &[Option<ChosenRelay>; 2] {
        &self.relays
    }

    /// Seals follow-ups. Keep the state before putting what it sealed.
    pub fn follow_ups(&mut self) -> &mut FollowUpWriter {
        &mut self.follow_ups
    }

    /// The chain of follow-ups, to look at.
    pub fn sealed_follow_ups(&self) -> &FollowUpWriter {
        &self.follow_ups
    }

    /// How many follow-ups were sealed so far.
    pub fn follow_ups_sealed(&self) -> u16 {
        self.follow_ups.sealed()
    }

    /// What proves, in a later request, that this one was hers.
    pub fn next_reveal(&self) -> &Reveal {
        &self.next_reveal
    }

    /// Whether an answer can still be accepted: dk_R is there.
    pub fn can_be_answered(&self) -> bool {
        self.ratchet.is_some()
    }

    /// Erases dk_R: her first message has bound the conversation.
    pub fn bind(&mut self) {
        self.ratchet = None;
    }

    /// Whether the desk can still reach her by the lifeline: e_R is there.
    pub fn can_be_called(&self) -> bool {
        self.lasting.is_some()
    }

    /// Erases e_R, and dk_R with it: the time of the lifeline is over.
    pub fn end_lifeline(&mut self) {
        (self.lasting, self.ratchet) = (None, None);
    }

    /// The state for the vault.
    pub fn to_stored(&self) -> Zeroizing<Vec<u8>> {
        stored::save(STORED_VERSION, &Plain::from(self))
    }

    /// The state out of the vault.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        stored::load::<Plain>(STORED_VERSION, bytes).map(Self::from)
    }
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    handshake: [u8; 32],
    follow_ups: ([u8; 32], u16),
    th0: [u8; 32],
    contact_hash: [u8; 32],
    echoed_version: (u16, u16, u32),
    echoed_hash: [u8; 32],
    ratchet: Option<[u8; 32]>,
    lasting: Option<[u8; 32]>,
    own: [u8; 32],
    next_reveal: [u8; 16],
    relays: [Option<(u8, [u8; 16])>; 2],
}

impl From<&PendingRequest> for Plain {
    fn from(state: &PendingRequest) -> Self {
        let Handshake { secret, th0, contact_hash, echoed_version, echoed_hash } = &state.handshake;
        let Version { root, serial, counter } = *echoed_version;
        Self {
            handshake: *secret.expose(),
            follow_ups: state.follow_ups.to_plain(),
            th0: *th0,
            contact_hash: *contact_hash,
            echoed_version: (root, serial, counter),
            echoed_hash: echoed_hash.0,
            ratchet: state.ratchet.as_ref().map(|key| *key.expose_seed()),
            lasting: state.lasting.as_ref().map(|key| *key.expose()),
            own: *state.own.expose(),
            next_reveal: *state.next_reveal.expose(),
            relays: state.relays.map(|relay| relay.map(|relay| (relay.number, relay.pin.0))),
        }
    }
}

impl From<Plain> for PendingRequest {
    fn from(plain: Plain) -> Self {
        let (root, serial, counter) = plain.echoed_version;
        let relay = |(number, pin)| ChosenRelay { number, pin: Pin(pin) };
        let handshake = Handshake {
            secret: Secret::from_bytes(&plain.handshake),
            th0: plain.th0,
            contact_hash: plain.contact_hash,
            echoed_version: Version { root, serial, counter },
            echoed_hash: NoticeHash(plain.echoed_hash),
        };
        Self {
            handshake,
            follow_ups: FollowUpWriter::from_plain(&plain.follow_ups),
            ratchet: plain.ratchet.as_ref().map(KemSecret::from_seed),
            lasting: plain.lasting.as_ref().map(DhSecret::from_bytes),
            own: Secret::from_bytes(&plain.own),
            next_reveal: Reveal::from_bytes(&plain.next_reveal),
            relays: plain.relays.map(|kept| kept.map(relay)),
        }
    }
}
