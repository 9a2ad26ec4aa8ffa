//! One mailbox as the relay knows it, and the single place where it evolves (docs/spec/relay.md §2).
//!
//! Invariants: [`MailboxState::apply`] is the only way in which a state changes for a reason that must outlive a crash;
//! log replay, memory and SQL go through it alike. Applying a suffix of a mailbox's changes a second time changes
//! nothing, so a store may replay more than its index has missed. [`MailboxState::pass_day`] only lets go of what the
//! day has ended: it follows from the calendar and is never written down.
//!
//! No arrival time is kept, only whole days. The times of a lease are kept while it lasts.

mod claims;
mod entries;

pub use claims::{Claim, ClaimState, LeaseTag, Opened};
pub use entries::{Entries, Entry};

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::limits::TOMBSTONE_DAYS;
use poterne_protocol::time::{Day, UnixTime};

use crate::change::{Arrival, Change, Deletion, Locator, Opening, Position};
use crate::small_map::SmallMap;

/// One mailbox. The default is a mailbox of which nothing is known: it was never put to, or all is forgotten.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MailboxState {
    entries: Entries,
    /// Id of what is gone -> the last day on which that is remembered.
    tombstones: SmallMap<EnvelopeId, Day>,
    next: Position,
    /// Day 0: nobody has paid.
    paid_until: Day,
    opened: Option<Box<Opened>>,
}

/// What a store may let go of when a day has passed.
#[derive(Debug, Default)]
pub struct Passed {
    /// The places of envelopes that have expired.
    pub expired: Vec<Locator>,
    /// The leases that can't be found any more.
    pub leases: Vec<LeaseTag>,
}

impl MailboxState {
    /// Takes one durable step. Gives back the places of envelopes that are not needed any more, to be erased.
    pub fn apply(&mut self, change: &Change) -> Vec<Locator> {
        match change {
            Change::Claimed(lease) => {
                let waits = self.entries.get(lease.position).is_some();
                self.with_opened(|opened| opened.claimed(lease, waits));
            }
            Change::Closed { last_day } => self.with_opened(|opened| opened.closed(*last_day)),
            Change::Deleted { deletions, day } => {
                return deletions.iter().filter_map(|one| self.deleted(one, *day)).collect();
            }
            Change::Extended { claim_id, ends } => {
                self.with_opened(|opened| opened.extended(claim_id, *ends))
            }
            Change::Lost { position } => return self.take(*position).into_iter().collect(),
            Change::Numbered { position, number, claim_id } => {
                let waits = self.entries.get(*position).is_some();
                self.with_opened(|opened| opened.numbered(*position, *number, *claim_id, waits));
            }
            Change::Opened(opening) => self.was_opened(opening),
            Change::Paid { until } => self.paid_until = self.paid_until.max(*until),
            Change::Put(arrival) => return self.arrived(arrival).into_iter().collect(),
            Change::Released { claim_id } => self.with_opened(|opened| opened.released(claim_id)),
        }
        Vec::new()
    }

    /// Lets go of all that has ended before `today` began. Called when a mailbox is touched on a new day; decisions
    /// look at the days themselves and do not rely on it.
    pub fn pass_day(&mut self, today: Day) -> Passed {
        let mut passed = Passed::default();
        for (position, entry) in self.entries.take_expired(today) {
            self.tombstones.insert(entry.id, entry.last_day + TOMBSTONE_DAYS);
            self.with_opened(|opened| opened.entry_gone(position));
            passed.expired.push(entry.at);
        }
        self.tombstones.retain(|_, until| *until >= today);
        if self.paid_until < today {
            self.paid_until = Day(0);
        }
        self.with_opened(|opened| opened.forget_claims(today, &mut passed.leases));
        let bare = self.entries.is_empty() && self.tombstones.is_empty();
        if self.opened.as_ref().is_some_and(|opened| bare && opened.is_over(today)) {
            self.opened = None;
        }
        passed
    }

    /// Whether nothing is left that a store must keep: an unknown mailbox behaves the same. Ask after
    /// [`MailboxState::pass_day`].
    pub fn is_forgotten(&self, today: Day) -> bool {
        let bare = self.entries.is_empty() && self.tombstones.is_empty();
        bare && self.paid_until == Day(0) && self.opened.is_none() && self.next <= Position::first_of(today)
    }

    /// Tells that a store has moved the envelope at `position` elsewhere.
    pub fn relocate(&mut self, position: Position, at: Locator) {
        self.entries.relocate(position, at);
    }

    /// The envelopes, also those that have expired since the last [`MailboxState::pass_day`].
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// The envelopes from `start` on that can be read today, oldest first.
    pub fn waiting_from(
        &self,
        start: Position,
        today: Day,
    ) -> impl DoubleEndedIterator<Item = (Position, &Entry)> {
        self.entries.from(start).filter(move |(_, entry)| entry.last_day >= today)
    }

    /// How many envelopes can be read today.
    pub fn waiting(&self, today: Day) -> usize {
        self.waiting_from(Position::default(), today).count()
    }

    /// The envelope of that id, if it can be read today.
    pub fn find(&self, id: &EnvelopeId, today: Day) -> Option<(Position, &Entry)> {
        self.entries.find(id).filter(|(_, entry)| entry.last_day >= today)
    }

    /// Until which day it is remembered that the envelope was here and is gone.
    pub fn gone_until(&self, id: &EnvelopeId, today: Day) -> Option<Day> {
        let expired = self.entries.find(id).filter(|(_, entry)| entry.last_day < today);
        let until = expired.map(|(_, entry)| entry.last_day + TOMBSTONE_DAYS);
        until.or_else(|| self.tombstones.get(id).copied()).filter(|until| *until >= today)
    }

    /// How many ids the mailbox remembers, waiting and gone.
    pub fn ids(&self) -> usize {
        self.entries.len() + self.tombstones.len()
    }

    /// The position behind the last envelope that arrived; 0 in an unknown mailbox.
    pub fn end(&self) -> Position {
        self.next
    }

    /// The position of an envelope that arrives today. Higher than any that this mailbox ever gave, even if it was
    /// forgotten in between: a forgotten mailbox begins anew on a later day.
    pub fn next_position(&self, today: Day) -> Position {
        self.next.max(Position::first_of(today))
    }

    /// Whether somebody has paid for this mailbox.
    pub fn is_paid(&self, today: Day) -> bool {
        self.paid_until >= today
    }

    /// What an intake or log was opened with, and its leases.
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.as_deref()
    }

    /// The oldest envelope that can be read now and on which no lease lasts.
    pub fn oldest_free(&self, now: UnixTime) -> Option<(Position, &Entry)> {
        let opened = self.opened()?;
        self.waiting_from(Position::default(), now.day())
            .find(|(position, _)| opened.holder(*position, now).is_none())
    }

    fn with_opened(&mut self, step: impl FnOnce(&mut Opened)) {
        if let Some(opened) = &mut self.opened {
            step(opened);
        }
    }

    /// Only what was forgotten is opened anew, with a later last day: a replay meets the forgotten one again.
    fn was_opened(&mut self, opening: &Opening) {
        let is_later = |opened: &Opened| opening.last_day > opened.opening.last_day;
        if self.opened().is_none_or(is_later) {
            self.opened = Some(Box::new(Opened::new(opening.clone())));
        }
    }

    /// A position below `next` has been seen already: a replay must not bring a deleted envelope back.
    /// An envelope of the same id that is still listed has expired so long ago that it was let in again: it gives way.
    fn arrived(&mut self, arrival: &Arrival) -> Option<Locator> {
        if arrival.position < self.next {
            return None;
        }
        let earlier = self.entries.find(&arrival.id).map(|(position, _)| position);
        let earlier = earlier.and_then(|position| self.take(position));
        self.next = arrival.position.next();
        let entry = Entry { id: arrival.id, last_day: arrival.last_day, at: arrival.at };
        self.entries.insert(arrival.position, entry);
        self.with_opened(|opened| opened.count(arrival.day));
        earlier
    }

    /// The same envelope may wait again at a later position: a replay must not touch it there.
    fn deleted(&mut self, deletion: &Deletion, day: Day) -> Option<Locator> {
        self.with_opened(|opened| opened.deleted(deletion.position));
        let place = self.take(deletion.position);
        if self.entries.find(&deletion.id).is_none() {
            self.tombstones.insert(deletion.id, day + TOMBSTONE_DAYS);
        }
        place
    }

    fn take(&mut self, position: Position) -> Option<Locator> {
        let entry = self.entries.remove(position)?;
        self.with_opened(|opened| opened.entry_gone(position));
        Some(entry.at)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::change::Lease;
    use crate::change::tests::any_change;
    use poterne_protocol::keys::KeyHash;
    use poterne_protocol::op::{ClaimId, LeaseToken};
    use proptest::prelude::*;

    pub(crate) fn arrival(position: u64, id: u8, day: u32, last_day: u32) -> Change {
        Change::Put(Arrival {
            position: Position(position),
            id: EnvelopeId([id; 16]),
            day: Day(day),
            last_day: Day(last_day),
            at: Locator(position),
        })
    }

    #[test]
    fn an_envelope_is_gone_on_the_day_after_its_last() {
        let mut state = MailboxState::default();
        state.apply(&arrival(5, 1, 10, 14));
        assert_eq!(state.waiting(Day(14)), 1);
        assert_eq!(state.gone_until(&EnvelopeId([1; 16]), Day(14)), None);
        assert_eq!(state.waiting(Day(15)), 0);
        assert_eq!(state.gone_until(&EnvelopeId([1; 16]), Day(15)), Some(Day(21)));
        assert_eq!(state.pass_day(Day(15)).expired, [Locator(5)]);
        assert_eq!(state.gone_until(&EnvelopeId([1; 16]), Day(21)), Some(Day(21)));
        assert_eq!(state.gone_until(&EnvelopeId([1; 16]), Day(22)), None);
    }

    #[test]
    fn a_drained_mailbox_is_forgotten_when_its_tombstones_are() {
        let mut state = MailboxState::default();
        state.apply(&arrival(0, 1, 10, 14));
        assert_eq!(state.apply(&Change::deleted(Position(0), EnvelopeId([1; 16]), Day(11))), [Locator(0)]);
        state.pass_day(Day(18));
        assert!(!state.is_forgotten(Day(18)));
        state.pass_day(Day(19));
        assert!(state.is_forgotten(Day(19)));
    }

    #[test]
    fn a_replayed_put_does_not_bring_a_deleted_envelope_back() {
        let mut state = MailboxState::default();
        state.apply(&arrival(0, 1, 10, 14));
        state.apply(&Change::deleted(Position(0), EnvelopeId([1; 16]), Day(11)));
        state.apply(&arrival(0, 1, 10, 14));
        assert!(state.entries().is_empty());
    }

    #[test]
    fn a_mailbox_is_not_forgotten_on_the_day_of_its_last_arrival() {
        let mut state = MailboxState::default();
        state.apply(&arrival(Position::first_of(Day(10)).0, 1, 10, 14));
        state.apply(&Change::Lost { position: Position::first_of(Day(10)) });
        assert!(!state.is_forgotten(Day(10)));
        assert!(state.is_forgotten(Day(11)));
    }

    #[test]
    fn a_replayed_deletion_leaves_the_same_envelope_alone_where_it_was_put_again() {
        let deletion = Change::deleted(Position(0), EnvelopeId([1; 16]), Day(11));
        let mut state = MailboxState::default();
        state.apply(&arrival(0, 1, 10, 14));
        state.apply(&deletion);
        state.pass_day(Day(19));
        state.apply(&arrival(1, 1, 19, 23));
        let before = state.clone();
        state.apply(&deletion);
        assert_eq!(state, before);
    }

    #[test]
    fn a_replayed_closing_leaves_a_mailbox_open_that_was_opened_anew() {
        let opening = |last_day| Opening { last_day, quota: 1, gated: false, steward: KeyHash([0; 32]) };
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(opening(Day(10))));
        state.apply(&Change::Closed { last_day: Day(10) });
        state.pass_day(Day(11));
        state.apply(&Change::Opened(opening(Day(12))));
        state.apply(&Change::Closed { last_day: Day(10) });
        assert!(state.opened().is_some_and(|opened| !opened.closed));
    }

    #[test]
    fn a_replayed_opening_leaves_alone_what_has_happened_since() {
        let opening = Opening { last_day: Day(10), quota: 9, gated: false, steward: KeyHash([0; 32]) };
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(opening.clone()));
        state.apply(&arrival(0, 1, 10, 14));
        state.apply(&Change::Closed { last_day: Day(10) });
        let before = state.clone();
        state.apply(&Change::Opened(opening));
        assert_eq!(state, before);
    }

    #[test]
    fn leases_of_an_envelope_are_counted_on_when_their_claims_are_forgotten() {
        let opening = Opening { last_day: Day(40), quota: 9, gated: false, steward: KeyHash([0; 32]) };
        let numbered = |number| Change::Numbered {
            position: Position(0),
            number,
            claim_id: ClaimId([number as u8; 16]),
        };
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(opening));
        state.apply(&arrival(0, 1, 10, 40));
        for number in [2, 1] {
            state.apply(&numbered(number));
            let opened = state.opened().expect("it was opened");
            assert_eq!(opened.next_number(Position(0)), 3);
            assert_eq!(opened.number_of(Position(0), &ClaimId([2; 16])), Some(2));
            assert_eq!(opened.number_of(Position(0), &ClaimId([1; 16])), None);
        }
        state.apply(&Change::deleted(Position(0), EnvelopeId([1; 16]), Day(11)));
        state.apply(&numbered(2));
        assert_eq!(state.opened().map(|opened| opened.next_number(Position(0))), Some(1));
    }

    #[test]
    fn an_opened_mailbox_is_kept_until_its_last_day_is_over() {
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(Opening {
            last_day: Day(10),
            quota: 1,
            gated: false,
            steward: KeyHash([0; 32]),
        }));
        state.pass_day(Day(10));
        assert!(state.opened().is_some());
        state.pass_day(Day(11));
        assert!(state.opened().is_none() && state.is_forgotten(Day(11)));
    }

    #[test]
    fn an_opened_mailbox_is_kept_while_anything_is_remembered_of_its_envelopes() {
        let opening = Opening { last_day: Day(10), quota: 9, gated: false, steward: KeyHash([0; 32]) };
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(opening));
        state.apply(&arrival(0, 1, 10, 14));
        state.pass_day(Day(11));
        assert!(state.opened().is_some(), "an envelope waits");
        state.apply(&Change::deleted(Position(0), EnvelopeId([1; 16]), Day(11)));
        state.pass_day(Day(18));
        assert!(state.opened().is_some(), "its tombstone stands");
        state.pass_day(Day(19));
        assert!(state.opened().is_none());
    }

    #[test]
    fn a_mailbox_is_paid_to_the_end_of_its_last_day_and_then_forgotten() {
        let mut state = MailboxState::default();
        state.apply(&Change::Paid { until: Day(10) });
        for today in [Day(9), Day(10)] {
            state.pass_day(today);
            assert!(state.is_paid(today) && !state.is_forgotten(today));
        }
        state.pass_day(Day(11));
        assert!(!state.is_paid(Day(11)) && state.is_forgotten(Day(11)));
    }

    #[test]
    fn an_envelope_that_was_moved_is_found_in_its_new_place() {
        let mut state = MailboxState::default();
        state.apply(&arrival(3, 1, 10, 14));
        state.relocate(Position(3), Locator(77));
        assert_eq!(state.apply(&Change::Lost { position: Position(3) }), [Locator(77)]);
    }

    /// An intake with one envelope, which was claimed on day 10.
    fn claimed() -> (MailboxState, Lease) {
        let opening = Opening { last_day: Day(40), quota: 9, gated: false, steward: KeyHash([0; 32]) };
        let claimed_at = Day(10).start();
        let lease = Lease {
            claim_id: ClaimId([1; 16]),
            token: LeaseToken([2; 16]),
            position: Position(0),
            number: 1,
            claimed_at,
            ends: claimed_at.plus(900),
        };
        let mut state = MailboxState::default();
        state.apply(&Change::Opened(opening));
        state.apply(&arrival(0, 1, 10, 14));
        state.apply(&Change::Claimed(lease.clone()));
        (state, lease)
    }

    #[test]
    fn the_times_of_a_lease_are_dropped_with_its_envelope() {
        let (mut state, lease) = claimed();
        let outcome =
            |state: &MailboxState| state.opened()?.claim(&lease.claim_id, Day(10)).map(|it| it.state);
        assert!(matches!(outcome(&state), Some(ClaimState::Leased { .. })));
        state.apply(&Change::Lost { position: Position(0) });
        assert_eq!(outcome(&state), Some(ClaimState::Released));
    }

    #[test]
    fn a_claim_is_forgotten_with_its_tag_after_five_days() {
        let (mut state, lease) = claimed();
        let claims = |state: &MailboxState| state.opened().map(Opened::claims);
        assert!(state.pass_day(Day(15)).leases.is_empty());
        assert_eq!(claims(&state), Some(1));
        assert_eq!(state.pass_day(Day(16)).leases, [LeaseTag::of(&lease.token)]);
        assert_eq!(claims(&state), Some(0));
    }

    #[test]
    fn a_lost_envelope_leaves_no_tombstone() {
        let mut state = MailboxState::default();
        state.apply(&arrival(0, 1, 10, 14));
        assert_eq!(state.apply(&Change::Lost { position: Position(0) }), [Locator(0)]);
        assert_eq!((state.ids(), state.waiting(Day(10))), (0, 0));
    }

    proptest! {
        #[test]
        fn no_order_of_changes_makes_it_panic(changes in proptest::collection::vec(any_change(), 0..40), day: u32) {
            let mut state = MailboxState::default();
            for change in &changes {
                state.apply(change);
            }
            state.pass_day(Day(day));
        }
    }
}
