//! Mailboxes: their kinds, their ids, and how a request names one (docs/spec/wire.md §3).
//!
//! A mailbox is named by the hashes of its three relay forms. Whoever shows one of the keys and the hashes of the other
//! two has named it: the relay recomputes the id, so nothing can be enumerated or registered.

use core::fmt;

use crate::codec::DecodeError;
use crate::kdf;
use crate::keys::{DeleteForm, KeyHash, MailboxKeys, Pin, ReadForm, WriteForm};

const MAILBOX_CONTEXT: &[u8] = b"poterne/1 mailbox";

/// What a mailbox is for, which fixes its quota and who may delete.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Conversations, answer boxes, follow-ups, attachments: 64 envelopes.
    Plain,
    /// First contacts of a desk and day; deleted by lease token only; exists only when opened.
    Intake,
    /// Notices and desk logs: many readers, nobody deletes; exists only when opened.
    Log,
}

impl Kind {
    /// The kind of that number on the wire.
    pub fn parse(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Plain),
            1 => Ok(Self::Intake),
            2 => Ok(Self::Log),
            _ => Err(DecodeError::Invalid { field: "kind" }),
        }
    }

    /// Its number on the wire: 0 plain, 1 intake, 2 log.
    pub fn number(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Intake => 1,
            Self::Log => 2,
        }
    }
}

/// The 32 bytes under which a relay keeps a mailbox. `Debug` hides it: ids stand in no log.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MailboxId(pub [u8; 32]);

impl fmt::Debug for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxId(..)")
    }
}

/// The hashes of the three relay forms of a mailbox at one relay.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MailboxHashes {
    /// Which kind of mailbox.
    pub kind: Kind,
    /// H(write_r).
    pub write: KeyHash,
    /// H(read_r).
    pub read: KeyHash,
    /// H(delete_r), or [`KeyHash::NOBODY`].
    pub delete: KeyHash,
}

impl MailboxHashes {
    /// The hashes at the relay of `pin` of a plain mailbox whose three keys are known.
    pub fn plain(keys: &MailboxKeys, pin: &Pin) -> Self {
        Self {
            kind: Kind::Plain,
            write: keys.write.at(pin).hash(),
            read: keys.read.at(pin).hash(),
            delete: keys.delete.at(pin).hash(),
        }
    }

    /// H("poterne/1 mailbox" ‖ kind ‖ H(write_r) ‖ H(read_r) ‖ H(delete_r)).
    pub fn id(&self) -> MailboxId {
        let kind = [self.kind.number()];
        MailboxId(kdf::hash(&[MAILBOX_CONTEXT, &kind, &self.write.0, &self.read.0, &self.delete.0]))
    }
}

/// A mailbox named by one who may write into it.
#[derive(Clone, Debug)]
pub struct WriteTo {
    /// Which kind of mailbox.
    pub kind: Kind,
    /// write_r.
    pub write: WriteForm,
    /// H(read_r).
    pub read: KeyHash,
    /// H(delete_r).
    pub delete: KeyHash,
}

/// A mailbox named by one who may read it.
#[derive(Clone, Debug)]
pub struct ReadFrom {
    /// Which kind of mailbox.
    pub kind: Kind,
    /// read_r.
    pub read: ReadForm,
    /// H(write_r).
    pub write: KeyHash,
    /// H(delete_r).
    pub delete: KeyHash,
}

/// A mailbox named by one who may delete from it. Only plain mailboxes have a delete key.
#[derive(Clone, Debug)]
pub struct DeleteAt {
    /// delete_r.
    pub delete: DeleteForm,
    /// H(write_r).
    pub write: KeyHash,
    /// H(read_r).
    pub read: KeyHash,
}

impl WriteTo {
    /// A plain mailbox whose three keys are known, at the relay of `pin`.
    pub fn plain(keys: &MailboxKeys, pin: &Pin) -> Self {
        let MailboxHashes { kind, read, delete, .. } = MailboxHashes::plain(keys, pin);
        Self { kind, write: keys.write.at(pin), read, delete }
    }

    /// The hashes of all three relay forms.
    pub fn hashes(&self) -> MailboxHashes {
        MailboxHashes { kind: self.kind, write: self.write.hash(), read: self.read, delete: self.delete }
    }
}

impl ReadFrom {
    /// A plain mailbox whose three keys are known, at the relay of `pin`.
    pub fn plain(keys: &MailboxKeys, pin: &Pin) -> Self {
        let MailboxHashes { kind, write, delete, .. } = MailboxHashes::plain(keys, pin);
        Self { kind, read: keys.read.at(pin), write, delete }
    }

    /// The hashes of all three relay forms.
    pub fn hashes(&self) -> MailboxHashes {
        MailboxHashes { kind: self.kind, write: self.write, read: self.read.hash(), delete: self.delete }
    }
}

impl DeleteAt {
    /// A plain mailbox whose three keys are known, at the relay of `pin`.
    pub fn plain(keys: &MailboxKeys, pin: &Pin) -> Self {
        let MailboxHashes { write, read, .. } = MailboxHashes::plain(keys, pin);
        Self { delete: keys.delete.at(pin), write, read }
    }

    /// The hashes of all three relay forms.
    pub fn hashes(&self) -> MailboxHashes {
        MailboxHashes { kind: Kind::Plain, write: self.write, read: self.read, delete: self.delete.hash() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MailboxSecret;

    #[test]
    fn writer_reader_and_deleter_name_the_same_mailbox() {
        let keys = MailboxSecret::from_bytes(&[3; 32]).keys();
        let pin = Pin([9; 16]);
        let id = MailboxHashes::plain(&keys, &pin).id();
        assert_eq!(WriteTo::plain(&keys, &pin).hashes().id(), id);
        assert_eq!(ReadFrom::plain(&keys, &pin).hashes().id(), id);
        assert_eq!(DeleteAt::plain(&keys, &pin).hashes().id(), id);
    }

    #[test]
    fn kinds_have_their_numbers_and_no_others() {
        for number in 0..=255 {
            match Kind::parse(number) {
                Ok(kind) => assert_eq!(kind.number(), number),
                Err(error) => assert!(number > 2 && error == DecodeError::Invalid { field: "kind" }),
            }
        }
    }
}
