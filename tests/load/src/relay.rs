//! A relay as a target, over QUIC with an inner channel: what a client does, without its cryptography end to end.

use std::sync::Arc;

use poterne_protocol::address::RelayAddress;
use poterne_protocol::descriptor::NewestDescriptor;
use poterne_protocol::envelope::{Class, EnvelopeId, SealedEnvelope};
use poterne_protocol::keys::{MailboxKeys, MailboxSecret, Pin};
use poterne_protocol::limits::FETCH_ENVELOPES;
use poterne_protocol::mailbox::{DeleteAt, ReadFrom, WriteTo};
use poterne_protocol::op::{Answer, Delete, DeleteBy, Fetch, FetchFrom, Payment, Put, Request, Start};
use poterne_transport::client::RelayClient;
use poterne_transport::dial::{DialError, dial};
use rand_core::UnwrapErr;

use crate::payload::{Payload, Payloads};
use crate::target::{Failure, Found, Target};

/// A plain mailbox, named by its writer, its reader, and its owner.
struct Mailbox {
    write: WriteTo,
    read: ReadFrom,
    delete: DeleteAt,
}

/// The mailboxes of a run, by number.
pub struct Mailboxes(Vec<Mailbox>);

impl Mailboxes {
    /// `count` mailboxes of the run of that number, at the relay of `pin`.
    pub fn of_run(run: u64, count: u32, pin: &Pin) -> Self {
        let mailbox = |number: u32| {
            let mut secret = [0; 32];
            secret[..8].copy_from_slice(&run.to_le_bytes());
            secret[8..12].copy_from_slice(&number.to_le_bytes());
            Mailbox::new(&MailboxSecret::from_bytes(&secret).keys(), pin)
        };
        Self((0..count).map(mailbox).collect())
    }

    /// The put of a payload.
    pub fn put(&self, mailbox: u32, payload: Payload) -> Request {
        Request::Put(Put {
            to: self.at(mailbox).write.clone(),
            class: Class::THIRTY,
            payment: Payment::None,
            envelope: SealedEnvelope::from(payload),
        })
    }

    /// The fetch of all that waits, as far as it fits into an answer.
    pub fn fetch(&self, mailbox: u32) -> Request {
        let from = FetchFrom { mailbox: self.at(mailbox).read.clone(), start: Start::First };
        Request::Fetch(Fetch { from: vec![from], max: FETCH_ENVELOPES, wait_secs: 0 })
    }

    /// The delete of these envelopes.
    pub fn delete(&self, mailbox: u32, ids: Vec<EnvelopeId>) -> Request {
        Request::Delete(Delete { by: DeleteBy::Key(self.at(mailbox).delete.clone()), ids })
    }

    fn at(&self, number: u32) -> &Mailbox {
        &self.0[number as usize]
    }
}

impl Mailbox {
    fn new(keys: &MailboxKeys, pin: &Pin) -> Self {
        Self {
            write: WriteTo::plain(keys, pin),
            read: ReadFrom::plain(keys, pin),
            delete: DeleteAt::plain(keys, pin),
        }
    }
}

/// What carries requests out: a channel to a relay, or its engine.
pub trait Asked: Send + Sync + 'static {
    /// The answer; none where the outcome is unknown.
    fn ask(&self, request: Request) -> impl Future<Output = Option<Answer>> + Send;
}

impl Asked for RelayClient {
    async fn ask(&self, request: Request) -> Option<Answer> {
        self.call(&request).await.ok()
    }
}

/// Mailboxes of a relay.
pub struct RelayTarget<A> {
    asked: A,
    mailboxes: Arc<Mailboxes>,
    payloads: Arc<Payloads>,
}

impl RelayTarget<RelayClient> {
    /// Dials a relay.
    pub async fn dial(
        address: &RelayAddress,
        mailboxes: Arc<Mailboxes>,
        payloads: Arc<Payloads>,
    ) -> Result<Self, DialError> {
        let mut newest = NewestDescriptor::default();
        let client = dial(address, &mut newest, &mut UnwrapErr(getrandom::SysRng)).await?;
        Ok(Self::new(client, mailboxes, payloads))
    }
}

impl<A: Asked> RelayTarget<A> {
    /// Mailboxes of what carries requests out.
    pub fn new(asked: A, mailboxes: Arc<Mailboxes>, payloads: Arc<Payloads>) -> Self {
        Self { asked, mailboxes, payloads }
    }
}

impl<A: Asked> Target for RelayTarget<A> {
    type Handle = EnvelopeId;

    async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
        match self.asked.ask(self.mailboxes.put(mailbox, payload)).await {
            Some(Answer::Stored) => Ok(()),
            Some(Answer::Busy { .. } | Answer::Full | Answer::Price { .. }) => Err(Failure::Refused),
            _ => Err(Failure::Unknown),
        }
    }

    async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<EnvelopeId>>, Failure> {
        let fetched = match self.asked.ask(self.mailboxes.fetch(mailbox)).await {
            Some(Answer::Fetched(fetched)) => fetched,
            Some(Answer::Busy { .. }) => return Err(Failure::Refused),
            _ => return Err(Failure::Unknown),
        };
        let found = |envelope: &SealedEnvelope| Found {
            handle: envelope.id(),
            number: self.payloads.number(envelope.as_bytes()),
        };
        Ok(fetched.iter().flat_map(|fetched| &fetched.envelopes).map(found).collect())
    }

    async fn delete(&self, mailbox: u32, found: Vec<EnvelopeId>) -> Result<(), Failure> {
        match self.asked.ask(self.mailboxes.delete(mailbox, found)).await {
            Some(Answer::Done) => Ok(()),
            Some(Answer::Busy { .. }) => Err(Failure::Refused),
            _ => Err(Failure::Unknown),
        }
    }
}
