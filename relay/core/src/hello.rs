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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use poterne_protocol::op::Request;

    #[test]
    fn a_fresh_relay_is_open_and_tells_its_time() {
        let mut relay = Fixture::new();
        let Answer::Hello(hello) = relay.handle(Request::Hello) else {
            panic!("a hello is answered by a hello")
        };
        assert_eq!((hello.version, hello.base_effort, hello.permits, hello.time), (1, 0, false, relay.now));
    }
}
