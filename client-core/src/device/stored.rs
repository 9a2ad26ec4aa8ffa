//! A device at rest: the desk, its epochs, its cases (docs/spec/client.md §6).

mod case;
mod coordinator;
mod seat;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(super) use case::{erase_case, write_case};
pub(super) use seat::{erase_seat, write_seat};

use super::Device;
use super::coordinator::Coordinator;
use super::seat::Identity;
use crate::dh::{DhPublic, DhSecret};
use crate::records::{self, CASE, DESK, EPOCH, Records};
use crate::stored::{self, StoredError};
use crate::vault::Batch;
use case::load_case;
use coordinator::CoordinatorPlain;
use seat::load_seat;

const VERSION: u8 = 1;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct DeskPlain {
    identity: [u8; 32],
    index: u16,
    coordinator: Option<CoordinatorPlain>,
    others: Vec<(u16, [u8; 32])>,
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

/// The device of a vault.
pub(super) fn load(records: &impl Records) -> Result<Option<Device>, StoredError> {
    let Some(record) = records.record(DESK)? else { return Ok(None) };
    let plain: DeskPlain = stored::load(VERSION, &record)?;
    let coordinator = plain.coordinator.as_ref().map(Coordinator::try_from).transpose()?;
    let mut device = Device::with(DhSecret::from_bytes(&plain.identity), plain.index, coordinator);
    let other = |(index, public): &(u16, [u8; 32])| Identity { index: *index, public: DhPublic(*public) };
    device.others = plain.others.iter().map(other).collect();
    for key in records.keys_with(&[EPOCH]) {
        load_seat(&mut device, &key, &records::require(records, &key)?)?;
    }
    for id in records::ids(records, CASE) {
        device.cases.insert(id, load_case(records, id)?);
    }
    Ok(Some(device))
}
