//! `poterne-peers`: drives another server through the same phases as `poterne-load` drives a relay.
//!
//! Each peer is asked for the same promise, an answer only once the payload is synced to its disk, and is given what
//! makes it fast: pipelining, and batches where its protocol has them.

mod nats;
mod postgres;
mod rabbitmq;
mod redis;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use poterne_load::cli::RunWords;

/// Drives a peer, in an open loop.
#[derive(Parser)]
#[command(name = "poterne-peers")]
struct Words {
    /// Which server
    #[arg(value_enum)]
    peer: Peer,
    /// The port of loopback that it listens on
    port: u16,
    /// The certificate that it shows
    #[arg(long)]
    certificate: PathBuf,
    #[command(flatten)]
    run: RunWords,
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    Nats,
    Postgres,
    Rabbitmq,
    Redis,
}

fn main() -> anyhow::Result<ExitCode> {
    let words = Words::parse();
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let outcome = words.run.runtime()?.block_on(async {
        match words.peer {
            Peer::Nats => nats::drive(&words).await,
            Peer::Postgres => postgres::drive(&words).await,
            Peer::Rabbitmq => rabbitmq::drive(&words).await,
            Peer::Redis => redis::drive(&words).await,
        }
    })?;
    Ok(words.run.tell(&outcome))
}
