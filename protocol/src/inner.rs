//! Inner frames: the bytes of requests and answers inside a channel (docs/spec/wire.md §6).
//!
//! A request is number u32 ‖ op u8 ‖ body ‖ TLVs, an answer number u32 ‖ status u8 ‖ body ‖ TLVs. Every body ends by
//! itself, so that TLVs can follow; none are defined yet. A status names one variant of [`Answer`]: an answer is read
//! without knowing what was asked.
//!
//! Invariants: decoding enforces every bound of [`crate::limits`], allocates only what the input really holds, and
//! keeps the number of a request that it refuses, so that the relay can answer it.

mod answer;
mod fields;
mod request;

use crate::codec::{DecodeError, Reader};
use crate::op::{Answer, Request};
use crate::secret_bytes::SecretBytes;

/// Why an inner frame cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InnerError {
    /// The frame tells its number, and nothing else of it can be used.
    #[error("inner frame {number} is refused: {error}")]
    Body {
        /// The number of the request.
        number: u32,
        /// What is wrong behind it.
        error: DecodeError,
    },
    /// The frame is too short to hold a number.
    #[error("an inner frame has at least 4 bytes, this one has {actual}")]
    Number {
        /// How many bytes there are.
        actual: usize,
    },
}

impl InnerError {
    /// What a relay answers to a request that it could not decode; nothing where there is no number to answer to.
    pub fn answer(&self) -> Option<(u32, Answer)> {
        match self {
            Self::Body { number, error: DecodeError::UnknownType { .. } } => {
                Some((*number, Answer::Unsupported))
            }
            Self::Body { number, .. } => Some((*number, Answer::Malformed)),
            Self::Number { .. } => None,
        }
    }
}

/// The bytes of a request. They hold relay forms, so they are wiped on drop.
///
/// # Panics
/// Where a list is longer than 255 entries or a payment longer than 65,535 bytes; the relay refuses far less.
pub fn encode_request(number: u32, request: &Request) -> SecretBytes {
    request::encode(number, request)
}

/// Reads a request. An operation that is not known is [`Request::Unknown`], whatever follows it.
pub fn decode_request(bytes: &[u8]) -> Result<(u32, Request), InnerError> {
    decode(bytes, request::decode)
}

/// The bytes of an answer. They can hold a lease token, so they are wiped on drop.
///
/// # Panics
/// Where a list is longer than 255 entries.
pub fn encode_answer(number: u32, answer: &Answer) -> SecretBytes {
    answer::encode(number, answer)
}

/// Reads an answer. An unknown status is an error that keeps the number.
pub fn decode_answer(bytes: &[u8]) -> Result<(u32, Answer), InnerError> {
    decode(bytes, answer::decode)
}

fn decode<T>(
    bytes: &[u8],
    body: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<(u32, T), InnerError> {
    let mut reader = Reader::new(bytes);
    let number = reader.u32().map_err(|_| InnerError::Number { actual: bytes.len() })?;
    match body(&mut reader) {
        Ok(value) => Ok((number, value)),
        Err(error) => Err(InnerError::Body { number, error }),
    }
}

#[cfg(test)]
mod tests;
