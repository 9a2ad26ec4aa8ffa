//! What clients can make a relay hold for them, shared out fairly (docs/spec/transport.md §4).
//!
//! A budget is a number of units for all connections together. One connection may hold at most a share of what is still
//! free (dynamic thresholds: Choudhury and Hahne, 1998): alone it has plenty, and a hundred that are greedy leave room
//! for one that holds little.
//!
//! Invariant: what was taken is given back exactly once, when its hold is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// A connection may hold this part of what is free.
const SHARE: usize = 8;
/// Until room must have been found: answers leave in milliseconds where their readers read.
const ROOM_TIMEOUT: Duration = Duration::from_secs(2);

/// The units of all connections.
pub(super) struct Budget {
    free: Mutex<usize>,
    freed: Notify,
    waiters: AtomicUsize,
}

/// What one connection holds of a budget.
pub(super) struct Account {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

/// Units that are taken; dropping them gives them back.
pub(super) struct Hold {
    account: Arc<Account>,
    units: usize,
}

impl Budget {
    pub(super) fn new(units: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(units), freed: Notify::new(), waiters: AtomicUsize::new(0) })
    }

    /// An account for one connection.
    pub(super) fn open(self: &Arc<Self>) -> Arc<Account> {
        Arc::new(Account { budget: self.clone(), held: AtomicUsize::new(0) })
    }

    /// Whether somebody waits for room.
    pub(super) fn is_short(&self) -> bool {
        self.waiters.load(Ordering::Relaxed) > 0
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().expect("nothing panics while it counts")
    }
}

impl Account {
    /// The budget that it draws on.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes so many units, if there is room for all of them.
    pub(super) fn take(self: &Arc<Self>, units: usize) -> Option<Hold> {
        self.take_between(units, units)
    }

    /// Takes up to `wanted` units, at least one, as soon as there is room; `None` where none comes in time.
    pub(super) async fn take_some(self: &Arc<Self>, wanted: usize) -> Option<Hold> {
        if let Some(hold) = self.take_between(1, wanted) {
            return Some(hold);
        }
        let _waiter = Waiter::new(&self.budget.waiters);
        timeout(ROOM_TIMEOUT, self.await_some(wanted)).await.ok()
    }

    async fn await_some(self: &Arc<Self>, wanted: usize) -> Hold {
        loop {
            let freed = self.budget.freed.notified();
            if let Some(hold) = self.take_between(1, wanted) {
                return hold;
            }
            freed.await;
        }
    }

    fn take_between(self: &Arc<Self>, least: usize, most: usize) -> Option<Hold> {
        let mut free = self.budget.free();
        let allowed = (*free / SHARE).saturating_sub(self.held.load(Ordering::Relaxed));
        let units = most.min(allowed);
        if units < least {
            return None;
        }
        *free -= units;
        self.held.fetch_add(units, Ordering::Relaxed);
        Some(Hold { account: self.clone(), units })
    }
}

impl Hold {
    /// How many units they are.
    pub(super) fn units(&self) -> usize {
        self.units
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let budget = &self.account.budget;
        *budget.free() += self.units;
        self.account.held.fetch_sub(self.units, Ordering::Relaxed);
        budget.freed.notify_waiters();
    }
}

/// Counts one who waits.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_comes_back() {
        let budget = Budget::new(800);
        let account = budget.open();
        let hold = account.take(60).expect("a hundred are allowed");
        assert_eq!((*budget.free(), hold.units()), (740, 60));
        assert!(account.take(60).is_none());
        drop(hold);
        assert!(account.take(60).is_some());
        assert_eq!((*budget.free(), account.held.load(Ordering::Relaxed)), (800, 0));
    }

    #[test]
    fn a_hundred_who_are_greedy_leave_room_for_one_who_holds_little() {
        let budget = Budget::new(16_384);
        let greedy: Vec<_> = (0..100).map(|_| budget.open()).collect();
        let mut held = Vec::new();
        for _ in 0..10 {
            held.extend(greedy.iter().filter_map(|account| account.take_between(1, 64)));
        }
        assert!(budget.open().take(64).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_for_some_and_not_for_ever() {
        let budget = Budget::new(8);
        let account = budget.open();
        let hold = account.take(1).expect("one is allowed");
        let (found, ()) = tokio::join!(account.take_some(5), async {
            tokio::task::yield_now().await;
            assert!(budget.is_short());
            drop(hold);
        });
        let found = found.expect("room came");
        assert_eq!(found.units(), 1);
        assert!(account.take_some(5).await.is_none());
        assert!(!budget.is_short());
    }
}
