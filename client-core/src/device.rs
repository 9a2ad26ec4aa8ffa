//! The machine of a volunteer's device: the queue of its desk, claims, answers (docs/spec/client.md §8).
//!
//! A device may be its desk's coordinator too; then it also publishes the notices. Fed by `handle_*`, drained by
//! `poll_effect`; see [`crate::effect`]. What a person asks for is a [`Ticket`]; its outcome is there when the relays have
//! answered, and not before.
//!
//! Invariants: an answer is sealed, kept, and put only after its lease was checked once more; a request is erased at its
//! relay only after the answer is stored; nothing is sent in a conversation before the own mailbox was looked at.

mod adopt;
mod case;
mod claim;
mod coordinator;
mod cover;
mod files;
mod inbound;
mod intake;
mod lookout;
mod publish;
mod run;
mod seat;
mod stored;
mod ticket;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use poterne_protocol::address::RelayAddress;
use poterne_protocol::card::Card;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Request;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

pub use case::{KEPT_DAYS, Stage};
pub use coordinator::{Coordinator, DeskRelay, PUBLISHED_AHEAD_DAYS, WARNING_DAYS};
pub use lookout::LOOK_SECS;
pub use seat::{EpochGrant, Identity};
pub use ticket::{DeviceError, Outcome, Ticket};
pub use view::{CaseSummary, DeskWarning, QueueItem};

pub use crate::notice::relays::RELAYS_MAX;

use crate::clock::Clock;
use crate::desk::epoch::Epoch;
use crate::dh::DhSecret;
use crate::effect::{Calls, Effects};
use crate::files::room::Room;
use crate::files::{ChunkPut, FileSource};
use crate::outbox::EntryId;
use crate::reach::Reach;
use crate::records::{LocalId, Records};
use crate::stored::StoredError;
use crate::vault::Batch;
use crate::watch::Watched;
use case::Case;
use coordinator::Step;
use inbound::Source;
use lookout::{Alarm, Expected};
use seat::Seat;
use ticket::Work;

/// Seconds between two polls while the program runs.
pub const POLL_SECS: u64 = 15;

/// The machine.
pub struct Device {
    identity: DhSecret,
    index: u16,
    coordinator: Option<Coordinator>,
    /// Other devices of the desk, for which grants are made.
    others: Vec<Identity>,
    /// Grants for other devices that wait to be fetched.
    granted: Vec<(u16, EpochGrant)>,
    seats: BTreeMap<Epoch, Seat>,
    cases: BTreeMap<LocalId, Case>,
    calls: Calls<Purpose>,
    effects: Effects,
    clock: Clock,
    reach: Reach,
    /// What files may take of the vault.
    room: Room,
    poll_due: BTreeMap<Pin, UnixTime>,
    publish_due: BTreeMap<(Pin, Epoch), UnixTime>,
    /// The steps of publishing that relays have refused in this run.
    refused: BTreeMap<(Pin, Epoch), Step>,
    /// When to look at each relay's notice logs.
    look_due: BTreeMap<Pin, UnixTime>,
    /// What the last look has found wrong.
    alarms: BTreeMap<Pin, BTreeSet<Alarm>>,
    /// Relays whose intakes were all fetched in this run.
    intakes_fetched: BTreeSet<Pin>,
    /// When it last did what was due in this run.
    stepped: Option<UnixTime>,
    tickets: BTreeMap<Ticket, Work>,
    outcomes: BTreeMap<Ticket, Result<Outcome, DeviceError>>,
    next_ticket: u64,
}

/// What a call is for.
enum Purpose {
    Chunk { case: LocalId, put: ChunkPut },
    ChunksErased { case: LocalId },
    Claim { case: LocalId },
    Erase,
    EraseRequest { case: LocalId },
    Extend { case: LocalId },
    Files { case: LocalId, watched: Vec<Watched<FileSource>> },
    Hello,
    Intake { watched: Vec<Watched<Epoch>> },
    Look { expected: Vec<Expected> },
    Poll { watched: Vec<Watched<Source>> },
    Publish { step: Step },
    Put { case: LocalId, entry: EntryId, place: usize },
    Release { case: LocalId },
    Status { cases: Vec<LocalId> },
}

/// Why a desk can't be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CreateError {
    /// A desk has 1–8 relays, each named once, with addresses that fit into a card.
    #[error("a desk has 1 to {RELAYS_MAX} relays, each named once, with short addresses")]
    Relays,
}

impl Device {
    /// Makes a desk with this device as its coordinator and first volunteer.
    pub fn create(
        name: &str,
        relays: &[RelayAddress],
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, CreateError> {
        let coordinator = Coordinator::create(name, relays, now.day(), rng)?;
        let mut device = Self::with(DhSecret::generate(rng), 0, Some(coordinator));
        device.save_desk(Batch::new());
        device.step(now, rng);
        Ok(device)
    }

    /// Another device of a desk, with what the coordinator has granted it.
    pub fn join(identity: DhSecret, index: u16, grants: Vec<EpochGrant>) -> Self {
        let mut device = Self::with(identity, index, None);
        device.take_grants(grants);
        device
    }

    /// The machine with everything that is in the vault; `None` where there is no desk in it.
    pub fn load(records: &impl Records) -> Result<Option<Self>, StoredError> {
        let mut device = stored::load(records)?;
        if let Some(device) = &mut device {
            device.note_capacity(records);
        }
        Ok(device)
    }

    fn with(identity: DhSecret, index: u16, coordinator: Option<Coordinator>) -> Self {
        Self {
            identity,
            index,
            coordinator,
            others: Vec::new(),
            granted: Vec::new(),
            seats: BTreeMap::new(),
            cases: BTreeMap::new(),
            calls: Calls::default(),
            effects: Effects::default(),
            clock: Clock::default(),
            reach: Reach::default(),
            room: Room::default(),
            poll_due: BTreeMap::new(),
            publish_due: BTreeMap::new(),
            refused: BTreeMap::new(),
            look_due: BTreeMap::new(),
            alarms: BTreeMap::new(),
            intakes_fetched: BTreeSet::new(),
            stepped: None,
            tickets: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            next_ticket: 0,
        }
    }

    /// What requesters get of this desk; `None` on a device that is not the coordinator's.
    pub fn card(&self) -> Option<Card> {
        self.coordinator.as_ref().map(Coordinator::card)
    }

    /// Who this device is.
    pub fn identity(&self) -> Identity {
        Identity { index: self.index, public: self.identity.public() }
    }

    /// The coordinator admits another device: what it is granted now. Later grants come by [`Device::poll_granted`].
    pub fn admit(&mut self, other: Identity) -> Vec<EpochGrant> {
        self.others.push(other);
        let Some(coordinator) = &self.coordinator else { return Vec::new() };
        let grants = self.seats.keys().filter_map(|epoch| coordinator.grant(*epoch, &other)).collect();
        self.save_desk(Batch::new());
        grants
    }

    /// The next grant for another device of the desk.
    pub fn poll_granted(&mut self) -> Option<(u16, EpochGrant)> {
        self.granted.pop()
    }

    /// Takes what the coordinator has granted.
    pub fn take_grants(&mut self, grants: Vec<EpochGrant>) {
        let mut batch = Batch::new();
        for grant in grants {
            let seat = Seat::new(grant);
            stored::write_seat(&mut batch, &seat, None);
            self.seats.insert(seat.grant.epoch, seat);
        }
        self.save_desk(batch);
    }

    /// Puts a case's state and `batch` into one commit.
    fn save(&mut self, case: LocalId, mut batch: Batch) {
        if let Some(case) = self.cases.get_mut(&case) {
            case.thread.drop_unnamed_files(&mut batch);
            stored::write_case(&mut batch, case);
        }
        self.effects.save(batch);
    }

    /// Puts the desk's state and `batch` into one commit.
    fn save_desk(&mut self, mut batch: Batch) {
        stored::write_desk(&mut batch, self);
        self.effects.save(batch);
    }

    /// All relays of the desk, as far as this device knows.
    fn relays(&self) -> Vec<Pin> {
        let own = self.coordinator.iter().flat_map(|coordinator| &coordinator.relays).map(|relay| relay.pin);
        let noticed = self.seats.values().flat_map(|seat| seat.grant.notice.relays()).map(|relay| relay.pin);
        let all: BTreeSet<Pin> = own.chain(noticed).collect();
        all.into_iter().collect()
    }

    /// A call about a case.
    fn call(&mut self, relay: Pin, request: Request, purpose: Purpose) {
        self.effects.push(self.calls.begin(relay, request, purpose));
    }
}
