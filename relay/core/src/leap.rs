//! A clock that leaps ahead (docs/spec/relay.md §1).
//!
//! Whatever expires, expires by the wall clock, and a wall clock can be set wrong for a moment. So it is held against a
//! steady one, which nobody sets: where it is suddenly far ahead, time goes on by the steady clock until the two agree
//! again, or until the wall clock has stayed there for hours. A clock that goes back is followed: it makes nothing expire.

use poterne_protocol::time::UnixTime;

/// Seconds by which the wall clock may gain on the steady one within [`ABSORBED_SECS`].
pub const LEAP_SECS: u64 = 2 * 3600;
/// Seconds after which what the wall clock has gained so far counts as right.
pub const ABSORBED_SECS: u64 = 3600;
/// Seconds for which the wall clock must stay where it leapt to before it is followed: time for the operator to act, and
/// for a time service to correct itself.
pub const BELIEVED_AFTER_SECS: u64 = 6 * 3600;
/// Seconds by which two readings of a clock that stays where it leapt to may differ.
const SAME_SECS: u64 = 60;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: UnixTime,
    steady_secs: u64,
}

impl Reading {
    /// What the wall clock shows by the steady one, if nobody sets it.
    fn at(self, steady_secs: u64) -> UnixTime {
        self.wall.plus(steady_secs.saturating_sub(self.steady_secs))
    }
}

/// The wall clock, held against a steady one.
#[derive(Clone, Copy, Debug)]
pub struct HeldClock {
    base: Reading,
    /// Where it has leapt to.
    leapt: Option<Reading>,
}

/// What time it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Time {
    /// The time that counts.
    pub now: UnixTime,
    /// Seconds by which the wall clock is ahead of it.
    pub held_secs: u64,
}

impl HeldClock {
    /// Begins with what the wall clock shows, which is believed.
    pub fn new(wall: UnixTime, steady_secs: u64) -> Self {
        Self { base: Reading { wall, steady_secs }, leapt: None }
    }

    /// The time that counts when the clocks show these.
    pub fn time(&mut self, wall: UnixTime, steady_secs: u64) -> Time {
        let here = Reading { wall, steady_secs };
        let expected = self.base.at(steady_secs);
        if wall.0.abs_diff(expected.0) <= LEAP_SECS {
            self.leapt = None;
            if steady_secs.saturating_sub(self.base.steady_secs) >= ABSORBED_SECS {
                self.base = here;
            }
            return Time { now: wall, held_secs: 0 };
        }
        let leapt = self.leapt.filter(|leapt| is_same(leapt.at(steady_secs), wall)).unwrap_or(here);
        self.leapt = Some(leapt);
        if steady_secs.saturating_sub(leapt.steady_secs) >= BELIEVED_AFTER_SECS {
            *self = Self::new(wall, steady_secs);
        }
        let now = wall.min(self.base.at(steady_secs));
        Time { now, held_secs: wall.since(now) }
    }
}

fn is_same(one: UnixTime, other: UnixTime) -> bool {
    one.0.abs_diff(other.0) <= SAME_SECS
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime(1_800_000_000);
    const YEAR: u64 = 365 * 86_400;

    fn clock() -> HeldClock {
        HeldClock::new(START, 0)
    }

    #[test]
    fn a_clock_that_nobody_sets_is_followed() {
        let mut clock = clock();
        for hours in 0..1000 {
            let time = clock.time(START.plus(hours * 3600 + hours), hours * 3600);
            assert_eq!(time, Time { now: START.plus(hours * 3600 + hours), held_secs: 0 });
        }
    }

    #[test]
    fn a_clock_may_gain_two_hours() {
        assert_eq!(clock().time(START.plus(7200), 0).held_secs, 0);
        assert_eq!(clock().time(START.plus(7201), 0), Time { now: START, held_secs: 7201 });
    }

    #[test]
    fn a_leap_of_a_year_is_not_followed_and_time_goes_on() {
        let mut clock = clock();
        let time = clock.time(START.plus(YEAR + 10), 10);
        assert_eq!(time, Time { now: START.plus(10), held_secs: YEAR });
        assert_eq!(clock.time(START.plus(YEAR + 7200), 7200).now, START.plus(7200));
    }

    #[test]
    fn a_clock_that_comes_back_is_followed_at_once() {
        let mut clock = clock();
        clock.time(START.plus(YEAR), 10);
        assert_eq!(clock.time(START.plus(20), 20), Time { now: START.plus(20), held_secs: 0 });
    }

    #[test]
    fn a_clock_that_stays_where_it_leapt_to_is_believed_after_six_hours() {
        let mut clock = clock();
        for minute in 0..360 {
            assert_eq!(clock.time(START.plus(YEAR + minute * 60), minute * 60).held_secs, YEAR);
        }
        let there = START.plus(YEAR + BELIEVED_AFTER_SECS);
        assert_eq!(clock.time(there, BELIEVED_AFTER_SECS), Time { now: there, held_secs: 0 });
        assert_eq!(clock.time(there.plus(5), BELIEVED_AFTER_SECS + 5).held_secs, 0);
    }

    #[test]
    fn a_clock_that_leaps_again_and_again_is_not_believed() {
        let mut clock = clock();
        for hour in 1..100 {
            let wild = START.plus(hour * YEAR);
            assert_eq!(clock.time(wild, hour * 3600).now, START.plus(hour * 3600));
        }
    }

    #[test]
    fn small_leaps_do_not_add_up_within_an_hour() {
        let mut clock = clock();
        let mut wall = START;
        for second in 1..60 {
            wall = wall.plus(3600);
            let time = clock.time(wall, second);
            assert!(time.now <= START.plus(second + LEAP_SECS), "after {second} s");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_for_a_moment_is_followed_there_and_back() {
        let mut clock = clock();
        assert_eq!(clock.time(UnixTime(START.0 - YEAR), 10).now, UnixTime(START.0 - YEAR));
        assert_eq!(clock.time(START.plus(20), 20), Time { now: START.plus(20), held_secs: 0 });
    }
}
