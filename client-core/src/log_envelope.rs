//! Envelopes of a desk log: what a device tells the other devices of its desk (docs/spec/desk-log.md).
//!
//! nonce 24 | X(4056) + 16 under KDF(–, epoch seed, "log", index); {author, sequence, hash of own previous, heads, events,
//! signature by the epoch key}. Layout only: opening logs, folding them and what follows from events is not here.
//! Invariant: an event of a type that this build does not know is kept.

pub mod event;

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::desk::DeskId;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use rand_core::CryptoRng;

pub use event::{Adopted, Event};

use crate::desk::epoch::{Epoch, EpochSeed};
use crate::labels;
use crate::seal::{WHOLE_BYTES, nonce, open_whole, seal_whole};
use crate::sign::{SIGNATURE_BYTES, SignPublic, SignSecret};

/// Heads of other logs in one envelope at most.
const HEADS_MAX: usize = 64;
const VERSION: u8 = 1;

/// What one envelope of a log says.
#[derive(Clone, Eq, PartialEq)]
pub struct Entry {
    /// The device's index.
    pub author: u16,
    /// From 0, rising by one.
    pub sequence: u32,
    /// H(plaintext) of the author's previous envelope, signature included; 32 zero bytes for the first.
    pub previous: [u8; 32],
    /// How far the author has read other logs, where that has changed since its last envelope; at most 64.
    pub heads: Vec<LogHead>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

crate::secret::silent!(Entry);

/// How far a log was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogHead {
    /// Whose log.
    pub index: u16,
    /// The last sequence read.
    pub sequence: u32,
    /// The first 8 bytes of that envelope's hash.
    pub hash: [u8; 8],
}

/// Whose log, in which epoch.
#[derive(Clone, Copy, Debug)]
pub struct LogOf<'a> {
    /// The desk.
    pub desk: DeskId,
    /// The epoch.
    pub epoch: Epoch,
    /// Its seed.
    pub seed: &'a EpochSeed,
    /// The device's index.
    pub index: u16,
}

/// The events do not fit into one envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the events are {extra} bytes too long for one envelope")]
pub struct TooLong {
    /// By how many bytes.
    pub extra: usize,
}

/// Why an envelope is no entry of that log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// It opens and is not of the form of this version.
    #[error("the log entry is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// The signature or the author is not the device's.
    #[error("the log entry is forged")]
    Forged,
    /// It does not open as an entry of that log.
    #[error("the envelope does not open as an entry of that log")]
    NotOpened,
}

impl Entry {
    /// Seals the entry. Also returns H(plaintext), which the next entry names.
    pub fn seal(
        &self,
        log: &LogOf,
        key: &SignSecret,
        rng: &mut impl CryptoRng,
    ) -> Result<(SealedEnvelope, [u8; 32]), TooLong> {
        let mut writer = self.write();
        let signature = key.sign(labels::LOG_SIGNATURE, &[&context(log), writer.as_slice()]);
        writer.put(&signature);
        let hash = kdf::hash(&[writer.as_slice()]);
        if writer.len() > WHOLE_BYTES {
            return Err(TooLong { extra: writer.len() - WHOLE_BYTES });
        }
        writer.pad_to(WHOLE_BYTES);
        let log_key = log.seed.log_key(log.index);
        Ok((seal_whole(log_key.expose(), &nonce(rng), writer.as_slice()), hash))
    }

    /// Opens an envelope of that log, whose epoch key is `key`. Also returns H(plaintext).
    pub fn open(
        log: &LogOf,
        key: &SignPublic,
        envelope: &SealedEnvelope,
    ) -> Result<(Self, [u8; 32]), EntryError> {
        let log_key = log.seed.log_key(log.index);
        let text = open_whole(log_key.expose(), envelope).map_err(|_| EntryError::NotOpened)?;
        let mut reader = Reader::new(&text);
        let entry = Self::read(&mut reader)?;
        let signed = &text[..text.len() - reader.remaining()];
        let signature = reader.array::<SIGNATURE_BYTES>()?;
        if entry.author != log.index
            || !key.verifies(labels::LOG_SIGNATURE, &[&context(log), signed], &signature)
        {
            return Err(EntryError::Forged);
        }
        Ok((entry, kdf::hash(&[signed, &signature])))
    }

    pub(crate) fn write(&self) -> Writer {
        let mut writer = Writer::with_capacity(WHOLE_BYTES);
        writer.u8(VERSION).u16(self.author).u32(self.sequence).put(&self.previous);
        let heads = &self.heads[..self.heads.len().min(HEADS_MAX)];
        writer.u8(u8::try_from(heads.len()).expect("at most 64"));
        for head in heads {
            writer.u16(head.index).u32(head.sequence).put(&head.hash);
        }
        writer.u16(u16::try_from(self.events.len()).expect("an envelope has fewer than 65,536 events"));
        self.events.iter().for_each(|event| event.write(&mut writer));
        writer
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version { version });
        }
        let (author, sequence, previous) = (reader.u16()?, reader.u32()?, reader.array()?);
        let heads = read_heads(reader)?;
        let count = reader.u16()?;
        let events = (0..count).map(|_| Event::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { author, sequence, previous, heads, events })
    }
}

fn read_heads(reader: &mut Reader) -> Result<Vec<LogHead>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > HEADS_MAX {
        return Err(DecodeError::Invalid { field: "heads" });
    }
    let mut head = || Ok(LogHead { index: reader.u16()?, sequence: reader.u32()?, hash: reader.array()? });
    (0..count).map(|_| head()).collect()
}

/// desk id ‖ day ‖ generation: a signature counts in its epoch only.
fn context(log: &LogOf) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.put(&log.desk.0).u32(log.epoch.day.0).u16(log.epoch.generation);
    writer.into_vec()
}
