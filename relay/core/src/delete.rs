//! Delete: envelopes are erased by one who holds the delete key, or by the holder of a lease (docs/spec/relay.md §5).
//!
//! What was deleted never comes back: its tombstone answers a repeated put for seven days. An id that is not here leaves
//! no tombstone, so that deleting fills no memory.

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::limits::IDS_PER_REQUEST;
use poterne_protocol::op::{Answer, ClaimId, LeaseToken};
use poterne_protocol::time::UnixTime;

use crate::change::Change;
use crate::decision::Decision;
use crate::lease::{self, Holder};
use crate::state::MailboxState;

/// Whether as many envelopes are named as may be.
pub fn is_well_formed(ids: &[EnvelopeId]) -> bool {
    (1..=IDS_PER_REQUEST).contains(&ids.len())
}

/// Deletes from a plain mailbox, whose delete key was shown.
pub fn decide_by_key(state: &MailboxState, ids: &[EnvelopeId], now: UnixTime) -> Decision {
    let day = now.day();
    let mut changes: Vec<Change> = Vec::new();
    for id in ids {
        if let Some((position, _)) = state.find(id, day) {
            let change = Change::Deleted { position, id: *id, day };
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    Decision::change(Answer::Done, changes)
}

/// Deletes the leased envelope of an intake. The lease must last, unless it has deleted the envelope already.
pub fn decide_by_lease(
    state: &MailboxState,
    claim_id: &ClaimId,
    token: &LeaseToken,
    ids: &[EnvelopeId],
    now: UnixTime,
) -> Decision {
    match lease::holder(state, claim_id, token, now) {
        Holder::Deleted => Decision::answer(Answer::Done),
        Holder::Ended => Decision::answer(Answer::Ended),
        Holder::Lasting { position, id, .. } if ids.iter().all(|named| *named == id) => {
            Decision::change(Answer::Done, vec![Change::Deleted { position, id, day: now.day() }])
        }
        Holder::Lasting { .. } => Decision::answer(Answer::Malformed),
    }
}
