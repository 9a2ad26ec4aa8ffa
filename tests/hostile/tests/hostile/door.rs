//! A real relay in its own process, as strangers meet it.

use std::net::SocketAddr;
use std::time::Duration;

use poterne_hostile::crowd::insist;
use poterne_hostile::process::Holding;
use poterne_hostile::stranger::{Stranger, at, descriptor};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::descriptor::VerifiedDescriptor;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::Answer;
use poterne_tests::cast::{KeyedMailbox, envelope};
use poterne_tests::doors::relay::Relay;
use poterne_transport::client::RelayClient;
use poterne_transport::raw;
use quinn::{Connection, ConnectionError, Endpoint};
use tokio::time::timeout;

use crate::rig::{fetch, put};

/// Long enough for anything that is to happen at once, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that a relay may grow by beside its formula: what the allocator keeps, and the traffic of the test itself.
pub const SLACK_BYTES: u64 = 48 << 20;

/// A relay of its own, with its address.
pub struct Door {
    pub relay: Relay,
    pub address: RelayAddress,
    _folder: tempfile::TempDir,
}

/// What strangers of a door share: a socket, and the relay's descriptor.
pub struct WayIn {
    endpoint: Endpoint,
    at: SocketAddr,
    descriptor: VerifiedDescriptor,
}

impl WayIn {
    /// One more stranger, whose channel stands.
    pub async fn open(&self) -> Stranger {
        Stranger::open(&self.endpoint, self.at, &self.descriptor).await.expect("the relay has room")
    }

    /// A stranger with so many channels in one connection.
    pub async fn open_channels(&self, count: usize) -> Vec<Stranger> {
        let mut channels = vec![self.open().await];
        while channels.len() < count {
            let beside = channels[0].open_beside(&self.descriptor).await;
            channels.push(beside.expect("the connection has room"));
        }
        channels
    }
}

impl Door {
    /// A relay with these settings.
    pub fn open(settings: &[(&str, u64)]) -> Self {
        Self::open_in::<&str>(settings, &[])
    }

    /// The same, started by these words.
    pub fn open_in<W: AsRef<str>>(settings: &[(&str, u64)], wrapper: &[W]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut relay = Relay::init_anywhere(&folder.path().join("relay"));
        relay.set("log_level", "info").wrap_in(wrapper);
        for (name, value) in settings {
            relay.set(name, value);
        }
        relay.run();
        let address = relay.address().parse().expect("init tells an address");
        Self { relay, address, _folder: folder }
    }

    /// A plain mailbox of it.
    pub fn mailbox(&self, number: u32) -> KeyedMailbox {
        KeyedMailbox::new(Kind::Plain, number, self.address.pin)
    }

    /// The way in for strangers, from one socket.
    pub async fn way_in(&self) -> WayIn {
        let (descriptor, at) = (descriptor(&self.address).await, at(&self.address));
        WayIn { endpoint: raw::endpoint(at).expect("a socket"), at, descriptor }
    }

    /// What it holds.
    pub fn holding(&self) -> Holding {
        Holding::of(self.relay.process_id())
    }

    /// An honest client is served: it puts, and reads what it put.
    pub async fn serves(&self, client: &RelayClient, number: u32) {
        let (mailbox, envelope) = (self.mailbox(number), envelope(number.into()));
        let stored = insist(client, &put(&mailbox, &envelope, 4)).await;
        assert!(matches!(stored, Answer::Stored), "{stored:?}");
        let Answer::Fetched(fetched) = insist(client, &fetch(&mailbox)).await else { panic!("not served") };
        assert!(fetched[0].envelopes.contains(&envelope));
    }
}

/// The code with which the relay has closed the connection.
pub async fn closed(connection: &Connection) -> u64 {
    match timeout(PATIENCE * 2, connection.closed()).await {
        Ok(ConnectionError::ApplicationClosed(close)) => close.error_code.into_inner(),
        other => panic!("the connection was not closed by the relay: {other:?}"),
    }
}
