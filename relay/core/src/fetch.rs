//! Fetch: reads from many mailboxes at once and changes nothing (docs/spec/relay.md §4).
//!
//! To a reader an absent, an empty, a drained and an expired mailbox are the same, and so is one of which the hashes
//! name nothing. What is over in an answer's size is shared out in turns, so that a full mailbox hides no other.

use core::iter;

use poterne_protocol::limits::FETCH_MAILBOXES;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{Fetch, Start};
use poterne_protocol::time::{Day, UnixTime};

use crate::change::Position;
use crate::cursor::CursorKey;
use crate::decision::Found;
use crate::policy::Policy;
use crate::state::MailboxState;

/// What a fetch finds in one mailbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoundIn {
    /// Oldest first.
    pub envelopes: Vec<Found>,
    /// Where to go on.
    pub end: Position,
    /// There is more behind `end`.
    pub more: bool,
}

/// Whether the fetch keeps its bounds.
pub fn is_well_formed(fetch: &Fetch, policy: &Policy) -> bool {
    let mailboxes = (1..=FETCH_MAILBOXES).contains(&fetch.from.len());
    mailboxes && fetch.max > 0 && fetch.wait_secs <= policy.fetch_wait_secs
}

/// Where the fetch begins in a mailbox.
pub fn start(state: &MailboxState, id: &MailboxId, start: Start, key: &CursorKey, today: Day) -> Position {
    match start {
        Start::First => Position::default(),
        Start::After(cursor) => {
            let position = key.open(id, &cursor);
            if position <= state.end() { position } else { Position::default() }
        }
        Start::Last(0) => state.end(),
        Start::Last(count) => {
            let last = state.waiting_from(Position::default(), today).rev().take(usize::from(count));
            last.last().map_or(state.end(), |(position, _)| position)
        }
    }
}

/// Reads up to `max` envelopes from the mailboxes, each from its position on.
pub fn decide(from: &[(&MailboxState, Position)], max: u16, now: UnixTime, policy: &Policy) -> Vec<FoundIn> {
    let max = usize::from(max.min(policy.fetch_envelopes));
    let today = now.day();
    let waiting: Vec<Vec<Found>> =
        from.iter().map(|(state, start)| look(state, *start, max + 1, today)).collect();
    let available: Vec<usize> = waiting.iter().map(Vec::len).collect();
    let shares = share(&available, max);
    iter::zip(from, iter::zip(waiting, shares))
        .map(|((state, start), (found, share))| take(state, *start, found, share))
        .collect()
}

fn look(state: &MailboxState, start: Position, max: usize, today: Day) -> Vec<Found> {
    let found = state.waiting_from(start, today).take(max);
    found.map(|(position, entry)| Found { position, id: entry.id, at: entry.at }).collect()
}

fn take(state: &MailboxState, start: Position, mut found: Vec<Found>, share: usize) -> FoundIn {
    let more = found.len() > share;
    found.truncate(share);
    let end = match found.last() {
        Some(last) => last.position.next(),
        None if more => start,
        None => state.end(),
    };
    FoundIn { envelopes: found, end, more }
}

/// Shares `max` out in turns, one to each that has something left.
fn share(available: &[usize], max: usize) -> Vec<usize> {
    let mut shares = vec![0; available.len()];
    let mut left = max.min(available.iter().sum());
    while left > 0 {
        for (share, available) in iter::zip(&mut shares, available) {
            if left > 0 && *share < *available {
                *share += 1;
                left -= 1;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Locator;
    use crate::fixture::{Fixture, TODAY, numbers, plain};
    use poterne_protocol::envelope::Class;
    use poterne_protocol::op::{Answer, Cursor, Payment, Request};

    #[test]
    fn a_fetch_reads_in_the_order_of_arrival_and_takes_nothing_away() {
        let mut relay = Fixture::new();
        for number in [3, 1, 2] {
            relay.put(&plain(1), number);
        }
        assert_eq!(relay.waiting(&plain(1)), [3, 1, 2]);
        assert_eq!(relay.waiting(&plain(1)), [3, 1, 2]);
    }

    #[test]
    fn a_cursor_goes_on_behind_its_answer() {
        let mut relay = Fixture::new();
        for number in 0..5 {
            relay.put(&plain(1), number);
        }
        let first = relay.fetch(&plain(1), Start::First, 2);
        assert_eq!((numbers(&first), first.more), (vec![0, 1], true));
        relay.delete(&plain(1), &[0, 1, 2]);
        let second = relay.fetch(&plain(1), Start::After(first.cursor), 2);
        assert_eq!((numbers(&second), second.more), (vec![3, 4], false));
        let third = relay.fetch(&plain(1), Start::After(second.cursor), 2);
        relay.put(&plain(1), 5);
        assert_eq!(numbers(&relay.fetch(&plain(1), Start::After(third.cursor), 2)), [5]);
    }

    #[test]
    fn a_cursor_outlives_a_crash_and_a_mailbox_that_was_forgotten_in_between() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.put(&plain(1), 2);
        let cursor = relay.fetch(&plain(1), Start::First, 2).cursor;
        relay.crash();
        assert!(relay.fetch(&plain(1), Start::After(cursor), 2).envelopes.is_empty());
        relay.delete(&plain(1), &[1, 2]);
        relay.wait_days(8);
        relay.relay.store_mut().pass_day(TODAY + 8);
        assert_eq!(relay.relay.store().mailboxes(), 0);
        for number in 3..6 {
            relay.put(&plain(1), number);
        }
        assert_eq!(numbers(&relay.fetch(&plain(1), Start::After(cursor), 3)), [3, 4, 5]);
    }

    #[test]
    fn a_foreign_cursor_reads_from_the_first_envelope() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        for byte in 0..=255 {
            let foreign = Start::After(Cursor([byte; 16]));
            assert_eq!(numbers(&relay.fetch(&plain(1), foreign, 2)), [1]);
        }
    }

    #[test]
    fn the_last_k_are_read_from_the_end() {
        let mut relay = Fixture::new();
        for number in 0..5 {
            relay.put(&plain(1), number);
        }
        assert_eq!(numbers(&relay.fetch(&plain(1), Start::Last(2), 64)), [3, 4]);
        assert_eq!(numbers(&relay.fetch(&plain(1), Start::Last(9), 64)), [0, 1, 2, 3, 4]);
        assert!(relay.fetch(&plain(1), Start::Last(0), 64).envelopes.is_empty());
    }

    #[test]
    fn what_has_expired_is_not_read_even_before_it_is_erased() {
        let mut relay = Fixture::new();
        relay.put_with(&plain(1), 1, Class::ONE, Payment::None);
        relay.put_with(&plain(1), 2, Class::FOUR, Payment::None);
        relay.wait_days(2);
        assert_eq!(relay.waiting(&plain(1)), [2]);
        assert_eq!(numbers(&relay.fetch(&plain(1), Start::Last(5), 64)), [2]);
    }

    #[test]
    fn absent_drained_and_expired_look_the_same() {
        let mut relay = Fixture::new();
        relay.put_with(&plain(1), 1, Class::ONE, Payment::None);
        relay.put(&plain(2), 2);
        relay.delete(&plain(2), &[2]);
        relay.wait_days(2);
        for mailbox in 1..4 {
            let fetched = relay.fetch(&plain(mailbox), Start::First, 64);
            assert!(fetched.envelopes.is_empty() && !fetched.more);
        }
    }

    #[test]
    fn a_full_mailbox_leaves_room_for_the_others() {
        let mut relay = Fixture::new();
        for number in 0..10 {
            relay.put(&plain(1), number);
        }
        relay.put(&plain(2), 20);
        relay.put(&plain(3), 30);
        let mailboxes = [plain(1), plain(2), plain(3)];
        let from: Vec<_> = mailboxes.iter().map(|mailbox| (mailbox, Start::First)).collect();
        let fetched = relay.fetch_all(&from, 4);
        assert_eq!(fetched.iter().map(numbers).collect::<Vec<_>>(), [vec![0, 1], vec![20], vec![30]]);
        assert_eq!(fetched.iter().map(|fetched| fetched.more).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn a_mailbox_that_got_no_share_goes_on_where_it_was() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.put(&plain(2), 2);
        let fetched = relay.fetch_all(&[(&plain(1), Start::First), (&plain(2), Start::First)], 1);
        assert!(fetched[1].more && fetched[1].envelopes.is_empty());
        assert_eq!(numbers(&relay.fetch(&plain(2), Start::After(fetched[1].cursor), 1)), [2]);
    }

    #[test]
    fn a_fetch_beyond_its_bounds_is_malformed() {
        let mut relay = Fixture::new();
        let from = poterne_protocol::op::FetchFrom { mailbox: plain(1).read(), start: Start::First };
        let mut answer = |count: usize, max, wait_secs| {
            relay.handle(Request::Fetch(Fetch { from: vec![from.clone(); count], max, wait_secs }))
        };
        assert!(matches!(answer(64, 1, 60), Answer::Fetched(_)));
        for (count, max, wait_secs) in [(0, 1, 0), (65, 1, 0), (1, 0, 0), (1, 1, 61)] {
            assert!(matches!(answer(count, max, wait_secs), Answer::Malformed));
        }
    }

    #[test]
    fn a_damaged_envelope_is_left_out_and_can_be_put_again() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.put(&plain(1), 2);
        relay.relay.store_mut().damage(Locator(0));
        assert_eq!(relay.waiting(&plain(1)), [2]);
        relay.put(&plain(1), 1);
        assert_eq!(relay.waiting(&plain(1)), [2, 1]);
    }

    #[test]
    fn shares_are_dealt_in_turns() {
        assert_eq!(share(&[10, 1, 0, 3], 6), [3, 1, 0, 2]);
        assert_eq!(share(&[1, 1], 6), [1, 1]);
        assert_eq!(share(&[5, 5, 5], 2), [1, 1, 0]);
    }
}
