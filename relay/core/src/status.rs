//! Status: what a writer may know of what became of its envelopes (docs/spec/relay.md §7).
//!
//! Of an intake all: waiting, claimed, gone, unknown. Elsewhere *stored* or *gone* only, and a deletion shows from the
//! next day on, so that a writer does not learn at what hour a reader reads. What was never put is *gone* there.

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::limits::{IDS_PER_REQUEST, TOMBSTONE_DAYS};
use poterne_protocol::mailbox::Kind;
use poterne_protocol::op::{Answer, EnvelopeStatus, Status};
use poterne_protocol::time::{Day, UnixTime};

use crate::decision::Decision;
use crate::state::MailboxState;

/// Answers one question; nothing changes.
pub fn decide(state: &MailboxState, status: &Status, now: UnixTime) -> Decision {
    if !(1..=IDS_PER_REQUEST).contains(&status.ids.len()) {
        return Decision::answer(Answer::Malformed);
    }
    let of = |id: &EnvelopeId| match status.mailbox.kind {
        Kind::Intake => in_intake(state, id, now),
        Kind::Log | Kind::Plain => by_whole_days(state, id, now.day()),
    };
    Decision::answer(Answer::Status(status.ids.iter().map(of).collect()))
}

fn in_intake(state: &MailboxState, id: &EnvelopeId, now: UnixTime) -> EnvelopeStatus {
    let is_claimed = |position| state.opened().is_some_and(|opened| opened.holder(position, now).is_some());
    match state.find(id, now.day()) {
        Some((position, _)) if is_claimed(position) => EnvelopeStatus::Claimed,
        Some(_) => EnvelopeStatus::Stored,
        None if state.gone_until(id, now.day()).is_some() => EnvelopeStatus::Gone,
        None => EnvelopeStatus::Unknown,
    }
}

fn by_whole_days(state: &MailboxState, id: &EnvelopeId, today: Day) -> EnvelopeStatus {
    let deleted_today = state.gone_until(id, today) == Some(today + TOMBSTONE_DAYS);
    if deleted_today || state.find(id, today).is_some() {
        EnvelopeStatus::Stored
    } else {
        EnvelopeStatus::Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, intake, plain};
    use poterne_protocol::op::Request;

    #[test]
    fn an_intake_tells_all_that_became_of_an_envelope() {
        let mut relay = Fixture::opened(&intake(1));
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Unknown);
        relay.put(&intake(1), 1);
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Stored);
        let token = relay.lease(&intake(1), 1).token;
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Claimed);
        relay.handle(Request::Release(token));
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Stored);
        let token = relay.lease(&intake(1), 2).token;
        relay.delete_leased(token, 1);
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Gone);
    }

    #[test]
    fn what_expired_in_an_intake_is_gone_and_later_unknown() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.wait_days(5);
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Gone);
        relay.wait_days(7);
        assert_eq!(relay.status(&intake(1), 1), EnvelopeStatus::Unknown);
    }

    #[test]
    fn elsewhere_a_deletion_shows_on_the_next_day() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.delete(&plain(1), &[1]);
        assert_eq!(relay.status(&plain(1), 1), EnvelopeStatus::Stored);
        relay.wait_days(1);
        assert_eq!(relay.status(&plain(1), 1), EnvelopeStatus::Gone);
    }

    #[test]
    fn elsewhere_what_was_never_put_is_gone() {
        assert_eq!(Fixture::new().status(&plain(1), 1), EnvelopeStatus::Gone);
    }

    #[test]
    fn elsewhere_what_expired_is_gone_at_once() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.wait_days(4);
        assert_eq!(relay.status(&plain(1), 1), EnvelopeStatus::Stored);
        relay.wait_days(1);
        assert_eq!(relay.status(&plain(1), 1), EnvelopeStatus::Gone);
    }
}
