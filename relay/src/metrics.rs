//! What is counted and timed, in Prometheus' text form, on loopback (docs/operators/relay.md §5).
//!
//! Invariant: every label comes from a fixed list; nothing here can name a mailbox, an address or a single message.

mod http;

use std::time::Duration;

use poterne_protocol::op::{Answer, Request};
use poterne_transport::listen::Event;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub use http::serve;

/// Buckets of a request's time: from a quarter of a millisecond, doubling, to two seconds.
const FIRST_BUCKET_SECS: f64 = 0.000_25;
const BUCKETS: u16 = 14;

/// All metrics of a relay.
pub struct Metrics {
    registry: Registry,
    connections: Gauge,
    channels: Gauge,
    events: Family<EventLabel, Counter>,
    requests: Family<RequestLabel, Counter>,
    times: Family<OpLabel, Histogram>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct EventLabel {
    event: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OpLabel {
    op: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabel {
    op: &'static str,
    answer: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = || Histogram::new(exponential_buckets(FIRST_BUCKET_SECS, 2.0, BUCKETS));
        let mut metrics = Self {
            registry: Registry::with_prefix("poterne_relay"),
            connections: Gauge::default(),
            channels: Gauge::default(),
            events: Family::default(),
            requests: Family::default(),
            times: Family::new_with_constructor(histogram),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Connections that stand", self.connections.clone());
        registry.register("channels", "Channels that stand", self.channels.clone());
        registry.register("events", "What happened to connections and channels", self.events.clone());
        registry.register("requests", "Requests by operation and answer", self.requests.clone());
        registry.register(
            "request_seconds",
            "Time to the answer, without waiting for news",
            self.times.clone(),
        );
    }

    /// Counts what the listener tells.
    pub fn note(&self, event: Event) {
        match event {
            Event::ChannelClosed => self.channels.dec(),
            Event::ChannelOpened => self.channels.inc(),
            Event::ConnectionClosed => self.connections.dec(),
            Event::ConnectionOpened => self.connections.inc(),
            _ => 0,
        };
        self.events.get_or_create(&EventLabel { event: event_name(event) }).inc();
    }

    /// Counts and times a request.
    pub fn answered(&self, op: &'static str, answer: &Answer, took: Duration) {
        self.requests.get_or_create(&RequestLabel { op, answer: answer_name(answer) }).inc();
        self.times.get_or_create(&OpLabel { op }).observe(took.as_secs_f64());
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String can't fail");
        text
    }
}

fn event_name(event: Event) -> &'static str {
    match event {
        Event::ChannelBusy => "channel_busy",
        Event::ChannelClosed => "channel_closed",
        Event::ChannelOpened => "channel_opened",
        Event::ChannelRefused => "channel_refused",
        Event::ConnectionClosed => "connection_closed",
        Event::ConnectionOpened => "connection_opened",
        Event::ConnectionRefused => "connection_refused",
        Event::ConnectionUnused => "connection_unused",
        Event::HandshakeFailed => "handshake_failed",
        Event::StreamFault => "stream_fault",
    }
}

/// The label of a request.
pub fn op_name(request: &Request) -> &'static str {
    match request {
        Request::Claim(_) => "claim",
        Request::Close(_) => "close",
        Request::Delete(_) => "delete",
        Request::Extend(_) => "extend",
        Request::Fetch(_) => "fetch",
        Request::Hello => "hello",
        Request::Open(_) => "open",
        Request::Put(_) => "put",
        Request::Release(_) => "release",
        Request::Status(_) => "status",
        Request::Unknown(_) => "unknown",
    }
}

fn answer_name(answer: &Answer) -> &'static str {
    match answer {
        Answer::Busy { .. } => "busy",
        Answer::Claimed(_) => "claimed",
        Answer::Closed => "closed",
        Answer::Done => "done",
        Answer::Ended => "ended",
        Answer::Extended { .. } => "extended",
        Answer::Fetched(_) => "fetched",
        Answer::Full => "full",
        Answer::Hello(_) => "hello",
        Answer::Malformed => "malformed",
        Answer::Moved => "moved",
        Answer::NotOpen => "not_open",
        Answer::Nothing => "nothing",
        Answer::Opened => "opened",
        Answer::Price { .. } => "price",
        Answer::ReadOnly => "read_only",
        Answer::Refused => "refused",
        Answer::Status(_) => "status",
        Answer::Stored => "stored",
        Answer::Unsupported => "unsupported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        metrics.note(Event::ConnectionOpened);
        metrics.note(Event::ConnectionOpened);
        metrics.note(Event::ConnectionClosed);
        metrics.answered("put", &Answer::Stored, Duration::from_millis(3));
        let text = metrics.text();
        assert!(text.contains("poterne_relay_connections 1\n"), "{text}");
        assert!(text.contains("poterne_relay_events_total{event=\"connection_opened\"} 2\n"), "{text}");
        assert!(text.contains("poterne_relay_requests_total{op=\"put\",answer=\"stored\"} 1\n"), "{text}");
        assert!(text.contains("poterne_relay_request_seconds_count{op=\"put\"} 1\n"), "{text}");
    }
}
