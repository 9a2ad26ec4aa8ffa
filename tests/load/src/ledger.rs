//! The ledger: what became of each envelope of a run, and so what was lost, doubled or came back.
//!
//! A put that was acknowledged must be found, once, until its delete was sent. A put whose outcome is unknown may be
//! found or not. Nothing else may be found at all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

const ACKNOWLEDGED: u8 = 1;
const REFUSED: u8 = 2;
const FOUND: u8 = 4;
const DELETING: u8 = 8;

/// What became of each envelope, by its number.
#[derive(Default)]
pub struct Ledger {
    marks: Mutex<Vec<u8>>,
    /// Deletes acknowledged so far, and how many that were when each envelope's was.
    deletes: AtomicU64,
    deleted_as: Mutex<BTreeMap<u64, u64>>,
    doubled: AtomicU64,
    returned: AtomicU64,
    strangers: AtomicU64,
}

/// What the ledger says at the end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// Envelopes that were put, whatever the answer.
    pub put: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Acknowledged and never found. Only meaningful after everything was fetched.
    pub lost: u64,
    /// Found twice in one answer.
    pub doubled: u64,
    /// Found after their delete was acknowledged.
    pub returned: u64,
    /// Found although they were refused, never put, or are not what was put.
    pub strangers: u64,
}

impl Verdict {
    /// Whether nothing was doubled, came back or is strange.
    pub fn is_clean(&self) -> bool {
        self.doubled + self.returned + self.strangers == 0
    }
}

impl Ledger {
    /// Begins a put; gives its number.
    pub fn begin(&self) -> u64 {
        let mut marks = self.marks();
        marks.push(0);
        marks.len() as u64 - 1
    }

    /// How many puts were begun.
    pub fn begun(&self) -> u64 {
        self.marks().len() as u64
    }

    /// The put was acknowledged.
    pub fn acknowledged(&self, number: u64) {
        self.mark(number, ACKNOWLEDGED);
    }

    /// The put was refused: nothing of it may be found.
    pub fn refused(&self, number: u64) {
        self.mark(number, REFUSED);
    }

    /// The moment at which a fetch begins: what was deleted before may not be in its answer.
    pub fn moment(&self) -> u64 {
        self.deletes.load(Ordering::SeqCst)
    }

    /// The answer of a fetch that began at `moment` held these envelopes; `None` for one that is not what was put.
    pub fn found(&self, answer: &[Option<u64>], moment: u64) {
        let mut seen: Vec<u64> = answer.iter().flatten().copied().collect();
        seen.sort_unstable();
        let unique = seen.len() - seen.windows(2).filter(|pair| pair[0] == pair[1]).count();
        self.doubled.fetch_add((seen.len() - unique) as u64, Ordering::Relaxed);
        for number in answer {
            self.found_one(*number, moment);
        }
    }

    fn found_one(&self, number: Option<u64>, moment: u64) {
        let gone = number.is_some_and(|number| self.was_deleted_before(number, moment));
        let mut marks = self.marks();
        let mark = number.and_then(|number| marks.get_mut(number as usize));
        match mark {
            Some(mark) if *mark & REFUSED == 0 => {
                if gone {
                    self.returned.fetch_add(1, Ordering::Relaxed);
                }
                *mark |= FOUND;
            }
            _ => drop(self.strangers.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Their delete is sent. Whether they are found again before it is acknowledged says nothing.
    pub fn deleting(&self, numbers: &[Option<u64>]) {
        numbers.iter().flatten().for_each(|number| self.mark(*number, DELETING));
    }

    /// Their delete was acknowledged.
    pub fn deleted(&self, numbers: &[Option<u64>]) {
        let as_of = self.deletes.fetch_add(1, Ordering::SeqCst) + 1;
        let mut deleted_as = self.deleted_as.lock().expect("nothing panics while it holds the ledger");
        deleted_as.extend(numbers.iter().flatten().map(|number| (*number, as_of)));
    }

    fn was_deleted_before(&self, number: u64, moment: u64) -> bool {
        let deleted_as = self.deleted_as.lock().expect("nothing panics while it holds the ledger");
        deleted_as.get(&number).is_some_and(|as_of| *as_of <= moment)
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let marks = self.marks();
        let count = |is: &dyn Fn(u8) -> bool| marks.iter().filter(|mark| is(**mark)).count() as u64;
        Verdict {
            put: marks.len() as u64,
            acknowledged: count(&|mark| mark & ACKNOWLEDGED != 0),
            refused: count(&|mark| mark & REFUSED != 0),
            lost: count(&|mark| mark & ACKNOWLEDGED != 0 && mark & (FOUND | DELETING) == 0),
            doubled: self.doubled.load(Ordering::Relaxed),
            returned: self.returned.load(Ordering::Relaxed),
            strangers: self.strangers.load(Ordering::Relaxed),
        }
    }

    fn mark(&self, number: u64, with: u8) {
        if let Some(mark) = self.marks().get_mut(number as usize) {
            *mark |= with;
        }
    }

    fn marks(&self) -> MutexGuard<'_, Vec<u8>> {
        self.marks.lock().expect("nothing panics while it holds the ledger")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_and_never_found_is_lost() {
        let ledger = Ledger::default();
        let (found, lost, unknown) = (ledger.begin(), ledger.begin(), ledger.begin());
        ledger.acknowledged(found);
        ledger.acknowledged(lost);
        ledger.found(&[Some(found)], 0);
        let verdict = ledger.verdict();
        assert_eq!((verdict.put, verdict.acknowledged, verdict.lost), (3, 2, 1));
        ledger.found(&[Some(unknown)], 0);
        assert!(ledger.verdict().is_clean());
    }

    #[test]
    fn one_found_twice_in_an_answer_is_doubled_and_in_two_answers_is_not() {
        let ledger = Ledger::default();
        let number = ledger.begin();
        ledger.found(&[Some(number)], ledger.moment());
        ledger.found(&[Some(number)], ledger.moment());
        assert_eq!(ledger.verdict().doubled, 0);
        ledger.found(&[Some(number), Some(number)], 0);
        assert_eq!(ledger.verdict().doubled, 1);
    }

    #[test]
    fn what_comes_back_after_its_delete_is_told() {
        let ledger = Ledger::default();
        let number = ledger.begin();
        ledger.deleting(&[Some(number)]);
        ledger.found(&[Some(number)], ledger.moment());
        assert_eq!(ledger.verdict().returned, 0);
        let before = ledger.moment();
        ledger.deleted(&[Some(number)]);
        ledger.found(&[Some(number)], before);
        assert_eq!(ledger.verdict().returned, 0, "the fetch began before");
        ledger.found(&[Some(number)], ledger.moment());
        assert_eq!(ledger.verdict().returned, 1);
    }

    #[test]
    fn what_was_refused_or_spoilt_or_never_put_is_a_stranger() {
        let ledger = Ledger::default();
        let refused = ledger.begin();
        ledger.refused(refused);
        ledger.found(&[Some(refused), None, Some(99)], 0);
        assert_eq!(ledger.verdict().strangers, 3);
    }
}
