//! `cargo xtask test`: everything that must hold before a change lands, in the order of what fails soonest.
//!
//! With names of steps behind it, only those run.

use std::process::ExitCode;

use crate::command::{cargo, run as run_command};
use crate::tally::Tally;
use crate::{msrv, node, rules, unit_file, wasm, workspace_tests};

/// One step, by the name that a developer types.
struct Step {
    name: &'static str,
    run: fn(&mut Tally),
}

const STEPS: &[Step] = &[
    Step { name: "format", run: |tally| cargo_step(tally, "format", &["fmt", "--all", "--check"]) },
    Step { name: "rules", run: rules::step },
    Step { name: "clippy", run: clippy_steps },
    // Tests of the binaries start those of the dev profile.
    Step { name: "binaries", run: |tally| cargo_step(tally, "binaries", &["build", "--bins", "--quiet"]) },
    Step { name: "tests", run: workspace_tests::step },
    Step { name: "unit", run: unit_file::step },
    Step { name: "msrv", run: msrv::step },
    Step { name: "wasm", run: wasm_steps },
];

pub fn run(names: &[&str]) -> anyhow::Result<ExitCode> {
    let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        eprintln!("There is no step named `{unknown}`. Choose of: {}", known.join(", "));
        return Ok(ExitCode::from(2));
    }
    let mut tally = Tally::new();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.contains(&step.name)) {
        (step.run)(&mut tally);
    }
    Ok(tally.finish())
}

/// A cargo command that holds or fails as a whole.
fn cargo_step(tally: &mut Tally, name: &str, arguments: &[&str]) {
    tally.step(name);
    tally.check(name, run_command(&mut cargo(arguments)));
}

/// Everything as it is shipped, and the command line without what can be left out of it.
fn clippy_steps(tally: &mut Tally) {
    let runs: [(&str, &[&str]); 2] = [
        ("clippy", &["--workspace", "--all-targets"]),
        ("clippy without photos", &["--package", "poterne-cli", "--no-default-features"]),
    ];
    for (name, of) in runs {
        let words = [&["clippy", "--quiet"], of, &["--", "-D", "warnings"]].concat();
        cargo_step(tally, name, &words);
    }
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
