//! The records of the log (docs/spec/store.md §6): what a block's table holds.
//!
//! Each record belongs to an owner, 32 bytes: a mailbox, a permit or credit, or a lease tag. A record stands until a
//! later one of its owner drops it by its address, so what holds of an owner is found from the addresses of its
//! standing records alone, in the order in which they were first written.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::limits::{CLAIM_MEMORY_DAYS, CLASSES_DAYS, TOMBSTONE_DAYS};
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::ClaimId;
use poterne_protocol::time::Day;
use poterne_relay_core::change::{Arrival, Change, DELETIONS_MAX, Locator, Position};
use poterne_relay_core::state::LeaseTag;
use poterne_relay_core::store::VoucherId;

use super::page::Address;
use super::shared::Mode;

const CHANGE: u8 = 1;
const VOUCHER: u8 = 2;
const LEASE: u8 = 3;
const DROP: u8 = 4;
const KIND_MASK: u8 = 0x0f;
/// The record is a copy; the address of the first writing follows.
const COPIED: u8 = 0x10;
/// The places in the order of the puts that this record ends follow.
const GHOSTS: u8 = 0x20;
/// The last day on which it matters follows.
const LASTS: u8 = 0x40;
/// The places in the order of the puts that this record ends are their addresses, which it drops.
const GHOSTS_ARE_DROPS: u8 = 0x80;
/// Addresses that one record drops at most: a copy drops its original too.
pub const DROPS_MAX: usize = DELETIONS_MAX + 1;
/// A ghost where none is needed: what it would stand for was not there.
const NO_GHOST: u64 = 0;
/// Bytes of a table that a record takes at least, about.
const TABLE_BYTES: usize = 60;
/// Bytes that it takes more for each envelope that it ends: its ghost, position and id.
const DELETION_TABLE_BYTES: usize = 32;
/// Days after its last day for which an intake or log can still hold something: the longest class, tombstones of what
/// expired then, and a day for the lease that ends after midnight.
const OPENED_DAYS: u32 = CLASS_DAYS_MAX + TOMBSTONE_DAYS + 1;
const CLASS_DAYS_MAX: u32 = CLASSES_DAYS[CLASSES_DAYS.len() - 1] as u32;

/// Whose record it is. `Debug` is absent: owners stand in no log.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Owner(pub [u8; 32]);

impl From<&MailboxId> for Owner {
    fn from(id: &MailboxId) -> Self {
        Self(id.0)
    }
}

impl From<&VoucherId> for Owner {
    fn from(id: &VoucherId) -> Self {
        Self(id.0)
    }
}

impl From<&LeaseTag> for Owner {
    fn from(tag: &LeaseTag) -> Self {
        let mut owner = [0; 32];
        owner[..16].copy_from_slice(&tag.0);
        Self(owner)
    }
}

/// A record of the log.
#[derive(Clone, Eq, PartialEq)]
pub struct Record {
    /// Whose it is.
    pub owner: Owner,
    /// Earlier records of the owner that stand no more, at most [`DROPS_MAX`].
    pub drops: Vec<Address>,
    /// Where it was first written, if this is a copy: its place in the order.
    pub copy_of: Option<Address>,
    /// The last day on which it matters, where its content tells none.
    pub lasts: Option<Day>,
    /// What it says.
    pub content: Content,
}

/// What a record says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A step of a mailbox. One that ends puts holds the place in the order of each, its *ghost*, as
    /// [`Change::ended`] has them: the rules still need that it was counted, and its position; see [`ghost`]. Else
    /// there is none.
    Change(Change, Vec<Option<Address>>),
    /// Nothing: it only drops.
    Drop,
    /// The mailbox and claim of a lease tag.
    Lease(MailboxId, ClaimId),
    /// How many uses are left of a permit or credit.
    Voucher(u32),
}

impl Record {
    /// A first writing.
    pub fn new(owner: Owner, drops: Vec<Address>, content: Content) -> Self {
        Self { owner, drops, copy_of: None, lasts: None, content }
    }

    /// Whether it stands for something until it is dropped. The others only drop.
    pub fn stands(&self) -> bool {
        self.content != Content::Drop
    }

    /// How many of its drops, from the first, are told for the first time. A copy drops what it is a copy of; what
    /// follows there only repeats the first writing, for whoever reads the log from the beginning.
    pub fn fresh_drops(&self, mode: Mode) -> usize {
        match (mode, self.copy_of, self.stands()) {
            (Mode::Rebuild, _, _) | (_, None, _) => self.drops.len(),
            (Mode::Next, Some(_), true) => 1,
            (Mode::Next, Some(_), false) => 0,
        }
    }

    /// Its place in the order of its owner's records, when it is found at `at`.
    pub fn order(&self, at: Address) -> Address {
        self.copy_of.unwrap_or(at)
    }

    /// Its copy, when it is found at `at`, which repeats those of its drops; and a record that repeats what does not go
    /// into the copy.
    pub fn copied(self, at: Address, needed: Vec<Address>) -> (Self, Option<Self>) {
        let mut drops = vec![at];
        drops.extend(needed);
        let more = drops.split_off(drops.len().min(DROPS_MAX));
        let more = (!more.is_empty()).then(|| self.repeated(at, more));
        (Self { drops, copy_of: Some(self.order(at)), ..self }, more)
    }

    /// A record that repeats some of its drops and says nothing else, when it is found at `at`.
    pub fn repeated(&self, at: Address, drops: Vec<Address>) -> Self {
        Self { copy_of: Some(self.order(at)), ..Self::new(self.owner, drops, Content::Drop) }
    }

    /// The last day on which the envelope that it attaches is served.
    pub fn served_until(&self) -> Option<Day> {
        match &self.content {
            Content::Change(Change::Put(arrival), _) => Some(arrival.last_day),
            _ => None,
        }
    }

    /// The id of the envelope that it attaches.
    pub fn envelope_id(&self) -> Option<EnvelopeId> {
        match &self.content {
            Content::Change(Change::Put(arrival), _) => Some(arrival.id),
            _ => None,
        }
    }

    /// The last day on which it matters; `None` where only a later record ends it.
    pub fn until(&self) -> Option<Day> {
        let Content::Change(change, _) = &self.content else { return self.lasts };
        match change {
            Change::Claimed(lease) => Some(claim_memory(lease.claimed_at.day())),
            Change::Deleted { day, .. } => Some(*day + TOMBSTONE_DAYS),
            Change::Closed { last_day } => Some(opened_memory(*last_day)),
            Change::Numbered { .. } | Change::Released { .. } => self.lasts,
            Change::Extended { ends, .. } => Some(claim_memory(ends.day())),
            Change::Lost { position } => Some(day_of(*position) + CLASS_DAYS_MAX + TOMBSTONE_DAYS),
            Change::Opened(opening) => Some(opened_memory(opening.last_day)),
            Change::Paid { until } => Some(*until),
            Change::Put(arrival) => Some(arrival.last_day + TOMBSTONE_DAYS),
        }
    }

    /// About how many bytes of a table it takes.
    pub fn table_bytes(&self) -> u32 {
        let ghosts = match &self.content {
            Content::Change(_, ghosts) => ghosts.len(),
            _ => 0,
        };
        (TABLE_BYTES + self.drops.len() * size_of::<Address>() + ghosts * DELETION_TABLE_BYTES) as u32
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(128);
        let ghosts = match &self.content {
            Content::Change(_, ghosts) => ghosts.as_slice(),
            _ => &[],
        };
        let copied = self.copy_of.map_or(0, |_| COPIED);
        let lasts = self.lasts.map_or(0, |_| LASTS);
        let are_drops = !ghosts.is_empty() && ghosts.iter().copied().eq(self.drops.iter().copied().map(Some));
        let has_ghosts = match (ghosts.is_empty(), are_drops) {
            (true, _) => 0,
            (false, true) => GHOSTS_ARE_DROPS,
            (false, false) => GHOSTS,
        };
        out.u8(self.content.number() | copied | lasts | has_ghosts);
        out.put(&self.owner.0).u8(self.drops.len() as u8);
        for drop in &self.drops {
            out.u64(drop.to_number());
        }
        if let Some(first) = self.copy_of {
            out.u64(first.to_number());
        }
        if has_ghosts == GHOSTS {
            out.u8(ghosts.len() as u8);
            for ghost in ghosts {
                out.u64(ghost.map_or(NO_GHOST, Address::to_number));
            }
        }
        if let Some(last) = self.lasts {
            out.u32(last.0);
        }
        self.content.encode(&mut out);
        out.into_vec()
    }

    /// Reads the bytes of [`Record::encode`], found at `at`: an arrival comes out placed.
    pub fn decode(bytes: &[u8], at: Address) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let first = input.u8()?;
        let owner = Owner(input.array()?);
        let count = input.u8()?;
        if usize::from(count) > DROPS_MAX {
            return Err(DecodeError::Invalid { field: "drops" });
        }
        let drops = (0..count).map(|_| decode_address(&mut input)).collect::<Result<Vec<_>, _>>()?;
        let copy_of = (first & COPIED != 0).then(|| decode_address(&mut input)).transpose()?;
        let ghosts = match first & (GHOSTS | GHOSTS_ARE_DROPS) {
            0 => Vec::new(),
            GHOSTS => decode_ghosts(&mut input)?,
            GHOSTS_ARE_DROPS => drops.iter().copied().map(Some).collect(),
            _ => return Err(DecodeError::Invalid { field: "ghosts" }),
        };
        let lasts = (first & LASTS != 0).then(|| input.u32().map(Day)).transpose()?;
        let content = Content::decode(first & KIND_MASK, ghosts, &mut input, at)?;
        input.finish()?;
        Ok(Self { owner, drops, copy_of, lasts, content })
    }
}

impl Content {
    /// A step that ends no put.
    pub fn change(change: Change) -> Self {
        Self::Change(change, Vec::new())
    }

    fn number(&self) -> u8 {
        match self {
            Self::Change(..) => CHANGE,
            Self::Drop => DROP,
            Self::Lease(..) => LEASE,
            Self::Voucher(_) => VOUCHER,
        }
    }

    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Change(change, _) => drop(out.put(&change.encode())),
            Self::Drop => {}
            Self::Lease(mailbox, claim) => drop(out.put(&mailbox.0).put(&claim.0)),
            Self::Voucher(left) => drop(out.u32(*left)),
        }
    }

    fn decode(
        kind: u8,
        ghosts: Vec<Option<Address>>,
        input: &mut Reader<'_>,
        at: Address,
    ) -> Result<Self, DecodeError> {
        Ok(match kind {
            CHANGE => {
                let mut change = Change::decode(input.rest())?;
                change.place(Locator(at.to_number()));
                if !ghosts.is_empty() && ghosts.len() != change.ended().count() {
                    return Err(DecodeError::Invalid { field: "ghosts" });
                }
                Self::Change(change, ghosts)
            }
            DROP => Self::Drop,
            LEASE => Self::Lease(MailboxId(input.array()?), ClaimId(input.array()?)),
            VOUCHER => Self::Voucher(input.u32()?),
            value => return Err(DecodeError::UnknownType { value }),
        })
    }
}

/// What is left of a put whose envelope was ended: enough for the rules to count it and to go past its position. Its id
/// is nobody's.
pub fn ghost(position: Position) -> Change {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&position.0.to_le_bytes());
    let (day, at) = (day_of(position), Locator::UNPLACED);
    Change::Put(Arrival { position, id: EnvelopeId(id), day, last_day: day, at })
}

/// The last day on which anything of a claim of `day` matters: its lease may end a day later, and is remembered from
/// then.
pub fn claim_memory(day: Day) -> Day {
    day + (1 + CLAIM_MEMORY_DAYS + 1)
}

/// The last day on which an intake or log that takes envelopes up to `last_day` can hold anything.
pub fn opened_memory(last_day: Day) -> Day {
    last_day + OPENED_DAYS
}

/// The day that a position was given on.
fn day_of(position: Position) -> Day {
    Day((position.0 >> 32) as u32)
}

fn decode_ghosts(input: &mut Reader<'_>) -> Result<Vec<Option<Address>>, DecodeError> {
    let count = input.u8()?;
    if !(1..=DELETIONS_MAX).contains(&usize::from(count)) {
        return Err(DecodeError::Invalid { field: "ghosts" });
    }
    let ghost = |number| (number != NO_GHOST).then(|| Address::from_number(number));
    (0..count).map(|_| input.u64().map(ghost)).collect()
}

fn decode_address(input: &mut Reader<'_>) -> Result<Address, DecodeError> {
    input.u64().map(Address::from_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_repeats_all_that_is_needed_however_much_that_is() {
        let at = Address::from_number(99);
        for count in [0, 5, DROPS_MAX - 1, DROPS_MAX] {
            let needed: Vec<Address> = (1..=count as u64).map(Address::from_number).collect();
            let record = Record::new(Owner([1; 32]), needed.clone(), Content::Voucher(1));
            let (copy, more) = record.copied(at, needed.clone());
            let more = more.map_or(Vec::new(), |more| more.drops);
            assert!(copy.drops.len() <= DROPS_MAX && copy.copy_of == Some(at));
            assert!([copy.drops, more].concat() == [vec![at], needed].concat(), "{count} drops");
        }
    }
}
