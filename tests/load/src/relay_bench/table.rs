//! The turns and the table: ratios first.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::build::{build, root};
use crate::certificate::Certificate;
use crate::measure::Turn;
use crate::systems::{ALL, System};

const PRODUCERS: [usize; 2] = [512, 64];
/// Seconds of puts, and of rounds, in a turn; `POTERNE_BENCH_SECS`.
const SECS: u64 = 8;
/// Turns of each system; `POTERNE_BENCH_TURNS`.
const TURNS: u64 = 3;

/// Measures everything and prints the table.
pub fn run() -> anyhow::Result<()> {
    let (secs, turns) = (number("POTERNE_BENCH_SECS", SECS)?, number("POTERNE_BENCH_TURNS", TURNS)?);
    eprintln!("building");
    let programs = build()?;
    let dir =
        std::env::var_os("POTERNE_BENCH_DIR").map_or_else(|| root().join("target/bench"), PathBuf::from);
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    println!(
        "| producers | system | acknowledged | of the best peer's | put p50 / p99 / p99.9 ms | rounds | of the best peer's | put p99 among rounds | drained | written per byte put | memory | disk left |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for producers in PRODUCERS {
        let mut results: Vec<(System, Vec<Turn>)> = ALL.map(|system| (system, Vec::new())).into();
        for turn in 0..turns {
            for (system, measured) in &mut results {
                if failed.contains_key(system.name()) {
                    continue;
                }
                // Each turn has a folder that servers of other users can enter, and an empty disk.
                let folder = tempfile::Builder::new().permissions(open_to_all()).tempdir_in(&dir)?;
                let certificate = Certificate::make(folder.path())?;
                match Turn::measure(*system, &programs, folder.path(), &certificate, producers, secs) {
                    Ok(result) => {
                        eprintln!(
                            "{producers} producers, turn {}, {}: {:.0} puts/s, p99 {:.1} ms, {:.0} rounds/s, {:.0} drained/s",
                            turn + 1,
                            system.name(),
                            result.acknowledged,
                            result.p99,
                            result.rounds,
                            result.drained
                        );
                        measured.push(result);
                    }
                    Err(error) => {
                        eprintln!("{}: {error:#}", system.name());
                        failed.insert(system.name(), format!("{error:#}"));
                    }
                }
            }
        }
        lines(producers, &results);
    }
    for (name, error) in failed {
        println!("\n{name} could not be measured here: {error}");
    }
    Ok(())
}

fn open_to_all() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o755)
}

fn lines(producers: usize, results: &[(System, Vec<Turn>)]) {
    for (system, turns) in results.iter().filter(|(_, turns)| !turns.is_empty()) {
        let own = |field: fn(&Turn) -> f64| middle(turns.iter().map(field).collect());
        let ratio = |field: fn(&Turn) -> f64| {
            if *system == System::Poterne {
                format!("**{:.2}**", against_best(results, field))
            } else {
                String::new()
            }
        };
        println!(
            "| {producers} | {} | {:.0}/s | {} | {:.1} / {:.1} / {:.1} | {:.0}/s | {} | {:.1} ms | {:.0}/s | {:.2} | {} | {} |",
            system.name(),
            own(|turn| turn.acknowledged),
            ratio(|turn| turn.acknowledged),
            own(|turn| turn.p50),
            own(|turn| turn.p99),
            own(|turn| turn.p999),
            own(|turn| turn.rounds),
            ratio(|turn| turn.rounds),
            own(|turn| turn.round_p99),
            own(|turn| turn.drained),
            own(|turn| turn.written_per_byte),
            mib(own(|turn| turn.memory)),
            mib(own(|turn| turn.left)),
        );
    }
}

fn mib(bytes: f64) -> String {
    if bytes.is_nan() { "not drained".to_owned() } else { format!("{:.0} MiB", bytes / f64::from(1 << 20)) }
}

/// The median over the turns of the relay's figure over the best peer's in the same turn.
fn against_best(results: &[(System, Vec<Turn>)], field: fn(&Turn) -> f64) -> f64 {
    let (own, peers): (Vec<_>, Vec<_>) = results.iter().partition(|(system, _)| *system == System::Poterne);
    let own = own.iter().flat_map(|(_, turns)| turns.iter().map(field));
    let best = |turn: usize| {
        peers.iter().filter_map(|(_, turns)| turns.get(turn).map(field)).fold(f64::NAN, f64::max)
    };
    middle(own.enumerate().map(|(turn, figure)| figure / best(turn)).collect())
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn number(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number. Give it digits only")),
        Err(_) => Ok(default),
    }
}
