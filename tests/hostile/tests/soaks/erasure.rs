//! What a thief finds on the raw disk: no block of an envelope whose deletion was acknowledged, once the promised time
//! is over, or once the relay was ended in good order. `POTERNE_SOAK` waits for the promised time.

use std::collections::BTreeSet;

use poterne_hostile::count::{is_soak, skip, tell};
use poterne_hostile::image::{Mark, marks_of};
use poterne_hostile::ledger::envelope;

use crate::stage::{CROWD, Stage, pause};

/// The shortest time that an operator can promise.
const PROMISED_MINUTES: u64 = 1;

#[test]
fn no_block_of_a_deleted_envelope_is_left_on_the_raw_disk() {
    let Some(mut stage) = Stage::on_image(256, &[]) else {
        return skip("erasure", "no loop-mounted ext4 here (needs root, loop devices, mkfs.ext4)");
    };
    stage.relay.set("erase_minutes", PROMISED_MINUTES).run();
    let crowd = stage.gather(CROWD);
    pause(1500);
    let gone = marks(&stage.ledger.gone());
    // Later deletes have a later bound.
    if is_soak() {
        pause(5000);
        drop(crowd);
        pause(PROMISED_MINUTES * 60_000 - 5000);
    } else {
        drop(crowd);
        assert!(stage.relay.terminate().success());
    }
    let left = stage.disk().search(&gone);
    if is_soak() {
        // A relay at work copies forward: the search could pass the copy's place too early and the original's too late.
        assert!(stage.relay.terminate().success());
    }
    let waiting = marks(&stage.ledger.waiting());
    let found = stage.disk().search(&waiting);
    tell(format_args!(
        "{} sectors of deleted envelopes: {} left; {} of {} sectors of those that wait found",
        gone.len(),
        left.len(),
        found.len(),
        waiting.len()
    ));
    assert!(gone.len() > 100 && left.is_empty(), "{} of {} sectors are left", left.len(), gone.len());
    assert!(found == waiting, "the search finds what is there");
}

fn marks(numbers: &[u64]) -> BTreeSet<Mark> {
    numbers.iter().flat_map(|number| marks_of(envelope(*number).as_bytes()).collect::<Vec<_>>()).collect()
}
