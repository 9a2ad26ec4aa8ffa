//! An epoch at rest, with what its coordinator has published for it (docs/spec/client.md §6).

use poterne_protocol::desk::CardSecret;
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::{Pin, StewardKey};
use poterne_protocol::op::Cursor;
use poterne_protocol::time::Day;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::VERSION;
use crate::desk::certificate::DeviceCertificate;
use crate::desk::epoch::{Epoch, EpochSeed};
use crate::device::Device;
use crate::device::coordinator::{PublishedDay, PublishedPlace};
use crate::device::seat::{EpochGrant, Seat};
use crate::notice::Notice;
use crate::records::EPOCH;
use crate::stored::{self, StoredError};
use crate::vault::Batch;

/// Puts an epoch into the batch.
pub(in crate::device) fn write_seat(batch: &mut Batch, seat: &Seat, made: Option<&PublishedDay>) {
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
pub(in crate::device) fn erase_seat(batch: &mut Batch, epoch: Epoch) {
    batch.delete(&seat_key(epoch));
}

/// Takes an epoch of a vault into its device.
pub(super) fn load_seat(device: &mut Device, key: &[u8], record: &[u8]) -> Result<(), StoredError> {
    let epoch = epoch_of_key(key).ok_or(StoredError::Damaged)?;
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

fn seat_key(epoch: Epoch) -> Vec<u8> {
    [&[EPOCH][..], &epoch.day.0.to_be_bytes(), &epoch.generation.to_be_bytes()].concat()
}

fn epoch_of_key(key: &[u8]) -> Option<Epoch> {
    let rest: &[u8; 6] = key.get(1..)?.try_into().ok()?;
    let day = Day(u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]));
    Some(Epoch { day, generation: u16::from_be_bytes([rest[4], rest[5]]) })
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
