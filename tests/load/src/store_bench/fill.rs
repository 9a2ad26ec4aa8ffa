//! A turn of the store: puts, the index brought up, everything fetched and deleted, the room given back.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use poterne_load::payload::{PAYLOAD_BYTES, Payloads};
use poterne_load::relay::{Mailboxes, RelayTarget};
use poterne_load::system::{bytes_written, disk_bytes};
use poterne_load::{Setup, Work, run};
use poterne_relay::store::Config;
use serde_json::json;

use crate::children::{drain_phase, number, puts_phase, tell};
use crate::open_store::{OpenStore, PIN, await_calm};
use crate::sizes::Sizes;

/// Segments beside those of the puts: tables, deletes, copies.
const MORE_SEGMENTS: u64 = 6;

/// `fill FOLDER PUTS PRODUCERS RUN`: leaves an empty store whose files can be used again.
pub fn child(words: &[&str]) -> anyhow::Result<()> {
    let [folder, puts, producers, turn] = words else { bail!("fill FOLDER PUTS PRODUCERS RUN") };
    let (puts, producers, turn) = (number(puts)?, number(producers)? as usize, number(turn)?);
    let mailboxes = Sizes::mailboxes(puts);
    let payloads = Arc::new(Payloads::of_run(turn));
    let named = Arc::new(Mailboxes::of_run(turn, mailboxes, &PIN));
    let store = Arc::new(OpenStore::open(Path::new(folder), config(puts))?);
    store.await_spares()?;
    await_calm(&store.shared)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let targets = [Arc::new(RelayTarget::new(SharedStore(store.clone()), named, payloads.clone()))];
    let setup = |phase| Setup {
        producers,
        mailboxes,
        work: Work::Put,
        phases: vec![phase],
        payloads: payloads.clone(),
    };

    let (began, before) = (Instant::now(), bytes_written(Path::new(folder))?);
    let put = runtime.block_on(run(&targets, &setup(puts_phase(puts))));
    let behind = store.shared.inner().rows.waiting();
    let at_once = bytes_written(Path::new(folder))?;
    store.settle()?;
    let (drained_secs, after_puts) = (began.elapsed().as_secs_f64(), bytes_written(Path::new(folder))?);

    let deleted = runtime.block_on(run(&targets, &setup(drain_phase())));
    ensure!(deleted.drained, "not everything could be deleted");
    // Else the next opening does not know what was overwritten, and does it again.
    store.settle()?;
    store.shared.erase()?;
    store.settle()?;
    drop(targets);
    drop(store);
    // Segments that hold little are copied at once and not after a minute: it costs the same.
    let store = OpenStore::open(Path::new(folder), Config { copy_after: Duration::ZERO, ..config(puts) })?;
    await_calm(&store.shared)?;
    let after_deletes = bytes_written(Path::new(folder))?;
    let per_byte = |from: u64, to: u64| (to - from) as f64 / (puts * PAYLOAD_BYTES as u64) as f64;
    tell(&json!({
        "puts": put.phases[0].to_json(),
        "refused": put.verdict.refused,
        "rows_behind": behind,
        "drained_per_sec": puts as f64 / drained_secs,
        "written_before_index_per_byte_put": per_byte(before, at_once),
        "written_per_byte_put": per_byte(before, after_puts),
        "written_per_byte_deleted": per_byte(after_puts, after_deletes),
        "emptied": deleted.phases[0].to_json(),
        "disk_bytes": disk_bytes(Path::new(folder))?,
    }));
    Ok(())
}

/// The defaults, but for the files in no use, which the next turn uses again.
fn config(puts: u64) -> Config {
    let default = Config::default();
    let segments = puts.div_ceil(u64::from(default.segment_pages)) * 21 / 20 + MORE_SEGMENTS;
    Config { free_files: segments as usize, ..default }
}

/// The store, for the target and for us.
struct SharedStore(Arc<OpenStore>);

impl poterne_load::relay::Asked for SharedStore {
    async fn ask(&self, request: poterne_protocol::op::Request) -> Option<poterne_protocol::op::Answer> {
        self.0.ask(request).await
    }
}
