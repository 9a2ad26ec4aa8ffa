//! A device's seat at its desk: who it is, and what it holds for each epoch (PROTOCOL §6).

use std::collections::BTreeMap;

use poterne_protocol::desk::CardSecret;
use poterne_protocol::keys::{KeyHash, Pin};
use poterne_protocol::mailbox::{Kind, ReadFrom};
use poterne_protocol::op::Cursor;

use crate::desk::certificate::DeviceCertificate;
use crate::desk::epoch::{Epoch, EpochSeed};
use crate::dh::DhPublic;
use crate::intake::IntakeKey;
use crate::notice::{Notice, RelayEntry};

/// What the coordinator knows of a device.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its place in the desk's roster, below 1024.
    pub index: u16,
    /// IK_V.
    pub public: DhPublic,
}

/// All that a device needs for one epoch: from the coordinator, over a channel that only the two can read.
#[derive(Clone, Debug)]
pub struct EpochGrant {
    /// Which epoch.
    pub epoch: Epoch,
    /// Its seed.
    pub seed: EpochSeed,
    /// Its notice.
    pub notice: Notice,
    /// The card's secret: with it the device looks at the notices as requesters do.
    pub card: CardSecret,
    /// The device's certificate, under the coordinator of that notice.
    pub certificate: DeviceCertificate,
}

impl EpochGrant {
    /// The intake of the epoch at one of the desk's relays, as a device names it.
    pub(super) fn intake_at(&self, relay: &RelayEntry) -> ReadFrom {
        ReadFrom {
            kind: Kind::Intake,
            read: self.seed.intake_read_key().at(&relay.pin),
            write: self.notice.intake_at(relay).write.hash(),
            delete: KeyHash::NOBODY,
        }
    }

    /// The key that opens the requests of the epoch.
    pub(super) fn intake_key(&self) -> IntakeKey {
        self.seed.intake_key(self.notice.desk(), self.epoch)
    }

    /// The entry of a relay in this epoch's notice.
    pub(super) fn relay(&self, pin: &Pin) -> Option<&RelayEntry> {
        self.notice.relays().iter().find(|relay| relay.pin == *pin)
    }
}

/// A grant in use.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) grant: EpochGrant,
    /// How far the intake was read at each relay.
    pub(super) cursors: BTreeMap<Pin, Cursor>,
}

impl Seat {
    pub(super) fn new(grant: EpochGrant) -> Self {
        Self { grant, cursors: BTreeMap::new() }
    }
}
