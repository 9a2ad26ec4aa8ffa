//! A million envelopes that wait: what they take of memory, and how soon a store serves again, also after SIGKILL.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use poterne_load::payload::{PAYLOAD_BYTES, Payloads};
use poterne_load::relay::{Mailboxes, RelayTarget};
use poterne_load::run::mailbox_of;
use poterne_load::system::{disk_bytes, resident_bytes};
use poterne_load::{Setup, Target as _, Work, run};
use poterne_relay::store::Config;
use serde_json::json;

use crate::children::{drain_phase, number, puts_phase, tell};
use crate::open_store::{OpenStore, PIN, await_calm, wait_for};
use crate::sizes::Sizes;

const PRODUCERS: usize = 512;
const RUN: u64 = 99;

/// `pend FOLDER PUTS`: fills, tells, and waits for the end of its standard input. What a slow or full disk refuses is not
/// put again: the answer says how many wait.
pub fn fill_child(words: &[&str]) -> anyhow::Result<()> {
    let [folder, puts] = words else { bail!("pend FOLDER PUTS") };
    let puts = number(puts)?;
    let (payloads, mailboxes) = (Arc::new(Payloads::of_run(RUN)), Sizes::mailboxes(puts));
    let named = Arc::new(Mailboxes::of_run(RUN, mailboxes, &PIN));
    let store = OpenStore::open(Path::new(folder), Config::default())?;
    store.await_spares()?;
    let shared = store.shared.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Arc::new(RelayTarget::new(store, named, payloads.clone()));
    let phases = vec![puts_phase(puts)];
    let setup = Setup { producers: PRODUCERS, mailboxes, work: Work::Put, phases, payloads };
    let before = resident_bytes()?;
    let outcome = runtime.block_on(run(std::slice::from_ref(&target), &setup));
    let verdict = &outcome.verdict;
    ensure!(verdict.acknowledged + verdict.refused == puts, "puts have no answer: {}", outcome.to_text());
    let behind = shared.inner().rows.waiting();
    tell(&json!({
        "puts": outcome.phases[0].to_json(),
        "refused": verdict.refused,
        "rows_behind": behind,
        "resident_bytes": resident_bytes()?.saturating_sub(before),
    }));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// `reopen FOLDER PUTS WAIT`: opens, serves one mailbox, and tells how long that took; then serves all of them, in which
/// WAIT must wait.
pub fn reopen_child(words: &[&str]) -> anyhow::Result<()> {
    let [folder, puts, wait] = words else { bail!("reopen FOLDER PUTS WAIT") };
    let (puts, wait) = (number(puts)?, number(wait)?);
    let (payloads, mailboxes) = (Arc::new(Payloads::of_run(RUN)), Sizes::mailboxes(puts));
    let named = Arc::new(Mailboxes::of_run(RUN, mailboxes, &PIN));
    let harness = resident_bytes()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    let store = OpenStore::open(Path::new(folder), Config::default())?;
    let shared = store.shared.clone();
    let target = RelayTarget::new(store, named, payloads);
    let fetch = |mailbox| runtime.block_on(target.fetch(mailbox)).map_or(0, |found| found.len() as u64);
    let first = fetch(mailbox_of(0, mailboxes));
    let serving_secs = began.elapsed().as_secs_f64();
    ensure!(first > 0, "the first mailbox is empty after reopening");
    let found: u64 = (0..mailboxes).map(fetch).sum();
    ensure!(found == wait, "{found} of {wait} envelopes are there after reopening");
    let waiting = shared.inner().rows.waiting();
    tell(&json!({
        "serving_secs": serving_secs,
        "rows_in_memory": waiting,
        "resident_bytes": resident_bytes()?.saturating_sub(harness),
    }));
    Ok(())
}

/// `empty FOLDER PUTS`: deletes everything that waits, and tells what is left on the disk once all is given back: clean files
/// for puts, and beside them segments in use and the index.
pub fn empty_child(words: &[&str]) -> anyhow::Result<()> {
    let [folder, puts] = words else { bail!("empty FOLDER PUTS") };
    let (payloads, mailboxes) = (Arc::new(Payloads::of_run(RUN)), Sizes::mailboxes(number(puts)?));
    let named = Arc::new(Mailboxes::of_run(RUN, mailboxes, &PIN));
    let config = Config { copy_after: Duration::ZERO, calm_after: Duration::ZERO, ..Config::default() };
    let store = OpenStore::open(Path::new(folder), config)?;
    let shared = store.shared.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let target = Arc::new(RelayTarget::new(store, named, payloads.clone()));
    let phases = vec![drain_phase()];
    let setup = Setup { producers: PRODUCERS, mailboxes, work: Work::Put, phases, payloads };
    let outcome = runtime.block_on(run(std::slice::from_ref(&target), &setup));
    ensure!(outcome.drained, "not everything could be deleted");
    let Config { spares, free_files, segment_pages, .. } = shared.config;
    await_calm(&shared)?;
    wait_for("the index", || matches!(shared.settle(), Ok(false)) && !shared.inner().rows.is_frozen())?;
    wait_for("files to be given back", || {
        shared.spares.ready() >= spares && shared.spares.free() <= free_files
    })?;
    let bytes = |segments: usize| segments as u64 * u64::from(segment_pages) * PAYLOAD_BYTES as u64;
    let clean = bytes(shared.spares.ready() + shared.spares.free());
    let segments = shared.inner().book.uses.len();
    let left = disk_bytes(Path::new(folder))? - clean;
    tell(&json!({
        "clean_bytes": clean,
        "left_bytes": left,
        "segments": segments,
        "index_bytes": left.saturating_sub(bytes(segments)),
    }));
    Ok(())
}
