//! Whether time tells a secret (docs/threat-model.md, *Time*): pairs of cases that must take equally long, measured one
//! after the other in a random order, and judged by Welch's t-test in the manner of dudect (Reparaz, Balasch, Verbauwhede,
//! 2017).
//!
//! Times depend on the machine, so nothing here is asserted in a test run: `cargo xtask soak timing` runs it, with a
//! planted leak that must be found.

pub mod cases;
pub mod statistics;
pub mod vaults;

use std::hint::black_box;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use statistics::{percentile, welch_t};

/// What is timed: the case 0 or 1 of a question, a few times over.
pub trait Question {
    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// Does the work of the case once. What it gives is kept from being optimised away.
    fn run(&mut self, case: usize) -> bool;

    /// How often the work is done in one measurement, so that the clock is fine enough.
    fn repetitions(&self) -> u32 {
        1
    }
}

/// |t| from which on a leak is sure (dudect's bound is 4.5 for suspicion; more is drift of the machine ruled out).
pub const LEAK_T: f64 = 4.5;
/// Shares of the quickest measurements that are judged by themselves: interruptions only ever add time.
const CROPS_PERCENT: [u32; 4] = [50, 80, 95, 100];
/// Measurements before those that count.
const WARM_UP: usize = 200;

/// The largest |t| over all crops, of `count` measurements of both cases in a random order.
pub fn judge(question: &mut dyn Question, count: usize, seed: u64) -> f64 {
    let times = measure(question, count, seed);
    let all: Vec<f64> = times.concat();
    let crop = |percent| {
        let bound = percentile(&all, percent);
        let below =
            |case: usize| times[case].iter().copied().filter(|time| *time <= bound).collect::<Vec<_>>();
        welch_t(&below(0), &below(1)).abs()
    };
    CROPS_PERCENT.into_iter().map(crop).fold(0.0, f64::max)
}

/// Nanoseconds of each measurement, by case.
pub fn measure(question: &mut dyn Question, count: usize, seed: u64) -> [Vec<f64>; 2] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut times = [Vec::with_capacity(count), Vec::with_capacity(count)];
    for place in 0..count + WARM_UP {
        let case = (rng.next_u32() & 1) as usize;
        let repetitions = question.repetitions();
        let started = Instant::now();
        for _ in 0..repetitions {
            black_box(question.run(black_box(case)));
        }
        let nanos = started.elapsed().as_nanos() as f64;
        if place >= WARM_UP {
            times[case].push(nanos);
        }
    }
    times
}
