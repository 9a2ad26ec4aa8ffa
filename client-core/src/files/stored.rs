//! Files at rest: one record for each conversation, and one for each 4056 bytes (docs/spec/client.md §6).
//!
//! The record goes into every commit of its conversation, so that a draft and its file are there together.

use std::collections::BTreeMap;

use poterne_protocol::codec::{Reader, Writer};
use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::chunk_set::ChunkSet;
use super::incoming::{Incoming, Stage};
use super::outgoing::{Outgoing, Place, Sending};
use super::{FileId, Files, view};
use crate::attachment::Descriptor;
use crate::records::{self, FILES, LocalId, Records};
use crate::secret::Secret;
use crate::stored::{self, StoredError};
use crate::thread::Thread;
use crate::transcript::Position;
use crate::vault::Batch;

pub(super) const VERSION: u8 = 1;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct FilesPlain {
    /// The file of each draft, in their order.
    pub(super) drafts: Vec<Option<[u8; 8]>>,
    /// Which sent messages are files.
    pub(super) sent: Vec<((u16, u32, u32), [u8; 8])>,
    pub(super) outgoing: Vec<OutgoingPlain>,
    pub(super) incoming: Vec<IncomingPlain>,
    pub(super) saved: u32,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct OutgoingPlain {
    descriptor: Vec<u8>,
    nonces: [u8; 32],
    is_kept: bool,
    sending: Option<SendingPlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct SendingPlain {
    class: u8,
    last_day: u32,
    places: Vec<([u8; 16], ChunkSet)>,
    stored_at: Option<u64>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct IncomingPlain {
    descriptor: Vec<u8>,
    relays: Vec<[u8; 16]>,
    announced: u32,
    is_shared: bool,
    have: ChunkSet,
    stage: (u8, u32),
    cleared: Vec<[u8; 16]>,
    is_damaged: bool,
}

/// Puts what is known of a conversation's files into the batch.
pub(crate) fn write(batch: &mut Batch, thread: &Thread) {
    let key = records::key(FILES, thread.id);
    if thread.files.is_empty() {
        return records::erase(batch, &key);
    }
    let position = |position: &Position| (position.attempt, position.chain, position.number);
    let sent = thread.sent.iter().filter_map(|(at, sent)| Some((position(at), sent.file?.0)));
    let plain = FilesPlain {
        drafts: thread.drafts.iter().map(|draft| draft.file.map(|file| file.0)).collect(),
        sent: sent.collect(),
        outgoing: thread.files.outgoing.values().map(OutgoingPlain::from).collect(),
        incoming: thread.files.incoming.values().map(IncomingPlain::from).collect(),
        saved: thread.files.saved,
    };
    records::write(batch, &key, stored::save(VERSION, &plain));
}

/// Gives a conversation that was loaded its files.
pub(crate) fn load(records: &impl Records, thread: &mut Thread) -> Result<(), StoredError> {
    let key = records::key(FILES, thread.id);
    if records.record(&key)?.is_none() {
        return Ok(());
    }
    let plain: FilesPlain = stored::load(VERSION, &records::read(records, &key)?)?;
    thread.files = plain.files(records, thread.id)?;
    for (draft, file) in thread.drafts.iter_mut().zip(&plain.drafts) {
        draft.file = file.map(FileId);
    }
    for ((attempt, chain, number), file) in &plain.sent {
        let position = Position { attempt: *attempt, chain: *chain, number: *number };
        thread.sent.get_mut(&position).ok_or(StoredError::Damaged)?.file = Some(FileId(*file));
    }
    Ok(())
}

impl FilesPlain {
    pub(super) fn files(&self, records: &impl Records, id: LocalId) -> Result<Files, StoredError> {
        let mut outgoing = BTreeMap::new();
        for plain in &self.outgoing {
            let one = plain.outgoing(records, id)?;
            outgoing.insert(FileId::of(&one.descriptor), one);
        }
        let incoming = self.incoming.iter().map(|plain| {
            let one = Incoming::try_from(plain)?;
            Ok((FileId::of(&one.descriptor), one))
        });
        Ok(Files {
            outgoing,
            incoming: incoming.collect::<Result<_, StoredError>>()?,
            saved: self.saved,
            ..Files::default()
        })
    }
}

fn descriptor_bytes(descriptor: &Descriptor) -> Vec<u8> {
    let mut writer = Writer::default();
    descriptor.write(&mut writer);
    writer.into_vec()
}

fn descriptor(bytes: &[u8]) -> Result<Descriptor, StoredError> {
    Descriptor::read(&mut Reader::new(bytes)).map_err(|_| StoredError::Damaged)
}

impl From<&Outgoing> for OutgoingPlain {
    fn from(from: &Outgoing) -> Self {
        Self {
            descriptor: descriptor_bytes(&from.descriptor),
            nonces: *from.nonces.expose(),
            is_kept: from.is_kept(),
            sending: from.sending.as_ref().map(SendingPlain::from),
        }
    }
}

impl OutgoingPlain {
    /// The content is read only where chunks of it may still be put.
    fn outgoing(&self, records: &impl Records, id: LocalId) -> Result<Outgoing, StoredError> {
        let mut outgoing = Outgoing {
            descriptor: descriptor(&self.descriptor)?,
            nonces: Secret::from_bytes(&self.nonces),
            content: None,
            sending: self.sending.as_ref().map(Sending::try_from).transpose()?,
            is_kept: self.is_kept,
        };
        if self.is_kept && !outgoing.is_everywhere() {
            let file = FileId::of(&outgoing.descriptor);
            let content = view::content(records, id, file, &outgoing.descriptor);
            outgoing.content = Some(content.map_err(|_| StoredError::Damaged)?);
        }
        Ok(outgoing)
    }
}

impl From<&Sending> for SendingPlain {
    fn from(from: &Sending) -> Self {
        Self {
            class: from.class.days(),
            last_day: from.last_day.0,
            places: from.places.iter().map(|place| (place.relay.0, place.stored)).collect(),
            stored_at: from.stored_at.map(|time| time.0),
        }
    }
}

impl TryFrom<&SendingPlain> for Sending {
    type Error = StoredError;

    fn try_from(plain: &SendingPlain) -> Result<Self, StoredError> {
        Ok(Self {
            class: Class::parse(plain.class).map_err(|_| StoredError::Damaged)?,
            last_day: Day(plain.last_day),
            places: plain.places.iter().map(|(relay, stored)| Place::new(Pin(*relay), *stored)).collect(),
            stored_at: plain.stored_at.map(UnixTime),
            stalled_since: None,
        })
    }
}

impl From<&Incoming> for IncomingPlain {
    fn from(from: &Incoming) -> Self {
        let pins = |pins: &[Pin]| pins.iter().map(|pin| pin.0).collect();
        Self {
            descriptor: descriptor_bytes(&from.descriptor),
            relays: pins(&from.relays),
            announced: from.announced.0,
            is_shared: from.is_shared,
            have: from.have,
            stage: stage_numbers(from.stage),
            cleared: pins(&from.cleared),
            is_damaged: from.is_damaged,
        }
    }
}

impl TryFrom<&IncomingPlain> for Incoming {
    type Error = StoredError;

    fn try_from(plain: &IncomingPlain) -> Result<Self, StoredError> {
        let pins = |pins: &[[u8; 16]]| pins.iter().copied().map(Pin).collect();
        let relays = pins(&plain.relays);
        let new = Self::new(descriptor(&plain.descriptor)?, relays, Day(plain.announced), plain.is_shared);
        Ok(Self {
            have: plain.have,
            stage: stage(plain.stage)?,
            cleared: pins(&plain.cleared),
            is_damaged: plain.is_damaged,
            ..new
        })
    }
}

fn stage_numbers(stage: Stage) -> (u8, u32) {
    match stage {
        Stage::Fetching => (0, 0),
        Stage::Complete => (1, 0),
        Stage::Saved(number) => (2, number),
        Stage::Removed => (3, 0),
        Stage::Expired => (4, 0),
    }
}

fn stage(numbers: (u8, u32)) -> Result<Stage, StoredError> {
    match numbers {
        (0, _) => Ok(Stage::Fetching),
        (1, _) => Ok(Stage::Complete),
        (2, number) => Ok(Stage::Saved(number)),
        (3, _) => Ok(Stage::Removed),
        (4, _) => Ok(Stage::Expired),
        _ => Err(StoredError::Damaged),
    }
}
