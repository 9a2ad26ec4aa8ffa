//! How many puts may wait for the disk: as many as it carries out in [`GROUP_TIME`] (docs/spec/relay.md §1.1).
//!
//! A disk that is slower than what comes makes each group larger and each wait longer, until clients give up on
//! requests that are carried out all the same. So the bound follows what groups take: it shrinks in proportion when one
//! took too long, and grows by steps when one was quick or used it well. A disk that is slow however small the group is
//! gets a multiple of its own least time. Under a flood no group is small by itself, so that one is made small from time
//! to time, to learn that.

use std::collections::VecDeque;
use std::time::Duration;

use super::GROUP;

/// What a group should take at most: a request waits for one that is under way, and for its own.
const GROUP_TIME: Duration = Duration::from_millis(50);
/// The same, as a multiple B of the least time that a group takes. A part 1/B of what the disk can do is lost to the
/// sync itself. At 80 % of what is left a group takes 1/(1 - 0.8 (1 - 1/B)) least times, so that what waits under a
/// flood waits 0.2 B + 0.8 times as long as under that load: 1.6 times, which leaves room for chance.
const BASES: u32 = 4;
/// Requests that may wait however slow the disk is.
const LEAST: usize = 64;
/// A group that took less says that the disk is not what anybody waits for.
const QUICK: Duration = Duration::from_millis(25);
/// Puts that may wait on any other disk until groups have shown that it takes more: what it would do with a flood does not
/// show in groups of some.
const UNPROVEN: usize = 128;
/// By which part the bound grows, and what nobody uses of it is let go of.
const STEP: usize = 8;
/// Requests of a group that takes about the least time.
const FEW: usize = 4;
/// Small groups that are remembered: a disk that zeros a segment beside them slows down half of those, and more in a row.
const BELIEVED: usize = 8;
/// Groups after which one is made so small, where they take long: some seconds, of which it costs a hundredth.
const UNKNOWN: u32 = 64;

/// The bound, as groups teach it.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    limit: usize,
    /// What the last small groups took, and larger ones that took less: the least of it is what a group takes at least.
    least: VecDeque<Duration>,
    /// Groups since the last small one.
    large: u32,
    is_slow: bool,
}

impl Pace {
    /// Begins with the largest bound.
    pub(super) fn new(most: usize) -> Self {
        Self { most, limit: most, least: VecDeque::new(), large: UNKNOWN, is_slow: false }
    }

    /// Puts that may wait.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Requests that the next group may have.
    pub(super) fn group(&self) -> usize {
        if self.is_slow && self.large >= UNKNOWN { FEW } else { self.limit }
    }

    /// A group of that many puts took that long to be on the disk.
    pub(super) fn note(&mut self, size: usize, took: Duration) {
        // A line has at most half of the room to itself, and a group an end.
        let is_in_use = size >= GROUP || size * 2 >= self.group();
        self.learn_base(size, took);
        let target = self.target();
        if took > target {
            let fits = size as f64 * target.as_secs_f64() / took.as_secs_f64();
            self.limit = (fits as usize).clamp(LEAST, self.limit.max(LEAST));
        } else if took < QUICK || is_in_use && took.mul_f64(1.0 + 1.0 / STEP as f64) < target {
            self.limit = (self.limit + self.limit / STEP).min(self.most);
        } else if !is_in_use {
            self.limit = (self.limit - self.limit / STEP).max(self.limit.min(UNPROVEN));
        }
        self.is_slow = took > GROUP_TIME;
    }

    fn target(&self) -> Duration {
        GROUP_TIME.max(self.base().unwrap_or_default() * BASES)
    }

    /// The least time that a group takes.
    fn base(&self) -> Option<Duration> {
        self.least.iter().min().copied()
    }

    /// No group takes less than the least time, and a small one hardly more, unless it is unlucky: some of them must have
    /// taken longer before the disk is believed to be slower.
    fn learn_base(&mut self, size: usize, took: Duration) {
        let is_small = size <= FEW;
        if is_small || self.base().is_none_or(|base| took < base) {
            self.least.truncate(BELIEVED - 1);
            self.least.push_front(took);
        }
        self.large = if is_small { 0 } else { self.large.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4096;

    fn millis(millis: f64) -> Duration {
        Duration::from_secs_f64(millis / 1000.0)
    }

    /// A disk that takes `each` for a request and `base` for a group, and is always asked for more than it can.
    fn flood(pace: &mut Pace, base: f64, each: f64) -> usize {
        for _ in 0..1000 {
            let size = pace.group().min(1024);
            pace.note(size, millis(base + each * size as f64));
        }
        pace.limit()
    }

    fn settle(base: f64, each: f64) -> usize {
        flood(&mut Pace::new(MOST), base, each)
    }

    #[test]
    fn a_quick_disk_is_never_held_back() {
        assert_eq!(settle(0.2, 0.01), MOST);
    }

    #[test]
    fn a_slow_disk_gets_what_it_can_carry_out_in_time() {
        let limit = settle(1.0, 0.5);
        assert!((LEAST..=100).contains(&limit), "{limit}");
    }

    #[test]
    fn a_disk_with_long_syncs_keeps_its_large_groups() {
        assert_eq!(settle(100.0, 0.001), MOST);
    }

    #[test]
    fn a_flood_from_the_first_moment_on_does_not_hide_how_slow_the_disk_is() {
        let limit = settle(20.0, 1.0);
        assert!((60..=110).contains(&limit), "{limit}");
    }

    #[test]
    fn under_a_flood_a_disk_may_become_slower_and_quick_again() {
        let mut pace = Pace::new(MOST);
        assert_eq!(flood(&mut pace, 0.2, 0.01), MOST);
        let limit = flood(&mut pace, 20.0, 1.0);
        assert!((60..=110).contains(&limit), "{limit}");
        assert_eq!(flood(&mut pace, 0.2, 0.01), MOST);
    }

    #[test]
    fn a_disk_that_is_not_quick_proves_first_that_it_takes_more() {
        let mut pace = Pace::new(MOST);
        for _ in 0..100 {
            pace.note(40, millis(40.0));
        }
        assert_eq!(pace.limit(), UNPROVEN);
        assert_eq!(flood(&mut pace, 40.0, 0.01), MOST);
        pace.note(4, millis(0.5));
        assert_eq!(pace.limit(), MOST);
    }

    #[test]
    fn some_unlucky_groups_are_not_believed() {
        let mut pace = Pace::new(MOST);
        let limit = flood(&mut pace, 20.0, 1.0);
        (0..BELIEVED - 1).for_each(|_| pace.note(1, millis(500.0)));
        assert_eq!(pace.base(), Some(millis(24.0)));
        assert!(flood(&mut pace, 20.0, 1.0).abs_diff(limit) <= limit / 2);
    }

    #[test]
    fn what_was_held_back_comes_back_when_the_disk_is_quick_again() {
        let mut pace = Pace::new(MOST);
        pace.note(1, millis(1.0));
        pace.note(1000, millis(1000.0));
        assert_eq!(pace.limit(), LEAST);
        (0..60).for_each(|_| pace.note(64, millis(2.0)));
        assert_eq!(pace.limit(), MOST);
    }
}
