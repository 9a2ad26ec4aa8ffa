//! `cargo xtask soak coverage`: which lines of the parsers the unit tests and the fuzz farm's corpora reach
//! (docs/testing.md §2).
//!
//! Lines of a file's own tests do not count: a line counts when it stands before the file's `mod tests`.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::command::{cargo, is_installed, root, run as run_command, target_dir};

const MISSING: &str = "The run needs cargo-llvm-cov: `cargo install cargo-llvm-cov --locked` and \
                       `rustup component add llvm-tools`.";
/// Percent of a parser's lines that tests must reach.
const LINES_MIN_PERCENT: f64 = 95.0;
/// Where the lines of a file's own tests begin.
const TESTS_MARK: &str = "#[cfg(test)]";

/// Every file that reads bytes of somebody else, or of a disk.
const PARSERS: &[&str] = &[
    "client-core/src/attachment.rs",
    "client-core/src/attachment/attachable.rs",
    "client-core/src/attachment/jpeg.rs",
    "client-core/src/body.rs",
    "client-core/src/body/kinds.rs",
    "client-core/src/body/parts.rs",
    "client-core/src/claimed.rs",
    "client-core/src/desk/certificate.rs",
    "client-core/src/desk/roots.rs",
    "client-core/src/files/stored.rs",
    "client-core/src/follow_up.rs",
    "client-core/src/log_envelope.rs",
    "client-core/src/log_envelope/event.rs",
    "client-core/src/notice/annex.rs",
    "client-core/src/notice/head.rs",
    "client-core/src/notice/relays.rs",
    "client-core/src/passphrase.rs",
    "client-core/src/passphrase/words.rs",
    "client-core/src/request/layout.rs",
    "client-core/src/session/header.rs",
    "client-core/src/session/message.rs",
    "client-core/src/session/stored.rs",
    "client-core/src/stored.rs",
    "client-core/src/vault/header.rs",
    "client-core/src/vault/index.rs",
    "client-core/src/vault/page.rs",
    "client-core/src/vault/record.rs",
    "protocol/src/address.rs",
    "protocol/src/card.rs",
    "protocol/src/card/layout.rs",
    "protocol/src/codec.rs",
    "protocol/src/descriptor.rs",
    "protocol/src/frame.rs",
    "protocol/src/frame/decoder.rs",
    "protocol/src/inner.rs",
    "protocol/src/inner/answer.rs",
    "protocol/src/inner/fields.rs",
    "protocol/src/inner/request.rs",
    "relay/core/src/change.rs",
    "relay/src/config/load.rs",
    "relay/src/store/block.rs",
    "relay/src/store/checkpoint.rs",
    "relay/src/store/chunk.rs",
    "relay/src/store/page.rs",
    "relay/src/store/record.rs",
    "relay/src/store/scan.rs",
    "relay/src/store/segment.rs",
];

const PACKAGES: &[&str] = &[
    "--package=poterne-protocol",
    "--package=poterne-client-core",
    "--package=poterne-relay-core",
    "--package=poterne-relay",
    "--package=poterne-tests",
];

/// The tests that count: those beside the code, the corpora, the suites of the store, and files between two homes.
const TESTS: &[&[&str]] = &[
    &["--lib", "--test=corpora", "--test=store_suite", "--test=store_faults"],
    &["--test=machines", "--", "attachments"],
];

/// Runs the tests, prints the table, and fails where a parser has less.
pub fn run() -> anyhow::Result<ExitCode> {
    if !is_installed("cargo-llvm-cov") {
        println!("{MISSING}");
        return Ok(ExitCode::from(2));
    }
    let report = target_dir().join("coverage.lcov");
    let path = report.to_string_lossy().into_owned();
    run_command(&mut cargo(&["llvm-cov", "clean", "--workspace"]))?;
    for tests in TESTS {
        run_command(cargo(&["llvm-cov", "test", "--no-report"]).args(PACKAGES).args(*tests))?;
    }
    run_command(&mut cargo(&["llvm-cov", "report", "--lcov", "--output-path", &path]))?;
    let hits = hits(&fs::read_to_string(&report).context("reading the coverage")?);
    let mut is_enough = true;
    println!("{:<44} {:>6} {:>8} {:>8}  not reached", "file", "lines", "reached", "percent");
    for file in PARSERS {
        let source = fs::read_to_string(root().join(file)).with_context(|| format!("reading {file}"))?;
        let found = hits.iter().find(|(path, _)| path.ends_with(&format!("/{file}")));
        let lines =
            Lines::of(&source, found.map(|(_, hits)| hits).with_context(|| format!("{file} was not built"))?);
        println!(
            "{file:<44} {:>6} {:>8} {:>8.1}  {}",
            lines.all,
            lines.reached,
            lines.percent(),
            lines.missed()
        );
        is_enough &= lines.percent() >= LINES_MIN_PERCENT;
    }
    println!("at least {LINES_MIN_PERCENT} % are wanted of each");
    Ok(if is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How often each line of each file was reached, out of a report in lcov's form.
fn hits(report: &str) -> BTreeMap<String, BTreeMap<usize, u64>> {
    let (mut all, mut file) = (BTreeMap::new(), String::new());
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = path.to_owned();
        } else if let Some((number, count)) = line.strip_prefix("DA:").and_then(|pair| pair.split_once(',')) {
            let (Ok(number), Ok(count)) = (number.parse(), count.parse::<u64>()) else { continue };
            *all.entry(file.clone()).or_insert_with(BTreeMap::new).entry(number).or_insert(0) += count;
        }
    }
    all
}

/// The lines of one file that hold code.
struct Lines {
    all: usize,
    reached: usize,
    missed: Vec<usize>,
}

impl Lines {
    fn of(source: &str, hits: &BTreeMap<usize, u64>) -> Self {
        let end = source.lines().position(|line| line == TESTS_MARK).unwrap_or(usize::MAX);
        let own: Vec<(usize, u64)> =
            hits.iter().map(|(line, count)| (*line, *count)).filter(|(line, _)| *line <= end).collect();
        let missed: Vec<usize> = own.iter().filter(|(_, count)| *count == 0).map(|(line, _)| *line).collect();
        Self { all: own.len(), reached: own.len() - missed.len(), missed }
    }

    fn percent(&self) -> f64 {
        if self.all == 0 { 100.0 } else { 100.0 * self.reached as f64 / self.all as f64 }
    }

    fn missed(&self) -> String {
        self.missed.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tests_do_not_count() {
        let report = "SF:/a/b.rs\nDA:1,5\nDA:2,0\nDA:2,1\nDA:3,0\nDA:6,0\nend_of_record\n";
        let hits = hits(report);
        let lines = Lines::of("one\ntwo\nthree\n\n#[cfg(test)]\nmod tests {}\n", &hits["/a/b.rs"]);
        assert_eq!((lines.all, lines.reached, lines.missed().as_str()), (3, 2, "3"));
    }

    #[test]
    fn every_parser_of_the_table_is_there() {
        for file in PARSERS {
            assert!(root().join(file).is_file(), "{file}");
        }
        assert!(PARSERS.is_sorted());
    }
}
