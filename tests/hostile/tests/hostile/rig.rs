//! The relay's rules over a real store, with a clock that the test owns.

use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Fetch, FetchFrom, Fetched, Payment, Put, Request, Start};
use poterne_protocol::time::{Day, UnixTime};
use poterne_relay::store::{Config, EmbeddedStore, open_directory};
use poterne_relay_core::cursor::CursorKey;
use poterne_relay_core::policy::Policy;
use poterne_relay_core::relay::Relay;
use poterne_tests::cast::KeyedMailbox;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

pub const PIN: Pin = Pin([7; 16]);
pub const TODAY: Day = Day(20_000);

/// A relay without sockets.
pub struct Rig {
    pub now: UnixTime,
    relay: Option<Relay<EmbeddedStore>>,
    rng: ChaCha20Rng,
    folder: tempfile::TempDir,
}

impl Rig {
    /// At noon of [`TODAY`].
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = UnixTime(TODAY.start().0 + 43_200);
        let mut rig = Self { now, relay: None, rng: ChaCha20Rng::seed_from_u64(1), folder };
        rig.restart();
        rig
    }

    /// Ends the relay without a word and opens its store again.
    pub fn restart(&mut self) {
        drop(self.relay.take());
        let config = Config { segment_pages: 64, reserve_bytes: 0, reserve_percent: 0, ..Config::default() };
        let store = open_directory(self.folder.path(), config, self.now.day()).expect("opens");
        let cursors = CursorKey::from_bytes(&[3; 32]);
        self.relay = Some(Relay::new(store, Policy::default(), cursors));
    }

    /// Lets days pass.
    pub fn pass_days(&mut self, days: u32) {
        self.now = UnixTime(self.now.0 + 86_400 * u64::from(days));
    }

    /// The store.
    pub fn store(&mut self) -> &mut EmbeddedStore {
        self.relay.as_mut().expect("it is open").store_mut()
    }

    /// Carries out one request.
    pub fn ask(&mut self, request: &Request) -> Answer {
        let relay = self.relay.as_mut().expect("it is open");
        relay.store_mut().set_today(self.now.day());
        relay.handle(request, self.now, &mut self.rng)
    }

    /// What a reader of that mailbox is given.
    pub fn fetch(&mut self, mailbox: &KeyedMailbox) -> Vec<SealedEnvelope> {
        let Answer::Fetched(mut fetched) = self.ask(&fetch(mailbox)) else { panic!("a fetch is answered") };
        let Some(Fetched { envelopes, .. }) = fetched.pop() else { panic!("one mailbox was asked for") };
        envelopes
    }
}

/// A fetch of all that one mailbox holds.
pub fn fetch(mailbox: &KeyedMailbox) -> Request {
    let from = vec![FetchFrom { mailbox: mailbox.read(), start: Start::First }];
    Request::Fetch(Fetch { from, max: 64, wait_secs: 0 })
}

/// A put into that mailbox.
pub fn put(mailbox: &KeyedMailbox, envelope: &SealedEnvelope, days: u8) -> Request {
    let class = Class::parse(days).expect("a class");
    Request::Put(Put { to: mailbox.write(), class, payment: Payment::None, envelope: envelope.clone() })
}
