//! The store: every record and every envelope is read.

use std::io;

use poterne_protocol::time::UnixTime;

use super::Finding;
use crate::config::Config;
use crate::store::{Report, verify_directory};

pub(super) fn records(config: &Config, now: UnixTime) -> Finding {
    match verify_directory(&config.store_dir(), now.day()) {
        Ok(report) => judge(&report),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok("store", "The store is made at the first start.")
        }
        Err(error) => {
            let path = config.store_dir();
            let says = format!("The store in {} can't be read ({error}). See to the disk.", path.display());
            Finding::problem("store", says)
        }
    }
}

fn judge(report: &Report) -> Finding {
    let Report { segments, records, envelopes, .. } = report;
    let sound = format!("{envelopes} envelopes and {records} records in {segments} segments are sound.");
    if report.is_flawless() {
        return Finding::ok("store", sound);
    }
    let flaws = flaws(report);
    if report.is_whole() {
        let says = format!("{sound} Put right at the next start: {flaws}. Watch the disk, it may be dying.");
        return Finding::warning("store", says);
    }
    if report.foreign_segments + report.unknown_records > 0 {
        let says = format!("{sound} Found: {flaws}. Start the build that wrote them.");
        return Finding::problem("store", says);
    }
    let says = format!(
        "{sound} Found wrong: {flaws}. Where the relay is running, end it and look again; else replace the disk."
    );
    Finding::problem("store", says)
}

/// What is wrong, as a list.
fn flaws(report: &Report) -> String {
    let counts = [
        (report.rotten_envelopes, "rotten envelopes"),
        (report.lost_pages, "pages lost"),
        (report.lost_segments, "segments without a header"),
        (report.foreign_segments, "segments of a build with another layout of the log"),
        (report.unknown_records, "records of a newer build"),
        (report.worn_headers, "segments with a spoilt header"),
        (report.repairable_tables, "tables with a wrong bit"),
        (report.soiled_tables, "tables with stray bytes"),
        (report.stray_pages, "stray pages"),
    ];
    let found = counts.iter().filter(|(count, _)| *count > 0);
    found.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_store_that_is_not_there_yet_is_fine() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = Config { data_dir: folder.path().join("data"), ..Config::default() };
        assert_eq!(records(&config, UnixTime(0)).level, Level::Ok);
    }

    #[test]
    fn what_can_be_put_right_is_a_warning_and_what_is_lost_a_problem() {
        let worn = Report { worn_headers: 1, ..Report::default() };
        assert_eq!(judge(&worn).level, Level::Warning);
        let foreign = judge(&Report { foreign_segments: 3, ..worn });
        assert!(foreign.level == Level::Problem && foreign.says.contains("the build that wrote them"));
        let rotten = Report { rotten_envelopes: 2, ..worn };
        let finding = judge(&rotten);
        assert_eq!(finding.level, Level::Problem);
        assert!(finding.says.contains("2 rotten envelopes, 1 segments with a spoilt header"), "{finding}");
    }
}
