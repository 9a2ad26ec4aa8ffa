//! NATS JetStream, one replica, syncing always: a subject for each mailbox, several streams so that syncs run side by
//! side, direct gets, deletes by sequence.

use std::sync::Arc;

use async_nats::ConnectOptions;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use poterne_load::payload::{Payload, Payloads};
use poterne_load::target::Found;
use poterne_load::{Failure, Outcome, Target, run};
use serde_json::{Value, json};

use crate::{Words, tls};

/// Streams over which mailboxes are spread.
const STREAMS: u32 = 8;

struct Nats {
    context: Context,
    streams: Vec<Stream>,
    payloads: Arc<Payloads>,
}

/// Drives the server through the phases.
pub async fn drive(words: &Words) -> anyhow::Result<Outcome> {
    let setup = words.run.setup();
    let mut targets = Vec::new();
    for _ in 0..words.run.connections.max(1) {
        let options =
            ConnectOptions::new().tls_client_config(tls::client(&words.certificate)?).require_tls(true);
        let client = options.connect(format!("localhost:{}", words.port)).await?;
        let context = jetstream::new(client);
        let mut streams = Vec::new();
        for number in 0..STREAMS {
            streams.push(context.get_or_create_stream(config(number)).await?);
        }
        targets.push(Arc::new(Nats { context, streams, payloads: setup.payloads.clone() }));
    }
    Ok(run(&targets, &setup).await)
}

fn config(number: u32) -> Config {
    Config {
        name: format!("mailboxes-{number}"),
        subjects: vec![format!("m.{number}.*")],
        storage: StorageType::File,
        num_replicas: 1,
        allow_direct: true,
        ..Config::default()
    }
}

fn subject(mailbox: u32) -> String {
    format!("m.{}.{mailbox}", mailbox % STREAMS)
}

impl Nats {
    /// Without the overwriting that the client's own delete asks for: that goes to the disk once for each message.
    async fn delete_one(&self, mailbox: u32, sequence: u64) -> Result<(), Failure> {
        let subject = format!("STREAM.MSG.DELETE.{}", config(mailbox % STREAMS).name);
        let wanted = json!({ "seq": sequence, "no_erase": true });
        match self.context.request(subject, &wanted).await {
            Ok(Response::<Value>::Ok(_)) => Ok(()),
            _ => Err(Failure::Unknown),
        }
    }

    fn stream(&self, mailbox: u32) -> &Stream {
        &self.streams[(mailbox % STREAMS) as usize]
    }
}

impl Target for Nats {
    type Handle = u64;

    async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
        let payload = bytes::Bytes::copy_from_slice(&payload[..]);
        let published =
            self.context.publish(subject(mailbox), payload).await.map_err(|_| Failure::Unknown)?;
        published.await.map(drop).map_err(|_| Failure::Unknown)
    }

    async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<u64>>, Failure> {
        use async_nats::jetstream::stream::DirectGetErrorKind::NotFound;
        match self.stream(mailbox).direct_get_first_for_subject(subject(mailbox)).await {
            Ok(message) => {
                Ok(vec![Found { handle: message.sequence, number: self.payloads.number(&message.payload) }])
            }
            Err(error) if error.kind() == NotFound => Ok(Vec::new()),
            Err(_) => Err(Failure::Unknown),
        }
    }

    async fn delete(&self, mailbox: u32, found: Vec<u64>) -> Result<(), Failure> {
        for sequence in found {
            self.delete_one(mailbox, sequence).await?;
        }
        Ok(())
    }
}
