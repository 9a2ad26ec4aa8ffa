//! Where each thing lies in the vault (docs/spec/client.md §6).
//!
//! | key | value |
//! |---|---|
//! | `c` id | a conversation of a requester |
//! | `k` id | a request at a device, from the queue to the last message |
//! | `d` | the desk of a device: its identity, roots, coordinator |
//! | `m` id attempt chain n | one message for people |
//! | `e` id entry | a sealed envelope of an outbox |
//! | `f` id | the files of a conversation or case: what is known of each |
//! | `p` id file chunk | 4056 bytes of a file |
//! | `g` day generation | an epoch: its keys, its notice, how far it is published |
//!
//! A conversation or case above 128 KiB goes on under its key with 1, 2, … behind it. ids are 8 bytes; numbers in keys are big-endian, so that keys sort as the numbers do.

use core::fmt;

use poterne_protocol::envelope::SealedEnvelope;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::outbox::EntryId;
use crate::stored::StoredError;
use crate::vault::{Batch, Disk, Vault};

/// Read access to the records of an opened vault.
pub trait Records {
    /// The value under `key`.
    fn record(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoredError>;
    /// All keys that begin with `prefix`, in their order.
    fn keys_with(&self, prefix: &[u8]) -> Vec<Vec<u8>>;

    /// Bytes that all records may have together, roughly.
    fn capacity_bytes(&self) -> usize;
}

impl<D: Disk> Records for Vault<D> {
    fn record(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoredError> {
        self.get(key).map_err(|_| StoredError::Damaged)
    }

    fn keys_with(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        self.keys(prefix).map(<[u8]>::to_vec).collect()
    }

    fn capacity_bytes(&self) -> usize {
        self.params().slot_pages() as usize * crate::seal::WHOLE_BYTES
    }
}

/// Names a conversation, case or request within one home: 8 random bytes, for people 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LocalId(pub [u8; 8]);

impl LocalId {
    /// A fresh id.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        Self(id)
    }

    /// The id that those 16 hexadecimal digits write.
    pub fn parse(text: &str) -> Option<Self> {
        let number = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16 && !text.starts_with('+')).then_some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The prefix of a shell's own records: with a relay's pin behind it, the highest day of that relay's descriptors, u32
/// little-endian.
pub const DESCRIPTOR_DAY: u8 = b'r';
/// The key of a conversation.
pub(crate) const CONVERSATION: u8 = b'c';
/// The key of a case.
pub(crate) const CASE: u8 = b'k';
/// The key of the desk.
pub(crate) const DESK: &[u8] = b"d";
/// The prefix of epochs.
pub(crate) const EPOCH: u8 = b'g';
/// The prefix of messages.
pub(crate) const MESSAGE: u8 = b'm';
/// The prefix of what is known of files.
pub(crate) const FILES: u8 = b'f';
const ENVELOPE: u8 = b'e';
const PIECE: u8 = b'p';

/// `kind` id.
pub(crate) fn key(kind: u8, id: LocalId) -> Vec<u8> {
    [&[kind][..], &id.0].concat()
}

/// The key of an outbox entry's envelope.
pub(crate) fn envelope_key(id: LocalId, entry: EntryId) -> Vec<u8> {
    [&[ENVELOPE][..], &id.0, &entry.to_be_bytes()].concat()
}

/// The key of 4056 bytes of a file.
pub(crate) fn piece_key(id: LocalId, file: [u8; 8], chunk: u16) -> Vec<u8> {
    [&[PIECE][..], &id.0, &file, &chunk.to_be_bytes()].concat()
}

/// All ids under one kind.
pub(crate) fn ids(records: &impl Records, kind: u8) -> Vec<LocalId> {
    let id = |key: Vec<u8>| key[1..].try_into().ok().map(LocalId);
    records.keys_with(&[kind]).into_iter().filter_map(id).collect()
}

/// The record under `key`, which must be there.
pub(crate) fn require(records: &impl Records, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoredError> {
    records.record(key)?.ok_or(StoredError::Damaged)
}

/// Bytes of one record of a large value; a vault's own bound is twice that.
const CHUNK_BYTES: usize = 128 * 1024;
/// Records of one large value at most: 1 MiB.
const CHUNKS_MAX: u8 = 8;

/// Puts a value that may be large into the batch: under its key, and what is over 128 KiB under the key with 1, 2, …
/// behind it.
pub(crate) fn write(batch: &mut Batch, key: &[u8], value: Zeroizing<Vec<u8>>) {
    debug_assert!(value.len() <= CHUNK_BYTES * usize::from(CHUNKS_MAX), "states are bounded");
    let mut chunks = value.chunks(CHUNK_BYTES);
    for number in 0..CHUNKS_MAX {
        match chunks.next() {
            Some(chunk) => batch.put(&chunk_key(key, number), chunk.to_vec()),
            None => batch.delete(&chunk_key(key, number)),
        }
    }
}

/// Removes a value that [`write`] has written.
pub(crate) fn erase(batch: &mut Batch, key: &[u8]) {
    (0..CHUNKS_MAX).for_each(|number| batch.delete(&chunk_key(key, number)));
}

/// A value that [`write`] has written, which must be there.
pub(crate) fn read(records: &impl Records, key: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoredError> {
    let mut value = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES * usize::from(CHUNKS_MAX)));
    value.extend_from_slice(&require(records, key)?);
    for number in 1..CHUNKS_MAX {
        let Some(chunk) = records.record(&chunk_key(key, number))? else { break };
        value.extend_from_slice(&chunk);
    }
    Ok(value)
}

fn chunk_key(key: &[u8], number: u8) -> Vec<u8> {
    match number {
        0 => key.to_vec(),
        number => [key, &[number]].concat(),
    }
}

/// The envelope of an outbox entry.
pub(crate) fn envelope(
    records: &impl Records,
    id: LocalId,
    entry: EntryId,
) -> Result<SealedEnvelope, StoredError> {
    let bytes = require(records, &envelope_key(id, entry))?;
    SealedEnvelope::parse(&bytes).map_err(|_| StoredError::Damaged)
}

/// Puts the removal of everything that belongs to `id` into `batch`.
pub(crate) fn forget(records: &impl Records, id: LocalId, batch: &mut Batch) {
    for kind in [CONVERSATION, CASE, MESSAGE, ENVELOPE, FILES, PIECE] {
        for key in records.keys_with(&key(kind, id)) {
            batch.delete(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_16_digits_for_people() {
        let id = LocalId([0, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(id.to_string(), "00010203040506ff");
        assert_eq!(LocalId::parse("00010203040506ff"), Some(id));
        for wrong in ["", "1", "+0010203040506ff", "00010203040506fg", "00010203040506ff0"] {
            assert_eq!(LocalId::parse(wrong), None);
        }
    }
}
