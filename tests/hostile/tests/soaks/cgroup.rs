//! The memory that `config check` prints, as a limit that the kernel enforces: a relay that strangers besiege from all
//! sides while honest clients work is not killed for it. `POTERNE_CGROUP_SECS` sets how long.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use poterne_hostile::count::{count, skip, tell};
use poterne_hostile::crowd::Size;
use poterne_hostile::siege::Siege;

use crate::siege::fill;
use crate::stage::{Stage, pause};

/// Places for connections: fewer than come.
const CONNECTIONS: usize = 400;
/// Attackers; the crowd wants places too.
const READERS: usize = 150;
const CRAWLERS: usize = 400;
/// A crowd that leaves some of what it puts.
const CROWD: Size = Size { connections: 4, producers: 32, deleted_of_ten: 9 };
/// Bytes for each envelope that waits (docs/operators/relay.md §3).
const PENDING_BYTES: u64 = 150;
/// Envelopes that may come to wait.
const PENDING: u64 = 400_000;

/// A control group of its own with a limit of memory; gone when dropped.
struct Limited(PathBuf);

impl Limited {
    /// `None` where there are no control groups with memory, or no right to make one.
    fn make(bytes: u64) -> Option<Self> {
        let (first, second) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let name = format!("poterne-{}", std::process::id());
        let (group, limit) = if first.is_dir() {
            (Self(first.join(name)), "memory.limit_in_bytes")
        } else {
            (Self(second.join(name)), "memory.max")
        };
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// The words in front of a program that is to run in it.
    fn wrapper(&self) -> [String; 4] {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        ["sh".to_owned(), "-c".to_owned(), enter, "sh".to_owned()]
    }

    /// The most bytes that were held, files' pages included, where the kernel tells.
    fn peak(&self) -> Option<u64> {
        let tell = |name: &str| fs::read_to_string(self.0.join(name)).ok()?.trim().parse().ok();
        tell("memory.max_usage_in_bytes").or_else(|| tell("memory.peak"))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // The relay has ended; its group goes with the next try.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            pause(20);
        }
    }
}

#[test]
fn a_besieged_relay_stays_below_the_memory_that_its_config_says() {
    let mut stage = Stage::new();
    stage.relay.set("connections", CONNECTIONS).set("requests_mib", 16).set("answers_mib", 16);
    let bytes = stage.relay.memory_at_most() + PENDING * PENDING_BYTES;
    let Some(group) = Limited::make(bytes) else {
        return skip("cgroup", "no control group with a limit of memory can be made here (needs root)");
    };
    stage.relay.wrap_in(&group.wrapper()).run();
    let full = fill(&stage);
    let crowd = stage.gather(CROWD);
    let siege = stage.runtime.block_on(async {
        let siege = Siege::lay(&stage.address(), READERS, CRAWLERS, &full).await;
        siege.gather(CONNECTIONS * 3 / 4, Duration::from_secs(30)).await;
        siege
    });
    let mut inside = Vec::new();
    for _ in 0..count("POTERNE_CGROUP_SECS", 3) {
        pause(1000);
        inside.push(siege.inside());
        assert!(!stage.relay.has_ended(), "the relay was killed:\n{}", stage.relay.log());
    }
    let memory = poterne_hostile::process::Holding::of(stage.relay.process_id()).memory_bytes;
    drop((crowd, siege));
    stage.check_since(0);
    tell(format_args!(
        "{} to {} attackers inside; limit {} MiB, resident {} MiB at last, most with files' pages {} MiB; {} stored",
        inside.iter().min().expect("some seconds"),
        inside.iter().max().expect("some seconds"),
        bytes >> 20,
        memory >> 20,
        group.peak().unwrap_or(0) >> 20,
        stage.ledger.stored()
    ));
    assert!(memory <= bytes);
    // The group is empty only when the relay is gone.
    stage.relay.kill();
}
