//! A desk whose coordinator works by hand: its notices say and certify what a test wants.

use poterne_client_core::desk::certificate::{CoordinatorCertificate, DeviceCertificate};
use poterne_client_core::desk::epoch::{Epoch, EpochSeed};
use poterne_client_core::desk::roots::{RootSet, Signatures};
use poterne_client_core::device::{Device, EpochGrant, Identity};
use poterne_client_core::dh::DhSecret;
use poterne_client_core::notice::{
    Address, Annex, NoticeDraft, NoticeHash, Published, RelayEntry, Revocations, notice_read_key,
};
use poterne_client_core::sign::SignSecret;
use poterne_protocol::card::{Card, CardExtras, CardRelay};
use poterne_protocol::desk::CardSecret;
use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, Permit, Pin, StewardKey, WriteKey};
use poterne_protocol::mailbox::{Kind, MailboxHashes, WriteTo};
use poterne_protocol::op::{Answer, Open, Payment, Put, Request};
use poterne_protocol::time::Day;
use poterne_tests::table::{Seat, Table};

use crate::people::Desk;

/// Everything that a coordinator holds.
pub struct Hand {
    roots: RootSet,
    coordinator: SignSecret,
    certificate: CoordinatorCertificate,
    secret: CardSecret,
    log_write: WriteKey,
    counter: u32,
    previous: Option<NoticeHash>,
}

impl Hand {
    /// A desk without a notice.
    pub fn new(table: &mut Table) -> Self {
        let (root, coordinator) =
            (SignSecret::generate(&mut table.rng), SignSecret::generate(&mut table.rng));
        let roots = RootSet::first(1, vec![root.public()]).unwrap();
        let today = table.now.day();
        let mut certificate = CoordinatorCertificate {
            key: coordinator.public(),
            serial: 1,
            first_day: today,
            last_day: today + 90,
            signatures: Signatures::default(),
        };
        let signature = certificate.sign(&root, &roots.desk_id(), roots.version);
        certificate.signatures.add(0, signature);
        Self {
            roots,
            coordinator,
            certificate,
            secret: CardSecret::from_bytes(&[9; 16]),
            log_write: WriteKey::from_bytes(&[7; 32]),
            counter: 0,
            previous: None,
        }
    }

    /// The desk's card.
    pub fn card(&self, table: &Table) -> Card {
        let relay = |address: &poterne_protocol::address::RelayAddress| CardRelay {
            pin: address.pin,
            notice_log: self.log_write.at(&address.pin).hash(),
            at: address.at.clone(),
        };
        let relays = table.addresses().iter().take(2).map(relay).collect();
        Card::new(self.roots.desk_id(), self.secret.clone(), relays, CardExtras::default()).unwrap()
    }

    /// The next notice, for that epoch, which revokes those devices.
    pub fn notice(
        &mut self,
        table: &mut Table,
        epoch: Epoch,
        seed: &EpochSeed,
        revoked: &[u16],
    ) -> Published {
        self.counter += 1;
        let published = self.notice_of_counter(table, epoch, seed, revoked);
        self.previous = Some(published.notice.hash());
        published
    }

    /// Another notice under the number of the last one.
    pub fn notice_of_counter(
        &self,
        table: &mut Table,
        epoch: Epoch,
        seed: &EpochSeed,
        revoked: &[u16],
    ) -> Published {
        let mut revocations = Revocations::default();
        revoked.iter().for_each(|index| revocations.insert(*index));
        let desk = self.roots.desk_id();
        let relay = |address: &poterne_protocol::address::RelayAddress| RelayEntry {
            number: address.pin.0[0],
            pin: address.pin,
            operator: address.pin.0[0].into(),
            intake_read: seed.intake_read_key().at(&address.pin).hash(),
            log_write: self.log_write.at(&address.pin).hash(),
            addresses: vec![Address::host_port(&address.at.to_string())],
        };
        let draft = NoticeDraft {
            desk,
            counter: self.counter,
            previous: self.previous,
            epoch,
            roots: self.roots.clone(),
            certificate: self.certificate.clone(),
            intake_key: seed.intake_key(desk, epoch).public().clone(),
            intake_write: seed.intake_write_key(),
            revocations,
            relays: table.addresses().iter().map(relay).collect(),
            annex: Annex::default(),
        };
        draft.publish(&self.coordinator, &self.secret, &mut table.rng).unwrap()
    }

    /// Opens intake and log of a notice at a relay and puts it there.
    pub fn publish_at(&self, table: &mut Table, pin: Pin, published: &Published) {
        let entry = published.notice.relays().iter().find(|entry| entry.pin == pin).unwrap();
        open(table, pin, published.notice.intake_at(entry).hashes(), published.notice.epoch().day, false);
        for envelope in &published.envelopes {
            self.put_into_log(table, pin, published.notice.epoch().day, envelope.clone());
        }
    }

    /// Puts an envelope into the notice log of a day.
    pub fn put_into_log(&self, table: &mut Table, pin: Pin, day: Day, envelope: SealedEnvelope) {
        let read = notice_read_key(&self.secret, &self.roots.desk_id(), day).at(&pin).hash();
        let log = WriteTo { kind: Kind::Log, write: self.log_write.at(&pin), read, delete: KeyHash::NOBODY };
        open(table, pin, log.hashes(), day, true);
        let payment = Payment::Steward(steward());
        let put = Put { to: log, class: Class::FOURTEEN, payment, envelope };
        assert!(matches!(table.ask(pin, Request::Put(put)), Ok(Answer::Stored)));
    }

    /// Publishes a notice at all relays.
    pub fn publish(&self, table: &mut Table, published: &Published) {
        for address in table.addresses() {
            self.publish_at(table, address.pin, published);
        }
    }

    /// What a device needs for the epoch of a notice.
    pub fn grant(&self, published: &Published, seed: &EpochSeed, device: Identity) -> EpochGrant {
        self.grant_by(&self.coordinator, published, seed, device)
    }

    /// The same with a certificate that somebody else has signed.
    pub fn grant_by(
        &self,
        signer: &SignSecret,
        published: &Published,
        seed: &EpochSeed,
        device: Identity,
    ) -> EpochGrant {
        let epoch = published.notice.epoch();
        let last = Epoch { day: epoch.day + 7, ..epoch };
        let desk = self.roots.desk_id();
        let certificate = DeviceCertificate::sign(signer, &desk, 1, device.index, device.public, last);
        let (notice, card) = (published.notice.clone(), self.secret.clone());
        EpochGrant { epoch, seed: seed.clone(), notice, card, certificate }
    }
}

/// A device without a seat.
pub fn device(table: &mut Table, index: u16) -> Desk {
    let machine = Device::join(DhSecret::generate(&mut table.rng), index, Vec::new());
    Seat::new(machine, table.vault())
}

/// Lets a device have a grant.
pub fn seat(table: &mut Table, device: &mut Desk, grant: EpochGrant) {
    device.machine.take_grants(vec![grant]);
    device.settle(table);
}

/// The epoch of today.
pub fn today(table: &Table) -> Epoch {
    Epoch { day: table.now.day(), generation: 0 }
}

fn steward() -> StewardKey {
    StewardKey::from_bytes(&[5; 32])
}

fn open(table: &mut Table, pin: Pin, mailbox: MailboxHashes, day: Day, gated: bool) {
    let open = Open {
        permit: Permit::from_bytes(&[1; 32]),
        mailbox,
        last_day: day + 1,
        quota: 0,
        gated,
        steward: steward().hash(),
    };
    assert!(matches!(table.ask(pin, Request::Open(open)), Ok(Answer::Opened)));
}
