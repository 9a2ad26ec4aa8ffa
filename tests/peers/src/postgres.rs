//! PostgreSQL with synchronous commit: one table, an index by mailbox. Puts that wait at a connection go in one
//! statement, and so do deletes.

use std::sync::Arc;

use poterne_load::payload::{Payload, Payloads};
use poterne_load::target::Found;
use poterne_load::{Failure, Outcome, Target, run};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{Client, Config, Statement, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Words, tls};

/// Rows of one statement at most.
const BATCH: usize = 128;
/// Puts and deletes that wait at one connection at most.
const INBOX: usize = 4096;
const TABLE: &str = "CREATE TABLE IF NOT EXISTS envelope (id bigserial PRIMARY KEY, mailbox int NOT NULL, body bytea NOT NULL);
     ALTER TABLE envelope ALTER COLUMN body SET STORAGE EXTERNAL;
     CREATE INDEX IF NOT EXISTS by_mailbox ON envelope (mailbox, id);";

struct Postgres {
    client: Arc<Client>,
    fetch: Statement,
    puts: mpsc::Sender<Put>,
    deletes: mpsc::Sender<Delete>,
    payloads: Arc<Payloads>,
}

struct Put {
    mailbox: i32,
    payload: Payload,
    done: oneshot::Sender<bool>,
}

struct Delete {
    ids: Vec<i64>,
    done: oneshot::Sender<bool>,
}

/// Drives the server through the phases.
pub async fn drive(words: &Words) -> anyhow::Result<Outcome> {
    let setup = words.run.setup();
    let mut targets = Vec::new();
    for _ in 0..words.run.connections.max(1) {
        targets.push(Arc::new(Postgres::connect(words, setup.payloads.clone()).await?));
    }
    Ok(run(&targets, &setup).await)
}

impl Postgres {
    async fn connect(words: &Words, payloads: Arc<Payloads>) -> anyhow::Result<Self> {
        let mut config = Config::new();
        config
            .host("localhost")
            .port(words.port)
            .user("postgres")
            .dbname("postgres")
            .ssl_mode(SslMode::Require);
        let tls = MakeRustlsConnect::new(tls::client(&words.certificate)?);
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(connection);
        let client = Arc::new(client);
        client.batch_execute(TABLE).await?;
        let insert = "INSERT INTO envelope (mailbox, body) SELECT * FROM unnest($1::int[], $2::bytea[])";
        let insert = client.prepare(insert).await?;
        let delete = client.prepare("DELETE FROM envelope WHERE id = ANY($1::bigint[])").await?;
        let fetch = "SELECT id, body FROM envelope WHERE mailbox = $1 ORDER BY id LIMIT 64";
        let fetch = client.prepare(fetch).await?;
        let (puts, waiting_puts) = mpsc::channel(INBOX);
        let (deletes, waiting_deletes) = mpsc::channel(INBOX);
        tokio::spawn(put_all(client.clone(), insert, waiting_puts));
        tokio::spawn(delete_all(client.clone(), delete, waiting_deletes));
        Ok(Self { client, fetch, puts, deletes, payloads })
    }
}

async fn put_all(client: Arc<Client>, insert: Statement, mut waiting: mpsc::Receiver<Put>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mailboxes: Vec<i32> = batch.iter().map(|put| put.mailbox).collect();
        let bodies: Vec<&[u8]> = batch.iter().map(|put| &put.payload[..]).collect();
        let done = client.execute(&insert, &[&mailboxes, &bodies]).await.is_ok();
        for put in batch.drain(..) {
            put.done.send(done).ok();
        }
    }
}

async fn delete_all(client: Arc<Client>, delete: Statement, mut waiting: mpsc::Receiver<Delete>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<i64> = batch.iter().flat_map(|delete| delete.ids.iter().copied()).collect();
        let done = client.execute(&delete, &[&ids]).await.is_ok();
        for delete in batch.drain(..) {
            delete.done.send(done).ok();
        }
    }
}

async fn answered(done: oneshot::Receiver<bool>) -> Result<(), Failure> {
    match done.await {
        Ok(true) => Ok(()),
        _ => Err(Failure::Unknown),
    }
}

impl Target for Postgres {
    type Handle = i64;

    async fn put(&self, mailbox: u32, payload: Payload) -> Result<(), Failure> {
        let (done, wait) = oneshot::channel();
        let put = Put { mailbox: mailbox as i32, payload, done };
        self.puts.send(put).await.map_err(|_| Failure::Unknown)?;
        answered(wait).await
    }

    async fn fetch(&self, mailbox: u32) -> Result<Vec<Found<i64>>, Failure> {
        let rows =
            self.client.query(&self.fetch, &[&(mailbox as i32)]).await.map_err(|_| Failure::Unknown)?;
        let found = |row: tokio_postgres::Row| {
            let body: &[u8] = row.get(1);
            Found { handle: row.get(0), number: self.payloads.number(body) }
        };
        Ok(rows.into_iter().map(found).collect())
    }

    async fn delete(&self, _: u32, ids: Vec<i64>) -> Result<(), Failure> {
        let (done, wait) = oneshot::channel();
        self.deletes.send(Delete { ids, done }).await.map_err(|_| Failure::Unknown)?;
        answered(wait).await
    }
}
