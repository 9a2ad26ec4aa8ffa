//! The outbox at rest (docs/spec/handshake.md §9): everything but its envelopes, which lie in records of their own.

use std::collections::BTreeMap;

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, Pin, WriteForm};
use poterne_protocol::mailbox::{Kind, WriteTo};
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::entry::{Entry, Place, PlaceState, Turn};
use super::{EntryId, Outbox, Target};
use crate::stored::StoredError;

/// An outbox at rest, without its envelopes, which lie in records of their own.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct OutboxPlain {
    next: EntryId,
    entries: Vec<EntryPlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct EntryPlain {
    id: EntryId,
    class: u8,
    turn: Turn,
    last_day: u32,
    first_try: Option<u64>,
    places: Vec<PlacePlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlacePlain {
    relay: [u8; 16],
    kind: u8,
    write: [u8; 32],
    read: [u8; 32],
    delete: [u8; 32],
    stored: Option<u64>,
}

impl Outbox {
    /// The form at rest. What was under way counts as waiting.
    pub(crate) fn to_plain(&self) -> OutboxPlain {
        let entries = self.entries.iter().map(|(id, entry)| entry.to_plain(*id)).collect();
        OutboxPlain { next: self.next, entries }
    }

    /// The outbox of a form; `envelope` finds the bytes of an entry in its record.
    pub(crate) fn from_plain(
        plain: &OutboxPlain,
        mut envelope: impl FnMut(EntryId) -> Result<SealedEnvelope, StoredError>,
    ) -> Result<Self, StoredError> {
        let mut entries = BTreeMap::new();
        for entry in &plain.entries {
            entries.insert(entry.id, Entry::from_plain(entry, envelope(entry.id)?)?);
        }
        Ok(Self { next: plain.next, entries })
    }
}

impl Entry {
    fn to_plain(&self, id: EntryId) -> EntryPlain {
        EntryPlain {
            id,
            class: self.class.days(),
            turn: self.turn,
            last_day: self.last_day.0,
            first_try: self.first_try.map(|time| time.0),
            places: self.places.iter().map(Place::to_plain).collect(),
        }
    }

    fn from_plain(plain: &EntryPlain, envelope: SealedEnvelope) -> Result<Self, StoredError> {
        let places = plain.places.iter().map(Place::from_plain).collect::<Result<_, _>>()?;
        Ok(Self {
            envelope,
            class: Class::parse(plain.class).map_err(|_| StoredError::Damaged)?,
            turn: plain.turn,
            last_day: Day(plain.last_day),
            first_try: plain.first_try.map(UnixTime),
            places,
        })
    }
}

impl Place {
    fn to_plain(&self) -> PlacePlain {
        let WriteTo { kind, write, read, delete } = &self.target.to;
        PlacePlain {
            relay: self.target.relay.0,
            kind: kind.number(),
            write: *write.expose(),
            read: read.0,
            delete: delete.0,
            stored: match self.state {
                PlaceState::Stored(at) => Some(at.0),
                PlaceState::UnderWay | PlaceState::Waiting => None,
            },
        }
    }

    fn from_plain(plain: &PlacePlain) -> Result<Self, StoredError> {
        let to = WriteTo {
            kind: Kind::parse(plain.kind).map_err(|_| StoredError::Damaged)?,
            write: WriteForm::from_bytes(&plain.write),
            read: KeyHash(plain.read),
            delete: KeyHash(plain.delete),
        };
        let state = plain.stored.map_or(PlaceState::Waiting, |at| PlaceState::Stored(UnixTime(at)));
        Ok(Self { target: Target { relay: Pin(plain.relay), to }, state, tries: 0, due: UnixTime(0) })
    }
}
