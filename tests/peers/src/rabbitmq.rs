//! RabbitMQ with quorum queues and publisher confirms: a confirm comes once the log of the queue's one member is synced.
//!
//! It has no mailboxes: a fetch takes the oldest message of the queue that a mailbox shares with many others, and an
//! acknowledgement, which deletes it, is not answered. That is less work than the others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Acker, BasicProperties, Channel, Connection, ConnectionProperties};
use poterne_load::payload::{Payload, Payloads};
use poterne_load::target::Found;
use poterne_load::{Failure, Outcome, Target, run};
use tokio::sync::Mutex;

use crate::Words;

/// Queues over which mailboxes are spread.
const QUEUES: u32 = 8;
/// Channels of a connection on which messages are fetched, one at a time on each.
const FETCHING_CHANNELS: usize = 32;
/// A message that is to be on the disk.
const PERSISTENT: u8 = 2;

struct RabbitMq {
    publishing: Channel,
    fetching: Vec<Mutex<Channel>>,
    next: AtomicUsize,
    payloads: Arc<Payloads>,
    _connection: Connection,
}

/// Drives the server through the phases.
pub async fn drive(words: &Words) -> anyhow::Result<Outcome> {
    let setup = words.run.setup();
    let certificate = std::fs::read_to_string(&words.certificate).context("reading the certificate")?;
    let mut targets = Vec::new();
    for _ in 0..words.run.connections.max(1) {
        let target = RabbitMq::connect(words.port, certificate.clone(), setup.payloads.clone());
        targets.push(Arc::new(target.await?));
    }
    Ok(run(&targets, &setup).await)
}

impl RabbitMq {
    async fn connect(port: u16, certificate: String, payloads: Arc<Payloads>) -> anyhow::Result<Self> {
        let tls = OwnedTLSConfig { identity: None, cert_chain: Some(certificate) };
        let uri = format!("amqps://localhost:{port}/%2f");
        let properties = ConnectionProperties::default();
        let runtime = lapin::runtime::default_runtime()?;
        let connection = Connection::connect_with_config(&uri, properties, tls, runtime).await?;
        let publishing = connection.create_channel().await?;
        publishing.confirm_select(ConfirmSelectOptions::default()).await?;
        for number in 0..QUEUES {
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            publishing.queue_declare(queue(number), durable, quorum()).await?;
        }
        let mut fetching = Vec::new();
        for _ in 0..FETCHING_CHANNELS {
            fetching.push(Mutex::new(connection.create_channel().await?));
        }
        Ok(Self { publishing, fetching, next: AtomicUsize::new(0), payloads, _connection: connection })
    }
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    arguments
}

fn queue(mailbox: u32) -> ShortString {
    format!("mailboxes-{}", mailbox % QUEUES).into()
}

fn unknown(_: lapin::Error) -> Failure {
    Failure::Unknown
}

impl Target for RabbitMq {
    type Handle = Acker;

    async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let options = BasicPublishOptions::default();
        let published =
            self.publishing.basic_publish("".into(), queue(mailbox), options, &payload[..], properties);
        let confirmed = published.await.map_err(unknown)?.await.map_err(unknown)?;
        if confirmed.is_ack() { Ok(()) } else { Err(Failure::Unknown) }
    }

    async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<Acker>>, Failure> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.fetching.len();
        let channel = self.fetching[next].lock().await;
        let message = channel.basic_get(queue(mailbox), BasicGetOptions::default()).await.map_err(unknown)?;
        let found = message.map(|message| message.delivery);
        let found = found.map(|one| Found { number: self.payloads.number(&one.data), handle: one.acker });
        Ok(found.into_iter().collect())
    }

    async fn delete(&self, _: u32, found: Vec<Acker>) -> Result<(), Failure> {
        for acker in found {
            acker.ack(BasicAckOptions::default()).await.map_err(unknown)?;
        }
        Ok(())
    }
}
