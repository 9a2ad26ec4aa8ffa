//! The notice of a day: what a desk says of itself, and how a client comes to believe it (docs/spec/notice.md).
//!
//! A coordinator fills a [`NoticeDraft`] and gets [`Published`] envelopes. A client keeps a [`NoticeTrust`] for a desk,
//! which turns an envelope into a [`Notice`] or says why not. A [`Notice`] is therefore always verified.

pub mod annex;
pub mod build;
pub mod head;
pub mod relays;
pub mod trust;

#[cfg(test)]
mod tests;

use poterne_protocol::codec::DecodeError;
use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::kdf;
use poterne_protocol::kem::KemPublic;
use poterne_protocol::keys::{KeyHash, Pin, ReadKey};
use poterne_protocol::mailbox::{Kind, ReadFrom, WriteTo};
use poterne_protocol::time::{Day, UnixTime};
use zeroize::Zeroizing;

pub use annex::{Annex, Entry};
pub use build::{NoticeDraft, Published};
pub use head::{Head, Revocations, Version};
pub use relays::{Address, RelayEntry};
pub use trust::{NoticeError, NoticeTrust};

use crate::desk::epoch::Epoch;
use crate::labels;
use crate::secret::Secret;
use crate::sign::SignPublic;
use crate::stored::StoredError;

/// Seconds after the end of its day for which a notice is valid.
pub const NOTICE_GRACE_SECS: u64 = 24 * 3600;

/// H(head): what a first contact echoes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NoticeHash(pub [u8; 32]);

crate::secret::silent!(NoticeHash);

/// A notice that was verified, or that the coordinator itself has made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    head: Head,
    hash: NoticeHash,
}

impl Notice {
    pub(crate) fn verified(head: Head) -> Self {
        let hash = head.hash();
        Self { head, hash }
    }

    /// All that the head says.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// H(head).
    pub fn hash(&self) -> NoticeHash {
        self.hash
    }

    /// Whose notice it is.
    pub fn desk(&self) -> DeskId {
        self.head.desk
    }

    /// Its place among all notices of the desk.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// Its day and generation.
    pub fn epoch(&self) -> Epoch {
        self.head.epoch
    }

    /// From when on nothing may be sealed under it.
    pub fn expiry(&self) -> UnixTime {
        self.head.expiry
    }

    /// The key that first contacts are sealed to.
    pub fn intake_key(&self) -> &KemPublic {
        &self.head.intake_key
    }

    /// Who signed it.
    pub fn coordinator(&self) -> SignPublic {
        self.head.certificate.key
    }

    /// Whether the device `index` is revoked.
    pub fn is_revoked(&self, index: u16) -> bool {
        self.head.revocations.contains(index)
    }

    /// The relays of the desk, at most 8.
    pub fn relays(&self) -> &[RelayEntry] {
        &self.head.relays
    }

    /// The relay of that number. 0 means none.
    pub fn relay(&self, number: u8) -> Option<&RelayEntry> {
        self.head.relays.iter().find(|relay| relay.number == number)
    }

    /// TH0 of first contacts under this notice.
    pub fn th0(&self) -> [u8; 32] {
        th0(&self.head.desk, self.head.epoch, &self.head.intake_key)
    }

    /// The intake at one of the desk's relays, as a requester names it.
    pub fn intake_at(&self, relay: &RelayEntry) -> WriteTo {
        WriteTo {
            kind: Kind::Intake,
            write: self.head.intake_write.at(&relay.pin),
            read: relay.intake_read,
            delete: KeyHash::NOBODY,
        }
    }

    /// The notice for the vault: its head's bytes.
    pub fn to_stored(&self) -> Zeroizing<Vec<u8>> {
        self.head.encode()
    }

    /// The notice out of the vault. It is believed as it stands: only the vault's owner could write there.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        Head::parse(bytes).map(Self::verified).map_err(|error| match error {
            DecodeError::Version { version } => StoredError::Version { version },
            _ => StoredError::Damaged,
        })
    }
}

/// H("poterne/1 TH0" ‖ suite ‖ desk id ‖ day ‖ generation ‖ intake key).
pub(crate) fn th0(desk: &DeskId, epoch: Epoch, intake_key: &KemPublic) -> [u8; 32] {
    kdf::hash(&[
        labels::TH0,
        &[head::SUITE],
        &desk.0,
        &epoch.day.0.to_le_bytes(),
        &epoch.generation.to_le_bytes(),
        intake_key.as_bytes(),
    ])
}

/// The key that reads the notice log of a day: KDF(–, card secret, "notice read", desk id, day).
pub fn notice_read_key(card: &CardSecret, desk: &DeskId, day: Day) -> ReadKey {
    let key = kdf::kdf::<32>(&[], card.expose(), labels::NOTICE_READ, &[&desk.0, &day.0.to_le_bytes()]);
    ReadKey::from_bytes(&key)
}

/// The notice log of a day at one relay, as everybody with the card names it. `log_write` stands in card and head.
pub fn notice_log_at(card: &CardSecret, desk: &DeskId, day: Day, pin: &Pin, log_write: KeyHash) -> ReadFrom {
    let read = notice_read_key(card, desk, day).at(pin);
    ReadFrom { kind: Kind::Log, read, write: log_write, delete: KeyHash::NOBODY }
}

/// KDF(–, card secret, "notice", desk id, day): what seals the envelopes of a day's notice log.
pub(crate) fn notice_key(card: &CardSecret, desk: &DeskId, day: Day) -> Secret {
    let key = kdf::kdf::<32>(&[], card.expose(), labels::NOTICE, &[&desk.0, &day.0.to_le_bytes()]);
    Secret::from_bytes(&key)
}
