//! An epoch, a UTC day and a generation, and the keys that its seed gives to all devices of the desk
//! (docs/spec/notice.md §5).
//!
//! Invariant: the seed is erased at the end of its day + 132 h, and with it everything here.

use poterne_protocol::desk::DeskId;
use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::{MailboxSecret, ReadKey, WriteKey};
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

use crate::intake::IntakeKey;
use crate::labels;
use crate::secret::Secret;

/// Seconds after the end of its day for which an epoch's intake key lives: a day of validity, a first contact's four
/// days with their rounding, and 12 h of margin.
pub const INTAKE_KEY_LIFE_SECS: u64 = 132 * 3600;

/// A day and its generation; a revocation raises the generation.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch {
    /// The UTC day.
    pub day: Day,
    /// From 0, rising within the day.
    pub generation: u16,
}

impl Epoch {
    /// When the epoch's keys must be gone.
    pub fn erase_at(self) -> UnixTime {
        self.day.end().plus(INTAKE_KEY_LIFE_SECS)
    }
}

/// The 32 bytes from which every device of a desk derives the keys of one epoch.
#[derive(Clone)]
pub struct EpochSeed(Secret);

impl EpochSeed {
    /// A fresh seed.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::generate(rng))
    }

    /// The seed of these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    /// The bytes, for storing under encryption or for giving to a device of the desk.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The key that opens the epoch's first contacts.
    pub fn intake_key(&self, desk: DeskId, epoch: Epoch) -> IntakeKey {
        let secret = KemSecret::from_seed(self.0.derive(labels::INTAKE_KEY, &[]).expose());
        IntakeKey::new(secret, desk, epoch)
    }

    /// The key that reads the epoch's intake.
    pub fn intake_read_key(&self) -> ReadKey {
        ReadKey::from_bytes(self.0.derive(labels::INTAKE_READ, &[]).expose())
    }

    /// The key that writes to the epoch's intake; it stands in the notice.
    pub fn intake_write_key(&self) -> WriteKey {
        WriteKey::from_bytes(self.0.derive(labels::INTAKE_WRITE, &[]).expose())
    }

    /// The key that reads the desk log of the device `index`.
    pub fn log_read_key(&self, index: u16) -> ReadKey {
        ReadKey::from_bytes(self.0.derive(labels::LOG_READ, &[&index.to_le_bytes()]).expose())
    }

    /// What seals the envelopes of the desk log of the device `index`.
    pub(crate) fn log_key(&self, index: u16) -> Secret {
        self.0.derive(labels::LOG, &[&index.to_le_bytes()])
    }

    /// The mailbox in which the device `index` takes contacts of this epoch.
    pub fn device_mailbox(&self, index: u16) -> MailboxSecret {
        self.0.mailbox(labels::DEVICE_CONTACT, &[&index.to_le_bytes()])
    }
}

crate::secret::silent!(EpochSeed);
