//! One turn of one system: puts as fast as they are acknowledged, everything drained, then whole rounds.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::build::Programs;
use crate::certificate::Certificate;
use crate::systems::System;

/// Mailboxes that puts are spread over.
const MAILBOXES: &str = "20000";
/// Seconds that a drain may take.
const DRAIN_SECS: u64 = 120;
/// From that many producers on a system gets its connections for many.
const MANY: usize = 256;
const PAYLOAD_BYTES: f64 = 4096.0;

/// What a turn came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    /// Puts acknowledged a second.
    pub acknowledged: f64,
    /// Envelopes fetched and deleted a second, when nothing is put.
    pub drained: f64,
    /// Rounds of put, fetch and delete a second.
    pub rounds: f64,
    /// Milliseconds until a put was acknowledged.
    pub p50: f64,
    /// The same.
    pub p99: f64,
    /// The same.
    pub p999: f64,
    /// Milliseconds until a put was acknowledged among rounds.
    pub round_p99: f64,
    /// Bytes written to the disk for a byte put, until all was put.
    pub written_per_byte: f64,
    /// Bytes of memory after the puts.
    pub memory: f64,
    /// Bytes of disk after all was deleted.
    pub left: f64,
}

impl Turn {
    /// Measures a system that is started for it and ended behind it.
    pub fn measure(
        system: System,
        programs: &Programs,
        folder: &Path,
        certificate: &Certificate,
        producers: usize,
        secs: u64,
    ) -> anyhow::Result<Self> {
        let running = system.start(programs, folder, certificate)?;
        let connections = running.connections[usize::from(producers >= MANY)];
        let drive = |work: &str, run: &str, phases: &[String]| -> anyhow::Result<Value> {
            let mut command = Command::new(&running.driver[0]);
            command.args(&running.driver[1..]).args(["--json", "--mailboxes", MAILBOXES, "--run", run]);
            command.args(["--work", work, "--producers", &producers.to_string()]);
            command.args(["--connections", &connections.to_string()]);
            for phase in phases {
                command.args(["--phase", phase]);
            }
            let output = command.output().context("starting a load generator")?;
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(!output.stdout.is_empty(), "the load generator says: {}", told.trim());
            Ok(serde_json::from_slice(&output.stdout)?)
        };
        let written_before = running.server.bytes_written();
        let filled = drive("put", "1", &[format!("saturate:{secs}")])?;
        let written = running.server.bytes_written() - written_before;
        let memory = running.server.memory_bytes();
        let drained = drive("put", "1", &[format!("drain:{DRAIN_SECS}")])?;
        let rounds = drive("round", "2", &[format!("saturate:{secs}"), format!("drain:{DRAIN_SECS}")])?;
        ensure!(rounds["clean"] == true, "{}: the ledger found a fault: {}", system.name(), rounds["ledger"]);
        let put = |name: &str| number(&filled, &format!("/phases/0/put_millis/{name}"));
        let count = number(&filled, "/phases/0/acknowledged")?;
        Ok(Self {
            acknowledged: number(&filled, "/phases/0/acknowledged_per_sec")?,
            drained: number(&drained, "/phases/0/deleted_per_sec")?,
            rounds: number(&rounds, "/phases/0/acknowledged_per_sec")?,
            p50: put("p50")?,
            p99: put("p99")?,
            p999: put("p999")?,
            round_p99: number(&rounds, "/phases/0/put_millis/p99")?,
            written_per_byte: written as f64 / (count * PAYLOAD_BYTES).max(1.0),
            memory: memory as f64,
            left: disk_bytes(folder)? as f64,
        })
    }
}

fn number(answer: &Value, path: &str) -> anyhow::Result<f64> {
    answer.pointer(path).and_then(Value::as_f64).with_context(|| format!("an answer lacks {path}: {answer}"))
}

fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => disk_bytes(&entry.path())?,
            // A server may remove a file while we look.
            false => entry.metadata().map_or(0, |file| file.blocks() * 512),
        };
    }
    Ok(bytes)
}
