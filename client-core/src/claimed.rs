//! The claimed receipt: "a person has your request", sealed into the answer box (docs/spec/handshake.md §5).
//!
//! nonce 24 | X(4056) + 16 under KDF(nonce, hs, "claimed"); {ver 1, type 1, lease number 4}. Everyone at the desk can
//! make one: it says that some device of the desk holds the lease, and no more.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::kdf;
use rand_core::CryptoRng;

use crate::intake::OpenedRequest;
use crate::labels;
use crate::request::PendingRequest;
use crate::seal::{Nonce, WHOLE_BYTES, nonce, open_whole, seal_whole, split_nonce};
use crate::secret::Secret;

const VERSION: u8 = 1;
const TYPE_CLAIMED: u8 = 1;

/// A device of the desk has leased the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claimed {
    /// The number of the lease, rising per envelope.
    pub lease: u32,
}

/// Why an envelope is no claimed receipt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimedError {
    /// It opened and holds no receipt of this version.
    #[error("the receipt is not of its form: {0}")]
    Decode(#[from] DecodeError),
    /// It does not open as a receipt.
    #[error("the envelope does not open as a receipt")]
    NotOpened,
}

impl OpenedRequest {
    /// Seals the receipt for the answer box.
    pub fn seal_claimed(&self, claimed: Claimed, rng: &mut impl CryptoRng) -> SealedEnvelope {
        let mut writer = Writer::with_capacity(WHOLE_BYTES);
        writer.u8(VERSION).u8(TYPE_CLAIMED).u32(claimed.lease).pad_to(WHOLE_BYTES);
        let nonce = nonce(rng);
        seal_whole(key(&nonce, &self.handshake.secret).expose(), &nonce, writer.as_slice())
    }
}

impl PendingRequest {
    /// Opens a receipt out of the answer box.
    pub fn open_claimed(&self, envelope: &SealedEnvelope) -> Result<Claimed, ClaimedError> {
        let (nonce, _) = split_nonce(envelope);
        let text = open_whole(key(nonce, &self.handshake.secret).expose(), envelope)
            .map_err(|_| ClaimedError::NotOpened)?;
        parse(&text).map_err(ClaimedError::Decode)
    }
}

pub(crate) fn parse(text: &[u8]) -> Result<Claimed, DecodeError> {
    let mut reader = Reader::new(text);
    match (reader.u8()?, reader.u8()?) {
        (VERSION, TYPE_CLAIMED) => Ok(Claimed { lease: reader.u32()? }),
        (VERSION, value) => Err(DecodeError::UnknownType { value }),
        (version, _) => Err(DecodeError::Version { version }),
    }
}

fn key(nonce: &Nonce, handshake: &Secret) -> Secret {
    Secret::from_bytes(&kdf::kdf(nonce, handshake.expose(), labels::CLAIMED, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::ask;

    #[test]
    fn a_receipt_opens_for_the_requester_and_nothing_else_does() {
        let mut it = ask(1);
        let receipt = it.opened.seal_claimed(Claimed { lease: 7 }, &mut it.desk.rng);
        assert_eq!(it.pending.open_claimed(&receipt), Ok(Claimed { lease: 7 }));
        assert_eq!(it.pending.open_claimed(&it.envelope), Err(ClaimedError::NotOpened));
    }

    #[test]
    fn a_receipt_of_another_type_or_version_is_refused() {
        assert_eq!(parse(&[1, 1, 7, 0, 0, 0, 0]), Ok(Claimed { lease: 7 }));
        assert_eq!(parse(&[1, 2, 7, 0, 0, 0, 0]), Err(DecodeError::UnknownType { value: 2 }));
        assert_eq!(parse(&[2, 1, 7, 0, 0, 0, 0]), Err(DecodeError::Version { version: 2 }));
    }
}
