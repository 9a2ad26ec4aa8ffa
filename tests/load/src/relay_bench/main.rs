//! `cargo xtask bench relay`: a relay with its client on one machine, against other servers with the same promise and
//! the same work (docs/benchmarks.md).
//!
//! Each system is started, driven and ended in its turn, many turns over, so that what the machine does beside hits
//! all alike. What can't be started here is named in the table.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people at a terminal")]

mod build;
mod certificate;
mod measure;
mod process;
mod systems;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    match table::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
