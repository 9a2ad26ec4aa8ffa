//! More puts than a slow disk takes: what is accepted stays as much and as soon as before, the rest is told *busy*, and a
//! moment later all is well again (docs/spec/relay.md §1). `POTERNE_OVERLOAD_SECS` sets the seconds of a phase; a soak
//! judges.

use poterne_hostile::count::{count, is_soak, skip, tell};
use poterne_hostile::load::{Load, Report, Told};
use poterne_hostile::preload::{Pace, slow_disk};

use crate::stage::Stage;

/// About 2,000 puts a second in groups of some hundred, as a card or a network's disk takes them.
pub const SLOW: Pace = Pace { bytes_per_sec: 9_000_000, sync_millis: 20 };
/// MiB of a segment on such a disk: some are written when a relay begins, and none too often behind that.
pub const SLOW_SEGMENT_MIB: u32 = 4;
/// Of what the disk takes: a load that an operator would call full.
const FULL: f64 = 0.8;
/// Times what the disk takes.
const TIMES: [f64; 3] = [2.0, 5.0, 10.0];
/// Under overload at least this part of the peak is still acknowledged.
const GOODPUT_KEPT: f64 = 0.9;
/// An accepted put takes at most so many times as long as under a full load.
const SLOWER: f64 = 2.0;
/// Seconds after which all is as before.
const BACK_SECS: u64 = 10;
/// A generator that was later than this itself says nothing of the relay.
const LAG_MILLIS: f64 = 20.0;

/// Enough connections and operations under way that it is the relay that turns away.
fn load(address: &str, run: u64) -> Load<'_> {
    let mailboxes = if is_soak() { 4000 } else { 400 };
    Load { address, connections: 32, mailboxes, producers: 8192, run }
}

#[test]
fn a_relay_that_is_asked_for_more_than_its_disk_takes_keeps_its_pace() {
    let mut stage = Stage::new();
    let Some(words) = slow_disk(stage.folder(), SLOW) else {
        return skip("overload", "no C compiler here, which makes the slow disk");
    };
    let secs = count("POTERNE_OVERLOAD_SECS", 1);
    stage.relay.set("segment_mib", SLOW_SEGMENT_MIB).wrap_in(&words).run();
    let address = stage.relay.address().to_owned();
    let few = Load { producers: 512, ..load(&address, 1) };
    // The relay learns in the first of them what its disk takes.
    let saturated = clean(few.drive(&[0, 1].map(|_| format!("saturate:{secs}"))));
    let capacity = saturated.phases[1].goodput;
    let rated = |name: &str, times: f64, secs: u64| format!("{name}:{:.0}:{secs}", times * capacity);
    let mut phases = vec![rated("steady", FULL, secs)];
    let times = if is_soak() { &TIMES[..] } else { &TIMES[1..2] };
    for times in times {
        phases.push(rated("overload", *times, secs));
        phases.push(rated("recover", FULL, if is_soak() { BACK_SECS } else { 1 }));
        phases.push(rated("steady", FULL, secs.div_ceil(2)));
    }
    phases.push("drain:600".to_owned());
    let report = clean(load(&address, 2).drive(&phases));
    show(capacity, &phases, &report);
    assert!(report.is_drained, "not everything that was acknowledged could be read");
    if is_soak() {
        judge(capacity, &report.phases);
    }
}

fn clean(report: Report) -> Report {
    assert!(report.is_clean, "the ledger found a fault: {report:?}");
    report
}

fn show(capacity: f64, phases: &[String], report: &Report) {
    tell(format_args!("the disk takes {capacity:.0} puts/s\n"));
    tell(format_args!("| phase:rate:seconds | acknowledged | p99 | refused | unknown | generator late |"));
    tell(format_args!("|---|---|---|---|---|---|"));
    for (phase, told) in phases.iter().zip(&report.phases) {
        let Told { goodput, p99_millis, refused, unknown, lag_millis } = told;
        tell(format_args!(
            "| {phase} | {goodput:.0}/s | {p99_millis:.0} ms | {refused} | {unknown} | {lag_millis:.1} ms |"
        ));
    }
}

/// `phases`: one under full load, then for each overload itself, ten seconds, and full load again; a drain.
fn judge(capacity: f64, phases: &[Told]) {
    let full = phases[0];
    let worked = &phases[..phases.len() - 1];
    let peak = worked.iter().map(|told| told.goodput).fold(capacity, f64::max);
    let mut faults = Vec::new();
    for (times, three) in TIMES.iter().zip(worked[1..].chunks(3)) {
        let [over, _, after] = three else { unreachable!("three phases each") };
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("at {times} times: {what}"));
            }
        };
        expect(over.lag_millis <= LAG_MILLIS, "the generator was late itself: the run says nothing");
        expect(over.goodput >= GOODPUT_KEPT * peak, "goodput fell");
        expect(over.p99_millis <= SLOWER * full.p99_millis, "what was accepted waited too long");
        expect(after.p99_millis <= SLOWER * full.p99_millis, "it is not back after ten seconds");
        expect(after.goodput >= GOODPUT_KEPT * full.goodput, "it is not back after ten seconds");
    }
    assert!(faults.is_empty(), "{}", faults.join("; "));
}
