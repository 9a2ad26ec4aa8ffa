//! A channel to one relay, with many calls under way (docs/spec/transport.md §5).
//!
//! Two tasks own the halves of the stream, so that answers are read while requests are written. Calls carry numbers;
//! answers come in any order. When the stream is lost every call ends with the same word: the outcome is unknown, and
//! the same request may be repeated.
//!
//! Invariant: the writer alone seals, in the order of its writing, and the reader alone opens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use poterne_protocol::channel::ClientChannel;
use poterne_protocol::inner::{decode_answer, encode_request};
use poterne_protocol::limits::REQUESTS_UNDER_WAY;
use poterne_protocol::op::{Answer, HelloAnswer, Request};
use poterne_protocol::secret_bytes::SecretBytes;
use quinn::{Connection, Endpoint, SendStream, VarInt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::bounds::{CALL_TIMEOUT, CLOSE_TIMEOUT, WRITE_BATCH_BYTES};
use crate::dial::HELLO_NUMBER;
use crate::frames::{FrameReader, StreamError, write};

/// The code with which a client closes its connection.
const DONE: VarInt = VarInt::from_u32(0);

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The connection is lost. Whether the relay did it is unknown: dial again and repeat.
    #[error("the connection to the relay is lost")]
    Lost,
    /// No answer in time. Whether the relay did it is unknown: repeat.
    #[error("the relay did not answer in time")]
    Timeout,
    /// The request does not fit into a frame: it was not sent. The caller asked for too much at once.
    #[error("the request is too large")]
    TooLarge,
}

/// A channel that stands. Cheap to share; the connection ends with the last copy.
#[derive(Clone)]
pub struct RelayClient {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    connection: Connection,
    hello: HelloAnswer,
    places: Arc<Semaphore>,
    outgoing: mpsc::Sender<Outgoing>,
    waiting: Arc<Waiting>,
    tasks: [JoinHandle<()>; 2],
}

/// A request on its way to the writer.
struct Outgoing {
    number: u32,
    inner: SecretBytes,
}

impl RelayClient {
    /// Takes over a stream on which a channel stands.
    pub(crate) fn start(
        endpoint: Endpoint,
        connection: Connection,
        send: SendStream,
        reader: FrameReader,
        channel: ClientChannel,
        hello: HelloAnswer,
    ) -> Self {
        let (outgoing, queue) = mpsc::channel(REQUESTS_UNDER_WAY);
        let waiting = Arc::new(Waiting::default());
        let channel = Arc::new(Mutex::new(channel));
        let tasks = [
            tokio::spawn(write_requests(send, channel.clone(), queue, waiting.clone())),
            tokio::spawn(read_answers(reader, channel, waiting.clone())),
        ];
        let places = Arc::new(Semaphore::new(REQUESTS_UNDER_WAY));
        Self { inner: Arc::new(Inner { endpoint, connection, hello, places, outgoing, waiting, tasks }) }
    }

    /// What the relay said when the channel began.
    pub fn hello(&self) -> &HelloAnswer {
        &self.inner.hello
    }

    /// Whether the channel is lost: calls fail, and a new dial is needed.
    pub fn is_lost(&self) -> bool {
        self.inner.waiting.lock().is_lost
    }

    /// Carries out one request; many may be under way. Dropping the future gives the answer up, not the request.
    pub async fn call(&self, request: &Request) -> Result<Answer, CallError> {
        let answer = self.call_patiently(request);
        timeout(patience(request), answer).await.unwrap_or(Err(CallError::Timeout))
    }

    async fn call_patiently(&self, request: &Request) -> Result<Answer, CallError> {
        let place = self.inner.places.clone().acquire_owned().await.map_err(|_| CallError::Lost)?;
        let (number, answer) = self.inner.waiting.add(place)?;
        let inner = encode_request(number, request);
        self.inner.outgoing.send(Outgoing { number, inner }).await.map_err(|_| CallError::Lost)?;
        answer.await.unwrap_or(Err(CallError::Lost))
    }

    /// Closes the connection and waits until the relay can know of it.
    pub async fn close(self) {
        self.inner.connection.close(DONE, b"");
        timeout(CLOSE_TIMEOUT, self.inner.endpoint.wait_idle()).await.ok();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.connection.close(DONE, b"");
    }
}

/// The time that a call may take: a fetch waits by itself.
fn patience(request: &Request) -> Duration {
    match request {
        Request::Fetch(fetch) => CALL_TIMEOUT + Duration::from_secs(u64::from(fetch.wait_secs)),
        _ => CALL_TIMEOUT,
    }
}

type Outcome = Result<Answer, CallError>;

/// The calls that wait for their answers, by number.
#[derive(Default)]
struct Waiting(Mutex<WaitingCalls>);

#[derive(Default)]
struct WaitingCalls {
    last_number: u32,
    is_lost: bool,
    calls: BTreeMap<u32, Call>,
}

struct Call {
    answer: oneshot::Sender<Outcome>,
    /// A call that its caller gave up keeps its place until the relay has answered: the relay still works on it.
    _place: OwnedSemaphorePermit,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, WaitingCalls> {
        self.0.lock().expect("nothing panics while it holds the calls")
    }

    fn add(&self, place: OwnedSemaphorePermit) -> Result<(u32, oneshot::Receiver<Outcome>), CallError> {
        let mut waiting = self.lock();
        if waiting.is_lost {
            return Err(CallError::Lost);
        }
        let (answer, receiver) = oneshot::channel();
        let number = waiting.free_number();
        waiting.calls.insert(number, Call { answer, _place: place });
        Ok((number, receiver))
    }

    fn end(&self, number: u32, outcome: Outcome) {
        if let Some(call) = self.lock().calls.remove(&number) {
            // A caller that is gone wants no answer.
            call.answer.send(outcome).ok();
        }
    }

    fn lose_all(&self) {
        let calls = {
            let mut waiting = self.lock();
            waiting.is_lost = true;
            std::mem::take(&mut waiting.calls)
        };
        drop(calls);
    }
}

impl WaitingCalls {
    /// The next number that no call uses, once the numbers have gone round.
    fn free_number(&mut self) -> u32 {
        loop {
            self.last_number = self.last_number.wrapping_add(1);
            if self.last_number != HELLO_NUMBER && !self.calls.contains_key(&self.last_number) {
                return self.last_number;
            }
        }
    }
}

async fn write_requests(
    mut send: SendStream,
    channel: Arc<Mutex<ClientChannel>>,
    mut queue: mpsc::Receiver<Outgoing>,
    waiting: Arc<Waiting>,
) {
    while let Some(first) = queue.recv().await {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(outgoing) = next {
            seal_into(&mut batch, &channel, &outgoing, &waiting);
            next = if batch.len() < WRITE_BATCH_BYTES { queue.try_recv().ok() } else { None };
        }
        if write(&mut send, &batch).await.is_err() {
            break;
        }
    }
    waiting.lose_all();
}

fn seal_into(batch: &mut Vec<u8>, channel: &Mutex<ClientChannel>, outgoing: &Outgoing, waiting: &Waiting) {
    let sealed = channel.lock().expect("nothing panics while it seals").seal(&outgoing.inner);
    match sealed {
        Ok(frame) => batch.extend(frame.encode()),
        Err(poterne_protocol::channel::ChannelError::TooLarge { .. }) => {
            waiting.end(outgoing.number, Err(CallError::TooLarge));
        }
        Err(_) => waiting.lose_all(),
    }
}

async fn read_answers(mut reader: FrameReader, channel: Arc<Mutex<ClientChannel>>, waiting: Arc<Waiting>) {
    while let Ok((number, answer)) = next_answer(&mut reader, &channel).await {
        waiting.end(number, Ok(answer));
    }
    waiting.lose_all();
}

/// The next answer. Whatever is not one ends the channel: a fault, a frame that does not open, an unknown status.
async fn next_answer(
    reader: &mut FrameReader,
    channel: &Mutex<ClientChannel>,
) -> Result<(u32, Answer), StreamError> {
    let frame = reader.next().await?;
    let opened = channel.lock().expect("nothing panics while it opens").open_answer(&frame);
    decode_answer(&opened.map_err(|_| StreamError::Ended)?).map_err(|_| StreamError::Ended)
}
