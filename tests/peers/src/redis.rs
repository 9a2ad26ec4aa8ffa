//! Redis with its append-only file synced before each answer: a stream for each mailbox, pipelined connections.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use poterne_load::payload::{Payload, Payloads};
use poterne_load::target::Found;
use poterne_load::{Failure, Outcome, Target, run};
use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redis::{AsyncConnectionConfig, Client, TlsCertificates, cmd};

use crate::Words;

const FIELD: &str = "e";
const FETCHED_AT_ONCE: usize = 64;
/// Until an answer must have come; by itself the client takes half a second for lost, which it is not on a busy disk.
const PATIENCE: Duration = Duration::from_secs(30);

struct Redis {
    connection: MultiplexedConnection,
    payloads: Arc<Payloads>,
}

/// Drives the server through the phases.
pub async fn drive(words: &Words) -> anyhow::Result<Outcome> {
    let setup = words.run.setup();
    let certificate = std::fs::read(&words.certificate).context("reading the certificate")?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(certificate) };
    let client = Client::build_with_tls(format!("rediss://localhost:{}/", words.port), certificates)?;
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let mut targets = Vec::new();
    for _ in 0..words.run.connections.max(1) {
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
        targets.push(Arc::new(Redis { connection, payloads: setup.payloads.clone() }));
    }
    Ok(run(&targets, &setup).await)
}

fn unknown(_: redis::RedisError) -> Failure {
    Failure::Unknown
}

impl Target for Redis {
    type Handle = String;

    async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
        let mut add = cmd("XADD");
        add.arg(mailbox).arg("*").arg(FIELD).arg(&payload[..]);
        add.query_async(&mut self.connection.clone()).await.map_err(unknown)
    }

    async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<String>>, Failure> {
        let mut range = cmd("XRANGE");
        range.arg(mailbox).arg("-").arg("+").arg("COUNT").arg(FETCHED_AT_ONCE);
        let reply: StreamRangeReply =
            range.query_async(&mut self.connection.clone()).await.map_err(unknown)?;
        let found = |entry: redis::streams::StreamId| {
            let bytes: Option<Vec<u8>> = entry.get(FIELD);
            Found { number: bytes.and_then(|bytes| self.payloads.number(&bytes)), handle: entry.id }
        };
        Ok(reply.ids.into_iter().map(found).collect())
    }

    async fn delete(&self, mailbox: u32, found: Vec<String>) -> Result<(), Failure> {
        let mut delete = cmd("XDEL");
        delete.arg(mailbox).arg(found);
        delete.query_async(&mut self.connection.clone()).await.map_err(unknown)
    }
}
