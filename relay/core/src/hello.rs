//! Hello: what the relay offers, and its clock (docs/spec/relay.md §7).

use poterne_protocol::op::{Answer, HelloAnswer, OPS};
use poterne_protocol::time::UnixTime;

use crate::policy::Policy;

/// The version of the protocol.
const VERSION: u8 = 1;

/// Answers a hello.
pub fn answer(now: UnixTime, policy: &Policy) -> Answer {
    Answer::Hello(HelloAnswer {
        version: VERSION,
        ops: OPS.to_vec(),
        time: now,
        base_effort: policy.base_effort,
        fetch_envelopes: policy.fetch_envelopes,
        fetch_wait_secs: policy.fetch_wait_secs,
        permits: policy.permits,
    })
}
