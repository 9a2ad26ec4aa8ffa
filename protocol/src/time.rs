//! Time as the protocol knows it: seconds since 1970-01-01 UTC, and whole days.
//!
//! Nothing here reads a clock: the time of now arrives as an argument everywhere.

use core::fmt;
use core::ops::{Add, Sub};

/// Seconds in a day; leap seconds do not exist here.
pub const DAY_SECS: u64 = 86_400;

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The UTC day that this moment lies in.
    pub fn day(self) -> Day {
        Day(u32::try_from(self.0 / DAY_SECS).unwrap_or(u32::MAX))
    }

    /// This moment and `secs` seconds more.
    pub fn plus(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// Seconds from `earlier` to this moment; 0 where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Days since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Day(pub u32);

impl Day {
    /// The first second of the day.
    pub fn start(self) -> UnixTime {
        UnixTime(u64::from(self.0) * DAY_SECS)
    }

    /// The first second after the day.
    pub fn end(self) -> UnixTime {
        UnixTime((u64::from(self.0) + 1) * DAY_SECS)
    }
}

impl Add<u32> for Day {
    type Output = Self;
    fn add(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl Sub<u32> for Day {
    type Output = Self;
    fn sub(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_and_ends_before_the_next() {
        assert_eq!(UnixTime(86_399).day(), Day(0));
        assert_eq!(UnixTime(86_400).day(), Day(1));
        assert_eq!(Day(1).start(), UnixTime(86_400));
        assert_eq!(Day(1).end(), Day(2).start());
        assert_eq!(UnixTime(u64::MAX).day(), Day(u32::MAX));
    }
}
