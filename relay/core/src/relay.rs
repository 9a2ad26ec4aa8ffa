//! The rules over a store: load, decide, commit, and only then answer (docs/spec/relay.md §1).
//!
//! [`Relay::begin`] decides on one request and stages its changes, so that the next request of a group sees them;
//! [`Relay::commit`] makes the whole group durable; [`Relay::finish`] gives each its answer. [`Relay::handle`] does all
//! three for one request. A fetch that saw only what is durable needs no commit ([`Pending::needs_commit`]). Waiting is the
//! shell's: a fetch that found nothing ([`Pending::found_nothing`]) is begun again when a put came into one of its
//! mailboxes ([`Pending::arrived_in`]).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::mailbox::MailboxId;
use poterne_protocol::op::{
    Answer, Claim, ClaimId, Claimed, Close, Delete, DeleteBy, Extend, Fetch, Fetched, LeaseToken, Open, Put,
    Request, Status,
};
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use crate::change::{Change, Position};
use crate::cursor::CursorKey;
use crate::decision::{Decision, Found, Reply};
use crate::fetch::FoundIn;
use crate::policy::Policy;
use crate::state::{LeaseTag, MailboxState};
use crate::store::{Bell, CommitError, LoadError, ReadError, Store, VoucherId, Write};
use crate::{claim, close, delete, extend, fetch, hello, open, put, release, status};

/// A relay over a store.
#[derive(Debug)]
pub struct Relay<S> {
    store: S,
    policy: Policy,
    cursors: CursorKey,
    is_full: bool,
}

/// A request that is decided and not yet answered.
#[derive(Clone, Debug)]
pub struct Pending {
    outcome: Outcome,
    arrived_in: Option<MailboxId>,
    needs_commit: bool,
}

#[derive(Clone, Debug)]
enum Outcome {
    /// Holds whatever becomes of the commit: nothing on the disk is promised.
    Answer(Answer),
    /// Holds once the commit has succeeded.
    Durable(MailboxId, Reply),
    Fetched(Vec<(MailboxId, FoundIn)>),
}

impl Pending {
    /// The mailbox into which a new envelope has come: readers who wait there are to be woken after the commit.
    pub fn arrived_in(&self) -> Option<&MailboxId> {
        self.arrived_in.as_ref()
    }

    /// Whether this is a fetch that may wait for news.
    pub fn found_nothing(&self) -> bool {
        matches!(&self.outcome, Outcome::Fetched(found) if found.iter().all(|(_, found)| found.envelopes.is_empty()))
    }

    /// Whether it must wait for the next commit: all do but answers without a mailbox, and fetches that saw only what is
    /// durable.
    pub fn needs_commit(&self) -> bool {
        self.needs_commit
    }

    fn answer(answer: Answer) -> Self {
        Self { outcome: Outcome::Answer(answer), arrived_in: None, needs_commit: false }
    }
}

impl<S: Store> Relay<S> {
    /// A relay over `store`. `cursors` belongs to this instance of the store.
    pub fn new(store: S, policy: Policy, cursors: CursorKey) -> Self {
        Self { store, policy, cursors, is_full: false }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, for what is not a request: new days, copying, crashes of tests.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets another policy, as an operator does.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Tells whether the disk is as full as it may get: new envelopes are refused, all else goes on.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// Decides on one request, commits, and answers.
    pub fn handle(&mut self, request: &Request, now: UnixTime, rng: &mut impl CryptoRng) -> Answer {
        let pending = self.begin(request, now, rng);
        let committed = self.commit();
        self.finish(pending, committed, rng)
    }

    /// Decides on one request and stages what it changes.
    pub fn begin(&mut self, request: &Request, now: UnixTime, rng: &mut impl CryptoRng) -> Pending {
        let busy = Answer::Busy { retry_after_secs: self.policy.retry_after_secs };
        self.decide(request, now, rng).unwrap_or_else(|LoadError| Pending::answer(busy))
    }

    /// Makes durable what all requests since the last commit have changed.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        self.store.commit()
    }

    /// The same beside what comes next; see [`Store::begin_commit`].
    pub fn begin_commit(&mut self, ended: Bell) -> Option<Result<(), CommitError>> {
        self.store.begin_commit(ended)
    }

    /// See [`Store::queue_commit`].
    pub fn queue_commit(&mut self, ended: Bell) -> bool {
        self.store.queue_commit(ended)
    }

    /// See [`Store::unqueue_commit`].
    pub fn unqueue_commit(&mut self) -> bool {
        self.store.unqueue_commit()
    }

    /// The outcome of the first group that is under way.
    pub fn end_commit(&mut self) -> Result<(), CommitError> {
        self.store.end_commit()
    }

    /// Answers a request, after the commit that followed it where it needs one ([`Pending::needs_commit`]). Where that failed
    /// nothing is promised to anybody.
    ///
    /// An envelope whose record is damaged is dropped from its mailbox, with the next commit.
    pub fn finish(
        &mut self,
        pending: Pending,
        committed: Result<(), CommitError>,
        rng: &mut impl CryptoRng,
    ) -> Answer {
        match pending.outcome {
            Outcome::Answer(answer) => answer,
            Outcome::Fetched(found) => self.finish_fetch(found, rng),
            Outcome::Durable(..) if committed.is_err() => Answer::ReadOnly,
            Outcome::Durable(_, Reply::Answer(answer)) => answer,
            Outcome::Durable(id, Reply::Claimed { found, token, number, secs_left }) => {
                self.finish_claim(id, found, |envelope| Claimed { token, number, secs_left, envelope })
            }
        }
    }

    fn decide(
        &mut self,
        request: &Request,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Pending, LoadError> {
        match request {
            Request::Claim(claim) => self.claim(claim, now, rng),
            Request::Close(close) => self.close(close, now),
            Request::Delete(delete) => self.delete(delete, now),
            Request::Extend(extend) => self.extend(extend, now),
            Request::Fetch(fetch) => self.fetch(fetch, now),
            Request::Hello => Ok(Pending::answer(hello::answer(now, &self.policy))),
            Request::Open(open) => self.open(open, now),
            Request::Put(put) => self.put(put, now),
            Request::Release(token) => self.release(token, now),
            Request::Status(status) => self.status(status, now),
            Request::Unknown(_) => Ok(Pending::answer(Answer::Unsupported)),
        }
    }

    fn put(&mut self, put: &Put, now: UnixTime) -> Result<Pending, LoadError> {
        let id = put.to.hashes().id();
        let credit_left = match put::voucher(put) {
            Some(voucher) if self.policy.base_effort > 0 => self.store.voucher(&voucher)?,
            _ => 0,
        };
        let mut decision = put::decide(&*self.store.load(&id)?, put, credit_left, now, &self.policy);
        if decision.takes_custody() && (self.is_full || !self.store.has_room()) {
            decision = Decision::answer(Answer::Full);
        }
        Ok(self.stage(id, decision, Some(put)))
    }

    fn fetch(&mut self, fetch: &Fetch, now: UnixTime) -> Result<Pending, LoadError> {
        if !fetch::is_well_formed(fetch, &self.policy) {
            return Ok(Pending::answer(Answer::Malformed));
        }
        let ids: Vec<MailboxId> = fetch.from.iter().map(|from| from.mailbox.hashes().id()).collect();
        let states =
            ids.iter().map(|id| self.store.load(id)).collect::<Result<Vec<Cow<'_, MailboxState>>, _>>()?;
        let from: Vec<(&MailboxState, Position)> = fetch
            .from
            .iter()
            .zip(ids.iter().zip(&states))
            .map(|(from, (id, state))| {
                (&**state, fetch::start(state, id, from.start, &self.cursors, now.day()))
            })
            .collect();
        let found = fetch::decide(&from, fetch.max, now, &self.policy);
        let needs_commit = ids.iter().any(|id| self.store.has_unwritten(id));
        let outcome = Outcome::Fetched(ids.into_iter().zip(found).collect());
        Ok(Pending { outcome, arrived_in: None, needs_commit })
    }

    fn claim(
        &mut self,
        claim: &Claim,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Pending, LoadError> {
        let id = claim.mailbox.hashes().id();
        let decision = claim::decide(&*self.store.load(&id)?, claim, now, &self.policy, rng);
        Ok(self.stage(id, decision, None))
    }

    fn extend(&mut self, extend: &Extend, now: UnixTime) -> Result<Pending, LoadError> {
        if !extend::is_well_formed(extend) {
            return Ok(Pending::answer(Answer::Malformed));
        }
        self.with_lease(&extend.token, Answer::Ended, |state, claim_id| {
            extend::decide(state, claim_id, extend, now)
        })
    }

    fn release(&mut self, token: &LeaseToken, now: UnixTime) -> Result<Pending, LoadError> {
        self.with_lease(token, Answer::Done, |state, claim_id| release::decide(state, claim_id, token, now))
    }

    fn delete(&mut self, delete: &Delete, now: UnixTime) -> Result<Pending, LoadError> {
        if !delete::is_well_formed(&delete.ids) {
            return Ok(Pending::answer(Answer::Malformed));
        }
        match &delete.by {
            DeleteBy::Key(key) => {
                let id = key.hashes().id();
                let decision = delete::decide_by_key(&*self.store.load(&id)?, &delete.ids, now);
                Ok(self.stage(id, decision, None))
            }
            DeleteBy::Lease(token) => self.with_lease(token, Answer::Ended, |state, claim_id| {
                delete::decide_by_lease(state, claim_id, token, &delete.ids, now)
            }),
        }
    }

    fn open(&mut self, open: &Open, now: UnixTime) -> Result<Pending, LoadError> {
        let id = open.mailbox.id();
        let permit_left = match self.policy.permits {
            true => self.store.voucher(&VoucherId::permit(&open.permit))?,
            false => 0,
        };
        let decision = open::decide(&*self.store.load(&id)?, open, permit_left, now, &self.policy);
        Ok(self.stage(id, decision, None))
    }

    fn close(&mut self, close: &Close, now: UnixTime) -> Result<Pending, LoadError> {
        let id = close.mailbox.id();
        let decision = close::decide(&*self.store.load(&id)?, close, now);
        Ok(self.stage(id, decision, None))
    }

    fn status(&mut self, status: &Status, now: UnixTime) -> Result<Pending, LoadError> {
        let id = status.mailbox.hashes().id();
        let decision = status::decide(&*self.store.load(&id)?, status, now);
        Ok(self.stage(id, decision, None))
    }

    /// Decides on the intake that a lease token leads to; `unknown` is the answer where it leads nowhere.
    fn with_lease(
        &mut self,
        token: &LeaseToken,
        unknown: Answer,
        decide: impl FnOnce(&MailboxState, &ClaimId) -> Decision,
    ) -> Result<Pending, LoadError> {
        let Some((id, claim_id)) = self.store.find_lease(&LeaseTag::of(token))? else {
            return Ok(Pending::answer(unknown));
        };
        let decision = decide(&*self.store.load(&id)?, &claim_id);
        Ok(self.stage(id, decision, None))
    }

    fn stage(&mut self, id: MailboxId, decision: Decision, put: Option<&Put>) -> Pending {
        let arrived_in = decision.takes_custody().then_some(id);
        for change in decision.changes {
            let arrives = matches!(change, Change::Put(_));
            let envelope = put.filter(|_| arrives).map(|put| put.envelope.clone());
            self.store.stage(Write::Mailbox { id, change, envelope });
        }
        if let Some(voucher) = decision.voucher {
            self.store.stage(Write::Voucher(voucher));
        }
        Pending { outcome: Outcome::Durable(id, decision.reply), arrived_in, needs_commit: true }
    }

    fn finish_fetch(&mut self, found: Vec<(MailboxId, FoundIn)>, rng: &mut impl CryptoRng) -> Answer {
        let mut answers = Vec::with_capacity(found.len());
        for (id, FoundIn { envelopes: found, end, more }) in found {
            let mut envelopes = Vec::with_capacity(found.len());
            for found in found {
                match self.store.read(found.at, &found.id) {
                    Ok(envelope) => envelopes.push(envelope),
                    Err(ReadError::Damaged) => self.lose(id, found),
                    Err(ReadError::Unavailable) => return self.busy(),
                }
            }
            answers.push(Fetched { envelopes, cursor: self.cursors.seal(&id, end, rng), more });
        }
        Answer::Fetched(answers)
    }

    fn finish_claim(
        &mut self,
        id: MailboxId,
        found: Found,
        claimed: impl FnOnce(SealedEnvelope) -> Claimed,
    ) -> Answer {
        match self.store.read(found.at, &found.id) {
            Ok(envelope) => Answer::Claimed(claimed(envelope)),
            Err(ReadError::Damaged) => {
                self.lose(id, found);
                Answer::Ended
            }
            Err(ReadError::Unavailable) => self.busy(),
        }
    }

    /// Strikes a damaged envelope off. One that was deleted since it was found may be overwritten by now.
    fn lose(&mut self, id: MailboxId, found: Found) {
        if self.store.load(&id).is_ok_and(|state| state.entries().get(found.position).is_none()) {
            return;
        }
        let change = Change::Lost { position: found.position };
        self.store.stage(Write::Mailbox { id, change, envelope: None });
    }

    fn busy(&self) -> Answer {
        Answer::Busy { retry_after_secs: self.policy.retry_after_secs }
    }
}
