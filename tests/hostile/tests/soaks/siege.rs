//! Readers that never read and frames that never end, by the hundred, beside honest clients that want all that the disk
//! gives. `POTERNE_CRAWLERS` sets how many such frames there are, ten for each reader; a soak
//! judges.

use std::time::Duration;

use poterne_hostile::count::{count, is_soak, skip, tell};
use poterne_hostile::crowd::insist;
use poterne_hostile::load::Load;
use poterne_hostile::preload::slow_disk;
use poterne_hostile::siege::Siege;
use poterne_protocol::envelope::Class;
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_tests::cast::{KeyedMailbox, envelope};
use tokio::task::JoinSet;

use crate::overload::{SLOW, SLOW_SEGMENT_MIB};
use crate::stage::Stage;

/// What honest clients keep of their goodput.
const KEPT: f64 = 0.95;
/// Until all attackers are inside, on a busy machine too.
const GATHERED_WITHIN: Duration = Duration::from_secs(30);
/// The same where few are enough.
const FEW_WITHIN: Duration = Duration::from_secs(3);

#[test]
fn besieged_honest_clients_keep_their_goodput() {
    let mut stage = Stage::new();
    let Some(words) = slow_disk(stage.folder(), SLOW) else {
        return skip("siege", "no C compiler here, which makes the slow disk");
    };
    let crawlers = count("POTERNE_CRAWLERS", 30) as usize;
    let readers = crawlers / 10;
    let (turns, secs) = if is_soak() { (5, 8) } else { (1, 1) };
    stage.relay.set("segment_mib", SLOW_SEGMENT_MIB).wrap_in(&words).run();
    let full = fill(&stage);
    let address = stage.relay.address().to_owned();
    let honest = |run: u64| {
        let load = Load { address: &address, connections: 4, mailboxes: 4000, producers: 256, run };
        let report = load.drive(&[format!("saturate:{secs}")]);
        assert!(report.is_clean, "the ledger found a fault: {report:?}");
        report.phases[0].goodput
    };
    let mut kept = Vec::new();
    for turn in 0..turns {
        let alone = honest(2 * turn + 1);
        let siege = stage.runtime.block_on(async {
            let siege = Siege::lay(&stage.address(), readers, crawlers, &full).await;
            let limit = if is_soak() { GATHERED_WITHIN } else { FEW_WITHIN };
            siege.gather(readers + crawlers, limit).await;
            siege
        });
        let inside = siege.inside();
        let besieged = honest(2 * turn + 2);
        drop(siege);
        kept.push(besieged / alone);
        tell(format_args!(
            "turn {}: {alone:.0} puts/s alone, {besieged:.0} puts/s beside {inside} of {readers} readers and \
             {crawlers} frames, {:.3} kept",
            turn + 1,
            besieged / alone
        ));
    }
    kept.sort_by(f64::total_cmp);
    let middle = kept[kept.len() / 2];
    tell(format_args!("{middle:.3} of the goodput is kept, the middle of {turns} turns"));
    assert!(middle >= KEPT || !is_soak(), "only {middle:.3} of the goodput is kept");
}

/// A mailbox with as much as one answer holds.
pub fn fill(stage: &Stage) -> KeyedMailbox {
    let full = KeyedMailbox::new(Kind::Plain, 1_000_000, stage.pin());
    let client = stage.connect();
    stage.runtime.block_on(async {
        let puts = (0..64).map(|number| {
            let class = Class::parse(4).expect("a class");
            let put = Put { to: full.write(), class, payment: Payment::None, envelope: envelope(number) };
            let client = client.clone();
            async move { insist(&client, &Request::Put(put)).await }
        });
        for stored in puts.collect::<JoinSet<_>>().join_all().await {
            assert!(matches!(stored, Answer::Stored), "{stored:?}");
        }
    });
    full
}
