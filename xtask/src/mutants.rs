//! `cargo xtask soak mutants`: the changes of `.cargo/mutants.toml` that tests must notice, crate by crate, each with the
//! tests that judge it (tests/mutants.md).
//!
//! A survivor that `tests/mutants.md` names, with the reason why nothing can be noticed, is none. Lines and columns do
//! not count, so that a justification outlives an edit above it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::command::{cargo, is_installed, root, target_dir};

const MISSING: &str = "The run needs cargo-mutants: `cargo install cargo-mutants --locked`.";
const RECORD: &str = "tests/mutants.md";
/// Seconds for the tests of one change, of which the slowest crate's take some: a change that loops ends here.
const TIMEOUT_SECS: &str = "120";

/// A crate, and which of its tests judge its changes.
const CRATES: &[(&str, &[&str])] = &[
    ("poterne-protocol", &["--lib", "--test", "vectors"]),
    ("poterne-relay-core", &["--lib"]),
    ("poterne-client-core", &["--lib", "session"]),
];

/// What each build and test finds: quick builds, few cases of each property, always the same, nothing kept of a failure.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("PROPTEST_CASES", "32"),
    ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1"),
    ("PROPTEST_MAX_SHRINK_ITERS", "16"),
    ("PROPTEST_RNG_SEED", "1"),
];

/// Runs all crates, and says what survived without a reason.
pub fn run() -> anyhow::Result<ExitCode> {
    if !is_installed("cargo-mutants") {
        println!("{MISSING}");
        return Ok(ExitCode::from(2));
    }
    let record = fs::read_to_string(root().join(RECORD)).context("reading the record of the mutants")?;
    let mut unjustified = Vec::new();
    for (package, tests) in CRATES {
        let survivors = survivors_of(package, tests)?;
        println!("{package}: {} changes survived", survivors.len());
        unjustified.extend(survivors.into_iter().filter(|change| !is_justified(&record, change)));
    }
    for change in &unjustified {
        println!("SURVIVED: {change}");
    }
    println!("{} changes survived without a reason in {RECORD}", unjustified.len());
    Ok(if unjustified.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The changes of one crate that no test has noticed.
fn survivors_of(package: &str, tests: &[&str]) -> anyhow::Result<Vec<String>> {
    let folder = target_dir().join("mutants").join(package);
    fs::create_dir_all(&folder)?;
    let mut run = cargo(&["mutants", "--jobs", "1", "--no-shuffle", "--timeout", TIMEOUT_SECS]);
    run.args(["--package", package]).arg("--output").arg(&folder).args(unoptimised());
    run.arg("--").args(tests).envs(ENVIRONMENT.iter().copied());
    // It ends with another code than 0 where something has survived or looped; only its lists tell which.
    run.status().context("starting cargo mutants")?;
    let missed = folder.join("mutants.out/missed.txt");
    let missed = fs::read_to_string(&missed).with_context(|| format!("reading {}", shown(&missed)))?;
    Ok(missed.lines().map(without_place).collect())
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Our crates without optimisation: building them again and again is most of the work.
fn unoptimised() -> Vec<String> {
    CRATES
        .iter()
        .map(|(name, _)| format!("--cargo-arg=--config=profile.dev.package.{name}.opt-level=0"))
        .collect()
}

/// `file:line:column: change` without line and column.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(change)) => format!("{file}:{change}"),
        _ => line.to_owned(),
    }
}

fn is_justified(record: &str, change: &str) -> bool {
    record.contains(&format!("`{change}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_justified_change_is_known_wherever_it_stands() {
        let change = without_place("protocol/src/codec.rs:206:9: replace Writer::len -> usize with 0");
        assert_eq!(change, "protocol/src/codec.rs: replace Writer::len -> usize with 0");
        let record = "- `protocol/src/codec.rs: replace Writer::len -> usize with 0`: only speed.";
        assert!(is_justified(record, &change));
        assert!(!is_justified(record, "protocol/src/codec.rs: replace Writer::len -> usize with 1"));
    }

    #[test]
    fn every_file_that_is_changed_belongs_to_a_crate_of_the_run() {
        let config = fs::read_to_string(root().join(".cargo/mutants.toml")).unwrap();
        let globs =
            config.lines().filter(|line| line.trim_start().starts_with('"') && line.contains("/src/"));
        let folders = ["client-core/", "protocol/", "relay/core/"];
        let mut count = 0;
        for glob in globs {
            assert!(folders.iter().any(|folder| glob.contains(folder)), "{glob}");
            count += 1;
        }
        assert!(count > 0);
    }
}
