//! `cargo xtask fuzz [NAME [RUNS]]`: the fuzz farm of `tests/fuzz`, one target or all (CONTRIBUTING.md).
//!
//! Nightly and cargo-fuzz are no dependencies: where they are missing one line says how to get them, and nothing is
//! claimed. What the farm invents goes to `target/fuzz`; the corpora of `tests/fuzz/corpus` are only read.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::command::{command, is_installed, output, root, run as run_command, target_dir};

const MISSING: &str = "Fuzzing needs nightly and cargo-fuzz: `rustup toolchain install nightly` and \
                       `cargo install cargo-fuzz --locked`.";
/// Executions of each target, unless another number is named.
const RUNS: &str = "1000000";
/// Bytes of an input at most: more than any layout, less than slows the farm down.
const INPUT_BYTES_MAX: &str = "8192";
/// Seconds after which one execution counts as hanging.
const TIMEOUT_SECS: &str = "60";

/// `fuzz [NAME [RUNS]]`.
pub fn run(words: &[&str]) -> anyhow::Result<ExitCode> {
    let targets = targets()?;
    let (wanted, runs) = match words {
        [] => (targets.clone(), RUNS),
        [name] => (vec![(*name).to_owned()], RUNS),
        [name, runs] => (vec![(*name).to_owned()], *runs),
        _ => (vec![], RUNS),
    };
    if wanted.is_empty() || !wanted.iter().all(|name| targets.contains(name)) {
        eprintln!(
            "`cargo xtask fuzz` takes a target and a number of runs. The targets: {}",
            targets.join(", ")
        );
        return Ok(ExitCode::from(2));
    }
    if !is_installed("cargo-fuzz") || !has_nightly() {
        println!("{MISSING}");
        return Ok(ExitCode::from(2));
    }
    for name in &wanted {
        println!("{name}: {runs} executions");
        run_command(&mut farm(name, runs)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of the targets: their programs'.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(farm_dir().join("fuzz_targets"))? {
        let path = entry?.path();
        names.push(
            path.file_stem().and_then(|stem| stem.to_str()).context("the name of a target")?.to_owned(),
        );
    }
    names.sort();
    Ok(names)
}

fn farm_dir() -> PathBuf {
    root().join("tests/fuzz")
}

fn has_nightly() -> bool {
    let list = output(&mut command("rustup", &["toolchain", "list"])).unwrap_or_default();
    list.lines().any(|line| line.starts_with("nightly-"))
}

/// Without a sanitizer: what is fuzzed is safe code, which needs none to fail. Only our crates count their branches
/// (`tests/fuzz/rustc.sh`), and check their sums (the profile of `tests/fuzz`).
fn farm(name: &str, runs: &str) -> anyhow::Result<Command> {
    let built = target_dir().join("fuzz");
    let found = built.join("corpus").join(name);
    fs::create_dir_all(&found)?;
    let shown = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut words: Vec<String> =
        ["run", "nightly", "cargo", "fuzz", "run", "--release", "--sanitizer", "none"]
            .map(String::from)
            .to_vec();
    words.extend(["--fuzz-dir".to_owned(), shown(farm_dir()), "--target-dir".to_owned(), shown(built)]);
    words.extend([
        name.to_owned(),
        shown(found),
        shown(farm_dir().join("corpus").join(name)),
        "--".to_owned(),
    ]);
    words.extend([format!("-runs={runs}"), format!("-max_len={INPUT_BYTES_MAX}")]);
    words.extend([format!("-timeout={TIMEOUT_SECS}"), "-print_final_stats=1".to_owned()]);
    let mut farm = command("rustup", &words);
    farm.env_remove("LD_LIBRARY_PATH").env("RUSTC_WRAPPER", farm_dir().join("rustc.sh"));
    Ok(farm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus() {
        let targets = targets().unwrap();
        assert!(targets.len() > 20);
        for name in targets {
            let corpus = fs::read_dir(farm_dir().join("corpus").join(&name));
            assert!(corpus.is_ok_and(|mut entries| entries.next().is_some()), "{name}");
        }
    }

    #[test]
    fn a_target_that_nobody_knows_is_a_usage_error() {
        assert_eq!(format!("{:?}", run(&["nothing"]).unwrap()), format!("{:?}", ExitCode::from(2)));
    }
}
