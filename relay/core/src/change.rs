//! What can durably happen to a mailbox, and the bytes that a log keeps of it (docs/spec/relay.md §8).
//!
//! Bytes: version 1 | type | fields, little-endian, at most [`CHANGE_BYTES_MAX`]. The place of an envelope stands in no
//! change: it is wherever the store has put the record, so the store fills it in ([`Change::place`]) before it applies
//! the change, at the first time and at every replay.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::KeyHash;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};

/// Envelopes that one change deletes at most, so that its bytes are bounded.
pub const DELETIONS_MAX: usize = 15;

/// Bytes of an encoded change at most: of one that deletes as much as it may.
pub const CHANGE_BYTES_MAX: usize = 7 + DELETIONS_MAX * DELETION_BYTES;

const DELETION_BYTES: usize = 24;

const VERSION: u8 = 1;
const CLAIMED: u8 = 1;
const CLOSED: u8 = 2;
// 3 was the deletion of a single envelope.
const EXTENDED: u8 = 4;
const LOST: u8 = 5;
const OPENED: u8 = 6;
const PAID: u8 = 7;
const PUT: u8 = 8;
const RELEASED: u8 = 9;
const DELETED: u8 = 10;
const NUMBERED: u8 = 11;

/// The place of an envelope in the order of its mailbox. Rises with every put and is never used again:
/// day of arrival · 2^32 + count.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(pub u64);

impl Position {
    /// The first position that an envelope of `day` can get.
    pub fn first_of(day: Day) -> Self {
        Self(u64::from(day.0) << 32)
    }

    /// The position behind this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where a store keeps an envelope: its own affair, opaque to the rules.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Locator(pub u64);

impl Locator {
    /// Of a change that no store has placed yet.
    pub const UNPLACED: Self = Self(u64::MAX);
}

/// One durable step of a mailbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A device got a lease.
    Claimed(Lease),
    /// The steward closed the intake or log.
    Closed {
        /// The last day with which it was opened.
        last_day: Day,
    },
    /// Envelopes were deleted by one who may.
    Deleted {
        /// Which, 1 to [`DELETIONS_MAX`].
        deletions: Vec<Deletion>,
        /// On which day, from which their tombstones count.
        day: Day,
    },
    /// A lease ends later than before.
    Extended {
        /// Whose lease.
        claim_id: ClaimId,
        /// Its new end.
        ends: UnixTime,
    },
    /// The store can't give an envelope back (rotten bytes). It leaves no tombstone, so that it can be put again.
    Lost {
        /// Where it stood.
        position: Position,
    },
    /// What is left of a lease whose claim is forgotten, while its envelope waits: the next one has a higher number.
    Numbered {
        /// The envelope.
        position: Position,
        /// The number of the lease.
        number: u32,
        /// Whose it was.
        claim_id: ClaimId,
    },
    /// An intake or log was opened.
    Opened(Opening),
    /// A plain mailbox was paid for.
    Paid {
        /// The last day that is paid.
        until: Day,
    },
    /// An envelope was taken into custody.
    Put(Arrival),
    /// A device gave its lease back.
    Released {
        /// Whose lease.
        claim_id: ClaimId,
    },
}

/// An envelope that is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Deletion {
    /// Where it stood.
    pub position: Position,
    /// Its id.
    pub id: EnvelopeId,
}

/// An envelope that arrives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Its place in the order.
    pub position: Position,
    /// Its id.
    pub id: EnvelopeId,
    /// The day of its arrival, for the quota of the day.
    pub day: Day,
    /// The last day on which it is served.
    pub last_day: Day,
    /// Where the store keeps it; stands in no encoded change.
    pub at: Locator,
}

/// A lease that is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lease {
    /// The claim that got it.
    pub claim_id: ClaimId,
    /// What its holder shows.
    pub token: LeaseToken,
    /// The leased envelope.
    pub position: Position,
    /// Rises by one with each lease of an envelope, from 1.
    pub number: u32,
    /// When it began: extensions count from here.
    pub claimed_at: UnixTime,
    /// The first second in which it is over.
    pub ends: UnixTime,
}

/// What an intake or log was opened with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opening {
    /// The last day on which it takes envelopes.
    pub last_day: Day,
    /// Intake: bytes per day. Log: envelopes.
    pub quota: u64,
    /// Puts must show the steward key.
    pub gated: bool,
    /// H(steward key).
    pub steward: KeyHash,
}

impl Change {
    /// The deletion of one envelope.
    pub fn deleted(position: Position, id: EnvelopeId, day: Day) -> Self {
        Self::Deleted { deletions: vec![Deletion { position, id }], day }
    }

    /// The positions whose envelopes it ends.
    pub fn ended(&self) -> impl Iterator<Item = Position> {
        let (deletions, lost) = match self {
            Self::Deleted { deletions, .. } => (deletions.as_slice(), None),
            Self::Lost { position } => (&[][..], Some(*position)),
            _ => (&[][..], None),
        };
        deletions.iter().map(|deletion| deletion.position).chain(lost)
    }

    /// Tells where the store keeps the envelope of a put; nothing to any other change.
    pub fn place(&mut self, at: Locator) {
        if let Self::Put(arrival) = self {
            arrival.at = at;
        }
    }

    /// Its bytes, without the place.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(CHANGE_BYTES_MAX);
        out.u8(VERSION);
        match self {
            Self::Claimed(lease) => lease.encode(out.u8(CLAIMED)),
            Self::Closed { last_day } => out.u8(CLOSED).u32(last_day.0),
            Self::Deleted { deletions, day } => {
                out.u8(DELETED).u32(day.0).u8(deletions.len() as u8);
                deletions.iter().fold(&mut out, |out, one| out.u64(one.position.0).put(&one.id.0))
            }
            Self::Extended { claim_id, ends } => out.u8(EXTENDED).put(&claim_id.0).u64(ends.0),
            Self::Lost { position } => out.u8(LOST).u64(position.0),
            Self::Numbered { position, number, claim_id } => {
                out.u8(NUMBERED).u64(position.0).u32(*number).put(&claim_id.0)
            }
            Self::Opened(opening) => opening.encode(out.u8(OPENED)),
            Self::Paid { until } => out.u8(PAID).u32(until.0),
            Self::Put(arrival) => arrival.encode(out.u8(PUT)),
            Self::Released { claim_id } => out.u8(RELEASED).put(&claim_id.0),
        };
        out.into_vec()
    }

    /// Reads the bytes of [`Change::encode`]. An arrival comes out unplaced.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version { version }),
        }
        let change = Self::decode_fields(&mut input)?;
        input.finish().map(|()| change)
    }

    fn decode_fields(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            CLAIMED => Self::Claimed(Lease::decode(input)?),
            CLOSED => Self::Closed { last_day: Day(input.u32()?) },
            DELETED => Self::decode_deleted(input)?,
            EXTENDED => Self::Extended { claim_id: ClaimId(input.array()?), ends: UnixTime(input.u64()?) },
            LOST => Self::Lost { position: Position(input.u64()?) },
            NUMBERED => Self::Numbered {
                position: Position(input.u64()?),
                number: input.u32()?,
                claim_id: ClaimId(input.array()?),
            },
            OPENED => Self::Opened(Opening::decode(input)?),
            PAID => Self::Paid { until: Day(input.u32()?) },
            PUT => Self::Put(Arrival::decode(input)?),
            RELEASED => Self::Released { claim_id: ClaimId(input.array()?) },
            value => return Err(DecodeError::UnknownType { value }),
        })
    }

    fn decode_deleted(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (day, count) = (Day(input.u32()?), input.u8()?);
        if !(1..=DELETIONS_MAX).contains(&usize::from(count)) {
            return Err(DecodeError::Invalid { field: "deletions" });
        }
        let deletions = (0..count).map(|_| Deletion::decode(input)).collect::<Result<_, _>>()?;
        Ok(Self::Deleted { deletions, day })
    }
}

impl Deletion {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { position: Position(input.u64()?), id: EnvelopeId(input.array()?) })
    }
}

impl Arrival {
    fn encode<'a>(&self, out: &'a mut Writer) -> &'a mut Writer {
        out.u64(self.position.0).put(&self.id.0).u32(self.day.0).u32(self.last_day.0)
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            position: Position(input.u64()?),
            id: EnvelopeId(input.array()?),
            day: Day(input.u32()?),
            last_day: Day(input.u32()?),
            at: Locator::UNPLACED,
        })
    }
}

impl Lease {
    fn encode<'a>(&self, out: &'a mut Writer) -> &'a mut Writer {
        out.put(&self.claim_id.0).put(&self.token.0).u64(self.position.0).u32(self.number);
        out.u64(self.claimed_at.0).u64(self.ends.0)
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            claim_id: ClaimId(input.array()?),
            token: LeaseToken(input.array()?),
            position: Position(input.u64()?),
            number: input.u32()?,
            claimed_at: UnixTime(input.u64()?),
            ends: UnixTime(input.u64()?),
        })
    }
}

impl Opening {
    pub(crate) fn encode<'a>(&self, out: &'a mut Writer) -> &'a mut Writer {
        out.u32(self.last_day.0).u64(self.quota).u8(u8::from(self.gated)).put(&self.steward.0)
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            last_day: Day(input.u32()?),
            quota: input.u64()?,
            gated: decode_bool(input, "gated")?,
            steward: KeyHash(input.array()?),
        })
    }
}

/// A byte that is 0 or 1.
pub(crate) fn decode_bool(input: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match input.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid { field }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any change that a decision could make.
    pub(crate) fn any_change() -> impl Strategy<Value = Change> {
        let id = any::<[u8; 16]>().prop_map(EnvelopeId);
        let claim_id = any::<[u8; 16]>().prop_map(ClaimId);
        let position = any::<u64>().prop_map(Position);
        let day = any::<u32>().prop_map(Day);
        let time = any::<u64>().prop_map(UnixTime);
        prop_oneof![
            any_lease().prop_map(Change::Claimed),
            day.clone().prop_map(|last_day| Change::Closed { last_day }),
            (prop::collection::vec((position.clone(), id), 1..=DELETIONS_MAX), day.clone())
                .prop_map(deleted_together),
            (claim_id.clone(), time).prop_map(|(claim_id, ends)| Change::Extended { claim_id, ends }),
            position.clone().prop_map(|position| Change::Lost { position }),
            (position, any::<u32>(), claim_id.clone())
                .prop_map(|(position, number, claim_id)| { Change::Numbered { position, number, claim_id } }),
            any_opening().prop_map(Change::Opened),
            day.prop_map(|until| Change::Paid { until }),
            any_arrival().prop_map(Change::Put),
            claim_id.prop_map(|claim_id| Change::Released { claim_id }),
        ]
    }

    fn deleted_together((deletions, day): (Vec<(Position, EnvelopeId)>, Day)) -> Change {
        let deletions = deletions.into_iter().map(|(position, id)| Deletion { position, id }).collect();
        Change::Deleted { deletions, day }
    }

    fn any_lease() -> impl Strategy<Value = Lease> {
        any::<([u8; 16], [u8; 16], u64, u32, u64, u64)>().prop_map(
            |(claim, token, position, number, at, ends)| Lease {
                claim_id: ClaimId(claim),
                token: LeaseToken(token),
                position: Position(position),
                number,
                claimed_at: UnixTime(at),
                ends: UnixTime(ends),
            },
        )
    }

    fn any_opening() -> impl Strategy<Value = Opening> {
        any::<(u32, u64, bool, [u8; 32])>().prop_map(|(day, quota, gated, steward)| Opening {
            last_day: Day(day),
            quota,
            gated,
            steward: KeyHash(steward),
        })
    }

    fn any_arrival() -> impl Strategy<Value = Arrival> {
        any::<(u64, [u8; 16], u32, u32)>().prop_map(|(position, id, day, last_day)| Arrival {
            position: Position(position),
            id: EnvelopeId(id),
            day: Day(day),
            last_day: Day(last_day),
            at: Locator::UNPLACED,
        })
    }

    proptest! {
        #[test]
        fn a_change_is_read_back_as_it_was_written(change in any_change()) {
            let bytes = change.encode();
            prop_assert!(bytes.len() <= CHANGE_BYTES_MAX);
            prop_assert_eq!(Change::decode(&bytes), Ok(change));
        }

        #[test]
        fn any_bytes_are_a_change_in_one_way_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(change) = Change::decode(&bytes) {
                prop_assert_eq!(change.encode(), bytes);
            }
        }
    }

    #[test]
    fn the_bytes_of_a_deletion() {
        let change = Change::deleted(Position(9), EnvelopeId([7; 16]), Day(20_000));
        let position = [9, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(change.encode(), [&[1, 10, 0x20, 0x4e, 0, 0, 1][..], &position, &[7; 16]].concat());
    }

    #[test]
    fn the_place_of_an_envelope_stands_in_no_bytes() {
        let arrival = Arrival {
            position: Position(1),
            id: EnvelopeId([2; 16]),
            day: Day(3),
            last_day: Day(7),
            at: Locator::UNPLACED,
        };
        let mut change = Change::Put(arrival.clone());
        change.place(Locator(99));
        assert_eq!(change.encode(), Change::Put(arrival).encode());
    }

    #[test]
    fn unknown_versions_and_types_are_refused() {
        assert_eq!(Change::decode(&[2, 2]), Err(DecodeError::Version { version: 2 }));
        assert_eq!(Change::decode(&[1, 12]), Err(DecodeError::UnknownType { value: 12 }));
        assert_eq!(Change::decode(&[1, 3]), Err(DecodeError::UnknownType { value: 3 }));
    }

    #[test]
    fn the_longest_change_deletes_as_much_as_it_may() {
        let deletion = Deletion { position: Position(9), id: EnvelopeId([7; 16]) };
        let longest = Change::Deleted { deletions: vec![deletion; DELETIONS_MAX], day: Day(1) };
        assert_eq!(longest.encode().len(), CHANGE_BYTES_MAX);
    }

    #[test]
    fn only_deletions_and_losses_end_positions() {
        let deletion = |position| Deletion { position: Position(position), id: EnvelopeId([7; 16]) };
        let deleted = Change::Deleted { deletions: vec![deletion(4), deletion(2)], day: Day(1) };
        assert!(deleted.ended().eq([Position(4), Position(2)]));
        assert!(Change::Lost { position: Position(3) }.ended().eq([Position(3)]));
        assert_eq!(Change::Paid { until: Day(9) }.ended().count(), 0);
    }

    #[test]
    fn a_deletion_of_nothing_or_of_too_much_is_refused() {
        for count in [0, DELETIONS_MAX as u8 + 1] {
            let bytes = [&[1, DELETED, 0, 0, 0, 0, count][..], &[0; DELETION_BYTES * 16]].concat();
            assert_eq!(Change::decode(&bytes), Err(DecodeError::Invalid { field: "deletions" }));
        }
    }
}
