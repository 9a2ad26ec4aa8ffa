//! Whose clock to believe (docs/spec/client.md §5).
//!
//! A phone's clock may be a day, a year or thirty years off; a relay's may lie. Small differences are bridged: the day
//! before and the day after are tried. A larger one stops everything that would be sealed, until the person has set the
//! clock or has said that the relay's is to be believed; nothing is guessed in silence.

use std::collections::BTreeMap;

use poterne_protocol::keys::Pin;
use poterne_protocol::time::{DAY_SECS, Day, UnixTime};

/// Seconds by which own clock and relay may differ without a word: epochs one day off are tried anyway.
pub const TOLERATED_SECS: u64 = DAY_SECS;

/// What the clocks say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// This is the time.
    Agreed(UnixTime),
    /// The own clock is this far behind (positive) or ahead (negative) of the relays; nothing may be sealed.
    Off {
        /// Seconds from the own clock to the relay's.
        secs: i64,
    },
}

/// The own clock beside those of the relays that were heard in this run.
#[derive(Debug, Default)]
pub struct Clock {
    heard: BTreeMap<Pin, i64>,
    /// The day on which they were heard, by the own clock. On another one they are heard anew.
    day: Option<Day>,
    is_stale: bool,
    relays_believed: bool,
}

impl Clock {
    /// A relay has told its time.
    pub fn handle_hello(&mut self, relay: Pin, its_time: UnixTime, now: UnixTime) {
        if std::mem::take(&mut self.is_stale) {
            self.heard.clear();
        }
        let secs = i64::try_from(its_time.0).unwrap_or(i64::MAX).saturating_sub_unsigned(now.0);
        self.heard.insert(relay, secs);
    }

    /// The person has said that the relays' time is the right one.
    pub fn believe_relays(&mut self) {
        self.relays_believed = true;
    }

    /// Whether that relay has told its time in this run.
    pub fn has_heard(&self, relay: &Pin) -> bool {
        !self.is_stale && self.heard.contains_key(relay)
    }

    /// The own clock shows `own`. On a new day the relays are heard anew: it may have jumped.
    pub fn tick(&mut self, own: UnixTime) {
        let before = self.day.replace(own.day());
        self.is_stale |= before.is_some_and(|before| before != own.day());
    }

    /// What is heard from now on counts alone: a clock that was off may have been set.
    pub fn listen_again(&mut self) {
        self.is_stale |= self.is_off();
    }

    /// Whether own clock and relays differ too much, and the person has not decided: nothing may be sealed.
    pub fn is_off(&self) -> bool {
        self.difference() != 0 && !self.relays_believed
    }

    /// Whether a relay has confirmed the time in this run: only then is anything erased for its age, lest a clock that
    /// jumps ahead erases everything.
    pub fn is_confirmed(&self) -> bool {
        !self.heard.is_empty() && !self.is_stale && !self.is_off()
    }

    /// The time that counts when the own clock shows `own`: the relays', where the person has said so.
    pub fn time(&self, own: UnixTime) -> UnixTime {
        UnixTime(own.0.saturating_add_signed(self.shift()))
    }

    /// What the own clock shows at a time that counts.
    pub fn own(&self, time: UnixTime) -> UnixTime {
        UnixTime(time.0.saturating_add_signed(self.shift().saturating_neg()))
    }

    /// What time it is.
    pub fn verdict(&self, own: UnixTime) -> Verdict {
        if self.is_off() { Verdict::Off { secs: self.difference() } } else { Verdict::Agreed(self.time(own)) }
    }

    fn shift(&self) -> i64 {
        if self.relays_believed { self.difference() } else { 0 }
    }

    /// Seconds from the own clock to the relays'; 0 while that is no matter. Of several relays the one nearest to the own
    /// clock counts: one that lies can't shift the rest.
    fn difference(&self) -> i64 {
        let nearest = self.heard.values().copied().min_by_key(|secs| secs.unsigned_abs()).unwrap_or(0);
        if nearest.unsigned_abs() <= TOLERATED_SECS { 0 } else { nearest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const HERE: Pin = Pin([1; 16]);
    const THERE: Pin = Pin([2; 16]);

    #[test]
    fn without_a_relay_the_own_clock_counts() {
        assert_eq!(Clock::default().verdict(NOW), Verdict::Agreed(NOW));
    }

    #[test]
    fn an_hour_of_difference_changes_nothing() {
        let mut clock = Clock::default();
        clock.handle_hello(HERE, NOW.plus(3600), NOW);
        assert_eq!(clock.verdict(NOW), Verdict::Agreed(NOW));
    }

    #[test]
    fn a_year_of_difference_stops_until_the_person_decides() {
        let mut clock = Clock::default();
        clock.handle_hello(HERE, NOW.plus(365 * DAY_SECS), NOW);
        assert_eq!(clock.verdict(NOW), Verdict::Off { secs: 365 * 86_400 });
        clock.believe_relays();
        assert_eq!(clock.verdict(NOW), Verdict::Agreed(NOW.plus(365 * DAY_SECS)));
    }

    #[test]
    fn a_clock_that_jumps_is_confirmed_again_before_anything_is_erased() {
        let mut clock = Clock::default();
        clock.tick(NOW);
        clock.handle_hello(HERE, NOW, NOW);
        assert!(clock.is_confirmed());
        let later = NOW.plus(365 * DAY_SECS);
        clock.tick(later);
        assert!(!clock.is_confirmed() && !clock.has_heard(&HERE));
        clock.handle_hello(HERE, NOW, later);
        assert!(clock.is_off());
    }

    #[test]
    fn one_relay_that_lies_does_not_outweigh_one_that_agrees() {
        let mut clock = Clock::default();
        clock.handle_hello(HERE, UnixTime(0), NOW);
        clock.handle_hello(THERE, NOW.plus(5), NOW);
        assert_eq!(clock.verdict(NOW), Verdict::Agreed(NOW));
    }
}
