//! The load generator as a process of its own (docs/benchmarks.md), and what it told of each phase.

use std::process::{Child, Command, Stdio};

use poterne_tests::doors::binary;
use serde_json::Value;

/// A run of the generator.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The relay.
    pub address: &'a str,
    /// Connections that the producers share.
    pub connections: usize,
    /// Mailboxes that puts are spread over: each takes 64 envelopes, and each is emptied in a drain.
    pub mailboxes: u32,
    /// Operations under way at the same time at most.
    pub producers: usize,
    /// Another number puts other envelopes into other mailboxes.
    pub run: u64,
}

/// What came of one phase.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Puts acknowledged a second.
    pub goodput: f64,
    /// Milliseconds from the intended time of a put to its acknowledgement, at 99 of 100.
    pub p99_millis: f64,
    /// Puts that were refused.
    pub refused: u64,
    /// Puts whose outcome is unknown.
    pub unknown: u64,
    /// Milliseconds by which the generator itself was late, at 99 of 100.
    pub lag_millis: f64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its phases, in order.
    pub phases: Vec<Told>,
    /// Nothing was lost, doubled, came back or is strange.
    pub is_clean: bool,
    /// Every mailbox was emptied at its end.
    pub is_drained: bool,
}

impl Load<'_> {
    /// Drives the relay through these phases, such as `steady:2000:30`, to their end.
    ///
    /// # Panics
    /// When the generator can't be started or says nothing.
    pub fn drive(&self, phases: &[String]) -> Report {
        self.start(phases).report()
    }

    /// Begins to drive it.
    ///
    /// # Panics
    /// When the generator can't be started.
    pub fn start(&self, phases: &[String]) -> Driving {
        let mut command = Command::new(binary("poterne-load"));
        command.arg(self.address).args(["--json", "--run", &self.run.to_string()]);
        command.args(["--connections", &self.connections.to_string()]);
        command
            .args(["--producers", &self.producers.to_string(), "--mailboxes"])
            .arg(self.mailboxes.to_string());
        for phase in phases {
            command.args(["--phase", phase]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Driving(command.spawn().expect("poterne-load starts"))
    }
}

/// A generator at work.
pub struct Driving(Child);

impl Driving {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it says nothing.
    pub fn report(self) -> Report {
        let output = self.0.wait_with_output().expect("poterne-load ends");
        let told: Value = serde_json::from_slice(&output.stdout).expect("poterne-load tells JSON");
        let phases = told["phases"].as_array().expect("it tells its phases").iter().map(Told::of).collect();
        Report { phases, is_clean: told["clean"] == true, is_drained: told["drained"] == true }
    }
}

impl Told {
    fn of(phase: &Value) -> Self {
        let number = |path: &str| phase.pointer(path).and_then(Value::as_f64).expect("it is told");
        let count = |name: &str| phase[name].as_u64().expect("it is told");
        Self {
            goodput: number("/acknowledged_per_sec"),
            p99_millis: number("/put_millis/p99"),
            refused: count("refused"),
            unknown: count("unknown"),
            lag_millis: number("/lag_p99_millis"),
        }
    }
}
