//! `cargo xtask bench store`: the embedded store against what the disk itself allows (docs/benchmarks.md).
//!
//! Each measurement is a process of its own, so that memory and written bytes are its own. The limit and the store take
//! turns, many times over, because the machine is shared: what counts is the ratio within a pair.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people at a terminal")]

mod children;
mod disk_limit;
mod fill;
mod open_store;
mod pending;
mod sizes;
mod table;

use std::process::ExitCode;

/// The relay's: its engine is measured here in a program that is not its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => table::run(),
        ["limit", rest @ ..] => disk_limit::child(rest),
        ["fill", rest @ ..] => fill::child(rest),
        ["pend", rest @ ..] => pending::fill_child(rest),
        ["empty", rest @ ..] => pending::empty_child(rest),
        ["reopen", rest @ ..] => pending::reopen_child(rest),
        _ => Err(anyhow::anyhow!("It takes no words. Sizes are set by variables: see docs/benchmarks.md.")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
