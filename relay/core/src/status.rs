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
