//! `poterne-load`: drives one relay over QUIC with inner channels through phases, and says what came of it
//! (docs/benchmarks.md).

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use poterne_load::cli::RunWords;
use poterne_load::relay::{Mailboxes, RelayTarget};
use poterne_load::{Outcome, run};
use poterne_protocol::address::RelayAddress;

/// Drives a relay over QUIC with inner channels, in an open loop.
#[derive(Parser)]
#[command(name = "poterne-load")]
struct Words {
    /// The relay: poterne-relay://host:port#pin
    relay: RelayAddress,
    #[command(flatten)]
    run: RunWords,
}

fn main() -> anyhow::Result<ExitCode> {
    let words = Words::parse();
    let outcome = words.run.runtime()?.block_on(drive(&words))?;
    Ok(words.run.tell(&outcome))
}

async fn drive(words: &Words) -> anyhow::Result<Outcome> {
    let setup = words.run.setup();
    let mailboxes = Arc::new(Mailboxes::of_run(words.run.run, setup.mailboxes, &words.relay.pin));
    let mut targets = Vec::new();
    for _ in 0..words.run.connections.max(1) {
        let target = RelayTarget::dial(&words.relay, mailboxes.clone(), setup.payloads.clone());
        targets.push(Arc::new(target.await.context("The relay can't be driven")?));
    }
    Ok(run(&targets, &setup).await)
}
