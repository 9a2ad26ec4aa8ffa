//! Simple clients and a relay in a storm: what was promised is kept, and a relay that promises too early is found.

use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::time::Day;
use poterne_relay_core::memory::MemoryStore;
use poterne_tests::cast::KeyedMailbox;
use poterne_tests::world::actors::{Claimer, Reader, Steward, Writer};
use poterne_tests::world::{Failure, Moment, Trace, Weather, World};

const RELAY: Pin = Pin([1; 16]);
const WRITERS: u32 = 12;
const READERS: u32 = 3;
const REQUESTERS: u32 = 10;
const DEVICES: usize = 5;
const ENVELOPES: u64 = 20;
/// Half an hour before a midnight, so that each run sees two days.
const BEGIN: Moment = Moment((20_000 * 86_400 - 1800) * 1000);
const STORM_SECS: u64 = 3600;
/// Time for all leases to end and all that waits to be read.
const CALM_SECS: u64 = 7200;

fn run(seed: u64, store: MemoryStore) -> Result<(Trace, usize), Failure> {
    let mut world = World::new(seed, BEGIN, Weather::STORM);
    world.add_relay(RELAY, store);
    inhabit(&mut world);
    world.run(STORM_SECS)?;
    world.set_weather(Weather::CALM);
    world.run(CALM_SECS)?;
    let arrived = world.ledger().borrow().arrived();
    world.judge().map(|trace| (trace, arrived))
}

fn inhabit(world: &mut World) {
    let ledger = world.ledger();
    let intake = KeyedMailbox::new(Kind::Intake, 0, RELAY);
    world.add_actor(Steward::new(RELAY, vec![intake.open(Day(20_003))]));
    let numbers = |number: u32| 1000 * u64::from(number)..1000 * u64::from(number) + ENVELOPES;
    let plain = |number| KeyedMailbox::new(Kind::Plain, number, RELAY);
    for number in 0..WRITERS {
        world.add_actor(Writer::new(RELAY, plain(number), numbers(number), ledger.clone()));
    }
    for reader in 0..READERS {
        let own = (0..WRITERS).filter(|number| number % READERS == reader).map(plain).collect();
        world.add_actor(Reader::new(RELAY, own, ledger.clone()));
    }
    for number in 0..REQUESTERS {
        world.add_actor(Writer::new(RELAY, intake.clone(), numbers(1000 + number), ledger.clone()));
    }
    for device in 0..DEVICES {
        world.add_actor(Claimer::new(device, RELAY, intake.clone(), ledger.clone()));
    }
}

/// How many seeds to try: `POTERNE_SEEDS`, else `few`.
fn seeds(few: u64) -> u64 {
    std::env::var("POTERNE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

#[test]
fn what_was_promised_is_kept_in_a_storm() {
    for seed in 0..seeds(8) {
        let (trace, arrived) =
            run(seed, MemoryStore::default()).unwrap_or_else(|failure| panic!("{failure:?}"));
        let sent = u64::from(WRITERS + REQUESTERS) * ENVELOPES;
        assert_eq!(arrived as u64, sent, "seed {seed} after {} events", trace.events);
    }
}

#[test]
fn one_seed_gives_one_run() {
    let (first, second) = (run(3, MemoryStore::default()), run(3, MemoryStore::default()));
    let other = run(4, MemoryStore::default()).expect("the run succeeds").0;
    let (first, second) = (first.expect("the run succeeds").0, second.expect("the run succeeds").0);
    assert_eq!(first, second);
    assert_ne!(first, other);
}

#[test]
fn a_relay_that_answers_before_its_sync_is_found() {
    for seed in 0..seeds(4) {
        assert!(run(seed, MemoryStore::acknowledging_before_sync()).is_err(), "seed {seed}");
    }
}
