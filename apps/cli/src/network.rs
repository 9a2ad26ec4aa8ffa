//! Calls to relays over the carriers: one channel per relay, shared by all its calls (docs/cli.md §6).
//!
//! A channel may have died with its relay or its network. A call whose channel is lost is repeated once on a fresh one, and
//! so is a call that gets no quick answer on a channel that has stood for a while. All operations may be repeated.
//!
//! Invariant: dials to one relay never run side by side, and callers who waited for a dial share its failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use poterne_client_core::effect::{Call, CallError, CallId, CallResult};
use poterne_protocol::address::{HostPort, RelayAddress};
use poterne_protocol::descriptor::NewestDescriptor;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::Request;
use poterne_protocol::time::Day;
use poterne_transport::client::{self, RelayClient};
use poterne_transport::dial::{DialError, dial};
use rand_core::UnwrapErr;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::driver::Calls;

/// A channel younger than this is believed to live.
const YOUNG: Duration = Duration::from_secs(5);
/// How long an older channel may be silent before the call is repeated on a fresh one.
const OLD_PATIENCE: Duration = Duration::from_secs(2);

/// The relays that this process knows.
#[derive(Debug, Default)]
pub struct Network {
    relays: BTreeMap<Pin, Arc<Mutex<Relay>>>,
    calls: JoinSet<(CallId, CallResult)>,
}

impl Network {
    /// With the highest day that each relay's descriptors had in earlier runs: an older one is refused.
    pub fn new(highest_days: impl IntoIterator<Item = (Pin, Day)>) -> Self {
        let known = |(pin, day)| (pin, Arc::new(Mutex::new(Relay::known_since(day))));
        Self { relays: highest_days.into_iter().map(known).collect(), calls: JoinSet::new() }
    }

    /// The highest day that each relay's descriptors had.
    pub async fn highest_days(&self) -> BTreeMap<Pin, Day> {
        let mut days = BTreeMap::new();
        for (pin, relay) in &self.relays {
            days.extend(relay.lock().await.newest.highest().map(|day| (*pin, day)));
        }
        days
    }

    /// Gives up what is under way and tells the relays that nobody listens any more.
    pub async fn close(&mut self) {
        self.calls.shutdown().await;
        for relay in std::mem::take(&mut self.relays).into_values() {
            if let Some(channel) = relay.lock().await.channel.take() {
                channel.client.close().await;
            }
        }
    }
}

impl Calls for Network {
    fn begin(&mut self, call: Call, addresses: Vec<String>) {
        let relay = self.relays.entry(call.relay).or_default().clone();
        self.calls.spawn(async move {
            let places = places(&addresses, call.relay);
            (call.id, ask(&relay, &places, &call.request).await)
        });
    }

    async fn ended(&mut self) -> (CallId, CallResult) {
        loop {
            match self.calls.join_next().await {
                Some(Ok(ended)) => return ended,
                Some(Err(failed)) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// What the notice or the card calls an address may be none; such a one is passed over.
fn places(addresses: &[String], pin: Pin) -> Vec<RelayAddress> {
    let at = addresses.iter().filter_map(|text| text.parse::<HostPort>().ok());
    at.map(|at| RelayAddress { at, pin }).collect()
}

/// What is known of one relay.
#[derive(Debug, Default)]
struct Relay {
    newest: NewestDescriptor,
    channel: Option<Channel>,
    failed: Option<(Instant, CallError)>,
}

#[derive(Clone)]
struct Channel {
    client: RelayClient,
    since: Instant,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel(..)")
    }
}

impl Relay {
    fn known_since(day: Day) -> Self {
        Self { newest: NewestDescriptor::since(day), ..Self::default() }
    }

    /// The channel that stands, or a fresh one. `since` is when the caller began to wait for it.
    async fn channel(&mut self, places: &[RelayAddress], since: Instant) -> Result<Channel, CallError> {
        if let Some(channel) = self.channel.take_if(|channel| !channel.client.is_lost()) {
            return Ok(self.channel.insert(channel).clone());
        }
        if let Some((at, error)) = self.failed
            && at >= since
        {
            return Err(error);
        }
        match self.dial(places).await {
            Ok(client) => Ok(self.channel.insert(Channel { client, since: Instant::now() }).clone()),
            Err(error) => {
                self.failed = Some((Instant::now(), error));
                Err(error)
            }
        }
    }

    /// Tries the places in their order; of several failures the worst is told.
    async fn dial(&mut self, places: &[RelayAddress]) -> Result<RelayClient, CallError> {
        let mut outcome = CallError::Unreachable;
        for place in places {
            match dial(place, &mut self.newest, &mut UnwrapErr(SysRng)).await {
                Ok(client) => return Ok(client),
                Err(DialError::WrongPin | DialError::OlderDescriptor(_)) => outcome = CallError::WrongPin,
                Err(_) => {}
            }
        }
        Err(outcome)
    }
}

async fn ask(relay: &Mutex<Relay>, places: &[RelayAddress], request: &Request) -> CallResult {
    let began = Instant::now();
    let channel = relay.lock().await.channel(places, began).await?;
    let is_young = channel.since.elapsed() < YOUNG;
    let call = channel.client.call(request);
    match if is_young { Ok(call.await) } else { timeout(OLD_PATIENCE, call).await } {
        Ok(Ok(answer)) => return Ok(answer),
        // A relay that was started anew says at once that it knows nothing of the channel.
        Ok(Err(error)) if is_young && error != client::CallError::Lost => return Err(call_error(error)),
        Ok(Err(_)) | Err(_) => {}
    }
    let fresh = {
        let mut relay = relay.lock().await;
        // Another call may have replaced it already.
        relay.channel.take_if(|current| current.since == channel.since);
        relay.channel(places, began).await?
    };
    fresh.client.call(request).await.map_err(call_error)
}

fn call_error(error: client::CallError) -> CallError {
    match error {
        client::CallError::Lost | client::CallError::Timeout | client::CallError::TooLarge => {
            CallError::TimedOut
        }
    }
}
