//! One turn of one system: puts as fast as they are acknowledged, everything drained, then whole rounds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use poterne_load::payload::PAYLOAD_BYTES;
use poterne_load::system::{bytes_written, disk_bytes};
use serde_json::Value;

use crate::build::Programs;
use crate::certificate::Certificate;
use crate::systems::{Running, System};

/// Mailboxes that puts are spread over.
const MAILBOXES: &str = "20000";
/// Seconds that a drain may take.
const DRAIN_SECS: u64 = 120;
/// From that many producers on a system gets its connections for many.
const MANY: usize = 256;
/// A load generator that takes so much longer than its phases hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

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
    /// Bytes written to the disk for a byte put, until all was put; by whatever the machine did.
    pub written_per_byte: f64,
    /// Bytes of memory after the puts.
    pub memory: f64,
    /// Bytes of disk after all was deleted; none where that was not done in time.
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
        let start = |name: &str| -> anyhow::Result<Running> {
            let place = folder.join(name);
            fs::create_dir(&place)?;
            system.start(programs, &place, certificate)
        };
        let running = start("server")?;
        let driver = Driver::new(&running, producers, folder);
        let written_before = bytes_written(folder)?;
        let filled = driver.drive("put", "1", &[("saturate", secs)])?;
        let written = bytes_written(folder)? - written_before;
        let memory = running.server.memory_bytes();
        let drained = driver.drive("put", "1", &[("drain", DRAIN_SECS)])?;
        // The ledger of the rounds knows nothing of what a drain has left: who was not drained begins anew.
        let is_drained = drained["drained"] == true;
        let anew = if is_drained { None } else { Some(start("anew")?) };
        let driver = anew.as_ref().map_or(driver, |running| Driver::new(running, producers, folder));
        let rounds = driver.drive("round", "2", &[("saturate", secs), ("drain", DRAIN_SECS)])?;
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
            written_per_byte: written as f64 / (count * PAYLOAD_BYTES as f64).max(1.0),
            memory: memory as f64,
            left: if is_drained { disk_bytes(folder)? as f64 } else { f64::NAN },
        })
    }
}

/// What drives a system that runs.
struct Driver<'a> {
    running: &'a Running,
    producers: usize,
    connections: usize,
    /// The file that a load generator's answer goes to.
    answer: PathBuf,
}

impl<'a> Driver<'a> {
    fn new(running: &'a Running, producers: usize, folder: &Path) -> Self {
        let connections = running.connections[usize::from(producers >= MANY)];
        Self { running, producers, connections, answer: folder.join("answer") }
    }

    /// Drives it through phases of so many seconds each. A load generator that hangs is ended.
    fn drive(&self, work: &str, run: &str, phases: &[(&str, u64)]) -> anyhow::Result<Value> {
        let mut command = Command::new(&self.running.driver[0]);
        command.args(&self.running.driver[1..]).args(["--json", "--mailboxes", MAILBOXES, "--run", run]);
        command.args(["--work", work, "--producers", &self.producers.to_string()]);
        command.args(["--connections", &self.connections.to_string()]);
        for (name, secs) in phases {
            command.args(["--phase", &format!("{name}:{secs}")]);
        }
        let told = self.answer.with_extension("told");
        command.stdin(Stdio::null()).stdout(File::create(&self.answer)?).stderr(File::create(&told)?);
        let lasts: u64 = phases.iter().map(|(_, secs)| secs).sum();
        let in_time = run_within(&mut command, Duration::from_secs(lasts) + PATIENCE)?;
        ensure!(in_time, "the load generator did not end in time");
        let answer = fs::read_to_string(&self.answer)?;
        ensure!(!answer.is_empty(), "the load generator says: {}", fs::read_to_string(&told)?.trim());
        Ok(serde_json::from_str(&answer)?)
    }
}

/// Runs a command; one that takes longer is killed. Says whether it ended by itself.
fn run_within(command: &mut Command, limit: Duration) -> anyhow::Result<bool> {
    let mut process = command.spawn().context("starting a load generator")?;
    let began = Instant::now();
    while process.try_wait()?.is_none() {
        if began.elapsed() > limit {
            process.kill().and_then(|()| process.wait())?;
            return Ok(false);
        }
        sleep(POLL);
    }
    Ok(true)
}

fn number(answer: &Value, path: &str) -> anyhow::Result<f64> {
    answer.pointer(path).and_then(Value::as_f64).with_context(|| format!("an answer lacks {path}: {answer}"))
}
