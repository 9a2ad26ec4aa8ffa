//! The memory that a relay takes at most, as a formula of its settings (docs/operators/relay.md §3).
//!
//! Every term is the bound of something that strangers can fill, at its worst for all of them at once.

use poterne_protocol::limits::FIRST_FRAME_BYTES;
use poterne_transport::{INCOMING_BYTES, RELAY_SEND_WINDOW_BYTES, RELAY_WINDOW_BYTES};

use super::Config;

/// Bytes of the program, of the states of mailboxes (32 MiB), of the index (three times 8 MiB) and of one group of puts.
const BASE_BYTES: u64 = 96 << 20;
/// Bytes of a connection that is idle.
const CONNECTION_BYTES: u64 = 44 << 10;
/// Copies of a request while it is under way: the channel's and the engine's.
const REQUEST_COPIES: u64 = 2;
/// Bytes for each envelope that waits on the disk.
pub const PENDING_BYTES: u64 = 150;

impl Config {
    /// Bytes of memory at most, beside [`PENDING_BYTES`] for each envelope that waits.
    pub fn memory_bytes(&self) -> u64 {
        let hostile = CONNECTION_BYTES + u64::from(RELAY_WINDOW_BYTES) + RELAY_SEND_WINDOW_BYTES;
        let held = REQUEST_COPIES * u64::from(self.requests_mib) + u64::from(self.answers_mib);
        BASE_BYTES
            + INCOMING_BYTES
            + u64::from(self.connections) * hostile
            + (held << 20)
            + u64::from(self.channels_waiting) * FIRST_FRAME_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_allows_is_what_it_costs() {
        let small = Config { connections: 100, requests_mib: 1, answers_mib: 1, ..Config::default() };
        let larger = Config { connections: 200, answers_mib: 3, ..small.clone() };
        assert_eq!(larger.memory_bytes() - small.memory_bytes(), 100 * (300 << 10) + (2 << 20));
    }
}
