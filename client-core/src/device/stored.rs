//! A device at rest: the desk, its epochs, its cases (docs/spec/client.md §6).

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::codec::Reader;
use poterne_protocol::desk::CardSecret;
use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{Permit, Pin, StewardKey, WriteKey};
use poterne_protocol::op::{ClaimId, Cursor, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Device;
use super::case::{Case, Lease, Stage};
use super::coordinator::{Coordinator, DeskRelay, PublishedDay, PublishedPlace};
use super::seat::{EpochGrant, Identity, Seat};
use crate::body::kinds::ForkReport;
use crate::body::{Assembler, Part, PartMark};
use crate::desk::certificate::{CoordinatorCertificate, DeviceCertificate};
use crate::desk::epoch::{Epoch, EpochSeed};
use crate::desk::roots::RootSet;
use crate::dh::{DhPublic, DhSecret};
use crate::files;
use crate::intake::OpenedRequest;
use crate::notice::{Notice, NoticeHash};
use crate::records::{self, CASE, DESK, EPOCH, LocalId, Records};
use crate::sign::SignSecret;
use crate::stored::{self, StoredError};
use crate::talk::{Talk, TalkPlain};
use crate::thread::{Draft, DraftPlain, Thread, ThreadPlain};
use crate::transcript::Author;
use crate::vault::Batch;

const VERSION: u8 = 1;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct DeskPlain {
    identity: [u8; 32],
    index: u16,
    coordinator: Option<CoordinatorPlain>,
    others: Vec<(u16, [u8; 32])>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct CoordinatorPlain {
    name: String,
    root: [u8; 32],
    roots: Vec<u8>,
    key: [u8; 32],
    certificate: Vec<u8>,
    card_secret: [u8; 16],
    log_write: [u8; 32],
    relays: Vec<RelayPlain>,
    counter: u32,
    previous: Option<[u8; 32]>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct RelayPlain {
    number: u8,
    pin: [u8; 16],
    operator: u16,
    at: String,
    permit: [u8; 32],
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct SeatPlain {
    seed: [u8; 32],
    notice: Vec<u8>,
    card: [u8; 16],
    certificate: Vec<u8>,
    cursors: Vec<([u8; 16], [u8; 16])>,
    published: Option<PublishedPlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PublishedPlain {
    envelopes: Vec<Vec<u8>>,
    places: Vec<PlacePlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PlacePlain {
    pin: [u8; 16],
    intake_steward: [u8; 32],
    log_steward: [u8; 32],
    done: u32,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct CasePlain {
    request: Vec<u8>,
    epoch: (u32, u16),
    m0: [u8; 16],
    seen_at: Vec<[u8; 16]>,
    arrived: u64,
    place: u64,
    parts: Vec<PartPlain>,
    complete: bool,
    stage: u8,
    claim: Option<[u8; 16]>,
    lease: Option<LeasePlain>,
    talk: Option<TalkPlain>,
    held: Vec<u64>,
    erase_at: Vec<[u8; 16]>,
    follow_ups_done: bool,
    relays: [Option<[u8; 16]>; 2],
    drafts: Vec<DraftPlain>,
    fork: Option<(u32, u32)>,
    thread: ThreadPlain,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PartPlain {
    n: u32,
    kind: u8,
    mark: u16,
    bytes: Vec<u8>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct LeasePlain {
    relay: [u8; 16],
    token: [u8; 16],
    number: u32,
    claimed_at: u64,
    ends: u64,
}

/// Puts the desk into the batch.
pub(super) fn write_desk(batch: &mut Batch, device: &Device) {
    let plain = DeskPlain {
        identity: *device.identity.expose(),
        index: device.index,
        coordinator: device.coordinator.as_ref().map(CoordinatorPlain::from),
        others: device.others.iter().map(|other| (other.index, other.public.0)).collect(),
    };
    batch.put(DESK, stored::save(VERSION, &plain));
}

/// Puts an epoch into the batch.
pub(super) fn write_seat(batch: &mut Batch, seat: &Seat, made: Option<&PublishedDay>) {
    let plain = SeatPlain {
        seed: *seat.grant.seed.expose(),
        notice: seat.grant.notice.to_stored().to_vec(),
        card: *seat.grant.card.expose(),
        certificate: seat.grant.certificate.encode(),
        cursors: seat.cursors.iter().map(|(pin, cursor)| (pin.0, cursor.0)).collect(),
        published: made.map(PublishedPlain::from),
    };
    batch.put(&seat_key(seat.grant.epoch), stored::save(VERSION, &plain));
}

/// Puts the removal of an epoch into the batch.
pub(super) fn erase_seat(batch: &mut Batch, epoch: Epoch) {
    batch.delete(&seat_key(epoch));
}

/// Puts a case into the batch.
pub(super) fn write_case(batch: &mut Batch, case: &Case) {
    records::write(batch, &records::key(CASE, case.id()), stored::save(VERSION, &CasePlain::from(case)));
    files::write(batch, &case.thread, &case.drafts);
}

/// Puts the removal of a case that was never answered into the batch.
pub(super) fn erase_case(batch: &mut Batch, case: &Case) {
    records::erase(batch, &records::key(CASE, case.id()));
    for entry in case.thread.outbox.ids() {
        batch.delete(&records::envelope_key(case.id(), entry));
    }
    case.thread.files.erase(case.id(), batch);
    for position in case.shown_positions() {
        batch.delete(&position.key(records::MESSAGE, case.id()));
    }
}

fn seat_key(epoch: Epoch) -> Vec<u8> {
    [&[EPOCH][..], &epoch.day.0.to_be_bytes(), &epoch.generation.to_be_bytes()].concat()
}

fn epoch_of_key(key: &[u8]) -> Option<Epoch> {
    let rest: &[u8; 6] = key.get(1..)?.try_into().ok()?;
    let day = Day(u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]));
    Some(Epoch { day, generation: u16::from_be_bytes([rest[4], rest[5]]) })
}

/// The device of a vault.
pub(super) fn load(records: &impl Records) -> Result<Option<Device>, StoredError> {
    let Some(record) = records.record(DESK)? else { return Ok(None) };
    let plain: DeskPlain = stored::load(VERSION, &record)?;
    let coordinator = plain.coordinator.as_ref().map(Coordinator::try_from).transpose()?;
    let mut device = Device::with(DhSecret::from_bytes(&plain.identity), plain.index, coordinator);
    let other = |(index, public): &(u16, [u8; 32])| Identity { index: *index, public: DhPublic(*public) };
    device.others = plain.others.iter().map(other).collect();
    for key in records.keys_with(&[EPOCH]) {
        let epoch = epoch_of_key(&key).ok_or(StoredError::Damaged)?;
        load_seat(&mut device, epoch, &records::require(records, &key)?)?;
    }
    for id in records::ids(records, CASE) {
        device.cases.insert(id, load_case(records, id)?);
    }
    Ok(Some(device))
}

fn load_seat(device: &mut Device, epoch: Epoch, record: &[u8]) -> Result<(), StoredError> {
    let plain: SeatPlain = stored::load(VERSION, record)?;
    let grant = EpochGrant {
        epoch,
        seed: EpochSeed::from_bytes(&plain.seed),
        notice: Notice::from_stored(&plain.notice)?,
        card: CardSecret::from_bytes(&plain.card),
        certificate: DeviceCertificate::parse(&plain.certificate).map_err(|_| StoredError::Damaged)?,
    };
    if let (Some(coordinator), Some(published)) = (&mut device.coordinator, &plain.published) {
        coordinator.days.insert(epoch, published.with(&grant)?);
    }
    let cursors = plain.cursors.iter().map(|(pin, cursor)| (Pin(*pin), Cursor(*cursor))).collect();
    device.seats.insert(epoch, Seat { grant, cursors });
    Ok(())
}

impl From<&Coordinator> for CoordinatorPlain {
    fn from(from: &Coordinator) -> Self {
        Self {
            name: from.name.clone(),
            root: *from.root.expose_seed(),
            roots: from.roots.encode(),
            key: *from.key.expose_seed(),
            certificate: from.certificate.encode(),
            card_secret: *from.card_secret.expose(),
            log_write: *from.log_write.expose(),
            relays: from.relays.iter().map(RelayPlain::from).collect(),
            counter: from.counter,
            previous: from.previous.map(|hash| hash.0),
        }
    }
}

impl TryFrom<&CoordinatorPlain> for Coordinator {
    type Error = StoredError;

    fn try_from(plain: &CoordinatorPlain) -> Result<Self, StoredError> {
        let damaged = |_| StoredError::Damaged;
        Ok(Self {
            name: plain.name.clone(),
            root: SignSecret::from_seed(&plain.root),
            roots: RootSet::read(&mut Reader::new(&plain.roots)).map_err(damaged)?,
            key: SignSecret::from_seed(&plain.key),
            certificate: CoordinatorCertificate::parse(&plain.certificate).map_err(damaged)?,
            card_secret: CardSecret::from_bytes(&plain.card_secret),
            log_write: WriteKey::from_bytes(&plain.log_write),
            relays: plain.relays.iter().map(DeskRelay::try_from).collect::<Result<_, _>>()?,
            counter: plain.counter,
            previous: plain.previous.map(NoticeHash),
            days: BTreeMap::new(),
        })
    }
}

impl From<&DeskRelay> for RelayPlain {
    fn from(from: &DeskRelay) -> Self {
        Self {
            number: from.number,
            pin: from.pin.0,
            operator: from.operator,
            at: from.at.to_string(),
            permit: *from.permit.expose(),
        }
    }
}

impl TryFrom<&RelayPlain> for DeskRelay {
    type Error = StoredError;

    fn try_from(plain: &RelayPlain) -> Result<Self, StoredError> {
        Ok(Self {
            number: plain.number,
            pin: Pin(plain.pin),
            operator: plain.operator,
            at: plain.at.parse().map_err(|_| StoredError::Damaged)?,
            permit: Permit::from_bytes(&plain.permit),
        })
    }
}

impl From<&PublishedDay> for PublishedPlain {
    fn from(from: &PublishedDay) -> Self {
        let place = |(pin, place): (&Pin, &PublishedPlace)| PlacePlain {
            pin: pin.0,
            intake_steward: *place.intake_steward.expose(),
            log_steward: *place.log_steward.expose(),
            done: place.done,
        };
        Self {
            envelopes: from.envelopes.iter().map(|envelope| envelope.as_bytes().to_vec()).collect(),
            places: from.places.iter().map(place).collect(),
        }
    }
}

impl PublishedPlain {
    fn with(&self, grant: &EpochGrant) -> Result<PublishedDay, StoredError> {
        let envelope = |bytes: &Vec<u8>| SealedEnvelope::parse(bytes).map_err(|_| StoredError::Damaged);
        let place = |plain: &PlacePlain| {
            let place = PublishedPlace {
                intake_steward: StewardKey::from_bytes(&plain.intake_steward),
                log_steward: StewardKey::from_bytes(&plain.log_steward),
                done: plain.done,
            };
            (Pin(plain.pin), place)
        };
        Ok(PublishedDay {
            envelopes: self.envelopes.iter().map(envelope).collect::<Result<_, _>>()?,
            seed: grant.seed.clone(),
            notice: grant.notice.clone(),
            places: self.places.iter().map(place).collect(),
        })
    }
}

impl From<&Case> for CasePlain {
    fn from(from: &Case) -> Self {
        let part = |(_, n, part): (u32, u32, &Part)| PartPlain {
            n,
            kind: part.kind,
            mark: part.mark.to_wire(),
            bytes: part.bytes.to_vec(),
        };
        Self {
            request: from.request.to_stored().to_vec(),
            epoch: (from.epoch.day.0, from.epoch.generation),
            m0: from.m0.0,
            seen_at: from.seen_at.iter().map(|pin| pin.0).collect(),
            arrived: from.arrived.0,
            place: from.place,
            parts: from.parts.parts().map(part).collect(),
            complete: from.complete,
            stage: from.stage.number(),
            claim: from.claim.map(|claim| claim.0),
            lease: from.lease.map(LeasePlain::from),
            talk: from.talk.as_ref().map(Talk::to_plain),
            held: from.held.clone(),
            erase_at: from.erase_at.iter().map(|pin| pin.0).collect(),
            follow_ups_done: from.follow_ups_done,
            relays: from.relays.map(|pin| pin.map(|pin| pin.0)),
            drafts: from.drafts.iter().map(DraftPlain::from).collect(),
            fork: from.fork.map(|fork| (fork.chain, fork.n)),
            thread: from.thread.to_plain(),
        }
    }
}

fn load_case(records: &impl Records, id: LocalId) -> Result<Case, StoredError> {
    let plain: CasePlain = stored::load(VERSION, &records::read(records, &records::key(CASE, id))?)?;
    let mut parts = Assembler::default();
    for PartPlain { n, kind, mark, bytes } in &plain.parts {
        let mark = PartMark::from_wire(*mark);
        parts.insert(0, *n, Part { kind: *kind, mark, bytes: Zeroizing::new(bytes.clone()) });
    }
    let (day, generation) = plain.epoch;
    let pins = |pins: &[[u8; 16]]| pins.iter().copied().map(Pin).collect();
    let mut case = Case {
        request: OpenedRequest::from_stored(&plain.request)?,
        epoch: Epoch { day: Day(day), generation },
        m0: EnvelopeId(plain.m0),
        seen_at: pins(&plain.seen_at),
        arrived: UnixTime(plain.arrived),
        place: plain.place,
        parts,
        complete: plain.complete,
        stage: Stage::parse(plain.stage).ok_or(StoredError::Damaged)?,
        claim: plain.claim.map(ClaimId),
        lease: plain.lease.as_ref().map(Lease::from),
        talk: plain.talk.as_ref().map(Talk::from_plain).transpose()?,
        held: plain.held.clone(),
        erase_at: pins(&plain.erase_at),
        follow_ups_done: plain.follow_ups_done,
        relays: plain.relays.map(|pin| pin.map(Pin)),
        drafts: plain.drafts.iter().map(Draft::from).collect(),
        thread: Thread::from_plain(&plain.thread, records, id, Author::Volunteer)?,
        leased_elsewhere: false,
        peer_moves_to: None,
        polled: BTreeSet::new(),
        silent: BTreeSet::new(),
        cover_wanted: false,
        fork: plain.fork.map(|(chain, n)| ForkReport { chain, n }),
        retry_at: UnixTime(0),
    };
    files::load(records, &mut case.thread, &mut case.drafts)?;
    Ok(case)
}

impl From<Lease> for LeasePlain {
    fn from(from: Lease) -> Self {
        Self {
            relay: from.relay.0,
            token: from.token.0,
            number: from.number,
            claimed_at: from.claimed_at.0,
            ends: from.ends.0,
        }
    }
}

impl From<&LeasePlain> for Lease {
    fn from(plain: &LeasePlain) -> Self {
        Self {
            relay: Pin(plain.relay),
            token: LeaseToken(plain.token),
            number: plain.number,
            claimed_at: UnixTime(plain.claimed_at),
            ends: UnixTime(plain.ends),
        }
    }
}
