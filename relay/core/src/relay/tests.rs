//! What holds over all operations: groups, failed commits, replays.

use super::*;
use crate::fixture::{self, Fixture, id, intake, plain};
use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::op::ClaimWhat;
use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

#[test]
fn an_unknown_operation_is_unsupported() {
    assert!(matches!(Fixture::new().handle(Request::Unknown(11)), Answer::Unsupported));
}

#[test]
fn the_requests_of_a_group_see_each_other() {
    let mut fixture = Fixture::new();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let put = Request::Put(Put {
        to: plain(1).write(),
        class: poterne_protocol::envelope::Class::FOUR,
        payment: poterne_protocol::op::Payment::None,
        envelope: crate::fixture::envelope(1),
    });
    let first = fixture.relay.begin(&put, fixture.now, &mut rng);
    let second = fixture.relay.begin(&put, fixture.now, &mut rng);
    assert_eq!(first.arrived_in(), Some(&plain(1).hashes().id()));
    assert_eq!(second.arrived_in(), None);
    let committed = fixture.relay.commit();
    assert!(matches!(fixture.relay.finish(first, committed, &mut rng), Answer::Stored));
    assert!(matches!(fixture.relay.finish(second, committed, &mut rng), Answer::Stored));
}

fn fetch(mailbox: u8) -> Request {
    let mailbox = plain(mailbox).read();
    let from = poterne_protocol::op::FetchFrom { mailbox, start: poterne_protocol::op::Start::First };
    Request::Fetch(Fetch { from: vec![from], max: 1, wait_secs: 9 })
}

#[test]
fn only_a_fetch_without_envelopes_may_wait() {
    let mut fixture = Fixture::new();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([2; 32]);
    let fetch = fetch(1);
    assert!(fixture.relay.begin(&fetch, fixture.now, &mut rng).found_nothing());
    fixture.put(&plain(1), 1);
    assert!(!fixture.relay.begin(&fetch, fixture.now, &mut rng).found_nothing());
    assert!(!fixture.relay.begin(&Request::Hello, fixture.now, &mut rng).found_nothing());
}

#[test]
fn another_policy_counts_from_the_next_request_on() {
    let mut fixture = Fixture::new();
    let policy = Policy { plain_envelopes: 1, ..Policy::default() };
    fixture.relay.set_policy(policy.clone());
    assert_eq!(fixture.relay.policy(), &policy);
    assert!(matches!(fixture.put(&plain(1), 1), Answer::Stored));
    assert!(matches!(fixture.put(&plain(1), 2), Answer::Full));
}

#[test]
fn only_a_fetch_that_saw_nothing_unwritten_needs_no_commit() {
    let mut fixture = Fixture::new();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    fixture.put(&plain(1), 1);
    let delete = Request::Delete(Delete { by: DeleteBy::Key(plain(1).delete_at()), ids: vec![id(1)] });
    let mut begin = |request: &Request| fixture.relay.begin(request, fixture.now, &mut rng);
    assert!(!begin(&fetch(1)).needs_commit());
    assert!(begin(&delete).needs_commit());
    assert!(begin(&fetch(1)).needs_commit());
    assert!(!begin(&fetch(2)).needs_commit());
    assert!(!begin(&Request::Hello).needs_commit());
    assert_eq!(fixture.relay.commit(), Ok(()));
    assert!(!fixture.relay.begin(&fetch(1), fixture.now, &mut rng).needs_commit());
}

#[test]
fn an_envelope_that_was_deleted_before_the_answer_is_not_struck_off_as_lost() {
    let mut fixture = Fixture::new();
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([4; 32]);
    let fetch = fetch(1);
    fixture.put(&plain(1), 1);
    let found = fixture.relay.begin(&fetch, fixture.now, &mut rng);
    fixture.delete(&plain(1), &[1]);
    fixture.relay.store_mut().sync();
    let before = fixture.relay.store().changes(&plain(1).hashes().id());
    let Answer::Fetched(fetched) = fixture.relay.finish(found, Ok(()), &mut rng) else { panic!("a fetch") };
    assert!(fetched[0].envelopes.is_empty());
    assert_eq!(fixture.relay.store().changes(&plain(1).hashes().id()), before);
}

/// One step in the life of an intake: which operation, on which envelope or claim, after how many seconds.
fn step(relay: &mut Fixture, (operation, number, secs): (u8, u8, u64)) {
    relay.wait(secs);
    match operation {
        0..=3 => drop(relay.put(&intake(1), number.into())),
        4 => drop(relay.claim(&intake(1), number, ClaimWhat::Id(id(number.into())), 900)),
        5 => rot_the_oldest(relay),
        _ => {
            let answer = relay.claim(&intake(1), number, ClaimWhat::Oldest, 900);
            let Answer::Claimed(claimed) = answer else { return };
            match operation {
                6 => {}
                7 => drop(relay.handle(Request::Release(claimed.token))),
                _ => drop(relay.delete_leased(claimed.token, fixture::number(&claimed.envelope))),
            }
        }
    }
}

fn rot_the_oldest(relay: &mut Fixture) {
    let state = relay.relay.store().load(&intake(1).hashes().id()).expect("memory can be read");
    let oldest = state.entries().iter().next().map(|(_, entry)| entry.at);
    if let Some(at) = oldest {
        relay.relay.store_mut().damage(at);
        relay.waiting(&intake(1));
    }
}

fn fold(mut state: MailboxState, changes: &[Change]) -> MailboxState {
    for change in changes {
        state.apply(change);
    }
    state
}

proptest! {
    #[test]
    fn replaying_any_end_of_the_changes_again_changes_nothing(
        steps in proptest::collection::vec((0u8..9, 0u8..12, 0u64..2000), 1..60),
        part in 0.0..1.0f64,
    ) {
        let mut relay = Fixture::opened(&intake(1));
        steps.into_iter().for_each(|at| step(&mut relay, at));
        let mailbox = intake(1).hashes().id();
        let changes = relay.relay.store().changes(&mailbox);
        let state = fold(MailboxState::default(), &changes);
        prop_assert_eq!(&state, &*relay.relay.store().load(&mailbox).expect("memory can be read"));
        let from = (changes.len() as f64 * part) as usize;
        prop_assert_eq!(fold(state.clone(), &changes[from..]), state);
    }
}

#[test]
fn a_failed_commit_gives_no_lease() {
    let mut relay = Fixture::opened(&intake(1));
    relay.put(&intake(1), 1);
    relay.relay.store_mut().fail_commits(1);
    let answer = relay.claim(&intake(1), 1, poterne_protocol::op::ClaimWhat::Oldest, 900);
    assert!(matches!(answer, Answer::ReadOnly));
    assert_eq!(relay.waiting(&intake(1)), [1]);
}

#[test]
fn a_store_that_commits_at_once_tells_the_outcome_at_once() {
    let mut relay = Fixture::opened(&intake(1));
    let bell = || -> crate::store::Bell { Box::new(|| panic!("nothing is under way")) };
    relay.relay.store_mut().fail_commits(1);
    assert_eq!(relay.relay.begin_commit(bell()), Some(Err(CommitError)));
    assert_eq!(relay.relay.begin_commit(bell()), Some(Ok(())));
    assert_eq!(relay.relay.end_commit(), Ok(()));
}

/// A store whose groups fail when they come to their end.
struct Failing;

impl Store for Failing {
    fn load(&self, _id: &MailboxId) -> Result<Cow<'_, MailboxState>, LoadError> {
        Err(LoadError)
    }

    fn find_lease(&self, _tag: &LeaseTag) -> Result<Option<(MailboxId, ClaimId)>, LoadError> {
        Err(LoadError)
    }

    fn voucher(&self, _id: &VoucherId) -> Result<u32, LoadError> {
        Err(LoadError)
    }

    fn stage(&mut self, _write: Write) {}

    fn commit(&mut self) -> Result<(), CommitError> {
        Err(CommitError)
    }

    fn begin_commit(&mut self, _ended: crate::store::Bell) -> Option<Result<(), CommitError>> {
        None
    }

    fn end_commit(&mut self) -> Result<(), CommitError> {
        Err(CommitError)
    }

    fn read(&self, _at: crate::change::Locator, _id: &EnvelopeId) -> Result<SealedEnvelope, ReadError> {
        Err(ReadError::Unavailable)
    }
}

#[test]
fn a_group_that_fails_beside_the_next_is_told_at_its_end() {
    let mut relay = Relay::new(Failing, Policy::default(), CursorKey::from_bytes(&[1; 32]));
    assert_eq!(relay.begin_commit(Box::new(|| {})), None);
    assert_eq!(relay.end_commit(), Err(CommitError));
}
