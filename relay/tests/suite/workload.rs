//! A seeded workload over a few mailboxes, and the model that says what must be found afterwards.

use std::collections::{BTreeMap, VecDeque};

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::KeyHash;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};
use poterne_relay_core::change::{
    Arrival, Change, DELETIONS_MAX, Deletion, Lease, Locator, Opening, Position,
};
use poterne_relay_core::state::{Claim, LeaseTag, MailboxState};
use poterne_relay_core::store::{CommitError, ReadError, Store, VoucherChange, VoucherId, Write};

/// The mailboxes of the workload; the first is an intake.
const MAILBOXES: u8 = 4;
/// The vouchers of the workload.
const VOUCHERS: u8 = 2;

/// What is known of every mailbox and voucher.
#[derive(Clone, Default)]
pub struct Known {
    mailboxes: BTreeMap<MailboxId, MailboxState>,
    envelopes: BTreeMap<EnvelopeId, SealedEnvelope>,
    vouchers: BTreeMap<VoucherId, u32>,
    leases: BTreeMap<LeaseTag, (MailboxId, ClaimId)>,
}

/// The workload and its model.
pub struct Workload {
    dice: u64,
    count: u64,
    today: Day,
    /// What was acknowledged.
    pub acknowledged: Known,
    /// What was acknowledged, with all that is under way or staged.
    pub begun: Known,
    /// The same up to each group that is under way.
    under_way: VecDeque<Known>,
    /// Each step is followed by [`Workload::check_written`].
    is_watching: bool,
}

impl Workload {
    /// The same seed does the same to the same store.
    pub fn new(seed: u64, today: Day) -> Self {
        let (acknowledged, begun) = (Known::default(), Known::default());
        let under_way = VecDeque::new();
        Self { dice: seed, count: 0, today, acknowledged, begun, under_way, is_watching: false }
    }

    /// One that looks after each step at what the store tells of mailboxes of which it says that all is written.
    pub fn watching(seed: u64, today: Day) -> Self {
        Self { is_watching: true, ..Self::new(seed, today) }
    }

    /// The day of the workload.
    pub fn today(&self) -> Day {
        self.today
    }

    /// Lets days pass.
    pub fn pass_days(&mut self, days: u32) {
        self.today = self.today + days;
        for known in [&mut self.acknowledged, &mut self.begun].into_iter().chain(&mut self.under_way) {
            for state in known.mailboxes.values_mut() {
                state.pass_day(self.today);
            }
        }
    }

    /// A group of a few operations, and its commit; or some, each staged while those before are on their way.
    pub fn group(&mut self, store: &mut impl Store) -> Result<(), CommitError> {
        self.operations(store);
        if self.throw(2) == 0 {
            return self.commit(store);
        }
        let known = store.begin_commit(Box::new(|| ()));
        self.under_way.push_back(self.begun.clone());
        match known {
            Some(outcome) => self.acknowledge(outcome)?,
            None => self.follow(store),
        }
        while !self.under_way.is_empty() {
            if let Err(error) = self.acknowledge(store.end_commit()) {
                // Those behind it fail with it.
                self.under_way.iter().skip(1).for_each(|_| assert!(store.end_commit().is_err()));
                return Err(error);
            }
            self.check_written(store);
            if self.throw(4) == 0 {
                self.operations(store);
            }
        }
        self.commit(store)
    }

    /// What is staged while a group is under way: for the commit to come, or for a group that follows. That may be taken back,
    /// if it is still time, so that what comes joins it, and there may be more behind it.
    fn follow(&mut self, store: &mut impl Store) {
        self.operations(store);
        if self.throw(2) == 0 || !store.queue_commit(Box::new(|| ())) {
            return;
        }
        let mut queued = self.begun.clone();
        let is_back = self.throw(2) == 0 && store.unqueue_commit();
        self.operations(store);
        if is_back {
            if !store.queue_commit(Box::new(|| ())) {
                return;
            }
            queued = self.begun.clone();
        }
        self.under_way.push_back(queued);
        if self.throw(2) == 0 {
            self.operations(store);
        }
    }

    /// The first group that was under way has come to its end.
    fn acknowledge(&mut self, outcome: Result<(), CommitError>) -> Result<(), CommitError> {
        outcome?;
        self.acknowledged = self.under_way.pop_front().expect("it was begun");
        Ok(())
    }

    fn operations(&mut self, store: &mut impl Store) {
        for _ in 0..1 + self.throw(4) {
            self.operation(store);
            self.check_written(store);
        }
    }

    /// What the store tells of a mailbox without unwritten changes was acknowledged.
    fn check_written(&self, store: &impl Store) {
        if !self.is_watching {
            return;
        }
        for number in (0..MAILBOXES).filter(|number| !store.has_unwritten(&mailbox(*number))) {
            let difference = self.acknowledged.mailbox_differs(store, self.today, number);
            assert!(difference.is_none(), "{difference:?}");
        }
    }

    /// Commits what was staged.
    pub fn commit(&mut self, store: &mut impl Store) -> Result<(), CommitError> {
        store.commit()?;
        self.acknowledged = self.begun.clone();
        let is_all_written = (0..MAILBOXES).all(|number| !store.has_unwritten(&mailbox(number)));
        assert!(is_all_written, "after a commit nothing is unwritten");
        Ok(())
    }

    /// After a crash: each group under way counts whole or not at all, and none without those before it.
    pub fn settle_after_crash(&mut self, store: &impl Store) {
        let mut possible = std::mem::take(&mut self.under_way).into_iter().chain([self.begun.clone()]);
        let found = possible.find(|known| known.differs_from(store, self.today).is_none());
        self.begun = found.unwrap_or_else(|| self.acknowledged.clone());
        self.acknowledged = self.begun.clone();
        self.check(store);
    }

    /// What was acknowledged is there, and nothing else.
    pub fn check(&self, store: &impl Store) {
        if let Some(difference) = self.acknowledged.differs_from(store, self.today) {
            panic!("the store differs from what was acknowledged: {difference}");
        }
    }

    /// Deletes every envelope that waits.
    pub fn delete_everywhere(&mut self, store: &mut impl Store) -> Result<(), CommitError> {
        for number in 0..MAILBOXES {
            let id = mailbox(number);
            while !self.state(&id).entries().is_empty() {
                self.delete(store, id);
            }
        }
        self.commit(store)
    }

    /// Every envelope that was ever put.
    pub fn all(&self) -> impl Iterator<Item = &SealedEnvelope> {
        self.begun.envelopes.values()
    }

    /// Every envelope that was put and waits no more.
    pub fn gone(&self) -> impl Iterator<Item = &SealedEnvelope> {
        let waits =
            |id: &EnvelopeId| self.begun.mailboxes.values().any(|state| state.entries().find(id).is_some());
        self.begun.envelopes.iter().filter(move |(id, _)| !waits(id)).map(|(_, envelope)| envelope)
    }

    /// As [`Workload::check`], but up to `most` envelopes may be told to be damaged. Says how many are.
    pub fn check_but_for_damage(&self, store: &impl Store, most: usize) -> usize {
        let mut damaged = 0;
        for number in 0..MAILBOXES {
            for (_, entry) in store.load(&mailbox(number)).expect("loads").entries().iter() {
                match store.read(entry.at, &entry.id) {
                    Ok(envelope) => assert_eq!(Some(&envelope), self.acknowledged.envelopes.get(&entry.id)),
                    Err(ReadError::Damaged) => damaged += 1,
                    Err(ReadError::Unavailable) => panic!("the disk answers"),
                }
            }
        }
        assert!(damaged <= most, "{damaged} envelopes are damaged");
        if damaged == 0 {
            self.check(store);
        }
        damaged
    }

    /// Stages one operation.
    pub fn operation(&mut self, store: &mut impl Store) {
        let id = mailbox(self.throw(MAILBOXES.into()) as u8);
        match self.throw(12) {
            0..=5 => self.put(store, id),
            6..=8 => self.delete(store, id),
            9 => self.claim(store),
            10 => self.end_claim(store),
            _ => self.voucher(store),
        }
    }

    fn put(&mut self, store: &mut impl Store, id: MailboxId) {
        if id == intake() && self.state(&id).opened().is_none() {
            return self.open(store);
        }
        if !store.has_room() {
            return;
        }
        self.count += 1;
        let mut bytes = [0x5a; 4096];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[4000..4008].copy_from_slice(&self.dice.to_le_bytes());
        let envelope = SealedEnvelope::parse(&bytes).expect("4096 bytes");
        let last_day = self.today + [1, 4, 14][self.throw(3) as usize];
        let today = self.today;
        let position = self.state(&id).next_position(today);
        let at = Locator::UNPLACED;
        let arrival = Arrival { position, id: envelope.id(), day: self.today, last_day, at };
        self.begun.envelopes.insert(envelope.id(), envelope.clone());
        self.stage(store, id, Change::Put(arrival), Some(envelope));
    }

    fn open(&mut self, store: &mut impl Store) {
        let opening =
            Opening { last_day: self.today + 1, quota: 1 << 30, gated: false, steward: KeyHash([7; 32]) };
        self.stage(store, intake(), Change::Opened(opening), None);
    }

    fn delete(&mut self, store: &mut impl Store, id: MailboxId) {
        let entries = self.state(&id).entries();
        let waiting: Vec<Deletion> =
            entries.iter().map(|(position, entry)| Deletion { position, id: entry.id }).collect();
        if waiting.is_empty() {
            return;
        }
        let first = self.throw(waiting.len() as u64) as usize;
        let count = if self.throw(16) == 0 { DELETIONS_MAX } else { 1 };
        let deletions = waiting.into_iter().skip(first).take(count).collect();
        self.stage(store, id, Change::Deleted { deletions, day: self.today }, None);
    }

    fn claim(&mut self, store: &mut impl Store) {
        let state = self.state(&intake()).clone();
        let now = self.today.start();
        let (Some((position, _)), Some(opened)) = (state.oldest_free(now), state.opened()) else { return };
        self.count += 1;
        let mut bytes = [3; 16];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        let number = opened.next_number(position);
        let (claim_id, token) = (ClaimId(bytes), LeaseToken(bytes));
        let lease = Lease { claim_id, token, position, number, claimed_at: now, ends: UnixTime(now.0 + 900) };
        self.begun.leases.insert(LeaseTag::of(&token), (intake(), claim_id));
        self.stage(store, intake(), Change::Claimed(lease), None);
    }

    fn end_claim(&mut self, store: &mut impl Store) {
        let leases: Vec<ClaimId> = self.begun.leases.values().map(|(_, claim)| *claim).collect();
        let Some(claim_id) = self.choose(&leases) else { return };
        let change = match self.throw(2) {
            0 => Change::Released { claim_id },
            _ => Change::Extended { claim_id, ends: UnixTime(self.today.start().0 + 1800) },
        };
        self.stage(store, intake(), change, None);
    }

    fn voucher(&mut self, store: &mut impl Store) {
        let id = VoucherId([0xf0 | self.throw(VOUCHERS.into()) as u8; 32]);
        let left = self.throw(4) as u32;
        self.begun.vouchers.insert(id, left);
        store.stage(Write::Voucher(VoucherChange { id, left }));
    }

    fn stage(
        &mut self,
        store: &mut impl Store,
        id: MailboxId,
        change: Change,
        envelope: Option<SealedEnvelope>,
    ) {
        self.begun.mailboxes.entry(id).or_default().apply(&change);
        store.stage(Write::Mailbox { id, change, envelope });
    }

    fn state(&mut self, id: &MailboxId) -> &MailboxState {
        self.begun.mailboxes.entry(*id).or_default()
    }

    fn choose<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        if among.is_empty() { None } else { Some(among[self.throw(among.len() as u64) as usize]) }
    }

    /// Splitmix64 (Steele, Lea, Flood 2014).
    fn throw(&mut self, below: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}

impl Known {
    /// How what `store` says of a mailbox differs, if it does.
    fn mailbox_differs(&self, store: &impl Store, today: Day, number: u8) -> Option<String> {
        let id = mailbox(number);
        let known = self.mailboxes.get(&id).cloned().unwrap_or_default();
        let found = store.load(&id).expect("loads").into_owned();
        let (found_visible, known) = (self.visible(&found, today), self.visible(&known, today));
        if found_visible != known {
            return Some(format!("mailbox {number}: {found_visible:?} instead of {known:?}"));
        }
        let envelopes = found.entries().iter().filter(|(_, entry)| entry.last_day >= today);
        let mut read = envelopes.map(|(_, entry)| (entry.id, store.read(entry.at, &entry.id)));
        let (_, differs) = read.find(|(id, read)| read.as_ref().ok() != self.envelopes.get(id))?;
        Some(format!("mailbox {number}: an envelope reads as {differs:?}"))
    }

    /// The first difference to what `store` says, if there is one.
    fn differs_from(&self, store: &impl Store, today: Day) -> Option<String> {
        if let Some(difference) = (0..MAILBOXES).find_map(|number| self.mailbox_differs(store, today, number))
        {
            return Some(difference);
        }
        for number in 0..VOUCHERS {
            let id = VoucherId([0xf0 | number; 32]);
            let (known, found) =
                (self.vouchers.get(&id).copied().unwrap_or(0), store.voucher(&id).expect("loads"));
            if known != found {
                return Some(format!("voucher {number}: {found} instead of {known}"));
            }
        }
        self.leases.iter().find_map(|(tag, known)| {
            let remembered = self.mailboxes[&known.0]
                .opened()
                .is_some_and(|opened| opened.claim(&known.1, today).is_some());
            let found = store.find_lease(tag).expect("loads");
            (remembered && found != Some(*known)).then(|| "a lease is not found".to_owned())
        })
    }
}

/// All that the rules can see of a mailbox.
#[derive(Debug, Eq, PartialEq)]
struct Visible {
    waiting: Vec<(Position, EnvelopeId, Day, u32)>,
    gone: Vec<Option<Day>>,
    next: Position,
    paid: bool,
    opened: Option<(Opening, bool, u64)>,
    claims: Vec<Option<Claim>>,
}

impl Known {
    fn visible(&self, state: &MailboxState, today: Day) -> Visible {
        let opened = state.opened();
        let number = |position| opened.map_or(0, |opened| opened.next_number(position));
        let waiting = state.waiting_from(Position::default(), today);
        let claims = self.leases.values().map(|(_, claim)| opened?.claim(claim, today).cloned());
        Visible {
            waiting: waiting.map(|(at, entry)| (at, entry.id, entry.last_day, number(at))).collect(),
            gone: self.envelopes.keys().map(|id| state.gone_until(id, today)).collect(),
            next: state.next_position(today),
            paid: state.is_paid(today),
            opened: opened.map(|opened| (opened.opening.clone(), opened.closed, opened.used(today))),
            claims: claims.collect(),
        }
    }
}

fn intake() -> MailboxId {
    mailbox(0)
}

/// The last two begin alike, as owners of the index do whose first half is the same.
fn mailbox(number: u8) -> MailboxId {
    let mut id = [number.min(MAILBOXES - 2); 32];
    id[31] = number;
    MailboxId(id)
}
