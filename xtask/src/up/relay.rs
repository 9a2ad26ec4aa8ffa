//! The demo's relay: made once, started as a child, ended with us.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use signal_hook::iterator::Signals;

use crate::command::{built_binary, command, output};

/// How long a relay may take until it listens. A large log is read at the start.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a relay may drain; it promises ten seconds.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

/// A running relay; dropping it ends it.
pub(super) struct Relay {
    child: Child,
}

/// Makes the relay's folder and keys; gives its address.
pub(super) fn init(dir: &Path, port: u16) -> anyhow::Result<String> {
    let listen = format!("127.0.0.1:{port}");
    let mut init = relay_command(&["init", "--listen", &listen, "--json", "--dir"]);
    let answer = output(init.arg(dir.join("relay"))).context("making the demo relay")?;
    let answer: serde_json::Value = serde_json::from_str(&answer).context("the answer of `init`")?;
    answer["address"].as_str().map(str::to_owned).context("`init` gave no address")
}

fn relay_command(words: &[&str]) -> Command {
    command(&built_binary("poterne-relay").to_string_lossy(), words)
}

impl Relay {
    /// Starts the relay and waits until it says that it listens.
    pub(super) fn start(dir: &Path, port: u16) -> anyhow::Result<Self> {
        let mut run = relay_command(&["run", "--until-stdin-closes", "--config"]);
        run.arg(dir.join("relay/relay.toml")).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A demo beside a real relay must not take its metrics port, and its log is not what the demo is about.
        run.env("POTERNE_RELAY_METRICS_PORT", "0").env("POTERNE_RELAY_LOG_LEVEL", "warn");
        let mut relay = Self { child: run.spawn().context("starting the relay")? };
        relay.wait_for_readiness().with_context(|| format!("the relay on port {port}"))?;
        Ok(relay)
    }

    /// The relay prints one line when it listens, and nothing more.
    fn wait_for_readiness(&mut self) -> anyhow::Result<()> {
        let stdout = self.child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody listens any more once the deadline has passed.
            sender.send(read.is_ok_and(|count| count > 0)).ok();
        });
        match receiver.recv_timeout(START_DEADLINE) {
            Ok(true) => Ok(()),
            Ok(false) => bail!("It ended before it listened. Its own message stands above."),
            Err(_) => bail!("It did not listen within {} s. See its log above.", START_DEADLINE.as_secs()),
        }
    }

    /// Lets the relay drain and waits for its end.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + STOP_DEADLINE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "the relay ended with {status}");
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        bail!("The relay did not end within {} s and was killed.", STOP_DEADLINE.as_secs())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().and_then(|()| self.child.wait()).ok();
        }
    }
}

/// Returns on a signal; a relay that ends by itself is an error.
pub(super) fn wait_for_end(relay: &mut Relay, signals: &mut Signals) -> anyhow::Result<()> {
    while signals.pending().next().is_none() {
        if let Some(status) = relay.child.try_wait()? {
            bail!("the relay ended by itself with {status}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
