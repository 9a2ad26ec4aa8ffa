//! The answer box of a request (docs/spec/handshake.md §4): everyone who can open the request writes, only the requester
//! reads and deletes, with one key.
//!
//! write = KDF(–, hs, "answer box"); own, both read and delete key, is random and never leaves the requester: the desk
//! gets H(own_r) for the two relays of the request.

use poterne_protocol::keys::{DeleteKey, KeyHash, MailboxSecret, Pin, ReadKey, WriteKey};
use poterne_protocol::mailbox::{DeleteAt, Kind, ReadFrom, WriteTo};

use crate::labels;
use crate::secret::Secret;

/// The answer box as its requester holds it.
#[derive(Clone, Debug)]
pub struct AnswerBox {
    write: WriteKey,
    own: Secret,
}

/// The answer box as the desk holds it.
#[derive(Clone, Debug)]
pub struct AnswerBoxWriter {
    write: WriteKey,
    relays: [AnswerRelay; 2],
}

/// One of the two relays of a request, as the desk learns it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerRelay {
    /// Its number in the desk's notice; 0 means none.
    pub number: u8,
    /// H(own_r) at that relay.
    pub own: KeyHash,
}

pub(crate) fn write_key(handshake: &Secret) -> WriteKey {
    WriteKey::from_bytes(handshake.derive(labels::ANSWER_BOX, &[]).expose())
}

/// The mailbox of a request's follow-ups: she writes, the desk reads and deletes.
pub(crate) fn follow_up_mailbox(handshake: &Secret) -> MailboxSecret {
    handshake.mailbox(labels::FOLLOW_UPS, &[])
}

impl AnswerBox {
    pub(crate) fn new(handshake: &Secret, own: Secret) -> Self {
        Self { write: write_key(handshake), own }
    }

    /// Names the box at the relay of `pin` for reading.
    pub fn read_from(&self, pin: &Pin) -> ReadFrom {
        let read = ReadKey::from_bytes(self.own.expose()).at(pin);
        let delete = read.hash();
        ReadFrom { kind: Kind::Plain, read, write: self.write.at(pin).hash(), delete }
    }

    /// Names the box at the relay of `pin` for deleting.
    pub fn delete_at(&self, pin: &Pin) -> DeleteAt {
        let delete = DeleteKey::from_bytes(self.own.expose()).at(pin);
        let read = delete.hash();
        DeleteAt { delete, write: self.write.at(pin).hash(), read }
    }

    /// H(own_r) at the relay of `pin`.
    pub fn own_hash(&self, pin: &Pin) -> KeyHash {
        ReadKey::from_bytes(self.own.expose()).at(pin).hash()
    }
}

impl AnswerBoxWriter {
    pub(crate) fn new(write: WriteKey, relays: [AnswerRelay; 2]) -> Self {
        Self { write, relays }
    }

    /// The write key, for the desk log.
    pub fn write_key(&self) -> &WriteKey {
        &self.write
    }

    /// The two relays of the request; number 0 where there is only one.
    pub fn relays(&self) -> &[AnswerRelay; 2] {
        &self.relays
    }

    /// Names the box for writing at one of its relays, whose pin the desk's notice knows by number.
    pub fn write_to(&self, relay: &AnswerRelay, pin: &Pin) -> WriteTo {
        WriteTo { kind: Kind::Plain, write: self.write.at(pin), read: relay.own, delete: relay.own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reader_deleter_and_writer_name_the_same_box() {
        let handshake = Secret::from_bytes(&[1; 32]);
        let pin = Pin([2; 16]);
        let owner = AnswerBox::new(&handshake, Secret::from_bytes(&[3; 32]));
        let relay = AnswerRelay { number: 1, own: owner.own_hash(&pin) };
        let writer = AnswerBoxWriter::new(write_key(&handshake), [relay; 2]);
        let id = owner.read_from(&pin).hashes().id();
        assert_eq!(owner.delete_at(&pin).hashes().id(), id);
        assert_eq!(writer.write_to(&relay, &pin).hashes().id(), id);
    }
}
