//! The words that every program of this kind takes, and how it tells what came of a run.
//!
//! Exit status: 0 for a clean run, 1 where the ledger found a fault, 3 for a run that is void because the generator was
//! late itself.
#![expect(clippy::print_stdout, reason = "for commands, whose answer it is")]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use crate::payload::Payloads;
use crate::phase::Phase;
use crate::{Outcome, Setup, Work};

/// The exit status of a void run.
const VOID: u8 = 3;

/// What is asked for.
#[derive(Args)]
pub struct RunWords {
    /// A phase; may be given many times. For instance ramp:2000:10, idle:5, steady:2000:30, overload:9000:10,
    /// recover:2000:10, saturate:30, drain:60
    #[arg(long = "phase", required = true)]
    pub phases: Vec<Phase>,
    /// What one operation is
    #[arg(long, value_enum, default_value_t = WorkWord::Put)]
    pub work: WorkWord,
    /// Operations under way at the same time at most
    #[arg(long, default_value_t = 64)]
    pub producers: usize,
    /// Connections that the producers share
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Mailboxes over which puts are spread
    #[arg(long, default_value_t = 10_000)]
    pub mailboxes: u32,
    /// Threads of the generator
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// The number of the run: another one uses other envelopes
    #[arg(long, default_value_t = 1)]
    pub run: u64,
    /// One JSON object in place of the table
    #[arg(long)]
    pub json: bool,
}

/// What one operation is, as a word.
#[derive(Clone, Copy, ValueEnum)]
pub enum WorkWord {
    /// Put
    Put,
    /// Put, fetch, delete
    Round,
}

impl RunWords {
    /// The payloads of the run.
    pub fn payloads(&self) -> Arc<Payloads> {
        Arc::new(Payloads::of_run(self.run))
    }

    /// The run that is asked for.
    pub fn setup(&self) -> Setup {
        let work = match self.work {
            WorkWord::Put => Work::Put,
            WorkWord::Round => Work::Round,
        };
        Setup {
            producers: self.producers,
            mailboxes: self.mailboxes.max(1),
            work,
            phases: self.phases.clone(),
            payloads: self.payloads(),
        }
    }

    /// What the run happens on.
    pub fn runtime(&self) -> anyhow::Result<Runtime> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(self.threads.max(1)).enable_all().build().context("starting the runtime")
    }

    /// Prints what came of it.
    pub fn tell(&self, outcome: &Outcome) -> ExitCode {
        if self.json {
            println!("{}", outcome.to_json());
        } else {
            print!("{}", outcome.to_text());
        }
        match outcome {
            outcome if !outcome.is_clean() => ExitCode::FAILURE,
            outcome if outcome.is_void() => ExitCode::from(VOID),
            _ => ExitCode::SUCCESS,
        }
    }
}
