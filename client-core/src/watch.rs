//! Mailboxes that a machine reads, and what to do with what lies in them (docs/spec/client.md §2).

use std::collections::BTreeSet;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::{MailboxSecret, Pin};
use poterne_protocol::limits::{FETCH_ENVELOPES, FETCH_MAILBOXES, IDS_PER_REQUEST};
use poterne_protocol::mailbox::{DeleteAt, ReadFrom};
use poterne_protocol::op::{Answer, Delete, DeleteBy, Fetch, FetchFrom, Fetched, Request, Start};
use rand_core::CryptoRng;

/// How the fetches of a poll look to the relay and to who counts bytes in between.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PollShape {
    /// Always 16 mailboxes, filled up with some that nobody has, and at most 8 envelopes in an answer. What an answer
    /// holds still shows in its size.
    Constant,
    /// As many mailboxes as there are, and as many envelopes as fit.
    #[default]
    Needed,
}

/// Mailboxes of a fetch of constant shape: those of one conversation, at its first poll of a run too, as a rule.
pub const CONSTANT_MAILBOXES: usize = 16;
/// Envelopes in the answer to one at most.
pub const CONSTANT_ENVELOPES: u16 = 8;

/// One mailbox at one relay, and which part of a conversation it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Watched<S> {
    pub(crate) source: S,
    pub(crate) read: ReadFrom,
    /// Only looked at where there is none.
    pub(crate) delete: Option<DeleteAt>,
    pub(crate) start: Start,
    /// How many answers were read in a row.
    pub(crate) rounds: u8,
}

/// Answers that are read in a row at most, 4096 envelopes: 64 full mailboxes. The rest of an intake comes with the next
/// poll.
const ROUNDS_MAX: u8 = 64;

impl<S> Watched<S> {
    /// A plain mailbox that is drained.
    pub(crate) fn drained(source: S, secret: &MailboxSecret, relay: &Pin) -> Self {
        let keys = secret.keys();
        let delete = Some(DeleteAt::plain(&keys, relay));
        Self { source, read: ReadFrom::plain(&keys, relay), delete, start: Start::First, rounds: 0 }
    }

    /// A plain mailbox that is looked at and left as it is.
    pub(crate) fn looked_at(source: S, secret: &MailboxSecret, relay: &Pin) -> Self {
        Self { delete: None, ..Self::drained(source, secret, relay) }
    }
}

/// The mailboxes of one fetch, in their order, and behind them some that nobody has.
pub(crate) struct Asked<S> {
    pub(crate) watched: Vec<Watched<S>>,
    /// How many mailboxes that nobody has the fetch names behind those.
    pub(crate) nobodys: usize,
    pub(crate) request: Request,
}

/// The mailboxes in fetches of that shape. In constant shape there is always one fetch at least.
pub(crate) fn in_fetches_of<S>(
    shape: PollShape,
    relay: &Pin,
    watched: Vec<Watched<S>>,
    rng: &mut impl CryptoRng,
) -> Vec<Asked<S>> {
    match shape {
        PollShape::Needed => {
            let asked = |(watched, request)| Asked { watched, nobodys: 0, request };
            in_fetches(watched).into_iter().map(asked).collect()
        }
        PollShape::Constant => in_batches(watched, CONSTANT_MAILBOXES, 1)
            .into_iter()
            .map(|batch| filled_up(batch, relay, rng))
            .collect(),
    }
}

fn filled_up<S>(watched: Vec<Watched<S>>, relay: &Pin, rng: &mut impl CryptoRng) -> Asked<S> {
    let (mut from, nobodys) = (starts(&watched), CONSTANT_MAILBOXES - watched.len());
    for _ in 0..nobodys {
        let keys = MailboxSecret::generate(rng).keys();
        from.push(FetchFrom { mailbox: ReadFrom::plain(&keys, relay), start: Start::First });
    }
    let request = Request::Fetch(Fetch { from, max: CONSTANT_ENVELOPES, wait_secs: 0 });
    Asked { watched, nobodys, request }
}

fn starts<S>(batch: &[Watched<S>]) -> Vec<FetchFrom> {
    batch.iter().map(|one| FetchFrom { mailbox: one.read.clone(), start: one.start }).collect()
}

/// Batches of `size` at most, and as many as `least`, empty ones if need be.
fn in_batches<S>(mut watched: Vec<Watched<S>>, size: usize, least: usize) -> Vec<Vec<Watched<S>>> {
    let mut batches = Vec::new();
    while !watched.is_empty() || batches.len() < least {
        let rest = watched.split_off(watched.len().min(size));
        batches.push(std::mem::replace(&mut watched, rest));
    }
    batches
}

/// The mailboxes in as many fetches as it takes, in their order.
pub(crate) fn in_fetches<S>(watched: Vec<Watched<S>>) -> Vec<(Vec<Watched<S>>, Request)> {
    let fetch = |batch: Vec<Watched<S>>| {
        let from = starts(&batch);
        (batch, Request::Fetch(Fetch { from, max: FETCH_ENVELOPES, wait_secs: 0 }))
    };
    in_batches(watched, FETCH_MAILBOXES, 0).into_iter().map(fetch).collect()
}

/// What a fetch found, mailbox by mailbox; `None` when the answer is not one to a fetch of these.
pub(crate) fn found<S>(watched: Vec<Watched<S>>, answer: Answer) -> Option<Vec<(Watched<S>, Fetched)>> {
    found_before(watched, 0, answer)
}

/// The same where the fetch named so many mailboxes more that nobody has; what comes from those is nothing.
pub(crate) fn found_before<S>(
    watched: Vec<Watched<S>>,
    nobodys: usize,
    answer: Answer,
) -> Option<Vec<(Watched<S>, Fetched)>> {
    match answer {
        Answer::Fetched(fetched) if fetched.len() == watched.len() + nobodys => {
            Some(watched.into_iter().zip(fetched).collect())
        }
        _ => None,
    }
}

/// The same mailbox, from behind what was found in it, where there is more.
pub(crate) fn go_on<S>(watched: Watched<S>, fetched: &Fetched) -> Option<Watched<S>> {
    let rounds = watched.rounds + 1;
    let goes_on = fetched.more && rounds < ROUNDS_MAX;
    goes_on.then_some(Watched { start: Start::After(fetched.cursor), rounds, ..watched })
}

/// The requests that erase those envelopes of a mailbox.
pub(crate) fn erase<S>(watched: &Watched<S>, ids: &BTreeSet<EnvelopeId>) -> Vec<Request> {
    let Some(delete) = &watched.delete else { return Vec::new() };
    let ids: Vec<EnvelopeId> = ids.iter().copied().collect();
    let request = |some: &[EnvelopeId]| {
        Request::Delete(Delete { by: DeleteBy::Key(delete.clone()), ids: some.to_vec() })
    };
    ids.chunks(IDS_PER_REQUEST).map(request).collect()
}
