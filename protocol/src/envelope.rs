//! Envelopes: 4096 bytes of ciphertext each, named by their hash, with a time to live in whole days
//! (docs/spec/wire.md §4).

use core::fmt;
use std::sync::{Arc, OnceLock};

use crate::codec::DecodeError;
use crate::kdf;
use crate::limits::{CLASSES_DAYS, ENVELOPE_BYTES};
use crate::time::Day;

/// Exactly 4096 bytes of ciphertext. What is inside, only its reader can tell. Copies share the bytes, and the id once
/// it was asked for.
#[derive(Clone)]
pub struct SealedEnvelope(Arc<Content>);

struct Content {
    /// In a box of their own, so that taking them over copies nothing.
    bytes: Box<[u8; ENVELOPE_BYTES]>,
    id: OnceLock<EnvelopeId>,
}

impl SealedEnvelope {
    /// Takes bytes from outside. The only check that a relay can make is their length.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > ENVELOPE_BYTES {
            return Err(DecodeError::TooLong { extra: bytes.len() - ENVELOPE_BYTES });
        }
        let missing = ENVELOPE_BYTES - bytes.len();
        Box::<[u8]>::from(bytes).try_into().map(Self::new).map_err(|_| DecodeError::TooShort { missing })
    }

    fn new(bytes: Box<[u8; ENVELOPE_BYTES]>) -> Self {
        Self(Arc::new(Content { bytes, id: OnceLock::new() }))
    }

    /// The 4096 bytes.
    pub fn as_bytes(&self) -> &[u8; ENVELOPE_BYTES] {
        &self.0.bytes
    }

    /// H(envelope)\[..16\], reckoned when it is first asked for.
    pub fn id(&self) -> EnvelopeId {
        *self.0.id.get_or_init(|| EnvelopeId(kdf::hash16(&[&self.0.bytes[..]])))
    }
}

impl PartialEq for SealedEnvelope {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}
impl Eq for SealedEnvelope {}

impl From<Box<[u8; ENVELOPE_BYTES]>> for SealedEnvelope {
    fn from(bytes: Box<[u8; ENVELOPE_BYTES]>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for SealedEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedEnvelope(..)")
    }
}

/// The first 16 bytes of the hash of an envelope. `Debug` hides it: ids of single messages stand in no log.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EnvelopeId(pub [u8; 16]);

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopeId(..)")
    }
}

/// How many days an envelope lives: put on day d, it expires at the end of day d + class.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Class(u8);

impl Class {
    /// One day: what is only a hint.
    pub const ONE: Self = Self(1);
    /// Four days: first contacts in an intake.
    pub const FOUR: Self = Self(4);
    /// Fourteen days.
    pub const FOURTEEN: Self = Self(14);
    /// Thirty days: conversations.
    pub const THIRTY: Self = Self(30);

    /// The class of that many days, where there is one.
    pub fn parse(days: u8) -> Result<Self, DecodeError> {
        if CLASSES_DAYS.contains(&days) {
            Ok(Self(days))
        } else {
            Err(DecodeError::Invalid { field: "class" })
        }
    }

    /// Its days: 1, 4, 14 or 30.
    pub fn days(self) -> u8 {
        self.0
    }

    /// The last day on which an envelope of this class, put on `day`, can be read.
    pub fn last_day(self, day: Day) -> Day {
        day + u32::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_has_4096_bytes() {
        assert_eq!(SealedEnvelope::parse(&[0; 4095]), Err(DecodeError::TooShort { missing: 1 }));
        assert_eq!(SealedEnvelope::parse(&[0; 4097]), Err(DecodeError::TooLong { extra: 1 }));
        assert!(SealedEnvelope::parse(&[0; 4096]).is_ok());
    }

    #[test]
    fn there_are_four_classes() {
        let known: Vec<u8> = (0..=255).filter(|days| Class::parse(*days).is_ok()).collect();
        assert_eq!(known, CLASSES_DAYS);
        assert_eq!(Class::FOUR.last_day(Day(10)), Day(14));
    }
}
