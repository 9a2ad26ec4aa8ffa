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
