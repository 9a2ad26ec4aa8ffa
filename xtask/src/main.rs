//! What a developer types: `cargo xtask up | test | soak | bench | fuzz | model` (CONTRIBUTING.md).
//!
//! A thin door: each command has its own module, and prints for people. Nothing here is shipped.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people at a terminal")]

mod command;
mod coverage;
mod crates;
mod fuzz;
#[cfg(test)]
mod house;
mod model;
mod msrv;
mod mutants;
mod named;
mod node;
mod rules;
mod rules_table;
mod spdx;
mod tally;
mod test;
mod unit_file;
mod up;
mod wasm;
mod workspace_tests;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  up [--fresh]   build, start a relay on loopback, make a demo desk, print its card
  test [STEP..]  everything that must hold before a change lands, or some steps of it
  soak NAME      one long run with full counts
  bench NAME     one table of figures
  fuzz [NAME]    one fuzz target or all (needs nightly and cargo-fuzz)
  model [NAME]   the symbolic models, against their recorded results (needs Verifpal)";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> anyhow::Result<ExitCode> {
    match words {
        ["up"] => up::run(false),
        ["up", "--fresh"] => up::run(true),
        ["test", steps @ ..] => test::run(steps),
        ["model", rest @ ..] => model::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        [kind @ ("soak" | "bench"), rest @ ..] => named::run(kind, rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
