//! A clock that is set while the relay is at work: it loses nothing, keeps nothing that was deleted, and goes on serving.

use std::time::Duration;

use poterne_hostile::count::skip;
use poterne_hostile::crowd::connect;
use poterne_hostile::preload::SteppedClock;
use poterne_protocol::op::{Answer, Delete, DeleteBy, Request};
use poterne_tests::cast::envelope;
use tokio::time::sleep;

use crate::door::Door;
use crate::rig::{fetch, put};

const DAY_SECS: i64 = 86_400;
/// Steps of a clock by hand, by a wrong time server, by an empty battery.
const STEPS: [i64; 5] = [400 * DAY_SECS, -3 * DAY_SECS, 3600, -400 * DAY_SECS, 0];
/// Longer than a relay goes between two looks at its clock.
const LOOK: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_at_work_costs_no_envelope_and_brings_none_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(clock) = SteppedClock::make(folder.path()) else {
        return skip("clock steps", "no C compiler here, which makes the clock");
    };
    let door = Door::open_in(&[], &clock.wrapper());
    let client = connect(&door.address).await;
    let (kept, gone) = (door.mailbox(1), door.mailbox(2));
    for mailbox in [&kept, &gone] {
        let stored = client.call(&put(mailbox, &envelope(1), 1)).await;
        assert!(matches!(stored, Ok(Answer::Stored)), "{stored:?}");
    }
    let delete = Delete { by: DeleteBy::Key(gone.delete()), ids: vec![envelope(1).id()] };
    assert!(matches!(client.call(&Request::Delete(delete)).await, Ok(Answer::Done)));
    for (number, step) in (10..).zip(STEPS) {
        clock.set(step);
        sleep(LOOK).await;
        for (mailbox, expected) in [(&kept, vec![envelope(1)]), (&gone, vec![])] {
            let Ok(Answer::Fetched(fetched)) = client.call(&fetch(mailbox)).await else {
                panic!("not served after a step of {step} s")
            };
            assert_eq!(fetched[0].envelopes, expected, "after a step of {step} s");
        }
        // A replay of what was deleted is not stored a second time, whatever the day.
        assert!(matches!(client.call(&put(&gone, &envelope(1), 1)).await, Ok(Answer::Stored)));
        door.serves(&client, number).await;
    }
}
