//! The count of a test run: passed, failed, and skipped with a reason each.
//!
//! Invariant: the summary is the last line that is printed, and every skip stands before it on a line of its own.

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Instant;

/// What the steps of one run have found so far.
pub struct Tally {
    started: Instant,
    passed: usize,
    failures: Vec<String>,
    skips: Vec<Skip>,
}

/// Something that could not be checked on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Skip {
    /// The test or step.
    pub name: String,
    /// Why, in words for the reader of the summary.
    pub reason: String,
}

impl Tally {
    pub fn new() -> Self {
        Self { started: Instant::now(), passed: 0, failures: Vec::new(), skips: Vec::new() }
    }

    /// Prints the header of a step.
    pub fn step(&self, name: &str) {
        println!("\n== {name} ({} s)", self.started.elapsed().as_secs());
    }

    /// `count` checks held.
    pub fn pass(&mut self, count: usize) {
        self.passed += count;
    }

    /// One check failed.
    pub fn fail(&mut self, what: impl Display) {
        println!("FAILED: {what}");
        self.failures.push(what.to_string());
    }

    /// One check could not be made.
    pub fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.skips.push(Skip { name: name.into(), reason: reason.into() });
    }

    /// Counts a check that is one thing as a whole.
    pub fn check<E: Display>(&mut self, name: &str, result: Result<(), E>) {
        match result {
            Ok(()) => self.pass(1),
            Err(error) => self.fail(format_args!("{name}: {error:#}")),
        }
    }

    /// Prints what failed, what was skipped and the summary.
    pub fn finish(self) -> ExitCode {
        println!("\n== summary ({} s)", self.started.elapsed().as_secs());
        for line in self.closing_lines() {
            println!("{line}");
        }
        if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn closing_lines(&self) -> Vec<String> {
        let failures = self.failures.iter().map(|failure| format!("FAILED: {failure}"));
        let skips = self.skips.iter().map(|skip| format!("SKIPPED: {}: {}", skip.name, skip.reason));
        let (passed, failed, skipped) = (self.passed, self.failures.len(), self.skips.len());
        let summary = format!("{passed} passed, {failed} failed, {skipped} skipped");
        failures.chain(skips).chain([summary]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_last_line_and_each_skip_has_its_own() {
        let mut tally = Tally::new();
        tally.pass(3);
        tally.skip("power cut", "needs root");
        tally.check("format", Err::<(), _>("two files differ"));
        let lines = tally.closing_lines();
        assert_eq!(
            lines,
            [
                "FAILED: format: two files differ",
                "SKIPPED: power cut: needs root",
                "3 passed, 1 failed, 1 skipped"
            ]
        );
    }

    #[test]
    fn a_run_with_a_failure_ends_badly() {
        let mut tally = Tally::new();
        tally.fail("x");
        assert_eq!(format!("{:?}", tally.finish()), format!("{:?}", ExitCode::FAILURE));
    }
}
