//! The client's side of a channel.

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::direction::{OpeningKey, SealingKey};
use super::{
    ChannelError, EXPORT_ANSWER_SECRET, EXPORT_ID, EXPORT_REQUEST_KEY, RELAY_NONCE_BYTES, answer_key, fits,
    info,
};
use crate::descriptor::VerifiedDescriptor;
use crate::frame::{ChannelId, ChannelOpening, OuterFrame, TAG_BYTES};
use crate::hpke;
use crate::kem::{CIPHERTEXT_BYTES, KemCiphertext};
use crate::limits::{FIRST_FRAME_BYTES, REQUEST_FRAME_BYTES};
use crate::secret_bytes::SecretBytes;
use crate::time::Day;

/// Bytes of the longest first request: a first frame without its day, encapsulation and tag.
pub const FIRST_REQUEST_BYTES: usize = FIRST_FRAME_BYTES - 4 - CIPHERTEXT_BYTES - TAG_BYTES;
/// Bytes of the longest request after the first, on every carrier.
const REQUEST_BYTES: usize = REQUEST_FRAME_BYTES - 16 - 8 - TAG_BYTES;

/// A channel to one relay, as the client holds it.
pub struct ClientChannel {
    id: ChannelId,
    /// What the first frame carries; gone once it is sealed.
    opening: Option<(Day, KemCiphertext)>,
    requests: SealingKey,
    answers: Answers,
}

enum Answers {
    /// No answer has opened yet.
    Awaited(Box<Zeroizing<[u8; 32]>>),
    /// The relay nonce of the first answer that opened is kept.
    Open(OpeningKey),
}

impl ClientChannel {
    /// A channel to the relay that signed the descriptor. Nothing is sent before the first [`seal`](Self::seal).
    pub fn open(descriptor: &VerifiedDescriptor, rng: &mut impl CryptoRng) -> Self {
        let day = descriptor.descriptor().day;
        let info = info(descriptor.pin(), day);
        let (encapsulation, sender) = hpke::setup_sender(&descriptor.descriptor().request_key, &info, rng);
        Self {
            id: ChannelId(*sender.export(EXPORT_ID)),
            opening: Some((day, encapsulation)),
            requests: SealingKey::new(&sender.export(EXPORT_REQUEST_KEY)),
            answers: Answers::Awaited(Box::new(sender.export(EXPORT_ANSWER_SECRET))),
        }
    }

    /// Names the channel where it goes on over several connections.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Seals the bytes of one request: the first into a frame 3, later ones into frames 4.
    pub fn seal(&mut self, inner: &[u8]) -> Result<OuterFrame, ChannelError> {
        self.seal_as(inner, |_, sealed| OuterFrame::Sealed(sealed))
    }

    /// Like [`seal`](Self::seal); `later` makes the frame of a later request of its counter and sealed bytes.
    pub(crate) fn seal_as(
        &mut self,
        inner: &[u8],
        later: impl FnOnce(u64, Vec<u8>) -> OuterFrame,
    ) -> Result<OuterFrame, ChannelError> {
        fits(inner, if self.opening.is_some() { FIRST_REQUEST_BYTES } else { REQUEST_BYTES })?;
        let counter = self.requests.next();
        let sealed = self.requests.seal(&[], inner)?;
        Ok(match self.opening.take() {
            Some((day, encapsulation)) => OuterFrame::Channel(ChannelOpening { day, encapsulation, sealed }),
            None => later(counter, sealed),
        })
    }

    /// Opens the relay's next answer. A frame that does not open changes nothing.
    pub fn open_answer(&mut self, frame: &OuterFrame) -> Result<SecretBytes, ChannelError> {
        let OuterFrame::Sealed(bytes) = frame else {
            return Err(ChannelError::WrongFrame { kind: frame.kind() });
        };
        match &mut self.answers {
            Answers::Open(key) => key.open(bytes),
            Answers::Awaited(secret) => {
                let (nonce, sealed) =
                    bytes.split_first_chunk::<RELAY_NONCE_BYTES>().ok_or(ChannelError::NotOpened)?;
                let mut key = OpeningKey::new(&answer_key(nonce, secret));
                let inner = key.open(sealed)?;
                self.answers = Answers::Open(key);
                Ok(inner)
            }
        }
    }

    #[cfg(test)]
    pub(super) fn skip_requests_to(&mut self, counter: u64) {
        self.requests.skip_to(counter);
    }
}

impl fmt::Debug for ClientChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientChannel(..)")
    }
}
