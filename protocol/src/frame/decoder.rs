//! Frames out of a stream of bytes that arrives in pieces.

use super::{FrameError, HEADER_BYTES, OuterFrame, header};
use crate::limits::{FIRST_FRAME_BYTES, OUTER_FRAME_BYTES, REQUEST_FRAME_BYTES};

/// Cuts a stream into frames. Feed it with [`push`](Self::push), then drain [`next`](Self::next) until it has no more.
///
/// When drained like this it holds less than one frame of the state's bound between two pieces, and nothing while the
/// stream is idle. After an error the stream is lost: the same error comes again, and nothing is kept.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
    standing_limit: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A relay's reader of a client's frames: 8 KiB until the channel stands, 16 KiB then.
    pub fn for_relay() -> Self {
        Self::new(REQUEST_FRAME_BYTES)
    }

    /// A client's reader of a relay's frames: 8 KiB until the channel stands, 300 KiB then.
    pub fn for_client() -> Self {
        Self::new(OUTER_FRAME_BYTES)
    }

    fn new(standing_limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit: FIRST_FRAME_BYTES, standing_limit, failed: None }
    }

    /// From now on frames may be as long as those of a channel that stands.
    pub fn channel_stands(&mut self) {
        self.limit = self.standing_limit;
    }

    /// Appends what the stream brought.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.drain(..self.start);
            self.start = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame; nothing until more bytes were pushed.
    #[expect(
        clippy::should_implement_trait,
        reason = "a drained decoder is not at its end, as an iterator would be"
    )]
    pub fn next(&mut self) -> Result<Option<OuterFrame>, FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.cut().inspect_err(|error| self.fail(*error)),
        }
    }

    fn cut(&mut self) -> Result<Option<OuterFrame>, FrameError> {
        let unread = &self.buffer[self.start..];
        let Some((kind, body_bytes)) = header(unread, self.limit)? else {
            return Ok(None);
        };
        let Some(body) = unread.get(HEADER_BYTES..HEADER_BYTES + body_bytes) else {
            return Ok(None);
        };
        let frame = OuterFrame::from_body(kind, body)?;
        self.start += HEADER_BYTES + body_bytes;
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        }
        Ok(Some(frame))
    }

    fn fail(&mut self, error: FrameError) {
        self.failed = Some(error);
        self.buffer = Vec::new();
        self.start = 0;
    }

    /// Bytes of memory that it holds now, for counting what connections cost.
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether a frame has begun and not ended: a stream that ends here was cut off.
    pub fn is_mid_frame(&self) -> bool {
        self.start < self.buffer.len()
    }
}
