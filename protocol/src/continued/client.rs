//! The client's side: one request at a time, kept until its answer opened.

use rand_core::CryptoRng;

use crate::channel::{ChannelError, ClientChannel};
use crate::descriptor::VerifiedDescriptor;
use crate::frame::{Continued, OuterFrame};
use crate::secret_bytes::SecretBytes;

/// Why no request can be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The channel cannot seal it.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The last request has no answer yet: repeat that one.
    #[error("the last request of this channel has no answer yet")]
    Waiting,
}

/// A channel to a relay over connections that come and go.
///
/// After a fault *channel unknown* or *key unknown* it is dropped, and its operation repeated in a new one.
#[derive(Debug)]
pub struct ContinuedClient {
    channel: ClientChannel,
    waiting: Option<OuterFrame>,
}

impl ContinuedClient {
    /// A channel to the relay that signed the descriptor.
    pub fn open(descriptor: &VerifiedDescriptor, rng: &mut impl CryptoRng) -> Self {
        Self { channel: ClientChannel::open(descriptor, rng), waiting: None }
    }

    /// Seals the bytes of a request. The frame is kept, to be repeated, until its answer has opened.
    pub fn request(&mut self, inner: &[u8]) -> Result<&OuterFrame, RequestError> {
        if self.waiting.is_some() {
            return Err(RequestError::Waiting);
        }
        let channel = self.channel.id();
        let continued = |counter, sealed| OuterFrame::Continued(Continued { channel, counter, sealed });
        let frame = self.channel.seal_as(inner, continued)?;
        Ok(self.waiting.insert(frame))
    }

    /// The request that has no answer yet, to send it again over another connection.
    pub fn waiting(&self) -> Option<&OuterFrame> {
        self.waiting.as_ref()
    }

    /// Opens the answer to the request that waits. What does not open changes nothing: the request still waits.
    pub fn open_answer(&mut self, frame: &OuterFrame) -> Result<SecretBytes, ChannelError> {
        if self.waiting.is_none() {
            return Err(ChannelError::NotOpened);
        }
        let inner = self.channel.open_answer(frame)?;
        self.waiting = None;
        Ok(inner)
    }
}
