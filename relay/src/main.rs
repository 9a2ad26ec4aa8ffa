//! `poterne-relay`: reads the command line and calls what does the work.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the program's own voice")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use poterne_relay::cli::{self, Cli, Command, ConfigCommand};
use poterne_relay::config::{self, Config};
use poterne_relay::doctor::{self, Level};
use poterne_relay::instance_lock::InstanceLock;
use poterne_relay::{clock, hardening, init, logging, private_file, run};
use rand_core::UnwrapErr;

/// An envelope is received by one thread and let go of by the one that has written it: with the system's allocator both
/// wait for each other (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is still at work when the relay has drained may take this long.
const RUNTIME_END: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Config(ConfigCommand::Check { config }) => {
            let memory_mib = config::load(&config)?.memory_bytes() >> 20;
            println!("The config {} is right.", config.display());
            let pending_mb = config::PENDING_BYTES;
            println!(
                "Memory at most: {memory_mib} MiB, and {pending_mb} MB for each million envelopes that wait."
            );
        }
        Command::Config(ConfigCommand::Sample) => print!("{}", Config::sample()),
        Command::Config(ConfigCommand::Schema) => println!("{:#}", Config::schema()),
        Command::Doctor(words) => return Ok(examine(&words)),
        Command::Init(words) => make(&words)?,
        Command::Run(words) => serve(&words.config, words.until_stdin_closes)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn make(words: &cli::Init) -> anyhow::Result<()> {
    let mut rng = UnwrapErr(getrandom::SysRng);
    let address = init::init(&words.dir, words.listen, words.public.as_deref(), &mut rng)?;
    if words.json {
        println!("{}", serde_json::json!({"address": address.to_string()}));
    } else {
        println!("The relay is made. Give its address to desks:\n\n{address}\n");
        println!("Start it with `poterne-relay run --config {}`.", words.dir.join("relay.toml").display());
    }
    Ok(())
}

fn examine(words: &cli::Doctor) -> ExitCode {
    let findings = doctor::examine(&words.config, clock::now());
    if words.json {
        println!("{}", serde_json::json!(findings));
    } else {
        findings.iter().for_each(|finding| println!("{finding}"));
    }
    let is_well = findings.iter().all(|finding| finding.level < Level::Problem);
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve(path: &Path, until_stdin_closes: bool) -> anyhow::Result<()> {
    let config = config::load(path)?;
    logging::start(&config.log_level).context("starting the log")?;
    hardening::forbid_core_dumps();
    private_file::make_dir(&config.data_dir)
        .with_context(|| format!("The data folder {} can't be made", config.data_dir.display()))?;
    let _lock = InstanceLock::take(&config.data_dir)?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let ended = runtime.block_on(run::run(&config, until_stdin_closes));
    runtime.shutdown_timeout(RUNTIME_END);
    ended
}
