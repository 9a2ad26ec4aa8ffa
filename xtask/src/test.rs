//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails soonest.

use std::process::ExitCode;

use crate::command::{cargo, run as run_command};
use crate::tally::Tally;
use crate::{msrv, node, rules, unit_file, wasm, workspace_tests};

pub fn run() -> anyhow::Result<ExitCode> {
    let mut tally = Tally::new();
    cargo_step(&mut tally, "format", &["fmt", "--all", "--check"]);
    rules::step(&mut tally);
    cargo_step(
        &mut tally,
        "clippy",
        &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
    );
    cargo_step(&mut tally, "binaries", &["build", "--bins", "--quiet"]);
    workspace_tests::step(&mut tally);
    unit_file::step(&mut tally);
    msrv::step(&mut tally);
    wasm_steps(&mut tally);
    Ok(tally.finish())
}

/// A cargo command that holds or fails as a whole.
fn cargo_step(tally: &mut Tally, name: &str, arguments: &[&str]) {
    tally.step(name);
    tally.check(name, run_command(&mut cargo(arguments)));
}

/// The pure crates for wasm32, and the frozen vectors in it.
fn wasm_steps(tally: &mut Tally) {
    tally.step("pure crates for wasm32");
    let route = match wasm::route() {
        Ok(route) => route,
        Err(reason) => {
            tally.skip("pure crates for wasm32", reason.clone());
            tally.skip("frozen vectors in wasm", reason);
            return;
        }
    };
    println!("by {}", route.name());
    match wasm::build(&route) {
        Ok(module) => {
            tally.pass(1);
            tally.step("frozen vectors in wasm");
            node::check_vectors(tally, &module);
        }
        Err(error) => tally.fail(format_args!("pure crates for wasm32: {error:#}")),
    }
}
