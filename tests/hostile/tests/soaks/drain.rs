//! SIGTERM at full load: every put is answered, the relay ends in time, nothing that was acknowledged is lost.
//! `POTERNE_DRAINS` sets the number of drains.

use std::time::{Duration, Instant};

use poterne_hostile::count::{count, is_soak, tell};
use poterne_hostile::ledger::Refusals;

use crate::stage::{CROWD, Stage, pause};

/// What an operator's stop takes at most.
const END_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn a_drain_at_full_load_answers_every_put_and_loses_none() {
    let mut stage = Stage::new();
    let drains = count("POTERNE_DRAINS", 2);
    let (mut answered, mut longest) = (0, Duration::ZERO);
    for number in 0..drains {
        let first = stage.ledger.last();
        stage.relay.run();
        let crowd = stage.gather(CROWD);
        pause(300 + 100 * (number % 10));
        let begun = Instant::now();
        assert!(stage.relay.terminate().success());
        longest = longest.max(begun.elapsed());
        stage.runtime.block_on(crowd.disperse());
        let Refusals { unanswered, busy, .. } = stage.ledger.take_refusals();
        answered += busy;
        assert_eq!(unanswered, 0, "puts were not answered");
        stage.relay.run();
        stage.check_since(first);
        stage.relay.kill();
    }
    let stored = stage.ledger.stored();
    tell(format_args!(
        "{drains} drains, {stored} stored, {answered} turned away, longest {longest:?}, 0 lost"
    ));
    assert!(stored > 100 && (longest < END_WITHIN || !is_soak()), "{stored} stored, {longest:?}");
}
