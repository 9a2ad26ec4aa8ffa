//! The accepting side (docs/spec/transport.md §4): connections, streams and channels, each with its bound.
//!
//! What a stranger can make a relay hold is bounded at each step: handshakes under way, connections in all and by
//! network, streams by connection, frames before a channel stands, channels that wait for their decapsulation, requests
//! by channel, bytes of requests and of answers. Reading stops before anything grows.

mod admission;
mod budget;
mod channel;
mod connection;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use poterne_protocol::channel::RequestKeys;
use poterne_protocol::op::{Answer, Fetch, Request};
use quinn::{Endpoint, Incoming, VarInt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bounds::CLOSE_TIMEOUT;
use crate::decapsulation::DecapsulationPool;
use crate::quic;
use crate::reset::ResetKey;
use admission::{Admission, Refusal};
use budget::Budget;

/// The code with which a relay closes a connection that it drains (docs/spec/transport.md §6).
const DRAINED: VarInt = VarInt::from_u32(0);

/// What a listener serves. The relay implements it; tests do so too.
pub trait Service: Send + Sync + 'static {
    /// The descriptor of the day, as it was signed.
    fn descriptor(&self) -> Arc<[u8]>;

    /// The keys that open channels now.
    fn keys(&self) -> Arc<RequestKeys>;

    /// Carries a request out. Never called for more than [`Limits::requests_per_channel`] of one channel at once.
    fn call(&self, source: Source, request: Request) -> impl Future<Output = Answer> + Send;

    /// Waits until a fetch finds something, or as long as it says. Gives what is to be answered where it is refused.
    fn news(&self, source: Source, fetch: &Fetch) -> impl Future<Output = Option<Answer>> + Send;

    /// Something to be counted has happened.
    fn note(&self, event: Event);
}

/// The connection that a request came by: a number that no other one of the same listener has, before or after it.
/// Nothing can be told from it but that two requests came the same way, so that they can be served fairly.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Source(pub u64);

/// What a listener tells its service for counting. Nothing of it names anybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A client was told that too many channels wait.
    ChannelBusy,
    /// A channel ended.
    ChannelClosed,
    /// A channel stands.
    ChannelOpened,
    /// An encapsulation or a first request did not open.
    ChannelRefused,
    /// A connection ended.
    ConnectionClosed,
    /// A handshake was finished.
    ConnectionOpened,
    /// A connection was refused for want of room.
    ConnectionRefused,
    /// A connection was closed that opened no channel.
    ConnectionUnused,
    /// A handshake was not finished.
    HandshakeFailed,
    /// A peer was too slow, or sent what is no frame.
    StreamFault,
}

/// The bounds that an operator sets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Pages of 4 KiB of answers that clients have not taken yet, all together.
    pub answer_pages: usize,
    /// Threads that take up new channels.
    pub channel_threads: u16,
    /// Channels in one connection at the same time.
    pub channels_per_connection: u16,
    /// New channels that wait for such a thread.
    pub channels_waiting: usize,
    /// Connections at the same time.
    pub connections: usize,
    /// Connections of one network at the same time; 0 for no bound of its own.
    pub connections_per_network: usize,
    /// Handshakes under way at which a client must prove its address first; at twice as many it is refused.
    pub handshakes: usize,
    /// Silence after which a connection ends.
    pub idle: Duration,
    /// KiB of requests that are under way, all together.
    pub request_kib: usize,
    /// Requests of one channel that are worked on at the same time.
    pub requests_per_channel: usize,
}

/// A relay's open door.
pub struct Listener<S> {
    endpoint: Endpoint,
    shared: Arc<Shared<S>>,
}

/// What all tasks of a listener share.
struct Shared<S> {
    service: Arc<S>,
    limits: Limits,
    pool: DecapsulationPool,
    admission: Admission,
    answers: Arc<Budget>,
    requests: Arc<Budget>,
    sources: AtomicU64,
    draining: watch::Receiver<bool>,
}

impl<S> Shared<S> {
    fn next_source(&self) -> Source {
        Source(self.sources.fetch_add(1, Ordering::Relaxed))
    }
}

impl<S: Service> Listener<S> {
    /// Listens at `address`. The listener drains when `draining` becomes true. Needs a tokio runtime.
    pub fn bind(
        address: SocketAddr,
        limits: Limits,
        reset_key: ResetKey,
        service: Arc<S>,
        draining: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let transport = quic::server_transport(limits.idle, limits.channels_per_connection);
        let endpoint = quic::server_endpoint(address, transport, reset_key)?;
        let pool = DecapsulationPool::new(limits.channel_threads, limits.channels_waiting);
        let admission = Admission::new(&limits);
        let (answers, requests) = (Budget::new(limits.answer_pages), Budget::new(limits.request_kib));
        let sources = AtomicU64::new(0);
        let shared = Shared { service, limits, pool, admission, answers, requests, sources, draining };
        Ok(Self { endpoint, shared: Arc::new(shared) })
    }

    /// Where it listens; the port is chosen where 0 was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Serves until it has drained: takes no more connections, answers what was asked, closes.
    pub async fn run(self) {
        let mut draining = self.shared.draining.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                incoming = self.endpoint.accept() => match incoming {
                    Some(incoming) => self.admit(incoming, &mut connections),
                    None => break,
                },
                Some(_) = connections.join_next() => {}
                () = has_begun(&mut draining) => break,
            }
        }
        self.endpoint.set_server_config(None);
        while connections.join_next().await.is_some() {}
        self.endpoint.close(DRAINED, b"");
        timeout(CLOSE_TIMEOUT, self.endpoint.wait_idle()).await.ok();
    }

    fn admit(&self, incoming: Incoming, connections: &mut JoinSet<()>) {
        match self.shared.admission.admit(incoming.remote_address().ip(), incoming.remote_address_validated())
        {
            Ok(place) => {
                connections.spawn(connection::serve(self.shared.clone(), incoming, place));
            }
            Err(Refusal::ProveAddress) => {
                // A client that can't be asked again has its token already, and is not refused for it.
                if let Err(error) = incoming.retry() {
                    error.into_incoming().refuse();
                }
            }
            Err(Refusal::Full) => {
                self.shared.service.note(Event::ConnectionRefused);
                incoming.refuse();
            }
        }
    }
}

/// Ready when the relay drains; never where nobody could tell any more.
async fn has_begun(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}
