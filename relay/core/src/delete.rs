//! Delete: envelopes are erased by one who holds the delete key, or by the holder of a lease (docs/spec/relay.md §5).
//!
//! What was deleted never comes back: its tombstone answers a repeated put for seven days. An id that is not here leaves
//! no tombstone, so that deleting fills no memory.

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::limits::IDS_PER_REQUEST;
use poterne_protocol::op::{Answer, ClaimId, LeaseToken};
use poterne_protocol::time::UnixTime;

use crate::change::{Change, DELETIONS_MAX, Deletion};
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
    let mut deletions: Vec<Deletion> = Vec::new();
    for id in ids {
        if let Some((position, _)) = state.find(id, day) {
            let deletion = Deletion { position, id: *id };
            if !deletions.contains(&deletion) {
                deletions.push(deletion);
            }
        }
    }
    let together = |some: &[Deletion]| Change::Deleted { deletions: some.to_vec(), day };
    Decision::change(Answer::Done, deletions.chunks(DELETIONS_MAX).map(together).collect())
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
            Decision::change(Answer::Done, vec![Change::deleted(position, id, now.day())])
        }
        Holder::Lasting { .. } => Decision::answer(Answer::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, id, intake, plain};
    use poterne_protocol::op::{Delete, DeleteBy, Request};

    #[test]
    fn what_is_deleted_is_gone_also_after_a_crash() {
        let mut relay = Fixture::new();
        relay.put(&plain(1), 1);
        relay.put(&plain(1), 2);
        assert!(matches!(relay.delete(&plain(1), &[1, 1, 9]), Answer::Done));
        assert_eq!(relay.relay.store().changes(&plain(1).hashes().id()).len(), 3);
        relay.crash();
        assert_eq!(relay.waiting(&plain(1)), [2]);
        relay.relay.store_mut().sync();
        assert_eq!(relay.relay.store().envelopes(), 1);
    }

    #[test]
    fn what_one_request_deletes_takes_as_few_changes_as_it_can() {
        let mut relay = Fixture::new();
        let numbers: Vec<u32> = (1..=DELETIONS_MAX as u32 + 1).collect();
        for number in &numbers {
            relay.put(&plain(1), *number);
        }
        assert!(matches!(relay.delete(&plain(1), &numbers), Answer::Done));
        assert_eq!(relay.relay.store().changes(&plain(1).hashes().id()).len(), numbers.len() + 2);
        assert!(relay.waiting(&plain(1)).is_empty());
    }

    #[test]
    fn deleting_what_is_not_here_leaves_nothing_behind() {
        let mut relay = Fixture::new();
        assert!(matches!(relay.delete(&plain(1), &[1]), Answer::Done));
        assert_eq!(relay.relay.store().mailboxes(), 0);
        relay.put(&plain(1), 1);
        assert_eq!(relay.waiting(&plain(1)), [1]);
    }

    #[test]
    fn a_repeated_delete_by_lease_is_done_again() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        assert!(matches!(relay.delete_leased(token, 1), Answer::Done));
        relay.crash();
        assert!(matches!(relay.delete_leased(token, 1), Answer::Done));
        assert!(relay.waiting(&intake(1)).is_empty());
    }

    #[test]
    fn a_lease_deletes_nothing_but_its_own_envelope() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        relay.put(&intake(1), 2);
        let token = relay.lease(&intake(1), 1).token;
        assert!(matches!(relay.delete_leased(token, 2), Answer::Malformed));
        assert_eq!(relay.waiting(&intake(1)), [1, 2]);
    }

    #[test]
    fn a_lease_that_is_over_deletes_nothing() {
        let mut relay = Fixture::opened(&intake(1));
        relay.put(&intake(1), 1);
        let token = relay.lease(&intake(1), 1).token;
        relay.wait(900);
        assert!(matches!(relay.delete_leased(token, 1), Answer::Ended));
        assert!(matches!(relay.delete_leased(LeaseToken([0; 16]), 1), Answer::Ended));
        assert_eq!(relay.waiting(&intake(1)), [1]);
    }

    #[test]
    fn too_few_or_too_many_ids_are_malformed() {
        let mut relay = Fixture::new();
        for count in [0, 65] {
            let delete = Delete { by: DeleteBy::Lease(LeaseToken([0; 16])), ids: vec![id(1); count] };
            assert!(matches!(relay.handle(Request::Delete(delete)), Answer::Malformed));
        }
    }
}
