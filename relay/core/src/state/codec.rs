//! The bytes of a whole state, for a store's index and checkpoints (docs/spec/relay.md §8).
//!
//! Bytes: version 1 | next u64 | paid until u32 (0: not) | entries | tombstones | opened 0 or 1 and its fields. A list
//! is its u32 count and its items in rising order of their keys. One state has one encoding.

use std::collections::BTreeMap;

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};

use super::MailboxState;
use super::claims::{Claim, ClaimState, Leased, Opened};
use super::entries::{Entries, Entry};
use crate::change::{Locator, Opening, Position, decode_bool};
use crate::small_map::SmallMap;

const VERSION: u8 = 1;
const CLAIM_DELETED: u8 = 0;
const CLAIM_LEASED: u8 = 1;
const CLAIM_RELEASED: u8 = 2;

impl MailboxState {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(64 + 36 * self.entries.len() + 20 * self.tombstones.len());
        out.u8(VERSION).u64(self.next.0).u32(self.paid_until.0);
        count(&mut out, self.entries.len());
        for (position, entry) in self.entries.iter() {
            out.u64(position.0).put(&entry.id.0).u32(entry.last_day.0).u64(entry.at.0);
        }
        count(&mut out, self.tombstones.len());
        for (id, until) in self.tombstones.iter() {
            out.put(&id.0).u32(until.0);
        }
        out.u8(u8::from(self.opened.is_some()));
        if let Some(opened) = &self.opened {
            opened.encode(&mut out);
        }
        out.into_vec()
    }

    /// Reads the bytes of [`MailboxState::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version { version }),
        }
        let state = Self {
            next: Position(input.u64()?),
            paid_until: Day(input.u32()?),
            entries: decode_entries(&mut input)?,
            tombstones: decode_tombstones(&mut input)?,
            opened: match decode_bool(&mut input, "opened")? {
                true => Some(Box::new(Opened::decode(&mut input)?)),
                false => None,
            },
        };
        input.finish().map(|()| state)
    }
}

impl Opened {
    fn encode(&self, out: &mut Writer) {
        self.opening.encode(out);
        out.u8(u8::from(self.closed)).u32(self.used.0.0).u64(self.used.1);
        count(out, self.claims.len());
        for (id, claim) in &self.claims {
            claim.encode(out.put(&id.0));
        }
        count(out, self.leases.len());
        for (position, leased) in &self.leases {
            out.u64(position.0).u32(leased.number).put(&leased.claim_id.0);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            opening: Opening::decode(input)?,
            closed: decode_bool(input, "closed")?,
            used: (Day(input.u32()?), input.u64()?),
            claims: decode_map(input, |input| Ok((ClaimId(input.array()?), Claim::decode(input)?)))?,
            leases: decode_map(input, |input| {
                let position = Position(input.u64()?);
                Ok((position, Leased { number: input.u32()?, claim_id: ClaimId(input.array()?) }))
            })?,
        })
    }
}

impl Claim {
    fn encode(&self, out: &mut Writer) {
        out.put(&self.token.0).u64(self.position.0).u32(self.day.0);
        match self.state {
            ClaimState::Deleted => out.u8(CLAIM_DELETED),
            ClaimState::Leased { number, claimed_at, ends } => {
                out.u8(CLAIM_LEASED).u32(number).u64(claimed_at.0).u64(ends.0)
            }
            ClaimState::Released => out.u8(CLAIM_RELEASED),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            token: LeaseToken(input.array()?),
            position: Position(input.u64()?),
            day: Day(input.u32()?),
            state: match input.u8()? {
                CLAIM_DELETED => ClaimState::Deleted,
                CLAIM_LEASED => ClaimState::Leased {
                    number: input.u32()?,
                    claimed_at: UnixTime(input.u64()?),
                    ends: UnixTime(input.u64()?),
                },
                CLAIM_RELEASED => ClaimState::Released,
                value => return Err(DecodeError::UnknownType { value }),
            },
        })
    }
}

fn count(out: &mut Writer, length: usize) {
    out.u32(u32::try_from(length).expect("the quotas of a mailbox are far below 2^32"));
}

fn decode_entries(input: &mut Reader<'_>) -> Result<Entries, DecodeError> {
    let mut entries = Entries::default();
    for (expected, (position, entry)) in decode_rising(input, |input| {
        let position = Position(input.u64()?);
        let (id, last_day) = (EnvelopeId(input.array()?), Day(input.u32()?));
        Ok((position, Entry { id, last_day, at: Locator(input.u64()?) }))
    })?
    .into_iter()
    .enumerate()
    {
        entries.insert(position, entry);
        if entries.len() != expected + 1 {
            return Err(DecodeError::Invalid { field: "entries" });
        }
    }
    Ok(entries)
}

fn decode_tombstones(input: &mut Reader<'_>) -> Result<SmallMap<EnvelopeId, Day>, DecodeError> {
    let mut tombstones = SmallMap::default();
    for (id, until) in decode_rising(input, |input| Ok((EnvelopeId(input.array()?), Day(input.u32()?))))? {
        tombstones.insert(id, until);
    }
    Ok(tombstones)
}

fn decode_map<K: Copy + Ord, V>(
    input: &mut Reader<'_>,
    item: impl FnMut(&mut Reader<'_>) -> Result<(K, V), DecodeError>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    decode_rising(input, item).map(|items| items.into_iter().collect())
}

/// A list whose keys rise. Its memory grows with the bytes that are there, not with the count they claim.
fn decode_rising<K: Copy + Ord, V>(
    input: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<(K, V), DecodeError>,
) -> Result<Vec<(K, V)>, DecodeError> {
    let mut items: Vec<(K, V)> = Vec::new();
    for _ in 0..input.u32()? {
        let (key, value) = item(input)?;
        if items.last().is_some_and(|(last, _)| *last >= key) {
            return Err(DecodeError::Invalid { field: "order" });
        }
        items.push((key, value));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_of_an_unknown_mailbox() {
        assert_eq!(MailboxState::default().encode(), [&[1][..], &[0; 21]].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_state_in_one_way_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..120), calm: bool) {
            if calm && bytes.len() > 22 {
                bytes[..22].copy_from_slice(&MailboxState::default().encode());
                bytes[21] = 1;
            }
            if let Ok(state) = MailboxState::decode(&bytes) {
                prop_assert_eq!(state.encode(), bytes);
            }
        }
    }
}
