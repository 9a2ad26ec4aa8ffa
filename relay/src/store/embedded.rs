//! The embedded store: the rules' [`Store`] over the log (docs/spec/store.md §9).
//!
//! One thread owns it. A staged change has its place in the log at once, so that its state can tell it; everybody else
//! sees it after the commit. When a commit fails, the states that it touched are forgotten: what shows from then on is
//! what was durable before, and nothing more is taken unless nothing at all was written.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use poterne_protocol::envelope::{EnvelopeId, SealedEnvelope};
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::ClaimId;
use poterne_protocol::time::Day;
use poterne_relay_core::change::{Change, Lease, Locator};
use poterne_relay_core::state::{Entry, LeaseTag, MailboxState};
use poterne_relay_core::store::{
    Bell, CommitError, LoadError, ReadError, Store, VoucherChange, VoucherId, Write,
};

use super::book::Pages;
use super::cache::Cache;
use super::log::{AppendError, Committed, Log};
use super::page::{Address, PageNumber};
use super::record::{Content, Owner, Record, claim_memory, ghost};
use super::shared::{Mode, Shared};
use super::spares::Purpose;

/// States that are kept between two commits only because they were read: more than a group touches.
const READ_STATES: usize = 2048;

/// A store in a directory of its own.
pub struct EmbeddedStore {
    pub(super) shared: Arc<Shared>,
    pub(super) log: Log,
    pub(super) cache: Cache,
    /// States that were read for the next group; the cache takes them in when it is begun. Reading changes nothing else.
    read: RefCell<HashMap<MailboxId, MailboxState>>,
    pub(super) staged: Staged,
    /// What the groups that are under way make durable, in order.
    under_way: VecDeque<Staged>,
    /// Groups that have come to their end.
    ended: u64,
    pub(super) today: Day,
    /// The segment that is being emptied, and the page up to which nothing stands in it any more.
    pub(super) emptying: Option<(u32, PageNumber)>,
    /// Since when segments hold little.
    pub(super) thin_since: BTreeMap<u32, Instant>,
    /// When the last news came, and the newest segment when the store was first found calm after that.
    pub(super) calm: Option<(Instant, u32)>,
}

/// What the next commit makes durable.
#[derive(Default)]
pub(super) struct Staged {
    records: Vec<(Address, Record)>,
    /// Mailboxes whose states tell what is staged, some of them more than once.
    mailboxes: Vec<MailboxId>,
    leases: HashMap<LeaseTag, (MailboxId, ClaimId)>,
    vouchers: HashMap<VoucherId, (u32, Option<Address>)>,
    /// Something of it is no copy.
    has_news: bool,
    failed: bool,
}

impl Staged {
    /// The state of a mailbox tells what is staged.
    pub(super) fn touch(&mut self, id: MailboxId) {
        self.mailboxes.push(id);
    }
}

impl EmbeddedStore {
    /// A store over what opening has found.
    pub(super) fn new(shared: Arc<Shared>, log: Log, today: Day) -> Self {
        let cache = Cache::new(shared.config.cache_bytes);
        Self {
            shared,
            log,
            cache,
            read: RefCell::default(),
            staged: Staged::default(),
            under_way: VecDeque::new(),
            ended: 0,
            today,
            emptying: None,
            thin_since: BTreeMap::new(),
            calm: None,
        }
    }

    /// What the other threads of the store work on.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether a write has failed: nothing is taken any more, reading goes on.
    pub fn is_read_only(&self) -> bool {
        self.log.is_read_only() || self.shared.has_failed.load(Ordering::Acquire)
    }

    /// The day that the store goes by: what ended before it is not loaded.
    pub fn today(&self) -> Day {
        self.today
    }

    /// A new day has begun.
    pub fn set_today(&mut self, today: Day) {
        if today != self.today {
            self.today = today;
            self.forget_states();
        }
    }

    /// Forgets all states: they are read again when they are needed.
    pub(super) fn forget_states(&mut self) {
        self.cache.clear();
        self.read.get_mut().clear();
    }

    /// The state of a mailbox, out of memory, if it is there.
    pub(super) fn take_known(&mut self, id: &MailboxId) -> Option<MailboxState> {
        self.cache.take(id).or_else(|| self.read.get_mut().remove(id))
    }

    /// Puts a record into the group that is staged.
    pub(super) fn stage_record(
        &mut self,
        record: Record,
        envelope: Option<SealedEnvelope>,
        purpose: Purpose,
    ) -> Option<Address> {
        match self.log.stage(&record.encode(), envelope, purpose) {
            Ok(address) => {
                self.staged.records.push((address, record));
                self.staged.has_news |= purpose != Purpose::Copy;
                Some(address)
            }
            Err(_) => {
                self.staged.failed = true;
                None
            }
        }
    }

    fn stage_change(&mut self, id: MailboxId, mut change: Change, envelope: Option<SealedEnvelope>) {
        self.staged.touch(id);
        let Ok(ended) = self.cached_state(&id).map(|state| ends(state, &change)) else {
            self.staged.failed = true;
            return;
        };
        let ghosts = match &change {
            Change::Put(_) => Vec::new(),
            _ => ended.iter().map(|at| at.map(|at| self.order_of(at))).collect(),
        };
        let content = Content::Change(change.clone(), ghosts);
        let lasts = lasts(&change, self.today);
        let drops = ended.into_iter().flatten().collect();
        let record = Record { lasts, ..Record::new(Owner::from(&id), drops, content) };
        let purpose = if envelope.is_some() { Purpose::Put } else { Purpose::Other };
        if let Some(address) = self.stage_record(record, envelope, purpose) {
            change.place(Locator(address.to_number()));
        }
        self.cache.apply(&id, &change, self.next_group());
        if let Change::Claimed(lease) = change {
            self.stage_lease(id, &lease);
        }
    }

    fn stage_lease(&mut self, mailbox: MailboxId, lease: &Lease) {
        let tag = LeaseTag::of(&lease.token);
        self.staged.leases.insert(tag, (mailbox, lease.claim_id));
        let content = Content::Lease(mailbox, lease.claim_id);
        let lasts = Some(claim_memory(lease.claimed_at.day()));
        self.stage_record(
            Record { lasts, ..Record::new(Owner::from(&tag), Vec::new(), content) },
            None,
            Purpose::Other,
        );
    }

    fn stage_voucher(&mut self, VoucherChange { id, left }: VoucherChange) {
        let Ok((_, earlier)) = self.find_voucher(&id) else {
            self.staged.failed = true;
            return;
        };
        let content = if left > 0 { Content::Voucher(left) } else { Content::Drop };
        let record = Record::new(Owner::from(&id), earlier.into_iter().collect(), content);
        let stands = record.stands();
        let address = self.stage_record(record, None, Purpose::Other).filter(|_| stands);
        self.staged.vouchers.insert(id, (left, address));
    }

    /// The place in the order of the record at `at`: elsewhere only where it is a copy. What is not on the disk yet is
    /// none.
    fn order_of(&self, at: Address) -> Address {
        let has_copies = {
            let mut inner = self.shared.inner();
            let is_copied = |pages: &mut Pages| pages.has_copies && at.table().page < pages.end;
            inner.book.pages(at.sequence()).is_some_and(is_copied)
        };
        match has_copies.then(|| self.shared.record(at)) {
            Some(Ok(record)) => record.order(at),
            _ => at,
        }
    }

    /// What the next group says, or else the last of those that are under way and say it.
    fn unwritten<'a, T>(&'a self, find: impl Fn(&'a Staged) -> Option<&'a T>) -> Option<&'a T> {
        find(&self.staged).or_else(|| self.under_way.iter().rev().find_map(find))
    }

    /// The number of the group that is staged, among all of this store. The log numbers what is written.
    fn next_group(&self) -> u64 {
        self.ended + self.under_way.len() as u64 + 1
    }

    /// The standing records of an owner. An index that is of no use is built anew, but not while a block is under way.
    fn records(&self, owner: &Owner) -> Result<Vec<(Address, Record)>, LoadError> {
        self.shared.records(owner, self.under_way.is_empty())
    }

    /// The state of a mailbox in the cache, which takes it in where it is not there.
    fn cached_state(&mut self, id: &MailboxId) -> Result<&MailboxState, LoadError> {
        if self.cache.get(id).is_none() {
            let state = self.read.get_mut().remove(id).map_or_else(|| self.read_state(id), Ok)?;
            self.cache.insert(*id, state);
        }
        self.cache.get(id).ok_or(LoadError)
    }

    /// The state of a mailbox as its standing records say.
    pub(super) fn read_state(&self, id: &MailboxId) -> Result<MailboxState, LoadError> {
        let mut steps = Vec::new();
        for (at, record) in self.records(&Owner::from(id))? {
            let order = record.order(at);
            let Content::Change(change, ghosts) = record.content else { continue };
            let left = ghosts.into_iter().zip(change.ended());
            steps.extend(left.filter_map(|(order, position)| Some((order?, ghost(position)))));
            steps.push((order, change));
        }
        steps.sort_by_key(|(order, _)| *order);
        let mut state = MailboxState::default();
        for (_, change) in &steps {
            state.apply(change);
        }
        let passed = state.pass_day(self.today);
        let mut inner = self.shared.inner();
        passed.expired.iter().for_each(|Locator(at)| inner.book.ended(Address::from_number(*at)));
        Ok(state)
    }

    /// How many uses are left of a permit or credit, and the record that says so.
    fn find_voucher(&self, id: &VoucherId) -> Result<(u32, Option<Address>), LoadError> {
        if let Some(unwritten) = self.unwritten(|staged| staged.vouchers.get(id)) {
            return Ok(*unwritten);
        }
        let records = self.records(&Owner::from(id))?;
        let newest = records.iter().rev().find_map(|(at, record)| match record.content {
            Content::Voucher(left) => Some((left, Some(*at))),
            _ => None,
        });
        Ok(newest.unwrap_or_default())
    }

    /// What the next group is; or its outcome, where nothing is to be written.
    fn take_staged(&mut self) -> Result<Staged, Result<(), CommitError>> {
        if self.is_read_only() {
            self.log.set_read_only();
        }
        self.keep_what_was_read();
        if self.staged.records.is_empty() && !self.staged.failed {
            self.staged = Staged::default();
            self.cache.trim();
            return Err(if self.is_read_only() { Err(CommitError) } else { Ok(()) });
        }
        Ok(std::mem::take(&mut self.staged))
    }

    /// Shows what is durable now, and forgets what is not.
    fn conclude(
        &mut self,
        staged: Staged,
        committed: Result<Committed, AppendError>,
    ) -> Result<(), CommitError> {
        self.ended += 1;
        let failed = staged.failed || committed.is_err();
        if failed {
            self.forget_touched(&staged);
        }
        match committed {
            Ok(committed) => {
                self.show(staged, committed);
                self.cache.trim();
            }
            Err(AppendError::NoSpace) => tracing::warn!("the disk is full: a group was refused"),
            Err(AppendError::Failed(error)) => {
                tracing::error!(%error, "the log failed: read-only from now on");
            }
            Err(AppendError::ReadOnly) => {}
        }
        if failed { Err(CommitError) } else { Ok(()) }
    }

    fn show(&mut self, staged: Staged, committed: Committed) {
        let mut inner = self.shared.inner();
        for segment in committed.begun {
            inner.book.begin(segment, self.today);
        }
        for (address, record) in &staged.records {
            inner.record(*address, record, Mode::Next);
        }
        inner.ends = committed.ends;
        inner.group = committed.group;
        if staged.has_news {
            inner.last_news = Instant::now();
        }
    }

    fn keep_what_was_read(&mut self) {
        for (id, state) in self.read.get_mut().drain() {
            if self.cache.get(&id).is_none() {
                self.cache.insert(id, state);
            }
        }
    }

    fn forget_touched(&mut self, staged: &Staged) {
        for id in &staged.mailboxes {
            self.cache.take(id);
            self.read.get_mut().remove(id);
        }
    }
}

/// The records that a change ends, by what the state of its mailbox says; of what it ends and is not there, none.
fn ends(state: &MailboxState, change: &Change) -> Vec<Option<Address>> {
    let entries = state.entries();
    let again = match change {
        Change::Put(arrival) => entries.find(&arrival.id).map(|(_, entry)| Some(entry)),
        _ => None,
    };
    let place = |entry: Option<&Entry>| {
        let at = entry.map(|entry| entry.at).filter(|at| *at != Locator::UNPLACED);
        at.map(|Locator(at)| Address::from_number(at))
    };
    change.ended().map(|position| entries.get(position)).chain(again).map(place).collect()
}

/// The last day on which a change matters that doesn't tell a day itself.
fn lasts(change: &Change, today: Day) -> Option<Day> {
    matches!(change, Change::Released { .. }).then(|| claim_memory(today))
}

impl Store for EmbeddedStore {
    fn load(&self, id: &MailboxId) -> Result<Cow<'_, MailboxState>, LoadError> {
        if let Some(state) = self.cache.get(id) {
            return Ok(Cow::Borrowed(state));
        }
        if let Some(state) = self.read.borrow().get(id) {
            return Ok(Cow::Owned(state.clone()));
        }
        let state = self.read_state(id)?;
        let mut read = self.read.borrow_mut();
        if read.len() < READ_STATES {
            read.insert(*id, state.clone());
        }
        Ok(Cow::Owned(state))
    }

    fn find_lease(&self, tag: &LeaseTag) -> Result<Option<(MailboxId, ClaimId)>, LoadError> {
        if let Some(unwritten) = self.unwritten(|staged| staged.leases.get(tag)) {
            return Ok(Some(*unwritten));
        }
        let records = self.records(&Owner::from(tag))?;
        Ok(records.into_iter().find_map(|(_, record)| match record.content {
            Content::Lease(mailbox, claim) => Some((mailbox, claim)),
            _ => None,
        }))
    }

    fn voucher(&self, id: &VoucherId) -> Result<u32, LoadError> {
        self.find_voucher(id).map(|(left, _)| left)
    }

    fn has_room(&mut self) -> bool {
        self.log.has_room() || (self.shared.await_spare() && self.log.has_room())
    }

    fn has_unwritten(&self, id: &MailboxId) -> bool {
        self.cache.has_changed_since(id, self.ended)
    }

    fn stage(&mut self, write: Write) {
        match write {
            Write::Mailbox { id, change, envelope } => self.stage_change(id, change, envelope),
            Write::Voucher(change) => self.stage_voucher(change),
        }
    }

    fn commit(&mut self) -> Result<(), CommitError> {
        let staged = match self.take_staged() {
            Ok(staged) => staged,
            Err(known) => return known,
        };
        let committed = self.log.commit();
        self.conclude(staged, committed)
    }

    fn begin_commit(&mut self, ended: Bell) -> Option<Result<(), CommitError>> {
        let staged = match self.take_staged() {
            Ok(staged) => staged,
            Err(known) => return Some(known),
        };
        let committed = match staged.failed {
            // Written at once: states that the next group would build on are about to be forgotten.
            true => self.log.commit().map(Some),
            false => self.log.begin(ended).map(|()| None),
        };
        match committed.transpose() {
            Some(committed) => Some(self.conclude(staged, committed)),
            None => {
                self.under_way.push_back(staged);
                None
            }
        }
    }

    fn queue_commit(&mut self, ended: Bell) -> bool {
        let will_fail = self.staged.failed || self.is_read_only();
        if will_fail || self.staged.records.is_empty() || self.log.begin(ended).is_err() {
            return false;
        }
        self.keep_what_was_read();
        self.under_way.push_back(std::mem::take(&mut self.staged));
        true
    }

    fn unqueue_commit(&mut self) -> bool {
        let is_back = self.log.take_back();
        if is_back {
            self.staged = self.under_way.pop_back().unwrap_or_default();
        }
        is_back
    }

    fn end_commit(&mut self) -> Result<(), CommitError> {
        let (Some(staged), Some(committed)) = (self.under_way.pop_front(), self.log.end()) else {
            return Ok(());
        };
        let outcome = self.conclude(staged, committed);
        if outcome.is_err() {
            // The next group was built on it; its own commit fails too.
            self.forget_states();
        }
        outcome
    }

    fn read(&self, at: Locator, id: &EnvelopeId) -> Result<SealedEnvelope, ReadError> {
        self.shared.envelope(Address::from_number(at.0), id)
    }
}
