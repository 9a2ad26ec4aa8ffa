//! Many honest clients that put, and delete some of it again, as fast as they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use poterne_protocol::address::RelayAddress;
use poterne_protocol::descriptor::NewestDescriptor;
use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Delete, DeleteBy, Payment, Put, Request};
use poterne_transport::client::RelayClient;
use poterne_transport::dial::{DialError, dial};
use rand_core::{CryptoRng, UnwrapErr};
use tokio::task::JoinSet;

use crate::ledger::{Ledger, envelope, mailbox_of};

/// After a refusal, before the next try.
const PAUSE: Duration = Duration::from_millis(20);
/// Dials of one client until it gives the relay up.
const DIALS: usize = 40;

/// How large a crowd is, and how much of what it puts it deletes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Connections.
    pub connections: usize,
    /// Puts under way in each.
    pub producers: usize,
    /// Of ten envelopes, so many are deleted as soon as they are stored.
    pub deleted_of_ten: u64,
}

/// Clients at work; dropping it ends them where they are.
pub struct Crowd(JoinSet<()>);

impl Crowd {
    /// Dials and begins. A client ends when its connection is lost.
    pub async fn gather(address: &RelayAddress, ledger: &Arc<Ledger>, size: Size) -> Self {
        let mut tasks = JoinSet::new();
        for _ in 0..size.connections {
            let client = connect(address).await;
            for _ in 0..size.producers {
                let worker = Worker { client: client.clone(), ledger: ledger.clone(), pin: address.pin };
                tasks.spawn(worker.work(size.deleted_of_ten));
            }
        }
        Self(tasks)
    }

    /// Waits until every client has lost its connection.
    pub async fn disperse(mut self) {
        while let Some(ended) = self.0.join_next().await {
            ended.expect("no client panics");
        }
    }
}

/// A client of that relay, which may be starting just now.
///
/// # Panics
/// When it can't be dialled.
pub async fn connect(address: &RelayAddress) -> RelayClient {
    let mut last = DialError::Unreachable;
    for _ in 0..DIALS {
        match dial(address, &mut NewestDescriptor::default(), &mut rng()).await {
            Ok(client) => return client,
            Err(error) => last = error,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the relay can't be dialled: {last}");
}

/// Asks until the relay is not busy.
///
/// # Panics
/// When the connection is lost.
pub async fn insist(client: &RelayClient, request: &Request) -> Answer {
    loop {
        match client.call(request).await.expect("the connection stands") {
            Answer::Busy { .. } => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

fn rng() -> impl CryptoRng {
    UnwrapErr(getrandom::SysRng)
}

/// A put of the n-th envelope.
pub fn put(number: u64, pin: Pin) -> Request {
    Request::Put(Put {
        to: mailbox_of(number, pin).write(),
        class: Class::parse(4).expect("a class"),
        payment: Payment::None,
        envelope: envelope(number),
    })
}

/// A delete of the n-th envelope.
pub fn delete(number: u64, pin: Pin) -> Request {
    let by = DeleteBy::Key(mailbox_of(number, pin).delete());
    Request::Delete(Delete { by, ids: vec![envelope(number).id()] })
}

struct Worker {
    client: RelayClient,
    ledger: Arc<Ledger>,
    pin: Pin,
}

impl Worker {
    async fn work(self, deleted_of_ten: u64) {
        while !self.client.is_lost() {
            let number = self.ledger.next();
            let answer = self.client.call(&put(number, self.pin)).await.ok();
            match answer {
                _ if !self.ledger.put_was(number, answer.as_ref()) => self.wait(answer).await,
                _ if number % 10 < deleted_of_ten => self.delete(number).await,
                _ => {}
            }
        }
    }

    /// Waits as long as the relay asked for, or a moment where it named no time.
    async fn wait(&self, answer: Option<Answer>) {
        let time = match answer {
            Some(Answer::Busy { retry_after_secs }) => Duration::from_secs(retry_after_secs.into()),
            _ => PAUSE,
        };
        let until = Instant::now() + time;
        while Instant::now() < until && !self.client.is_lost() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn delete(&self, number: u64) {
        self.ledger.leaves(number);
        if let Ok(Answer::Done) = self.client.call(&delete(number, self.pin)).await {
            self.ledger.left(number);
        }
    }
}
