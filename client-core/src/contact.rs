//! M0-shaped contact: M0's layout to a key that something offered, with everything fresh (docs/spec/handshake.md §8).
//!
//! TH0 = H("poterne/1 TH0" ‖ suite ‖ desk id ‖ H(what offered the key)); the envelope lies in the plain mailbox
//! KDF(–, secret, "contact"). A takeover by the lifeline (secret = L), an invite and a conversation between devices begin
//! so. Layout only: when one is made is not decided here.

use poterne_protocol::desk::DeskId;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use poterne_protocol::kem::{KemPublic, KemSecret};
use poterne_protocol::keys::MailboxSecret;
use rand_core::CryptoRng;

use crate::intake::{IntakeError, OpenedRequest, open_first_contact};
use crate::labels;
use crate::notice::Notice;
use crate::notice::head::SUITE;
use crate::request::{PendingRequest, Recipient, RequestDraft, RequestError, seal_first_contact};
use crate::secret::Secret;

/// A key that was offered for a contact.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The desk in whose name it was offered.
    pub desk: DeskId,
    /// The key.
    pub key: KemPublic,
    /// H(what offered it): the body of a hand-over, the announcement of a device, an invite.
    pub offered_by: [u8; 32],
}

impl Offer {
    /// A key that stands inside `offering`.
    pub fn new(desk: DeskId, key: KemPublic, offering: &[u8]) -> Self {
        Self { desk, key, offered_by: kdf::hash(&[offering]) }
    }

    pub(crate) fn th0(&self) -> [u8; 32] {
        kdf::hash(&[labels::TH0, &[SUITE], &self.desk.0, &self.offered_by])
    }

    /// Seals a contact to the offered key; `notice` is the newest one, which it echoes.
    pub fn seal_contact(
        &self,
        notice: &Notice,
        draft: &RequestDraft,
        rng: &mut impl CryptoRng,
    ) -> Result<(SealedEnvelope, PendingRequest), RequestError> {
        let recipient = Recipient {
            key: &self.key,
            th0: self.th0(),
            echoed_version: notice.version(),
            echoed_hash: notice.hash(),
        };
        seal_first_contact(&recipient, draft, rng)
    }

    /// Opens a contact with the secret half of the offered key.
    pub fn open_contact(
        &self,
        secret: &KemSecret,
        envelope: &SealedEnvelope,
    ) -> Result<OpenedRequest, IntakeError> {
        open_first_contact(secret, self.th0(), envelope)
    }
}

/// The mailbox of contacts under a secret that both sides have: KDF(–, secret, "contact").
pub fn contact_mailbox(secret: &Secret) -> MailboxSecret {
    secret.mailbox(labels::CONTACT, &[])
}
