//! One stream: at first frames in the clear, then one channel, whose requests run side by side.
//!
//! One task owns the stream. It reads on only while fewer requests than allowed are under way, and not while it writes:
//! a client that sends faster than it is served, or that does not read, is held back by the stream's own windows.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use poterne_protocol::channel::{AcceptError, RelayChannel};
use poterne_protocol::frame::{ChannelOpening, Fault, FrameDecoder, OuterFrame};
use poterne_protocol::inner::{InnerError, decode_request, encode_answer};
use poterne_protocol::limits::FETCH_ENVELOPES;
use poterne_protocol::op::{Answer, Claim, Fetch, Request};
use poterne_protocol::secret_bytes::SecretBytes;
use quinn::{RecvStream, SendStream, VarInt};
use rand_core::UnwrapErr;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};

use super::budget::{Account, Budget, Hold};
use super::{Event, Service, Shared, Source, has_begun};
use crate::bounds::{FRAMES_BEFORE_CHANNEL, STALL_TIMEOUT, WRITE_BATCH_BYTES, WRITE_PIECE_BYTES};
use crate::frames::{FrameReader, StreamError, write, write_frame};
use crate::network::Network;

/// Between two looks whether the channel's request key still lives.
const KEY_CHECK: Duration = Duration::from_secs(60);
/// Until a request must be answered, the longest wait of a fetch included. Beyond, the channel ends without an answer:
/// the outcome is unknown, and the client repeats.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// Until all that was asked of a draining relay must have been answered; a part of the ten seconds of a drain.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);
/// Silence after which a draining channel counts as drained.
const DRAIN_SILENCE: Duration = Duration::from_millis(200);
/// What is told to those who ask a draining relay: until it is back.
const DRAIN_RETRY_SECS: u16 = 5;
/// What is told to those for whose request or answer there is no room.
const BUSY_RETRY_SECS: u16 = 2;
/// Between two looks whether others wait for the room of a write that stalls.
const STALL_CHECK: Duration = Duration::from_millis(250);
/// The code with which a stream is given up whose reader does not read.
const TOO_SLOW: VarInt = VarInt::from_u32(1);
/// Until the last bytes must have reached the client.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection, with what it holds for its client.
#[derive(Clone)]
pub(super) struct Accounts {
    source: Source,
    answers: Arc<Account>,
    requests: Arc<Account>,
}

impl Accounts {
    /// Accounts that hold nothing.
    pub(super) fn open(source: Source, answers: &Arc<Budget>, requests: &Arc<Budget>) -> Self {
        Self { source, answers: answers.open(), requests: requests.open() }
    }
}

/// Serves a stream to its end. Says whether a channel stood on it.
pub(super) async fn serve<S: Service>(
    shared: Arc<Shared<S>>,
    send: SendStream,
    receive: RecvStream,
    network: Network,
    accounts: Accounts,
) -> bool {
    let reader = FrameReader::new(receive, FrameDecoder::for_relay());
    let mut stream = Stream { shared, reader, send, accounts, stood: false, draining: false };
    let outcome = stream.serve(network).await;
    if is_fault(&outcome) {
        stream.shared.service.note(Event::StreamFault);
    }
    let stood = stream.stood;
    match outcome {
        Err(StreamError::Slow) => stream.abandon(),
        _ => stream.finish().await,
    }
    stood
}

/// Whether the peer did something wrong: an end or a loss is nobody's fault.
fn is_fault(outcome: &Result<(), StreamError>) -> bool {
    matches!(outcome, Err(StreamError::Frame(_) | StreamError::Slow))
}

/// Bytes on their way to the client. Boxed, because a channel that waits for hours would carry the room of its writing
/// with it, once for each place that writes.
type Writing<'a> = Pin<Box<dyn Future<Output = Result<(), StreamError>> + Send + 'a>>;

struct Stream<S> {
    shared: Arc<Shared<S>>,
    reader: FrameReader,
    send: SendStream,
    accounts: Accounts,
    /// A channel stands, or has stood.
    stood: bool,
    draining: bool,
}

/// A channel whose first request was opened.
type Accepted = (RelayChannel, SecretBytes);

/// Why there is no channel.
enum Refused {
    Accept(AcceptError),
    Busy,
}

impl Refused {
    fn fault(&self) -> Fault {
        match self {
            Self::Accept(error) => error.fault(),
            Self::Busy => Fault::Busy,
        }
    }

    fn event(&self) -> Event {
        match self {
            Self::Accept(_) => Event::ChannelRefused,
            Self::Busy => Event::ChannelBusy,
        }
    }
}

impl<S: Service> Stream<S> {
    async fn serve(&mut self, network: Network) -> Result<(), StreamError> {
        // Boxed, because a channel that stands for hours would carry the room of its opening with it.
        let Some((channel, first)) = Box::pin(self.open(network)).await? else {
            return Ok(());
        };
        self.reader.channel_stands();
        self.stood = true;
        self.shared.service.note(Event::ChannelOpened);
        let mut channel = Channel { stream: self, channel, calls: JoinSet::new() };
        let outcome = match channel.begin(&first).await {
            Ok(()) => {
                drop(first);
                channel.run().await
            }
            failed => failed,
        };
        self.shared.service.note(Event::ChannelClosed);
        outcome
    }

    /// Answers what may come before a channel: the wish for a descriptor, and openings that fail.
    async fn open(&mut self, network: Network) -> Result<Option<Accepted>, StreamError> {
        let mut draining = self.shared.draining.clone();
        for _ in 0..FRAMES_BEFORE_CHANNEL {
            let frame = tokio::select! {
                frame = self.reader.next_soon() => self.told_of_faults(frame).await?,
                () = has_begun(&mut draining) => return Ok(None),
            };
            match frame {
                OuterFrame::DescriptorWanted => {
                    let descriptor = self.shared.service.descriptor().to_vec();
                    write_frame(&mut self.send, &OuterFrame::Descriptor(descriptor)).await?;
                }
                OuterFrame::Channel(opening) => match self.accept(opening, network).await {
                    Ok(accepted) => return Ok(Some(accepted)),
                    Err(refused) => {
                        self.shared.service.note(refused.event());
                        self.fault(refused.fault()).await?;
                    }
                },
                _ => return self.fault(Fault::ChannelUnknown).await.map(|()| None),
            }
        }
        Ok(None)
    }

    /// Tells the client of a frame that is too large; passes everything on.
    async fn told_of_faults<T>(&mut self, read: Result<T, StreamError>) -> Result<T, StreamError> {
        if let Err(StreamError::Frame(_)) = &read {
            self.fault(Fault::TooLarge).await?;
        }
        read
    }

    async fn accept(&self, opening: ChannelOpening, network: Network) -> Result<Accepted, Refused> {
        let keys = self.shared.service.keys();
        let job = move || {
            let mut rng = UnwrapErr(getrandom::SysRng);
            RelayChannel::accept(&keys, &opening, &mut rng)
        };
        let waiting = self.shared.pool.submit(network, job).map_err(|_| Refused::Busy)?;
        match waiting.await {
            Ok(accepted) => accepted.map_err(Refused::Accept),
            Err(_) => Err(Refused::Busy),
        }
    }

    fn fault(&mut self, fault: Fault) -> Writing<'_> {
        Box::pin(async move { write_frame(&mut self.send, &OuterFrame::Fault(fault)).await })
    }

    /// Writes in pieces, each under its deadline. A reader that stands still is given up sooner where others wait for the
    /// room that its answers take.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Writing<'a> {
        Box::pin(async move {
            for piece in bytes.chunks(WRITE_PIECE_BYTES) {
                tokio::select! {
                    written = write(&mut self.send, piece) => written?,
                    () = is_in_the_way(self.accounts.answers.budget()) => return Err(StreamError::Slow),
                }
            }
            Ok(())
        })
    }

    /// Drops what the client does not take.
    fn abandon(&mut self) {
        // The stream may have ended meanwhile.
        self.send.reset(TOO_SLOW).ok();
    }

    /// Ends our half and lets the last bytes arrive.
    async fn finish(&mut self) {
        if self.send.finish().is_ok() {
            timeout(FINISH_TIMEOUT, self.send.stopped()).await.ok();
        }
    }
}

/// A channel that stands, with the calls that are under way.
struct Channel<'a, S> {
    stream: &'a mut Stream<S>,
    channel: RelayChannel,
    calls: JoinSet<Option<Answered>>,
}

/// An answer, with the room that it takes until the client has it.
struct Answered {
    number: u32,
    answer: Answer,
    room: Option<Hold>,
}

/// Ready when a write has stood still for a while and others wait for room.
async fn is_in_the_way(budget: &Budget) {
    sleep(STALL_TIMEOUT).await;
    while !budget.is_short() {
        sleep(STALL_CHECK).await;
    }
}

impl<S: Service> Channel<'_, S> {
    async fn run(&mut self) -> Result<(), StreamError> {
        let mut draining = self.stream.shared.draining.clone();
        let mut key_checks = interval(KEY_CHECK);
        loop {
            let may_read = self.calls.len() < self.stream.shared.limits.requests_per_channel;
            if !may_read {
                self.stream.reader.was_held_back();
            }
            tokio::select! {
                frame = self.stream.reader.next(), if may_read => match frame {
                    Ok(frame) => self.take(&frame).await?,
                    Err(StreamError::Ended) => return self.answer_all().await,
                    error => return self.stream.told_of_faults(error).await.map(drop),
                },
                Some(call) = self.calls.join_next() => self.answer(call).await?,
                _ = key_checks.tick() => self.end_with_key().await?,
                () = has_begun(&mut draining) => return Box::pin(self.drain()).await,
            }
        }
    }

    /// Ends the channel once its request key is erased: its keys would open what was recorded under that.
    async fn end_with_key(&mut self) -> Result<(), StreamError> {
        match self.stream.shared.service.keys().secret(self.channel.day()) {
            Some(_) => Ok(()),
            None => self.end_as_unknown().await,
        }
    }

    async fn end_as_unknown(&mut self) -> Result<(), StreamError> {
        self.stream.fault(Fault::ChannelUnknown).await?;
        Err(StreamError::Ended)
    }

    /// Opens and begins one request. A frame that does not open ends the channel: it was not the client's next one.
    async fn take(&mut self, frame: &OuterFrame) -> Result<(), StreamError> {
        match self.channel.open_request(frame) {
            Ok(inner) => self.begin(&inner).await,
            Err(_) => self.end_as_unknown().await,
        }
    }

    async fn begin(&mut self, inner: &[u8]) -> Result<(), StreamError> {
        match decode_request(inner) {
            Ok((number, _)) if self.stream.draining => {
                self.write(number, &Answer::Busy { retry_after_secs: DRAIN_RETRY_SECS }).await
            }
            Ok((number, request)) => match self.stream.accounts.requests.take(inner.len().div_ceil(1024)) {
                Some(hold) => {
                    let (service, accounts) = (self.stream.shared.service.clone(), &self.stream.accounts);
                    let answers = accounts.answers.clone();
                    self.calls.spawn(call(service, accounts.source, answers, number, request, hold));
                    Ok(())
                }
                None => self.write(number, &Answer::Busy { retry_after_secs: BUSY_RETRY_SECS }).await,
            },
            Err(error) => self.refuse(&error).await,
        }
    }

    /// Answers a request that could not be decoded, where it has a number to answer to.
    async fn refuse(&mut self, error: &InnerError) -> Result<(), StreamError> {
        match error.answer() {
            Some((number, answer)) => self.write(number, &answer).await,
            None => Err(StreamError::Ended),
        }
    }

    async fn write(&mut self, number: u32, answer: &Answer) -> Result<(), StreamError> {
        let sealed = self.seal(number, answer)?;
        self.stream.write(&sealed).await
    }

    fn seal(&mut self, number: u32, answer: &Answer) -> Result<Vec<u8>, StreamError> {
        // A channel that is exhausted ends; the client opens another one.
        let frame = self.channel.seal(&encode_answer(number, answer)).map_err(|_| StreamError::Ended)?;
        Ok(frame.encode())
    }

    /// Writes the answer of a call that has ended, together with those that are ready beside it.
    async fn answer(&mut self, call: Ended) -> Result<(), StreamError> {
        let (mut batch, mut rooms) = (Vec::new(), Vec::new());
        let mut next = Some(call);
        while let Some(call) = next {
            let Answered { number, answer, room } = answer_of(call)?;
            batch.extend(self.seal(number, &answer)?);
            rooms.push(room);
            next = if batch.len() < WRITE_BATCH_BYTES { self.calls.try_join_next() } else { None };
        }
        let written = self.stream.write(&batch).await;
        drop(rooms);
        written
    }

    async fn answer_all(&mut self) -> Result<(), StreamError> {
        while let Some(call) = self.calls.join_next().await {
            self.answer(call).await?;
        }
        Ok(())
    }

    /// Answers what was asked, turns away what is still asked, and ends when the client is silent.
    async fn drain(&mut self) -> Result<(), StreamError> {
        self.stream.draining = true;
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        timeout_at(deadline, self.drain_until_silent()).await.unwrap_or(Ok(()))
    }

    async fn drain_until_silent(&mut self) -> Result<(), StreamError> {
        loop {
            tokio::select! {
                frame = timeout(DRAIN_SILENCE, self.stream.reader.next()) => match frame {
                    Ok(frame) => self.take(&frame?).await?,
                    Err(_) if self.calls.is_empty() => return Ok(()),
                    Err(_) => {}
                },
                Some(call) = self.calls.join_next() => self.answer(call).await?,
            }
        }
    }
}

/// How a call's task ended.
type Ended = Result<Option<Answered>, tokio::task::JoinError>;

/// A call that panicked or took too long has an unknown outcome: the channel ends with it.
fn answer_of(call: Ended) -> Result<Answered, StreamError> {
    call.ok().flatten().ok_or(StreamError::Ended)
}

async fn call<S: Service>(
    service: Arc<S>,
    source: Source,
    answers: Arc<Account>,
    number: u32,
    request: Request,
    held: Hold,
) -> Option<Answered> {
    let answered = pin!(async {
        match request {
            Request::Fetch(fetch) if fetch.max > 0 => call_fetch(&*service, source, &answers, fetch).await,
            // Boxed, as what comes behind a wait is: a fetch that waits for hours would carry their room with it.
            Request::Claim(claim) => Box::pin(call_claim(&*service, source, &answers, claim)).await,
            request => (Box::pin(service.call(source, request)).await, None),
        }
    });
    let (answer, room) = timeout(REQUEST_TIMEOUT, answered).await.ok()?;
    drop(held);
    Some(Answered { number, answer, room })
}

/// Waits for news without holding anything, then for room, and only then reads: as many envelopes as there is room for.
async fn call_fetch<S: Service>(
    service: &S,
    source: Source,
    answers: &Arc<Account>,
    mut fetch: Fetch,
) -> (Answer, Option<Hold>) {
    if fetch.wait_secs > 0 {
        if let Some(refusal) = service.news(source, &fetch).await {
            return (refusal, None);
        }
        fetch.wait_secs = 0;
    }
    let wanted = fetch.max.min(FETCH_ENVELOPES);
    let Some(room) = answers.take_some(usize::from(wanted)).await else {
        return (Answer::Busy { retry_after_secs: BUSY_RETRY_SECS }, None);
    };
    fetch.max = u16::try_from(room.units()).unwrap_or(wanted);
    (Box::pin(service.call(source, Request::Fetch(fetch))).await, Some(room))
}

async fn call_claim<S: Service>(
    service: &S,
    source: Source,
    answers: &Arc<Account>,
    claim: Claim,
) -> (Answer, Option<Hold>) {
    match answers.take_some(1).await {
        room @ Some(_) => (service.call(source, Request::Claim(claim)).await, room),
        None => (Answer::Busy { retry_after_secs: BUSY_RETRY_SECS }, None),
    }
}
