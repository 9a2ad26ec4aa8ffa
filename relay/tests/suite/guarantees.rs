//! The guarantees, one test each.

use poterne_protocol::time::Day;
use poterne_relay_core::store::Store;

use super::Backend;
use super::workload::Workload;

const TODAY: Day = Day(20_000);

/// What was acknowledged is found again, and nothing that was not.
pub fn acknowledged_work_survives_crashes(backend: &mut impl Backend) {
    let mut workload = Workload::new(1, TODAY);
    let mut store = backend.open(TODAY);
    for round in 0..40 {
        for _ in 0..5 {
            workload.group(&mut store).expect("commits");
        }
        workload.check(&store);
        if round % 3 == 0 {
            backend.rest(&mut store, workload.today());
            workload.check(&store);
        }
        backend.crash(store);
        store = backend.open(workload.today());
        workload.settle_after_crash(&store);
    }
}

/// A group that was not committed leaves nothing.
pub fn what_was_not_committed_leaves_nothing(backend: &mut impl Backend) {
    let mut workload = Workload::new(2, TODAY);
    let mut store = backend.open(TODAY);
    workload.group(&mut store).expect("commits");
    let before = workload.acknowledged.clone();
    for _ in 0..20 {
        workload.operation(&mut store);
    }
    backend.crash(store);
    let store = backend.open(TODAY);
    workload.begun = before.clone();
    workload.acknowledged = before;
    workload.check(&store);
}

/// Days end envelopes, tombstones, leases; a store that was shut over them knows it too.
pub fn days_end_what_they_end(backend: &mut impl Backend) {
    let mut workload = Workload::new(3, TODAY);
    let mut store = backend.open(TODAY);
    for _ in 0..30 {
        for _ in 0..6 {
            workload.group(&mut store).expect("commits");
        }
        backend.crash(store);
        workload.pass_days(1);
        store = backend.open(workload.today());
        backend.rest(&mut store, workload.today());
        workload.check(&store);
    }
    workload.pass_days(60);
    backend.crash(store);
    let mut store = backend.open(workload.today());
    backend.rest(&mut store, workload.today());
    workload.check(&store);
}

/// What a store tells of a mailbox of which it says that all is written is durable, whatever is staged or under way.
pub fn what_is_told_as_written_is_durable(backend: &mut impl Backend) {
    let mut workload = Workload::watching(4, TODAY);
    let mut store = backend.open(TODAY);
    for _ in 0..200 {
        workload.group(&mut store).expect("commits");
    }
    backend.rest(&mut store, TODAY);
    workload.check(&store);
}

/// A commit of nothing says well.
pub fn an_empty_group_commits(backend: &mut impl Backend) {
    assert!(backend.open(TODAY).commit().is_ok());
}
