//! A coordinator at rest (docs/spec/client.md §6). What it has published lies with the epochs.

use std::collections::BTreeMap;

use poterne_protocol::codec::Reader;
use poterne_protocol::desk::CardSecret;
use poterne_protocol::keys::{Permit, Pin, WriteKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::desk::certificate::CoordinatorCertificate;
use crate::desk::roots::RootSet;
use crate::device::coordinator::{Coordinator, DeskRelay};
use crate::notice::NoticeHash;
use crate::sign::SignSecret;
use crate::stored::StoredError;

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct CoordinatorPlain {
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
