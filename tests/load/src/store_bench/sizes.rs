//! How much is measured, from the environment.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use poterne_load::payload::PAYLOAD_BYTES;

/// MiB of a turn; the environment's `POTERNE_BENCH_MIB`.
const TURN_MIB: u64 = 1024;
/// Turns go on until that many MiB were put; `POTERNE_BENCH_TOTAL_MIB`.
const TOTAL_MIB: u64 = 4096;
/// Turns go on until puts took that many seconds; `POTERNE_BENCH_SECS`.
const SECS: u64 = 30;
/// Envelopes that wait when the store is reopened; `POTERNE_BENCH_PENDING`.
const PENDING: u64 = 1_000_000;
/// Mailboxes that they wait in, one for this many.
const PENDING_IN_EACH: u64 = 5;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// A folder on the disk that is measured; `POTERNE_BENCH_DIR`.
    pub dir: PathBuf,
    /// Envelopes of a turn.
    pub turn: u64,
    /// Turns go on until that many envelopes were put.
    pub total: u64,
    /// Turns go on until puts took that many seconds.
    pub secs: u64,
    /// Envelopes that wait when the store is reopened.
    pub pending: u64,
}

impl Sizes {
    /// What the environment says; `POTERNE_BENCH_SMALL` makes all of it small.
    pub fn from_environment() -> anyhow::Result<Self> {
        let small = std::env::var_os("POTERNE_BENCH_SMALL").is_some();
        let pick = |small_size, size| if small { small_size } else { size };
        let envelopes = |mib: u64| mib * (1 << 20) / PAYLOAD_BYTES as u64;
        Ok(Self {
            dir: folder(),
            turn: envelopes(number("POTERNE_BENCH_MIB", pick(128, TURN_MIB))?),
            total: envelopes(number("POTERNE_BENCH_TOTAL_MIB", pick(128, TOTAL_MIB))?),
            secs: number("POTERNE_BENCH_SECS", pick(0, SECS))?,
            pending: number("POTERNE_BENCH_PENDING", pick(50_000, PENDING))?,
        })
    }

    /// Mailboxes for that many envelopes.
    pub fn mailboxes(envelopes: u64) -> u32 {
        u32::try_from((envelopes / PENDING_IN_EACH).max(1)).unwrap_or(u32::MAX)
    }
}

fn folder() -> PathBuf {
    match std::env::var_os("POTERNE_BENCH_DIR") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench"),
    }
}

fn number(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number. Give it digits only")),
        Err(_) => Ok(default),
    }
}
