//! Outer frames over one bidirectional QUIC stream (docs/spec/wire.md §5), read in order and under a deadline.

use poterne_protocol::frame::{FrameDecoder, FrameError, OuterFrame};
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use tokio::time::{Instant, timeout, timeout_at};

use crate::bounds::{FRAME_TIMEOUT, READ_BYTES, WRITE_TIMEOUT};

/// Why no frame came or left.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The stream ended, between two frames or within one.
    #[error("the stream has ended")]
    Ended,
    /// The peer sent what is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection is lost.
    #[error("the connection is lost")]
    Lost,
    /// The peer is too slow.
    #[error("the peer did not go on in time")]
    Slow,
}

impl From<ReadError> for StreamError {
    fn from(_: ReadError) -> Self {
        Self::Lost
    }
}

impl From<WriteError> for StreamError {
    fn from(_: WriteError) -> Self {
        Self::Lost
    }
}

/// The receiving half.
///
/// Invariant: `due` is set exactly while a frame has begun and is not whole.
pub(crate) struct FrameReader {
    stream: RecvStream,
    decoder: FrameDecoder,
    due: Option<Instant>,
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream, decoder: FrameDecoder) -> Self {
        Self { stream, decoder, due: None }
    }

    /// From now on frames may be as long as those of a channel that stands.
    pub(crate) fn channel_stands(&mut self) {
        self.decoder.channel_stands();
    }

    /// We did not read for a while, by our own choice: the frame that has begun gets its time anew.
    pub(crate) fn was_held_back(&mut self) {
        self.due = None;
    }

    /// The next frame. Waits for its beginning as long as the connection lives, and for all of it until the deadline,
    /// however small the pieces are that it comes in. Nothing is lost where the future is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Result<OuterFrame, StreamError> {
        loop {
            if let Some(frame) = self.decoder.next()? {
                self.due = None;
                return Ok(frame);
            }
            if self.decoder.is_mid_frame() {
                let due = *self.due.get_or_insert_with(|| Instant::now() + FRAME_TIMEOUT);
                timeout_at(due, self.read()).await.map_err(|_| StreamError::Slow)??;
            } else {
                self.read().await?;
            }
        }
    }

    /// The next frame, which must come whole before the deadline.
    pub(crate) async fn next_soon(&mut self) -> Result<OuterFrame, StreamError> {
        timeout(FRAME_TIMEOUT, self.next()).await.map_err(|_| StreamError::Slow)?
    }

    /// Feeds the decoder; waits without holding a buffer.
    #[expect(clippy::disallowed_methods, reason = "this is an ordered read")]
    async fn read(&mut self) -> Result<(), StreamError> {
        match self.stream.read_chunk(READ_BYTES, true).await? {
            Some(chunk) => self.decoder.push(&chunk.bytes),
            None => return Err(StreamError::Ended),
        }
        Ok(())
    }
}

/// Writes all of `bytes`, or gives the peer up.
pub(crate) async fn write(stream: &mut SendStream, bytes: &[u8]) -> Result<(), StreamError> {
    timeout(WRITE_TIMEOUT, stream.write_all(bytes)).await.map_err(|_| StreamError::Slow)??;
    Ok(())
}

/// Writes one frame.
pub(crate) async fn write_frame(stream: &mut SendStream, frame: &OuterFrame) -> Result<(), StreamError> {
    write(stream, &frame.encode()).await
}
