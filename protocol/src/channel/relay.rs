//! The relay's side of a channel.

use core::fmt;

use rand_core::CryptoRng;

use super::direction::{OpeningKey, SealingKey};
use super::request_keys::RequestKeys;
use super::{
    ChannelError, EXPORT_ANSWER_SECRET, EXPORT_ID, EXPORT_REQUEST_KEY, RELAY_NONCE_BYTES, answer_key, fits,
    info,
};
use crate::frame::{ChannelId, ChannelOpening, Fault, OuterFrame, TAG_BYTES};
use crate::hpke;
use crate::limits::OUTER_FRAME_BYTES;
use crate::secret_bytes::SecretBytes;
use crate::time::Day;

/// Bytes of the longest answer: an outer frame without the relay nonce and the tag.
const ANSWER_BYTES: usize = OUTER_FRAME_BYTES - RELAY_NONCE_BYTES - TAG_BYTES;

/// Why an opening is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AcceptError {
    /// There is no key of that day: the client's descriptor is too old, or the relay's clock is behind.
    #[error("there is no request key of day {day}")]
    KeyUnknown {
        /// The day in the frame.
        day: Day,
    },
    /// The encapsulation is refused or the request does not open: made for another key of that day, or nonsense.
    #[error("the opening does not open")]
    NotOpened,
}

impl AcceptError {
    /// What the relay answers: in both cases a newer descriptor may help.
    pub fn fault(&self) -> Fault {
        Fault::KeyUnknown
    }
}

/// A channel from one client, as the relay holds it.
pub struct RelayChannel {
    id: ChannelId,
    day: Day,
    requests: OpeningKey,
    answers: SealingKey,
    /// Stands in front of the first answer; gone once that is sealed.
    nonce: Option<[u8; RELAY_NONCE_BYTES]>,
}

impl RelayChannel {
    /// Accepts a frame 3 and opens its request. Costs a decapsulation: run it in the pool for strangers.
    ///
    /// A replayed frame is accepted like any other. It gets an answer key of its own, which only the client that made
    /// the encapsulation can derive, and its request is safe to repeat.
    pub fn accept(
        keys: &RequestKeys,
        opening: &ChannelOpening,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, SecretBytes), AcceptError> {
        let day = opening.day;
        let secret = keys.secret(day).ok_or(AcceptError::KeyUnknown { day })?;
        let context = hpke::setup_receiver(secret, &opening.encapsulation, &info(keys.pin(), day))
            .map_err(|_| AcceptError::NotOpened)?;
        let mut requests = OpeningKey::new(&context.export(EXPORT_REQUEST_KEY));
        let inner = requests.open(&opening.sealed).map_err(|_| AcceptError::NotOpened)?;
        let mut nonce = [0; RELAY_NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let answers = SealingKey::new(&answer_key(&nonce, &context.export(EXPORT_ANSWER_SECRET)));
        let id = ChannelId(*context.export(EXPORT_ID));
        Ok((Self { id, day, requests, answers, nonce: Some(nonce) }, inner))
    }

    /// Names the channel where it goes on over several connections.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// The day of the request key that it was opened with. When that key is erased the relay ends the channel:
    /// otherwise its keys would open what was recorded before.
    pub fn day(&self) -> Day {
        self.day
    }

    /// Opens the client's next request (a frame 4). A frame that does not open changes nothing.
    pub fn open_request(&mut self, frame: &OuterFrame) -> Result<SecretBytes, ChannelError> {
        match frame {
            OuterFrame::Sealed(sealed) => self.requests.open(sealed),
            _ => Err(ChannelError::WrongFrame { kind: frame.kind() }),
        }
    }

    /// The counter of the next request.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.next()
    }

    /// Opens the sealed part of the next request.
    pub(crate) fn open_sealed(&mut self, sealed: &[u8]) -> Result<SecretBytes, ChannelError> {
        self.requests.open(sealed)
    }

    /// Seals the bytes of one answer into a frame 4. The first one begins with the relay nonce.
    pub fn seal(&mut self, inner: &[u8]) -> Result<OuterFrame, ChannelError> {
        fits(inner, ANSWER_BYTES)?;
        let front = self.nonce.as_ref().map_or(&[][..], |nonce| &nonce[..]);
        let sealed = self.answers.seal(front, inner)?;
        self.nonce = None;
        Ok(OuterFrame::Sealed(sealed))
    }

    #[cfg(test)]
    pub(super) fn skip_requests_to(&mut self, counter: u64) {
        self.requests.skip_to(counter);
    }
}

impl fmt::Debug for RelayChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayChannel(..)")
    }
}
