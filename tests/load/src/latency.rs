//! Latencies in an HdrHistogram: microseconds, three digits, up to ten minutes.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Above, a latency counts as this: longer than anybody waits.
const MAX_MICROS: u64 = 600_000_000;
const DIGITS: u8 = 3;

/// Latencies of one kind of operation.
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, MAX_MICROS, DIGITS).expect("the bounds are right"))
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(MAX_MICROS));
    }

    /// Counts those of another as well.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Milliseconds below which that share of all lies, such as 0.99.
    pub fn millis(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1e3
    }

    /// As JSON: count and milliseconds.
    pub fn to_json(&self) -> Value {
        json!({
            "count": self.count(),
            "p50": self.millis(0.5),
            "p99": self.millis(0.99),
            "p999": self.millis(0.999),
            "max": self.0.max() as f64 / 1e3,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_in_milliseconds() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|millis| latencies.add(Duration::from_millis(millis)));
        assert_eq!(latencies.count(), 1000);
        assert!((latencies.millis(0.5) - 500.0).abs() < 1.0);
        assert!((latencies.millis(0.99) - 990.0).abs() < 2.0);
    }

    #[test]
    fn what_is_longer_than_all_bounds_counts() {
        let mut latencies = Latencies::default();
        latencies.add(Duration::from_secs(100_000));
        assert_eq!(latencies.count(), 1);
    }
}
