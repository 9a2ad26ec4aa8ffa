//! Whether a reader can tell, by the time of the answer, a mailbox that was used and drained from one that never was.
//! `POTERNE_PAIRS` sets the number of pairs; a soak judges.

use std::time::{Duration, Instant};

use poterne_hostile::count::{count, is_soak, tell};
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Delete, DeleteBy, Fetch, FetchFrom, Request, Start};
use poterne_protocol::{envelope::Class, op::Payment, op::Put};
use poterne_tests::cast::{KeyedMailbox, envelope};
use poterne_transport::client::RelayClient;
use tokio::task::JoinSet;

use crate::stage::Stage;

/// Mailboxes that are drained at the same time.
const AT_ONCE: usize = 64;
/// The chance that a drained mailbox takes longer than an absent one; a half says nothing.
const SAYS_NOTHING: std::ops::RangeInclusive<f64> = 0.45..=0.55;

#[test]
fn the_time_of_an_answer_does_not_tell_whether_a_mailbox_was_ever_used() {
    let mut stage = Stage::new();
    let pairs = u32::try_from(count("POTERNE_PAIRS", 100)).expect("a number of pairs");
    stage.relay.run();
    let client = stage.connect();
    let pin = stage.pin();
    let mailbox = |number| KeyedMailbox::new(Kind::Plain, number, pin);
    stage.runtime.block_on(async {
        for some in (0..pairs).collect::<Vec<_>>().chunks(AT_ONCE) {
            let drained = some.iter().map(|number| drain(client.clone(), mailbox(*number)));
            drained.collect::<JoinSet<_>>().join_all().await;
        }
    });
    drop(client);
    // From a store that has read none of them.
    assert!(stage.relay.terminate().success());
    stage.relay.run();
    let client = stage.connect();
    let mut times = Vec::new();
    for number in 0..pairs {
        let (used, absent) = (mailbox(number), mailbox(pairs + number));
        let ask = |mailbox: &KeyedMailbox| stage.runtime.block_on(fetch(&client, mailbox));
        // Which one comes first changes, as it would for somebody who asks.
        if number.wrapping_mul(0x9E37_79B9) >> 31 == 0 {
            times.push((ask(&used), true));
            times.push((ask(&absent), false));
        } else {
            times.push((ask(&absent), false));
            times.push((ask(&used), true));
        }
    }
    let chance = chance_of_longer(&mut times);
    tell(format_args!("{pairs} pairs: AUC {chance:.3}"));
    assert!(SAYS_NOTHING.contains(&chance) || !is_soak(), "AUC {chance:.3}");
}

async fn drain(client: RelayClient, mailbox: KeyedMailbox) {
    let class = Class::parse(4).expect("a class");
    let put = Put { to: mailbox.write(), class, payment: Payment::None, envelope: envelope(1) };
    assert!(matches!(client.call(&Request::Put(put)).await, Ok(Answer::Stored)));
    let delete = Delete { by: DeleteBy::Key(mailbox.delete()), ids: vec![envelope(1).id()] };
    assert!(matches!(client.call(&Request::Delete(delete)).await, Ok(Answer::Done)));
}

async fn fetch(client: &RelayClient, mailbox: &KeyedMailbox) -> Duration {
    let from = vec![FetchFrom { mailbox: mailbox.read(), start: Start::First }];
    let request = Request::Fetch(Fetch { from, max: 64, wait_secs: 0 });
    let begun = Instant::now();
    let answer = client.call(&request).await;
    let time = begun.elapsed();
    let Ok(Answer::Fetched(fetched)) = answer else { panic!("a fetch is answered") };
    assert!(fetched[0].envelopes.is_empty() && !fetched[0].more);
    time
}

/// The area under the curve: of all pairs of a used and an absent mailbox, the share in which the used one took longer
/// (Mann and Whitney, 1947).
fn chance_of_longer(times: &mut [(Duration, bool)]) -> f64 {
    times.sort_unstable();
    let used = times.iter().filter(|(_, is_used)| *is_used).count() as f64;
    let ranks = (1..).zip(times.iter()).filter(|(_, (_, is_used))| *is_used);
    let sum: f64 = ranks.map(|(rank, _)| f64::from(rank)).sum();
    (sum - used * (used + 1.0) / 2.0) / (used * (times.len() as f64 - used))
}
