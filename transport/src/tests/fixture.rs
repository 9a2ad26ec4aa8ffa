//! A relay whose service counts, and stops where the test wants.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poterne_protocol::address::RelayAddress;
use poterne_protocol::channel::RequestKeys;
use poterne_protocol::descriptor::{
    Descriptor, NewestDescriptor, Operator, RelayIdentity, RelayLimits, VerifiedDescriptor,
};
use poterne_protocol::envelope::{Class, SealedEnvelope};
use poterne_protocol::kem::KemSecret;
use poterne_protocol::keys::{MailboxSecret, Pin};
use poterne_protocol::limits::ENVELOPE_BYTES;
use poterne_protocol::mailbox::WriteTo;
use poterne_protocol::op::{Answer, Fetch, HelloAnswer, OPS, Payment, Put, Request};
use poterne_protocol::time::{Day, UnixTime};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use rand_core::UnwrapErr;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::client::RelayClient;
use crate::dial::{DialError, dial};
use crate::listen::{Event, Limits, Listener, Service, Source};
use crate::{ResetKey, quic};

pub(super) const TODAY: Day = Day(20_000);

pub(super) fn rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

/// A put of zeros, paid with a value of that many bytes.
pub(super) fn put(work: &[u8]) -> Request {
    let keys = MailboxSecret::from_bytes(&[1; 32]).keys();
    Request::Put(Put {
        to: WriteTo::plain(&keys, &Pin([0; 16])),
        class: Class::parse(1).unwrap(),
        payment: Payment::Work(work.to_vec().into()),
        envelope: SealedEnvelope::parse(&[0; ENVELOPE_BYTES]).unwrap(),
    })
}

pub(super) struct TestService {
    identity: RelayIdentity,
    keys: Mutex<Arc<RequestKeys>>,
    events: Mutex<BTreeMap<String, usize>>,
    pub(super) puts: AtomicUsize,
    pub(super) descriptors: AtomicUsize,
    /// A release has been asked for.
    pub(super) reached: Notify,
    /// A release is answered when this is told.
    pub(super) gate: Notify,
}

impl TestService {
    fn new() -> Self {
        let identity = RelayIdentity::from_seed(&[7; 32]);
        let keys = RequestKeys::new(identity.pin(), TODAY, KemSecret::generate(&mut rng()));
        Self {
            identity,
            keys: Mutex::new(Arc::new(keys)),
            events: Mutex::default(),
            puts: AtomicUsize::new(0),
            descriptors: AtomicUsize::new(0),
            reached: Notify::new(),
            gate: Notify::new(),
        }
    }

    fn signed(&self) -> Vec<u8> {
        let (day, request_key) = self.keys().newest();
        let limits =
            RelayLimits { fetch_envelopes: 64, fetch_wait_secs: 60, continued_idle_secs: 0, permits: false };
        let operator = Operator::new(0, "").unwrap();
        Descriptor { day, request_key, operator, addresses: Vec::new(), limits }.sign(&self.identity)
    }
}

impl Service for TestService {
    fn descriptor(&self) -> Arc<[u8]> {
        self.descriptors.fetch_add(1, Ordering::Relaxed);
        self.signed().into()
    }

    fn keys(&self) -> Arc<RequestKeys> {
        self.keys.lock().unwrap().clone()
    }

    async fn call(&self, _: Source, request: Request) -> Answer {
        match request {
            Request::Hello => Answer::Hello(HelloAnswer {
                version: 1,
                ops: OPS.to_vec(),
                time: UnixTime(0),
                base_effort: 0,
                fetch_envelopes: 64,
                fetch_wait_secs: 60,
                permits: false,
            }),
            Request::Put(_) => {
                self.puts.fetch_add(1, Ordering::Relaxed);
                Answer::Stored
            }
            Request::Release(_) => {
                self.reached.notify_one();
                self.gate.notified().await;
                Answer::Done
            }
            _ => Answer::Unsupported,
        }
    }

    async fn news(&self, _: Source, _: &Fetch) -> Option<Answer> {
        None
    }

    fn note(&self, event: Event) {
        *self.events.lock().unwrap().entry(format!("{event:?}")).or_default() += 1;
    }
}

pub(super) struct Relay {
    pub(super) service: Arc<TestService>,
    at: SocketAddr,
    draining: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Relay {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            answer_pages: 16_384,
            channel_threads: 1,
            channels_per_connection: 4,
            channels_waiting: 64,
            connections: 64,
            connections_per_network: 0,
            handshakes: 32,
            idle: Duration::from_secs(60),
            request_kib: 65_536,
            requests_per_channel: 64,
        };
        change(&mut limits);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::start_at(any, limits, Arc::new(TestService::new()))
    }

    fn start_at(at: SocketAddr, limits: Limits, service: Arc<TestService>) -> Self {
        let (draining, told) = watch::channel(false);
        let reset_key = ResetKey::from_bytes(&[5; 32]);
        let listener = Listener::bind(at, limits, reset_key, service.clone(), told).unwrap();
        let at = listener.local_address().unwrap();
        Self { service, at, draining, running: tokio::spawn(listener.run()) }
    }

    pub(super) fn address(&self) -> RelayAddress {
        RelayAddress { at: self.at.to_string().parse().unwrap(), pin: self.service.identity.pin() }
    }

    pub(super) async fn dial(&self) -> Result<RelayClient, DialError> {
        dial(&self.address(), &mut NewestDescriptor::default(), &mut rng()).await
    }

    /// A stream without a channel.
    pub(super) async fn raw_stream(&self) -> (SendStream, RecvStream) {
        let endpoint: Endpoint = quic::client_endpoint(self.at).unwrap();
        let connection: Connection = endpoint.connect(self.at, "localhost").unwrap().await.unwrap();
        connection.open_bi().await.unwrap()
    }

    pub(super) fn verified(&self) -> VerifiedDescriptor {
        Descriptor::parse_verified(&self.service.signed(), &self.service.identity.pin()).unwrap()
    }

    /// Lets the relay's day come, with a new key.
    pub(super) fn turn_to(&self, day: Day) {
        let fresh = RequestKeys::new(self.service.identity.pin(), day, KemSecret::generate(&mut rng()));
        *self.service.keys.lock().unwrap() = Arc::new(fresh);
    }

    pub(super) fn count(&self, event: Event) -> usize {
        self.service.events.lock().unwrap().get(&format!("{event:?}")).copied().unwrap_or(0)
    }

    pub(super) fn drain(&self) {
        self.draining.send(true).unwrap();
    }

    /// Waits until the listener has ended by itself.
    pub(super) async fn ended(self) {
        self.running.await.unwrap();
    }

    /// Ends the listener as a crash would.
    pub(super) fn kill(&self) {
        self.running.abort();
    }
}
