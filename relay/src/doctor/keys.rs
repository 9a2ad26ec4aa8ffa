//! The identity key, and the clock against the request keys.

use poterne_protocol::time::{Day, UnixTime};

use super::Finding;
use crate::config::Config;
use crate::identity_file;
use crate::request_key_dir::RequestKeyDir;

/// 2026-01-01: no relay of this version ran before.
const EARLIEST: Day = Day(20_454);

pub(super) fn identity(config: &Config) -> Finding {
    match identity_file::read(&config.identity_file) {
        Ok(_) => Finding::ok("identity", "The identity key is readable by the relay alone."),
        Err(error) => Finding::problem("identity", error.to_string()),
    }
}

/// A clock that is wrong lets envelopes expire too early or too late, and lets clients refuse the descriptor.
pub(super) fn clock(config: &Config, now: UnixTime) -> Finding {
    let today = now.day();
    if today < EARLIEST {
        return Finding::problem("clock", "The clock stands before 2026. Set it, and keep it right by NTP.");
    }
    match newest_key(config) {
        Some(newest) if newest > today => {
            let days = newest.0 - today.0;
            let says = format!("The newest request key is {days} days ahead of the clock. Set the clock.");
            Finding::problem("clock", says)
        }
        _ => Finding::ok("clock", "The clock agrees with the request keys."),
    }
}

/// Looks without making the folder.
fn newest_key(config: &Config) -> Option<Day> {
    let path = config.request_key_dir();
    let dir = path.is_dir().then(|| RequestKeyDir::open(&path).ok()).flatten()?;
    dir.days().ok()?.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn config(folder: &tempfile::TempDir) -> Config {
        Config { data_dir: folder.path().to_owned(), ..Config::default() }
    }

    #[test]
    fn a_clock_of_1970_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(clock(&config(&folder), UnixTime(5)).level, Level::Problem);
    }

    #[test]
    fn a_clock_behind_the_newest_key_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        std::fs::create_dir(config.request_key_dir()).unwrap();
        std::fs::write(config.request_key_dir().join("20510.key"), [0; 32]).unwrap();
        let finding = clock(&config, Day(20_500).start());
        assert_eq!(finding.level, Level::Problem);
        assert!(finding.says.contains("10 days"), "{}", finding.says);
        assert_eq!(clock(&config, Day(20_510).start()).level, Level::Ok);
    }

    #[test]
    fn a_missing_identity_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { identity_file: folder.path().join("none"), ..Config::default() };
        assert_eq!(identity(&config).level, Level::Problem);
    }
}
