//! How many puts may wait for the disk: as many as it carries out in [`GROUP_TIME`] (docs/spec/relay.md §1.1).
//!
//! A disk that is slower than what comes makes each group larger and each wait longer, until clients give up on
//! requests that are carried out all the same. So the bound follows what groups take: it shrinks in proportion when one
//! took too long, and grows by steps when one was quick. A disk that is slow however small the group is gets a multiple
//! of its own least time.

use std::time::Duration;

/// What a group should take at most: a request waits for one that is under way, and for its own.
const GROUP_TIME: Duration = Duration::from_millis(50);
/// The same, as a multiple of the least time that a group took lately: a seventh is lost to the sync itself.
const BASES: u32 = 8;
/// Requests that may wait however slow the disk is.
const LEAST: usize = 64;
/// By which part the bound grows.
const STEP: usize = 8;
/// Groups after which the least time is forgotten by half: the disk may have become slower.
const MEMORY: u32 = 4096;

/// The bound, as groups teach it.
#[derive(Debug)]
pub(super) struct Pace {
    most: usize,
    limit: usize,
    base: Option<Duration>,
    groups: u32,
}

impl Pace {
    /// Begins with the largest bound.
    pub(super) fn new(most: usize) -> Self {
        Self { most, limit: most, base: None, groups: 0 }
    }

    /// Requests that may wait.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// A group of that many requests took that long to be on the disk.
    pub(super) fn note(&mut self, size: usize, took: Duration) {
        self.groups += 1;
        if self.groups.is_multiple_of(MEMORY) {
            self.base = self.base.map(|base| base * 2);
        }
        let base = self.base.map_or(took, |base| base.min(took));
        self.base = Some(base);
        let target = GROUP_TIME.max(base * BASES);
        if took > target {
            let fits = size as f64 * target.as_secs_f64() / took.as_secs_f64();
            self.limit = (fits as usize).clamp(LEAST, self.limit.max(LEAST));
        } else if took < target / 2 {
            self.limit = (self.limit + self.limit / STEP).min(self.most);
        }
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
    fn settle(base: f64, each: f64) -> usize {
        let mut pace = Pace::new(MOST);
        pace.note(1, millis(base + each));
        for _ in 0..200 {
            let size = pace.limit().min(1024);
            pace.note(size, millis(base + each * size as f64));
        }
        pace.limit()
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
    fn what_was_held_back_comes_back_when_the_disk_is_quick_again() {
        let mut pace = Pace::new(MOST);
        pace.note(1, millis(1.0));
        pace.note(1000, millis(1000.0));
        assert_eq!(pace.limit(), LEAST);
        (0..60).for_each(|_| pace.note(64, millis(2.0)));
        assert_eq!(pace.limit(), MOST);
    }
}
