//! Microseconds of named steps over many rounds.

use std::hint::black_box;
use std::time::Instant;

/// Rounds that count.
pub const ROUNDS: usize = 400;
/// Rounds before them.
pub const WARM_UP: usize = 20;

/// Microseconds of each step, round by round.
#[derive(Default)]
pub struct Times(Vec<(&'static str, Vec<f64>)>);

impl Times {
    /// Does the work of a step and notes how long it took.
    pub fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = black_box(work());
        let micros = started.elapsed().as_nanos() as f64 / 1000.0;
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => times.push(micros),
            None => self.0.push((name, vec![micros])),
        }
        result
    }

    /// The median of a step, after the warm-up.
    pub fn of(&self, name: &str) -> f64 {
        let (_, times) = self.0.iter().find(|(known, _)| *known == name).expect("it was timed");
        let mut times = times[WARM_UP..].to_vec();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// The sum of so many of each.
    pub fn sum(&self, counts: &[(&str, f64)]) -> f64 {
        counts.iter().map(|(name, count)| count * self.of(name)).sum()
    }

    /// A table of all medians.
    pub fn print(&self, title: &str) {
        println!("| {title} | µs, median of {ROUNDS} |\n|---|---|");
        for (name, _) in &self.0 {
            println!("| {name} | {:.1} |", self.of(name));
        }
        println!();
    }
}
