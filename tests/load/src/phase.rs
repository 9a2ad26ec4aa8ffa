//! The phases of a run, and when each operation of a phase is meant to happen.

use std::str::FromStr;
use std::time::Duration;

/// What a phase asks of the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Everything is fetched and deleted, mailbox after mailbox, as fast as it goes.
    Drain,
    /// Nothing.
    Idle,
    /// From none to this many operations a second.
    Ramp(f64),
    /// This many operations a second.
    Rate(f64),
    /// Each producer begins with the next operation when the last was answered.
    Saturate,
}

/// A part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// What it is called in the table.
    pub name: String,
    /// What it asks.
    pub load: Load,
    /// How long it lasts; a drain ends earlier when all is gone.
    pub lasts: Duration,
    /// Operations after which it ends before its time.
    pub operations: Option<u64>,
}

impl Phase {
    /// A phase that only its time ends.
    pub fn new(name: &str, load: Load, lasts: Duration) -> Self {
        Self { name: name.to_owned(), load, lasts, operations: None }
    }

    /// When the operation of that number is meant to happen, from the beginning of the phase; none where it lies
    /// behind its end or where the phase has no such times.
    pub fn intended(&self, number: u64) -> Option<Duration> {
        let secs = match self.load {
            // The area under a ramp up to t is rate * t^2 / 2T.
            Load::Ramp(rate) => (2.0 * number as f64 * self.lasts.as_secs_f64() / rate).sqrt(),
            Load::Rate(rate) => number as f64 / rate,
            Load::Drain | Load::Idle | Load::Saturate => return None,
        };
        Some(Duration::from_secs_f64(secs)).filter(|at| *at < self.lasts)
    }
}

/// Why a phase can't be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PhaseError;

impl std::fmt::Display for PhaseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "A phase is ramp:RATE:SECS, steady:RATE:SECS, overload:RATE:SECS, recover:RATE:SECS, saturate:SECS, \
             idle:SECS or drain:SECS. Write it like steady:2000:30.",
        )
    }
}

impl std::error::Error for PhaseError {}

impl FromStr for Phase {
    type Err = PhaseError;

    fn from_str(text: &str) -> Result<Self, PhaseError> {
        let words: Vec<&str> = text.split(':').collect();
        let number = |word: &str| {
            let number: f64 = word.parse().map_err(|_| PhaseError)?;
            if number > 0.0 && number < 1e9 { Ok(number) } else { Err(PhaseError) }
        };
        let (load, secs) = match words.as_slice() {
            ["drain", secs] => (Load::Drain, secs),
            ["idle", secs] => (Load::Idle, secs),
            ["saturate", secs] => (Load::Saturate, secs),
            ["ramp", rate, secs] => (Load::Ramp(number(rate)?), secs),
            ["steady" | "overload" | "recover", rate, secs] => (Load::Rate(number(rate)?), secs),
            _ => return Err(PhaseError),
        };
        Ok(Self::new(words[0], load, Duration::from_secs_f64(number(secs)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(text: &str) -> Phase {
        text.parse().expect("a phase")
    }

    #[test]
    fn a_phase_reads_as_it_is_written() {
        assert_eq!(
            phase("steady:2000:30"),
            Phase::new("steady", Load::Rate(2000.0), Duration::from_secs(30))
        );
        assert_eq!(phase("drain:60").load, Load::Drain);
        for wrong in ["", "steady", "steady:x:1", "steady:0:1", "idle:-1", "storm:1:1", "drain:60:1"] {
            assert_eq!(wrong.parse::<Phase>(), Err(PhaseError), "{wrong}");
        }
    }

    #[test]
    fn a_steady_phase_has_as_many_operations_as_its_rate_says() {
        let phase = phase("steady:2000:3");
        assert_eq!((0..).take_while(|number| phase.intended(*number).is_some()).count(), 6000);
    }

    #[test]
    fn a_ramp_has_half_as_many_and_its_last_come_at_the_full_rate() {
        let phase = phase("ramp:1000:4");
        let count = (0..).take_while(|number| phase.intended(*number).is_some()).count();
        assert_eq!(count, 2000);
        let gap = phase.intended(1999).expect("the last") - phase.intended(1998).expect("the one before");
        assert!((gap.as_secs_f64() - 0.001).abs() < 0.0001);
    }
}
