//! A server process: started, waited for, looked at, ended.

use std::fs;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use poterne_load::system::field;

/// On a busy machine too; Erlang's runtime begins slowly.
const READY_WITHIN: Duration = Duration::from_secs(120);
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// A running server; dropping it ends it.
pub struct Server {
    process: Child,
    ending: &'static str,
}

impl Server {
    /// Starts it; its words go to a file in its folder.
    pub fn start(command: &mut Command, log: &std::path::Path) -> anyhow::Result<Self> {
        let log = fs::File::create(log).context("making a log file")?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let name = command.get_program().to_string_lossy().into_owned();
        let process = command.spawn().with_context(|| format!("starting {name}"))?;
        // For PostgreSQL the fast shutdown, for most others an end.
        Ok(Self { process, ending: "INT" })
    }

    /// It ends by that signal.
    pub fn ending_by(mut self, signal: &'static str) -> Self {
        self.ending = signal;
        self
    }

    /// Waits until it is ready.
    pub fn await_ready(&mut self, mut is_ready: impl FnMut() -> bool) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_ready() {
            ensure!(self.process.try_wait()?.is_none(), "it ended before it was ready");
            ensure!(began.elapsed() < READY_WITHIN, "it was not ready in time");
            sleep(POLL);
        }
        Ok(())
    }

    /// Waits until it takes connections on a TCP port of loopback.
    pub fn await_port(&mut self, port: u16) -> anyhow::Result<()> {
        self.await_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// Bytes of memory of it and its children, what they share counted once.
    pub fn memory_bytes(&self) -> u64 {
        let of = |id: u32| {
            let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
            field(&text, "Pss:").unwrap_or(0) * 1024
        };
        self.tree().into_iter().map(of).sum()
    }

    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.process.id()];
        let mut next = 0;
        while next < tree.len() {
            let id = tree[next];
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            tree.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        tree
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-s", self.ending, &id]).status().ok();
        let began = Instant::now();
        while began.elapsed() < ENDS_WITHIN {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            sleep(POLL);
        }
        self.process.kill().and_then(|()| self.process.wait()).ok();
    }
}
