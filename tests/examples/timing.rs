//! `cargo xtask soak timing`: the questions of `poterne_tests::timing`, with a planted leak that must be found.
#![expect(clippy::print_stdout, reason = "figures for people at a terminal")]

use std::process::ExitCode;

use poterne_tests::timing::cases::{Leaky, silent};
use poterne_tests::timing::statistics::auc;
use poterne_tests::timing::vaults::Unlock;
use poterne_tests::timing::{LEAK_T, judge, measure};

/// Measurements of each question.
const MEASUREMENTS: usize = 100_000;
/// A machine that is disturbed may show a leak that is none: what shows in each of these runs is one.
const RUNS: u64 = 3;
/// A case is drawn for each: of both there are more than 2,000.
const UNLOCK_MEASUREMENTS: usize = 4_400;
const UNLOCK_AUC: std::ops::RangeInclusive<f64> = 0.45..=0.55;

fn main() -> ExitCode {
    let mut is_good = true;
    for mut question in silent() {
        let ts: Vec<f64> = (0..RUNS).map(|seed| judge(&mut *question, MEASUREMENTS, seed)).collect();
        let leaks = ts.iter().all(|t| *t > LEAK_T);
        println!("{:<45} |t| {ts:.1?} {}", question.name(), if leaks { "LEAKS" } else { "tells nothing" });
        is_good &= !leaks;
    }
    let planted = judge(&mut Leaky::default(), MEASUREMENTS, 9);
    println!("{:<45} |t| {planted:.1}", "a planted leak");
    is_good &= planted > LEAK_T;
    let [one, eight] = measure(&mut Unlock::new(1), UNLOCK_MEASUREMENTS, 5);
    let area = auc(&one, &eight);
    println!(
        "{:<45} AUC {area:.3} over {} pairs",
        "unlock, one used slot and eight",
        one.len().min(eight.len())
    );
    is_good &= UNLOCK_AUC.contains(&area);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
