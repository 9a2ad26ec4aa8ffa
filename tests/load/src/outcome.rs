//! What a run came to.

use std::time::Duration;

use serde_json::{Value, json};

use crate::latency::Latencies;
use crate::ledger::Verdict;

/// Lateness of the generator itself, at 99 of 100 operations, from which a run is void: some time slices of a shared
/// machine.
pub const LAG_MAX_MILLIS: f64 = 20.0;

/// What happened in one phase.
#[derive(Clone, Default)]
pub struct PhaseOutcome {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// Operations that were begun.
    pub begun: u64,
    /// Puts that were acknowledged.
    pub acknowledged: u64,
    /// Operations that were refused.
    pub refused: u64,
    /// Operations whose outcome is unknown.
    pub unknown: u64,
    /// Envelopes whose delete was acknowledged.
    pub deleted: u64,
    /// From the intended time of an operation to the acknowledgement of its put.
    pub puts: Latencies,
    /// Fetches.
    pub fetches: Latencies,
    /// Deletes.
    pub deletes: Latencies,
    /// How late the generator itself was.
    pub lag: Latencies,
}

/// What a run came to.
pub struct Outcome {
    /// Its phases.
    pub phases: Vec<PhaseOutcome>,
    /// What the ledger says.
    pub verdict: Verdict,
    /// Whether the run ended with a drain that emptied every mailbox, so that what is missing is lost.
    pub drained: bool,
}

impl PhaseOutcome {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Acknowledged puts a second.
    pub fn acknowledged_rate(&self) -> f64 {
        self.per_second(self.acknowledged)
    }

    /// Deleted envelopes a second.
    pub fn deleted_rate(&self) -> f64 {
        self.per_second(self.deleted)
    }

    fn lagged(&self) -> bool {
        self.lag.count() > 0 && self.lag.millis(0.99) > LAG_MAX_MILLIS
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "secs": self.took.as_secs_f64(),
            "begun": self.begun,
            "acknowledged": self.acknowledged,
            "acknowledged_per_sec": self.acknowledged_rate(),
            "deleted": self.deleted,
            "deleted_per_sec": self.deleted_rate(),
            "refused": self.refused,
            "unknown": self.unknown,
            "put_millis": self.puts.to_json(),
            "fetch_millis": self.fetches.to_json(),
            "delete_millis": self.deletes.to_json(),
            "lag_p99_millis": self.lag.millis(0.99),
        })
    }
}

impl Outcome {
    /// Whether the generator was late itself in some phase: then the latencies are its own, and the run says nothing.
    pub fn is_void(&self) -> bool {
        self.phases.iter().any(PhaseOutcome::lagged)
    }

    /// Whether nothing was lost, doubled, came back or is strange.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && !(self.drained && self.verdict.lost > 0)
    }

    /// The phase of that name.
    pub fn phase(&self, name: &str) -> Option<&PhaseOutcome> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let verdict = self.verdict;
        json!({
            "phases": self.phases.iter().map(PhaseOutcome::to_json).collect::<Vec<_>>(),
            "ledger": {
                "put": verdict.put,
                "acknowledged": verdict.acknowledged,
                "refused": verdict.refused,
                "lost": self.drained.then_some(verdict.lost),
                "doubled": verdict.doubled,
                "returned": verdict.returned,
                "strangers": verdict.strangers,
            },
            "drained": self.drained,
            "clean": self.is_clean(),
            "void": self.is_void(),
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "phase         secs  puts/s  deletes/s  refused  unknown  put p50   p99  p99.9 ms  lag p99 ms\n",
        );
        for phase in &self.phases {
            text.push_str(&format!(
                "{:<11} {:>6.1} {:>7.0} {:>10.0} {:>8} {:>8} {:>8.1} {:>5.1} {:>6.1} {:>14.1}\n",
                phase.name,
                phase.took.as_secs_f64(),
                phase.acknowledged_rate(),
                phase.deleted_rate(),
                phase.refused,
                phase.unknown,
                phase.puts.millis(0.5),
                phase.puts.millis(0.99),
                phase.puts.millis(0.999),
                phase.lag.millis(0.99),
            ));
        }
        text.push_str(&self.verdict_text());
        text
    }

    fn verdict_text(&self) -> String {
        let Verdict { put, acknowledged, refused, lost, doubled, returned, strangers } = self.verdict;
        let lost = if self.drained { lost.to_string() } else { "unknown (no full drain)".to_owned() };
        let mut text = format!(
            "ledger: {put} put, {acknowledged} acknowledged, {refused} refused; lost {lost}, doubled {doubled}, \
             returned {returned}, strangers {strangers}\n"
        );
        if self.is_void() {
            text.push_str(
                "VOID: the generator was late itself. Give it more of the machine, or ask for less.\n",
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lag_millis: u64, lost: u64, drained: bool) -> Outcome {
        let mut phase = PhaseOutcome::default();
        phase.lag.add(Duration::from_millis(lag_millis));
        Outcome { phases: vec![phase], verdict: Verdict { lost, ..Verdict::default() }, drained }
    }

    #[test]
    fn a_run_whose_generator_lagged_is_void_and_says_so() {
        assert!(outcome(50, 0, true).is_void());
        assert!(outcome(50, 0, true).to_text().contains("VOID"));
        assert!(!outcome(5, 0, true).is_void());
    }

    #[test]
    fn what_is_missing_is_lost_only_after_a_full_drain() {
        assert!(!outcome(0, 1, true).is_clean());
        assert!(outcome(0, 1, false).is_clean());
    }
}
