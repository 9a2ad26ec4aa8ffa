//! `poterne-relay doctor`: looks for what could go wrong, and says what to do about it (docs/operators/relay.md §4).
//!
//! Changes nothing. Each check gives findings; a problem is what keeps the relay from its word, a warning what may.

mod disk;
mod keys;
mod network;
mod store;

use std::fmt;
use std::path::Path;

use poterne_protocol::time::UnixTime;
use serde::Serialize;

use crate::config::{self, Config};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, and may cost something.
    Warning,
    /// The relay does not run, or can't keep its word.
    Problem,
}

/// What one check has found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is so and what to do now.
    pub says: String,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, says: says.into() }
    }

    pub(crate) fn warning(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, says: says.into() }
    }

    pub(crate) fn problem(check: &'static str, says: impl Into<String>) -> Self {
        Self { check, level: Level::Problem, says: says.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Problem => "PROBLEM",
            Level::Warning => "warning",
        };
        write!(f, "{level:<8} {:<13} {}", self.check, self.says)
    }
}

/// All findings on the relay of the config at `path`.
pub fn examine(path: &Path, now: UnixTime) -> Vec<Finding> {
    match config::load(path) {
        Ok(config) => {
            let mut findings = vec![Finding::ok("config", "The config is right.")];
            findings.extend(examine_relay(&config, now));
            findings
        }
        Err(error) => vec![Finding::problem("config", error.to_string())],
    }
}

fn examine_relay(config: &Config, now: UnixTime) -> Vec<Finding> {
    vec![
        keys::identity(config),
        keys::clock(config, now),
        disk::folder(config),
        disk::space(config),
        disk::overwriting(config),
        store::records(config, now),
        network::udp_buffers(),
        network::port(config),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_that_is_not_there_is_the_only_finding() {
        let findings = examine(Path::new("/no/such/relay.toml"), UnixTime(0));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].level, Level::Problem);
    }

    #[test]
    fn a_finding_reads_as_a_line() {
        let finding = Finding::warning("clock", "It is late. Go home.");
        assert_eq!(finding.to_string(), "warning  clock         It is late. Go home.");
    }
}
