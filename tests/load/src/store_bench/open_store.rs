//! The relay's engine over a store in a folder, without a network.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use poterne_load::relay::Asked;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Request};
use poterne_relay::door::Handler;
use poterne_relay::engine::Engine;
use poterne_relay::store::shared::Shared;
use poterne_relay::store::{Config, start};
use poterne_relay_core::policy::Policy;
use poterne_transport::listen::Source;

/// The relay that the mailboxes are at.
pub const PIN: Pin = Pin([7; 16]);
/// Connections that producers would come by.
const CONNECTIONS: u64 = 32;
const POLL: Duration = Duration::from_millis(2);
/// The longest that work behind the commits may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// An engine at work.
pub struct OpenStore {
    engine: Engine,
    asked: AtomicU64,
    /// What the engine's store shares with the threads behind it.
    pub shared: Arc<Shared>,
}

impl OpenStore {
    /// Opens the store in `folder`.
    pub fn open(folder: &Path, config: Config) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let (relay, tend) = start(folder, Policy::default(), config).context("opening the store")?;
        let shared = relay.store().shared().clone();
        Ok(Self { engine: Engine::start(relay, tend), asked: AtomicU64::new(0), shared })
    }

    /// Waits until segments are ready as the config wants them.
    pub fn await_spares(&self) -> anyhow::Result<()> {
        wait_for("segments", || self.shared.spares.ready() >= self.shared.config.spares)
    }

    /// Brings the index up to the end of the log now, and waits for it.
    pub fn settle(&self) -> anyhow::Result<()> {
        wait_for("the index", || {
            let settled = self.shared.settle().is_ok();
            settled && self.shared.inner().rows.waiting() == 0
        })
    }
}

/// How long nothing may change before the work behind the commits counts as done.
const CALM: Duration = Duration::from_secs(2);

/// Between two times that what is deleted is overwritten: not at each look, since a store at work does not either.
const ERASE_EACH: Duration = Duration::from_millis(500);

/// Waits until there is nothing to erase, to copy or to end any more. The index is brought up as the store
/// does it by itself: small batches would write more.
pub fn await_calm(shared: &Shared) -> anyhow::Result<()> {
    let (mut last, mut since) = (None, Instant::now());
    let mut erased: Option<Instant> = None;
    wait_for("the work behind the commits", || {
        if erased.is_none_or(|last| last.elapsed() >= ERASE_EACH) {
            shared.erase().ok();
            erased = Some(Instant::now());
        }
        let inner = shared.inner();
        let now = (inner.group, inner.book.uses.len(), inner.retiring.len(), shared.spares.free());
        let busy = !inner.retiring.is_empty() || last != Some(now);
        drop(inner);
        last = Some(now);
        if busy {
            since = Instant::now();
        }
        since.elapsed() >= CALM
    })
}

/// Waits for what other threads do.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so() {
        ensure!(began.elapsed() < PATIENCE, "waiting for {what} took too long");
        sleep(POLL);
    }
    Ok(())
}

impl Asked for OpenStore {
    async fn ask(&self, request: Request) -> Option<Answer> {
        let next = self.asked.fetch_add(1, Ordering::Relaxed);
        Some(self.engine.handle(Source(next % CONNECTIONS), request).await)
    }
}
