//! The relay's configuration: one documented struct, from a file and the environment (docs/operators/relay.md §3).
//!
//! `settings!` declares each setting once, with its documentation, type and default; the struct, the sample file and
//! the schema all come from there. Unknown names are refused, in the file and in the environment.

mod describe;
mod load;
mod memory;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use poterne_relay_core::policy::Policy;

use crate::store;

pub use load::{ConfigError, ENVIRONMENT_PREFIX, is_accepted, load};
pub use memory::PENDING_BYTES;

/// Pages of an envelope's size in a MiB.
const PAGES_PER_MIB: u32 = 256;

settings::settings! {
    /// All that an operator can set. Relative paths start at the folder of the config file.
    pub struct Config {
        /// The UDP address that the relay listens on.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 4433)),
        /// The host and port under which clients reach this relay, as it stands in its address. Empty: as `listen`.
        public: String = String::new(),
        /// The file of the identity key, whose hash is the pin in the relay's address.
        identity_file: PathBuf = PathBuf::from("identity.key"),
        /// The folder of what the relay holds for others, and of its request keys.
        data_dir: PathBuf = PathBuf::from("data"),
        /// The operator's name as the descriptor tells it, at most 64 bytes.
        operator_name: String = String::new(),
        /// The operator's number: relays of one operator carry one number, so that nobody takes two of them for two operators.
        operator_id: u16 = 0,
        /// What is logged to stderr: error, warn, info, debug or trace. No level names an address, a mailbox or content.
        log_level: String = "info".to_owned(),
        /// The loopback port of the metrics in Prometheus' text form. 0 turns them off. A taken port is a warning.
        metrics_port: u16 = 9464,

        /// Envelopes that wait in one plain mailbox at most.
        plain_envelopes: u32 = Policy::default().plain_envelopes,
        /// Envelopes in one log at most.
        log_envelopes: u32 = Policy::default().log_envelopes,
        /// Bytes that one intake takes a day where its opener names no quota.
        intake_day_bytes: u64 = Policy::default().intake_day_bytes,
        /// Bytes a day that the opener of an intake may ask for at most.
        intake_day_bytes_max: u64 = Policy::default().intake_day_bytes_max,
        /// Envelopes in one answer at most, over all mailboxes of a fetch.
        fetch_envelopes: u16 = Policy::default().fetch_envelopes,
        /// Seconds that a fetch may wait for news at most.
        fetch_wait_secs: u16 = Policy::default().fetch_wait_secs,
        /// Whether opening an intake or a log needs a permit of the operator's.
        permits: bool = Policy::default().permits,
        /// Effort that an unpaid plain mailbox costs. 0 turns prices off.
        base_effort: u32 = Policy::default().base_effort,

        /// Bytes of the disk that stay free: below, puts are refused. The larger of this and `reserve_percent` counts.
        reserve_bytes: u64 = 256 << 20,
        /// Percent of the disk that stay free.
        reserve_percent: u8 = 5,
        /// Minutes within which a deleted envelope is overwritten on the disk.
        erase_minutes: u16 = 10,
        /// MiB of one file of the envelope log, from 1 to 1024. Four are there from the start.
        segment_mib: u32 = 64,

        /// Connections at the same time at most. Each idle one holds about 40 KiB, a hostile one 300 KiB.
        connections: u32 = 16_384,
        /// Connections of one network (IPv4 /24, IPv6 /48) at the same time at most. 0: no bound of its own.
        connections_per_network: u32 = 0,
        /// Channels in one connection at the same time at most.
        channels_per_connection: u16 = 8,
        /// Requests of one channel that are worked on at the same time at most; more wait in the channel.
        requests_per_channel: u16 = 256,
        /// MiB of requests that are under way at most, over all channels; beyond, the answer is busy.
        requests_mib: u32 = 64,
        /// MiB of answers that clients have not taken yet at most, over all channels; beyond, fetches wait or get less.
        answers_mib: u32 = 64,
        /// Handshakes that are under way at the same time at most; further clients must prove their address first.
        handshakes: u32 = 512,
        /// Threads that do nothing but take up new channels, which costs a quarter of a millisecond each.
        channel_threads: u16 = 1,
        /// New channels that wait for such a thread at most; beyond, the answer is busy.
        channels_waiting: u32 = 1024,
        /// Seconds of silence after which a connection ends.
        idle_secs: u16 = 120,
    }
}

impl Config {
    /// The numbers that the rules decide with.
    pub fn policy(&self) -> Policy {
        Policy {
            base_effort: self.base_effort,
            fetch_envelopes: self.fetch_envelopes,
            fetch_wait_secs: self.fetch_wait_secs,
            intake_day_bytes: self.intake_day_bytes,
            intake_day_bytes_max: self.intake_day_bytes_max,
            log_envelopes: self.log_envelopes,
            permits: self.permits,
            plain_envelopes: self.plain_envelopes,
            ..Policy::default()
        }
    }

    /// The sizes and times of the store. It erases twice in the time that is promised, so that what is deleted just
    /// behind an erasure is overwritten in time.
    pub fn store(&self) -> store::Config {
        store::Config {
            segment_pages: self.segment_mib * PAGES_PER_MIB,
            reserve_bytes: self.reserve_bytes,
            reserve_percent: self.reserve_percent,
            erase_after: Duration::from_secs(u64::from(self.erase_minutes) * 24),
            ..store::Config::default()
        }
    }

    /// The host and port that clients dial.
    pub fn public_host_port(&self) -> String {
        if self.public.is_empty() { self.listen.to_string() } else { self.public.clone() }
    }

    /// The folder of the request keys.
    pub fn request_key_dir(&self) -> PathBuf {
        self.data_dir.join("request-keys")
    }

    /// The folder of the envelope log and its index.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join("store")
    }
}
