//! All tests of the workspace, with their output passed through and counted.
//!
//! libtest knows pass, fail and ignore. A test that can't run on this machine appends one line `name: reason` to the
//! file that `POTERNE_SKIPS` names and returns: libtest counts it as passed, and this module takes it back.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;

use crate::command::{cargo, target_dir};
use crate::tally::{Skip, Tally};

/// The variable that tells tests where to write down what they skip.
const SKIPS_VARIABLE: &str = "POTERNE_SKIPS";

pub fn step(tally: &mut Tally) {
    tally.step("tests of the workspace");
    let skips = target_dir().join("skips.txt");
    match run(&skips).and_then(|(counts, clean)| Ok((counts, clean, noted_skips(&skips)?))) {
        Ok((counts, clean, noted)) => count(tally, counts, clean, noted),
        Err(error) => tally.fail(format_args!("tests of the workspace: {error:#}")),
    }
}

fn run(skips: &Path) -> anyhow::Result<(Counts, bool)> {
    std::fs::create_dir_all(target_dir())?;
    std::fs::write(skips, "").with_context(|| format!("emptying {}", skips.display()))?;
    let mut child = cargo(&["test", "--workspace", "--no-fail-fast"])
        .env(SKIPS_VARIABLE, skips)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let mut counts = Counts::default();
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).lines() {
        let line = line.context("reading the output of cargo test")?;
        println!("{line}");
        counts.read_line(&line);
    }
    Ok((counts, child.wait()?.success()))
}

fn count(tally: &mut Tally, counts: Counts, clean: bool, noted: Vec<Skip>) {
    tally.pass(counts.passed.saturating_sub(noted.len()));
    if !clean && counts.failed.is_empty() {
        tally.fail("cargo test ended badly without naming a test (a build error or a crash: see above)");
    }
    for name in counts.failed {
        tally.fail(name);
    }
    for skip in counts.ignored.into_iter().chain(noted) {
        tally.skip(skip.name, skip.reason);
    }
}

/// What libtest has printed so far.
#[derive(Debug, Default, Eq, PartialEq)]
struct Counts {
    passed: usize,
    failed: Vec<String>,
    ignored: Vec<Skip>,
}

impl Counts {
    fn read_line(&mut self, line: &str) {
        if let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            self.read_verdict(name, verdict);
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number_before(rest, " passed").unwrap_or(0);
        }
    }

    fn read_verdict(&mut self, name: &str, verdict: &str) {
        if verdict.starts_with("FAILED") {
            self.failed.push(name.to_owned());
        } else if let Some(reason) = verdict.strip_prefix("ignored") {
            let reason = reason.strip_prefix(", ").unwrap_or("marked as ignored in the source");
            self.ignored.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
        }
    }
}

/// The number that stands right before `word`.
fn number_before(text: &str, word: &str) -> Option<usize> {
    text.split_once(word)?.0.rsplit(' ').next()?.parse().ok()
}

fn noted_skips(path: &Path) -> anyhow::Result<Vec<Skip>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().map(parse_skip).collect())
}

fn parse_skip(line: &str) -> Skip {
    let (name, reason) = line.split_once(": ").unwrap_or((line, "no reason given"));
    Skip { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test frames::a_frame_is_bounded ... ok",
            "test cards::a_card_is_short ... FAILED",
            "test log::needs_a_loop_device ... ignored, needs root",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            counts.read_line(line);
        }
        assert_eq!(counts.passed, 13);
        assert_eq!(counts.failed, ["cards::a_card_is_short"]);
        assert_eq!(counts.ignored, [parse_skip("log::needs_a_loop_device: needs root")]);
    }

    #[test]
    fn a_noted_skip_is_not_counted_as_passed() {
        let mut tally = Tally::new();
        let counts = Counts { passed: 5, ..Counts::default() };
        count(&mut tally, counts, true, vec![parse_skip("power_cut: needs root")]);
        assert_eq!(format!("{:?}", tally.finish()), format!("{:?}", std::process::ExitCode::SUCCESS));
    }

    #[test]
    fn a_reason_may_hold_colons() {
        let skip = parse_skip("unit file: systemd-analyze: not installed");
        assert_eq!(
            (skip.name.as_str(), skip.reason.as_str()),
            ("unit file", "systemd-analyze: not installed")
        );
    }
}
