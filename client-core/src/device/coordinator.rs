//! The coordinator: makes a desk, and publishes its notices some days ahead (docs/spec/notice.md §7).
//!
//! For each epoch and relay the steps are: open the intake, open the notice log, put the annex, put the head. Each may be
//! repeated, so a crash repeats some and loses none. What was sealed for a day is kept, and only those bytes are put.
//!
//! Here a desk has one root and one coordinator in one vault; the formats carry k of n roots and further devices.

use std::collections::BTreeMap;

use poterne_protocol::address::HostPort;
use poterne_protocol::address::RelayAddress;
use poterne_protocol::card::{Card, CardError, CardExtras, CardRelay};
use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::{KeyHash, Permit, Pin, StewardKey, WriteKey};
use poterne_protocol::mailbox::{Kind, MailboxHashes, WriteTo};
use poterne_protocol::op::{Answer, Open, Payment, Put, Request};
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;

use crate::desk::certificate::{COORDINATOR_DAYS_MAX, CoordinatorCertificate, DeviceCertificate};
use crate::desk::epoch::{Epoch, EpochSeed};
use crate::desk::roots::{RootSet, Signatures};
use crate::device::seat::{EpochGrant, Identity};
use crate::device::{CreateError, RELAYS_MAX};
use crate::notice::{self, Address, Annex, Notice, NoticeDraft, NoticeHash, RelayEntry};
use crate::sign::SignSecret;

/// Days ahead for which notices are published.
pub const PUBLISHED_AHEAD_DAYS: u32 = 4;
/// Days ahead that are left when the desk is warned.
pub const WARNING_DAYS: u32 = 2;
/// Days after its own for which an epoch's device certificates last.
const DEVICE_CERTIFICATE_DAYS: u32 = 7;
/// Days after which an intake takes no more requests: its own, and the day of grace.
const INTAKE_OPEN_DAYS: u32 = 1;

/// A relay that a desk uses.
#[derive(Clone, Debug)]
pub struct DeskRelay {
    /// 1–255, for ever this pin's.
    pub number: u8,
    /// Which relay.
    pub pin: Pin,
    /// Relays of one operator have one number here.
    pub operator: u16,
    /// Where it is.
    pub at: HostPort,
    /// Shown when something is opened there.
    pub permit: Permit,
}

/// What only the coordinator of a desk holds.
pub struct Coordinator {
    pub(super) name: String,
    pub(super) root: SignSecret,
    pub(super) roots: RootSet,
    pub(super) key: SignSecret,
    pub(super) certificate: CoordinatorCertificate,
    pub(super) card_secret: CardSecret,
    pub(super) log_write: WriteKey,
    pub(super) relays: Vec<DeskRelay>,
    pub(super) counter: u32,
    pub(super) previous: Option<NoticeHash>,
    pub(super) days: BTreeMap<Epoch, PublishedDay>,
}

/// One epoch's notice and how far it has come at each relay.
pub(super) struct PublishedDay {
    pub(super) envelopes: Vec<SealedEnvelope>,
    pub(super) seed: EpochSeed,
    pub(super) notice: Notice,
    pub(super) places: BTreeMap<Pin, PublishedPlace>,
}

/// One epoch at one relay.
pub(super) struct PublishedPlace {
    pub(super) intake_steward: StewardKey,
    pub(super) log_steward: StewardKey,
    /// 0 nothing, 1 the intake is open, 2 the log too, 2 + n after n envelopes.
    pub(super) done: u32,
}

/// Which step of publishing a call is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Step {
    pub(super) epoch: Epoch,
    pub(super) number: u32,
}

impl Step {
    /// Whether it opens the notice log, which everybody with the card can name.
    pub(super) fn opens_log(self) -> bool {
        self.number == 1
    }
}

impl Coordinator {
    /// A new desk with one root and one coordinator, at those relays.
    pub fn create(
        name: &str,
        relays: &[RelayAddress],
        today: Day,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CreateError> {
        let (root, key) = (SignSecret::generate(rng), SignSecret::generate(rng));
        let roots = RootSet::first(1, vec![root.public()]).expect("one of one is a root set");
        let certificate = certify(&root, &roots, &key, 1, today);
        let mut card_secret = [0; 16];
        rng.fill_bytes(&mut card_secret);
        let coordinator = Self {
            name: name.to_owned(),
            certificate,
            card_secret: CardSecret::from_bytes(&card_secret),
            log_write: WriteKey::generate(rng),
            relays: numbered(relays, rng),
            counter: 0,
            previous: None,
            days: BTreeMap::new(),
            root,
            roots,
            key,
        };
        let is_sound = (1..=RELAYS_MAX).contains(&relays.len()) && coordinator.try_card().is_ok();
        if is_sound { Ok(coordinator) } else { Err(CreateError::Relays) }
    }

    /// The desk's id: the hash of its first root set.
    pub fn desk(&self) -> DeskId {
        self.roots.desk_id()
    }

    /// The name that its people gave the desk.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What requesters get: link and QR. It names the first two relays.
    pub fn card(&self) -> Card {
        self.try_card().expect("a desk whose card is too long is not made")
    }

    fn try_card(&self) -> Result<Card, CardError> {
        let relay = |relay: &DeskRelay| CardRelay {
            pin: relay.pin,
            notice_log: self.log_write.at(&relay.pin).hash(),
            at: relay.at.clone(),
        };
        let relays = self.relays.iter().take(2).map(relay).collect();
        Card::new(self.desk(), self.card_secret.clone(), relays, CardExtras::default())
    }

    /// Makes the notices that are missing from today to four days ahead, and gives what they grant to `devices`.
    pub(super) fn publish_ahead(
        &mut self,
        today: Day,
        devices: &[Identity],
        rng: &mut impl CryptoRng,
    ) -> Vec<(u16, EpochGrant)> {
        let mut grants = Vec::new();
        for day in (0..=PUBLISHED_AHEAD_DAYS).map(|ahead| today + ahead) {
            let epoch = Epoch { day, generation: 0 };
            if !self.days.contains_key(&epoch) {
                self.make_notice(epoch, rng);
                grants.extend(
                    devices.iter().filter_map(|device| Some((device.index, self.grant(epoch, device)?))),
                );
            }
        }
        grants
    }

    fn make_notice(&mut self, epoch: Epoch, rng: &mut impl CryptoRng) {
        if !(self.certificate.first_day..=self.certificate.last_day).contains(&epoch.day) {
            self.certificate =
                certify(&self.root, &self.roots, &self.key, self.certificate.serial + 1, epoch.day);
            (self.counter, self.previous) = (0, None);
        }
        let seed = EpochSeed::generate(rng);
        let published = self
            .draft(epoch, &seed)
            .publish(&self.key, &self.card_secret, rng)
            .expect("at most eight relays with addresses of bounded length fit into a head");
        self.counter += 1;
        self.previous = Some(published.notice.hash());
        let place = |relay: &DeskRelay| (relay.pin, PublishedPlace::fresh(rng));
        let places = self.relays.iter().map(place).collect();
        let day = PublishedDay { envelopes: published.envelopes, seed, notice: published.notice, places };
        self.days.insert(epoch, day);
    }

    fn draft(&self, epoch: Epoch, seed: &EpochSeed) -> NoticeDraft {
        let entry = |relay: &DeskRelay| RelayEntry {
            number: relay.number,
            pin: relay.pin,
            operator: relay.operator,
            intake_read: seed.intake_read_key().at(&relay.pin).hash(),
            log_write: self.log_write.at(&relay.pin).hash(),
            addresses: vec![Address::host_port(&relay.at.to_string())],
        };
        NoticeDraft {
            desk: self.desk(),
            counter: self.counter + 1,
            previous: self.previous,
            epoch,
            roots: self.roots.clone(),
            certificate: self.certificate.clone(),
            intake_key: seed.intake_key(self.desk(), epoch).public().clone(),
            intake_write: seed.intake_write_key(),
            revocations: Default::default(),
            relays: self.relays.iter().map(entry).collect(),
            annex: Annex::default(),
        }
    }

    /// What a device of the desk needs for one epoch that is published.
    pub(super) fn grant(&self, epoch: Epoch, device: &Identity) -> Option<EpochGrant> {
        let day = self.days.get(&epoch)?;
        let last = Epoch { day: epoch.day + DEVICE_CERTIFICATE_DAYS, ..epoch };
        let serial = day.notice.version().serial;
        let certificate =
            DeviceCertificate::sign(&self.key, &self.desk(), serial, device.index, device.public, last);
        let card = self.card_secret.clone();
        Some(EpochGrant { epoch, seed: day.seed.clone(), notice: day.notice.clone(), card, certificate })
    }

    /// Forgets epochs whose seed must be gone.
    pub(super) fn erase_old(&mut self, now: UnixTime) {
        self.days.retain(|epoch, _| now < epoch.erase_at());
    }

    /// The next step of each epoch at each relay where something is left to do, oldest epoch first.
    pub(super) fn next_steps(&self, today: Day) -> Vec<(Pin, Step)> {
        let left = |pin: Pin| {
            let current = self.days.range(Epoch { day: today, generation: 0 }..);
            current.filter_map(move |(epoch, day)| Some((pin, day.step_at(*epoch, &pin)?)))
        };
        self.relays.iter().flat_map(|relay| left(relay.pin)).collect()
    }

    /// Whether all of an epoch's notice was put at a relay.
    pub(super) fn is_out_at(&self, epoch: Epoch, pin: &Pin) -> bool {
        self.days
            .get(&epoch)
            .is_some_and(|day| day.places.contains_key(pin) && day.step_at(epoch, pin).is_none())
    }

    /// A relay has lost an epoch's notice: all steps are taken once more there.
    pub(super) fn begin_anew_at(&mut self, epoch: Epoch, pin: &Pin) {
        if let Some(place) = self.days.get_mut(&epoch).and_then(|day| day.places.get_mut(pin)) {
            place.done = 0;
        }
    }

    /// The request of a step.
    pub(super) fn request(&self, pin: &Pin, step: Step) -> Option<Request> {
        let relay = self.relays.iter().find(|relay| relay.pin == *pin)?;
        let day = self.days.get(&step.epoch)?;
        let place = day.places.get(pin)?;
        let log = self.log_at(step.epoch.day, pin);
        Some(match step.number {
            0 => open(relay, day.intake_hashes(pin)?, step.epoch.day, false, &place.intake_steward),
            1 => open(relay, log.hashes(), step.epoch.day, true, &place.log_steward),
            number => Request::Put(Put {
                to: log,
                class: Class::FOURTEEN,
                payment: Payment::Steward(place.log_steward.clone()),
                envelope: day.envelopes.get(number as usize - 2)?.clone(),
            }),
        })
    }

    /// Notes that a step was answered. Whether it is done.
    pub(super) fn handle_answer(&mut self, pin: &Pin, step: Step, answer: &Answer) -> bool {
        let is_done = matches!((step.number, answer), (0 | 1, Answer::Opened) | (2.., Answer::Stored));
        let place = self.days.get_mut(&step.epoch).and_then(|day| day.places.get_mut(pin));
        if let Some(place) = place.filter(|place| is_done && place.done == step.number) {
            place.done += 1;
        }
        is_done
    }

    /// How many days ahead of today have a notice at one relay at least.
    pub fn days_ahead(&self, today: Day) -> u32 {
        let is_out = |day: Day| self.days.iter().any(|(epoch, made)| epoch.day == day && made.is_out());
        (0..=PUBLISHED_AHEAD_DAYS).take_while(|ahead| is_out(today + *ahead)).count() as u32
    }

    fn log_at(&self, day: Day, pin: &Pin) -> WriteTo {
        let read = notice::notice_read_key(&self.card_secret, &self.desk(), day).at(pin).hash();
        WriteTo { kind: Kind::Log, write: self.log_write.at(pin), read, delete: KeyHash::NOBODY }
    }
}

impl PublishedDay {
    fn step_at(&self, epoch: Epoch, pin: &Pin) -> Option<Step> {
        let done = self.places.get(pin)?.done;
        (done < 2 + self.envelopes.len() as u32).then_some(Step { epoch, number: done })
    }

    fn is_out(&self) -> bool {
        self.places.values().any(|place| place.done >= 2 + self.envelopes.len() as u32)
    }

    fn intake_hashes(&self, pin: &Pin) -> Option<MailboxHashes> {
        let relay = self.notice.relays().iter().find(|relay| relay.pin == *pin)?;
        Some(self.notice.intake_at(relay).hashes())
    }
}

impl PublishedPlace {
    fn fresh(rng: &mut impl CryptoRng) -> Self {
        Self { intake_steward: StewardKey::generate(rng), log_steward: StewardKey::generate(rng), done: 0 }
    }
}

fn open(relay: &DeskRelay, mailbox: MailboxHashes, day: Day, gated: bool, steward: &StewardKey) -> Request {
    Request::Open(Open {
        permit: relay.permit.clone(),
        mailbox,
        last_day: day + INTAKE_OPEN_DAYS,
        quota: 0,
        gated,
        steward: steward.hash(),
    })
}

/// Each relay gets its number, and an operator number of its own: nothing tells that two are run by the same people.
fn numbered(relays: &[RelayAddress], rng: &mut impl CryptoRng) -> Vec<DeskRelay> {
    let relay = |(number, address): (u8, &RelayAddress)| DeskRelay {
        number,
        pin: address.pin,
        operator: number.into(),
        at: address.at.clone(),
        permit: Permit::generate(rng),
    };
    (1..).zip(relays).map(relay).collect()
}

fn certify(
    root: &SignSecret,
    roots: &RootSet,
    key: &SignSecret,
    serial: u16,
    from: Day,
) -> CoordinatorCertificate {
    let mut certificate = CoordinatorCertificate {
        key: key.public(),
        serial,
        first_day: from,
        last_day: from + COORDINATOR_DAYS_MAX,
        signatures: Signatures::default(),
    };
    let signature = certificate.sign(root, &roots.desk_id(), roots.version);
    certificate.signatures.add(0, signature);
    certificate
}
