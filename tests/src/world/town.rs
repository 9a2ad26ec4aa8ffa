//! A town: requesters and the devices of one desk, real machines all, over one or two relays, through a storm.

use std::cell::RefCell;
use std::rc::Rc;

use poterne_client_core::device::{Device, Identity};
use poterne_client_core::dh::DhSecret;
use poterne_client_core::requester::Requester;
use poterne_client_core::vault::Params;
use poterne_protocol::address::RelayAddress;
use poterne_protocol::card::Card;
use poterne_protocol::keys::Pin;
use poterne_relay_core::memory::MemoryStore;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::people::{Asker, Grants, Volunteer, text};
use super::{Failure, Habits, Moment, Resident, Talks, Trace, Weather, World};

/// An hour before a midnight, so that each run sees two epochs.
const BEGIN: Moment = Moment((20_778 * 86_400 - 3600) * 1000);
/// Apart from the seed of the world, so that the texts don't follow the weather.
const TEXTS_SEED: u64 = 0x7465_7874_7300_0000;

/// How a town is, apart from its seed.
#[derive(Clone, Copy)]
pub struct Plan {
    /// People who ask.
    pub requesters: u32,
    /// Devices of the desk.
    pub devices: u16,
    /// Texts of each requester, spread over the storm.
    pub texts: u64,
    /// Seconds of storm.
    pub storm_secs: u64,
    /// Seconds of calm after it, in which everything has to come right: more than the hour after which a lost request is
    /// sealed anew.
    pub calm_secs: u64,
    /// The relays' stores.
    pub store: fn() -> MemoryStore,
    /// How machines are treated.
    pub habits: Habits,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            requesters: 50,
            devices: 5,
            texts: 3,
            storm_secs: 3600,
            calm_secs: 6000,
            store: MemoryStore::default,
            habits: Habits { vault: Params::smallest(), cut_permille: 10, saves_late: false },
        }
    }
}

/// A world and what its people said.
pub struct Town {
    plan: Plan,
    world: World,
    talks: Rc<RefCell<Talks>>,
    dice: ChaCha20Rng,
}

impl Town {
    /// Lives through storm and calm, and judges. Even seeds have one relay, odd ones two.
    pub fn live(seed: u64, plan: Plan) -> Result<Trace, Failure> {
        let mut town = Self {
            plan,
            world: World::new(seed, BEGIN, Weather::STORM),
            talks: Rc::default(),
            dice: ChaCha20Rng::seed_from_u64(seed ^ TEXTS_SEED),
        };
        let relays: Vec<Pin> = (0..=seed % 2).map(|number| Pin([1 + number as u8; 16])).collect();
        for pin in &relays {
            town.world.add_relay(*pin, (plan.store)());
        }
        let card = town.found_desk(&relays);
        for number in 0..plan.requesters {
            town.add_requester(number, &card);
        }
        town.run()
    }

    fn run(mut self) -> Result<Trace, Failure> {
        self.world.run(self.plan.storm_secs)?;
        self.world.set_weather(Weather::CALM);
        self.world.run(self.plan.calm_secs)?;
        let complaints = self.talks.borrow().complaints();
        match complaints.first() {
            None => self.world.judge(),
            Some(first) => {
                Err(self.world.fails(format!("{} complaints, the first: {first}", complaints.len())))
            }
        }
    }

    /// One coordinator, who is a volunteer too, and the other devices with what it has granted them.
    fn found_desk(&mut self, relays: &[Pin]) -> Card {
        let addresses: Vec<RelayAddress> = relays.iter().map(address).collect();
        let first = Device::create("a desk", &addresses, BEGIN.unix(), &mut self.dice);
        let mut first = first.expect("one or two relays");
        let card = first.card().expect("the coordinator has the card");
        let mut others = Vec::new();
        for index in 1..self.plan.devices {
            let secret = DhSecret::generate(&mut self.dice);
            let identity = Identity { index, public: secret.public() };
            others.push(Device::join(secret, index, first.admit(identity)));
        }
        let grants = Grants::default();
        self.add_device(0, first, &grants);
        for (index, device) in (1..).zip(others) {
            self.add_device(index, device, &grants);
        }
        card
    }

    fn add_device(&mut self, index: u16, device: Device, grants: &Grants) {
        let person = Volunteer::new(index, BEGIN.unix(), grants.clone(), self.talks.clone());
        // A device holds the cases of a whole town: 8 MiB.
        let vault = Params::new(8, 1, 1, 2048).expect("these sizes are allowed");
        let habits = Habits { vault, ..self.plan.habits };
        self.world.add_actor(Resident::new(device, person, habits, &mut self.dice));
    }

    fn add_requester(&mut self, number: u32, card: &Card) {
        let name = format!("r{number}");
        let part = self.plan.storm_secs / self.plan.texts;
        let texts = (0..self.plan.texts).map(|text_number| {
            let after = text_number * part + self.dice.next_u64() % part;
            (BEGIN.unix().plus(after), text(&format!("{name}:{text_number}"), &mut self.dice))
        });
        let texts = texts.collect();
        let person = Asker::new(name, card.clone(), texts, self.talks.clone());
        self.world.add_actor(Resident::new(Requester::default(), person, self.plan.habits, &mut self.dice));
    }
}

fn address(pin: &Pin) -> RelayAddress {
    RelayAddress {
        at: format!("relay-{}.example:4433", pin.0[0]).parse().expect("a host and a port"),
        pin: *pin,
    }
}
