//! Mailboxes and envelopes by number, for models and worlds: whoever knows the number holds all the keys.

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::{KeyHash, MailboxKeys, MailboxSecret, Permit, Pin, StewardKey};
use poterne_protocol::limits::ENVELOPE_BYTES;
use poterne_protocol::mailbox::{DeleteAt, Kind, MailboxHashes, MailboxId, ReadFrom, WriteTo};
use poterne_protocol::op::Open;
use poterne_protocol::time::Day;

/// A mailbox at one relay, with all three keys.
#[derive(Clone, Debug)]
pub struct KeyedMailbox {
    kind: Kind,
    keys: MailboxKeys,
    pin: Pin,
}

impl KeyedMailbox {
    /// The mailbox of that kind and number at the relay of `pin`.
    pub fn new(kind: Kind, number: u32, pin: Pin) -> Self {
        let mut secret = [kind.number(); 32];
        secret[..4].copy_from_slice(&number.to_le_bytes());
        Self { kind, keys: MailboxSecret::from_bytes(&secret).keys(), pin }
    }

    /// The hashes of its relay forms.
    pub fn hashes(&self) -> MailboxHashes {
        let plain = MailboxHashes::plain(&self.keys, &self.pin);
        let delete = if self.kind == Kind::Plain { plain.delete } else { KeyHash::NOBODY };
        MailboxHashes { kind: self.kind, delete, ..plain }
    }

    /// Its id.
    pub fn id(&self) -> MailboxId {
        self.hashes().id()
    }

    /// As its writer names it.
    pub fn write(&self) -> WriteTo {
        let MailboxHashes { kind, read, delete, .. } = self.hashes();
        WriteTo { kind, write: self.keys.write.at(&self.pin), read, delete }
    }

    /// As its reader names it.
    pub fn read(&self) -> ReadFrom {
        let MailboxHashes { kind, write, delete, .. } = self.hashes();
        ReadFrom { kind, read: self.keys.read.at(&self.pin), write, delete }
    }

    /// As one who may delete names it.
    pub fn delete(&self) -> DeleteAt {
        let MailboxHashes { write, read, .. } = self.hashes();
        DeleteAt { delete: self.keys.delete.at(&self.pin), write, read }
    }

    /// Opens it to the end of `last_day`, with the relay's quota and the steward key of [`steward`].
    pub fn open(&self, last_day: Day) -> Open {
        Open {
            permit: Permit::from_bytes(&[1; 32]),
            mailbox: self.hashes(),
            last_day,
            quota: 0,
            gated: false,
            steward: steward().hash(),
        }
    }
}

/// The steward key of everything that is opened here.
pub fn steward() -> StewardKey {
    StewardKey::from_bytes(&[5; 32])
}

/// The envelope of that number.
pub fn envelope(number: u64) -> SealedEnvelope {
    let mut bytes = [0; ENVELOPE_BYTES];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    SealedEnvelope::parse(&bytes).expect("an envelope has 4096 bytes")
}

/// The number of an envelope.
pub fn number(envelope: &SealedEnvelope) -> u64 {
    u64::from_le_bytes(envelope.as_bytes()[..8].try_into().expect("8 of 4096 bytes"))
}
