//! Outer frames: what a carrier sees of a channel (docs/spec/wire.md §5).
//!
//! A frame is type u8 ‖ length u24 ‖ body. Its length is judged before its body is awaited, so nobody makes a reader
//! hold more than the bound of its state. On a stream frames follow one another ([`FrameDecoder`]); over POST a body is
//! one frame ([`OuterFrame::decode`]).

mod decoder;

use core::fmt;

pub use decoder::FrameDecoder;

use crate::codec::{DecodeError, Reader, Writer};
use crate::kem::{CIPHERTEXT_BYTES, KemCiphertext};
use crate::time::Day;

/// Bytes of a frame in front of its body.
pub const HEADER_BYTES: usize = 4;
/// Bytes of the tag that ends each sealed part (RFC 8439).
pub const TAG_BYTES: usize = 16;

/// One frame as it stands on the wire. Sealed parts end with a tag of 16 bytes.
#[derive(Clone, Eq, PartialEq)]
pub enum OuterFrame {
    /// 3: the beginning of a channel with its first sealed request.
    Channel(ChannelOpening),
    /// 5: a request of a channel that goes on over several connections.
    Continued(Continued),
    /// 2: a descriptor, as the relay signed it ([`crate::descriptor`]).
    Descriptor(Vec<u8>),
    /// 1: asks for the descriptor.
    DescriptorWanted,
    /// 6: the relay cannot go on; not authenticated.
    Fault(Fault),
    /// 4: a request or answer of a channel that stands.
    Sealed(Vec<u8>),
}

/// The body of a frame 3.
#[derive(Clone, Eq, PartialEq)]
pub struct ChannelOpening {
    /// The day of the request key.
    pub day: Day,
    /// To that key.
    pub encapsulation: KemCiphertext,
    /// The first request, sealed.
    pub sealed: Vec<u8>,
}

/// The body of a frame 5.
#[derive(Clone, Eq, PartialEq)]
pub struct Continued {
    /// Which channel.
    pub channel: ChannelId,
    /// The counter under which the request is sealed.
    pub counter: u64,
    /// The request, sealed.
    pub sealed: Vec<u8>,
}

/// Names a channel that goes on over several connections: 16 bytes that both sides export from its keys.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelId(pub [u8; 16]);

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelId(..)")
    }
}

/// Why a relay cannot go on. Nobody vouches for it: it may make a client fetch the descriptor or encapsulate anew, once
/// for each dial, and never changes what the client believes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// 3: too many at once; come again.
    Busy,
    /// 2: this channel is not, or no longer, held here.
    ChannelUnknown,
    /// 1: the relay has no key of that day, or another one.
    KeyUnknown,
    /// A code that this build does not know.
    Other(u8),
    /// 4: the frame is longer than the relay takes in this state.
    TooLarge,
}

impl Fault {
    /// The fault of that code.
    pub fn of(code: u8) -> Self {
        match code {
            1 => Self::KeyUnknown,
            2 => Self::ChannelUnknown,
            3 => Self::Busy,
            4 => Self::TooLarge,
            other => Self::Other(other),
        }
    }

    /// Its code on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::KeyUnknown => 1,
            Self::ChannelUnknown => 2,
            Self::Busy => 3,
            Self::TooLarge => 4,
            Self::Other(code) => code,
        }
    }
}

/// Why bytes are not a frame that can be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// The body is not of its type's form.
    #[error("the body of a frame of type {kind} is refused: {error}")]
    Body {
        /// The type of the frame.
        kind: u8,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The frame ends before its length, or bytes follow it.
    #[error("a frame of {expected} bytes was given as {actual}")]
    Length {
        /// How many bytes there are.
        actual: usize,
        /// How many the header tells of, itself included.
        expected: usize,
    },
    /// The frame is longer than the state allows.
    #[error("a frame with a body of {actual} bytes, where {limit} are allowed")]
    TooLarge {
        /// Bytes of its body.
        actual: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// There is no such type.
    #[error("unknown frame type {kind}")]
    UnknownType {
        /// The type in the header.
        kind: u8,
    },
}

impl OuterFrame {
    /// Its type on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::DescriptorWanted => 1,
            Self::Descriptor(_) => 2,
            Self::Channel(_) => 3,
            Self::Sealed(_) => 4,
            Self::Continued(_) => 5,
            Self::Fault(_) => 6,
        }
    }

    /// The frame as it stands on the wire. Its body is shorter than 2^24 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let body_bytes = self.body_bytes();
        let mut writer = Writer::with_capacity(HEADER_BYTES + body_bytes);
        writer.u8(self.kind()).u24(u32::try_from(body_bytes).expect("a frame is shorter than 2^24 bytes"));
        match self {
            Self::DescriptorWanted => {}
            Self::Descriptor(bytes) | Self::Sealed(bytes) => {
                writer.put(bytes);
            }
            Self::Channel(ChannelOpening { day, encapsulation, sealed }) => {
                writer.u32(day.0).put(encapsulation.as_bytes()).put(sealed);
            }
            Self::Continued(Continued { channel, counter, sealed }) => {
                writer.put(&channel.0).u64(*counter).put(sealed);
            }
            Self::Fault(fault) => {
                writer.u8(fault.code());
            }
        }
        writer.into_vec()
    }

    /// Bytes of its body.
    pub fn body_bytes(&self) -> usize {
        match self {
            Self::DescriptorWanted => 0,
            Self::Descriptor(bytes) | Self::Sealed(bytes) => bytes.len(),
            Self::Channel(opening) => 4 + CIPHERTEXT_BYTES + opening.sealed.len(),
            Self::Continued(continued) => 16 + 8 + continued.sealed.len(),
            Self::Fault(_) => 1,
        }
    }

    /// Takes exactly one frame with a body of at most `limit` bytes: the body of a POST, or of its answer.
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, FrameError> {
        let Some((kind, body_bytes)) = header(bytes, limit)? else {
            return Err(FrameError::Length { actual: bytes.len(), expected: HEADER_BYTES });
        };
        let expected = HEADER_BYTES + body_bytes;
        if bytes.len() != expected {
            return Err(FrameError::Length { actual: bytes.len(), expected });
        }
        Self::from_body(kind, &bytes[HEADER_BYTES..])
    }

    fn from_body(kind: u8, body: &[u8]) -> Result<Self, FrameError> {
        let mut reader = Reader::new(body);
        read_body(kind, &mut reader)
            .and_then(|frame| reader.finish().map(|()| frame))
            .map_err(|error| FrameError::Body { kind, error })
    }
}

impl fmt::Debug for OuterFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OuterFrame({})", self.kind())
    }
}

impl fmt::Debug for ChannelOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChannelOpening(..)")
    }
}

impl fmt::Debug for Continued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Continued(..)")
    }
}

/// Type and body length of the frame that `bytes` begins with, as soon as its header is there.
fn header(bytes: &[u8], limit: usize) -> Result<Option<(u8, usize)>, FrameError> {
    let mut reader = Reader::new(bytes);
    let (Ok(kind), Ok(length)) = (reader.u8(), reader.u24()) else {
        return Ok(None);
    };
    let actual = length as usize;
    if !(1..=6).contains(&kind) {
        Err(FrameError::UnknownType { kind })
    } else if actual > limit {
        Err(FrameError::TooLarge { actual, limit })
    } else {
        Ok(Some((kind, actual)))
    }
}

fn read_body(kind: u8, reader: &mut Reader<'_>) -> Result<OuterFrame, DecodeError> {
    Ok(match kind {
        1 => OuterFrame::DescriptorWanted,
        2 => OuterFrame::Descriptor(reader.rest().to_vec()),
        3 => OuterFrame::Channel(ChannelOpening {
            day: Day(reader.u32()?),
            encapsulation: reader.array::<CIPHERTEXT_BYTES>()?.into(),
            sealed: sealed(reader)?,
        }),
        4 => OuterFrame::Sealed(sealed(reader)?),
        5 => OuterFrame::Continued(Continued {
            channel: ChannelId(reader.array()?),
            counter: reader.u64()?,
            sealed: sealed(reader)?,
        }),
        6 => OuterFrame::Fault(Fault::of(reader.u8()?)),
        value => return Err(DecodeError::UnknownType { value }),
    })
}

fn sealed(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    match reader.remaining() {
        short if short < TAG_BYTES => Err(DecodeError::TooShort { missing: TAG_BYTES - short }),
        _ => Ok(reader.rest().to_vec()),
    }
}

#[cfg(test)]
mod tests;
