//! The plaintext of a first contact, 2928 bytes (docs/spec/handshake.md §3).

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::kem::{self, KemPublic};
use poterne_protocol::keys::KeyHash;
use poterne_protocol::limits::ENVELOPE_BYTES;
use zeroize::Zeroizing;

use crate::answer_box::AnswerRelay;
use crate::dh::DhPublic;
use crate::notice::head::SUITE;
use crate::notice::{NoticeHash, Version};
use crate::request::Reveal;
use crate::seal::TAG_BYTES;

/// Bytes of the commitment to the HPKE context.
pub(crate) const COMMIT_BYTES: usize = 32;
/// Bytes of the plaintext.
pub(crate) const TEXT_BYTES: usize = ENVELOPE_BYTES - kem::CIPHERTEXT_BYTES - COMMIT_BYTES - TAG_BYTES;
/// Bytes of a request's text that fit beside the keys.
pub const REQUEST_TEXT_BYTES: usize = TEXT_BYTES - 1400;
/// The version of the layout.
const VERSION: u8 = 1;

/// What a request asks of its reader. Bits 1–7 may be ignored; bits 8–15 need a newer version.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestFlags(pub u16);

impl RequestFlags {
    const GOES_ON: u16 = 1;

    pub(crate) fn new(goes_on: bool) -> Self {
        Self(if goes_on { Self::GOES_ON } else { 0 })
    }

    /// The text goes on in follow-ups.
    pub fn goes_on(self) -> bool {
        self.0 & Self::GOES_ON != 0
    }

    /// The reader must be told to update.
    pub fn needs_newer(self) -> bool {
        self.0 & 0xff00 != 0
    }
}

pub(crate) struct FirstContact {
    pub(crate) echoed_version: Version,
    pub(crate) echoed_hash: NoticeHash,
    pub(crate) ratchet_key: KemPublic,
    pub(crate) lasting_key: DhPublic,
    pub(crate) flags: RequestFlags,
    pub(crate) language: [u8; 4],
    pub(crate) sent_at_minutes: u32,
    pub(crate) reveal: Reveal,
    pub(crate) commitment: [u8; 16],
    pub(crate) answer_relays: [AnswerRelay; 2],
    pub(crate) text: Zeroizing<Vec<u8>>,
}

impl FirstContact {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::with_capacity(TEXT_BYTES);
        writer.u8(VERSION).u8(SUITE);
        writer.u16(self.echoed_version.root).u16(self.echoed_version.serial).u32(self.echoed_version.counter);
        writer.put(&self.echoed_hash.0).put(self.ratchet_key.as_bytes()).put(&self.lasting_key.0);
        writer.u16(self.flags.0).put(&self.language).u32(self.sent_at_minutes);
        writer.put(self.reveal.expose()).put(&self.commitment);
        writer.u8(self.answer_relays[0].number).u8(self.answer_relays[1].number);
        writer.put(&self.answer_relays[0].own.0).put(&self.answer_relays[1].own.0);
        writer.var(&self.text).pad_to(TEXT_BYTES);
        Zeroizing::new(writer.into_vec())
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        for expected in [VERSION, SUITE] {
            let version = reader.u8()?;
            if version != expected {
                return Err(DecodeError::Version { version });
            }
        }
        Ok(Self {
            echoed_version: Version { root: reader.u16()?, serial: reader.u16()?, counter: reader.u32()? },
            echoed_hash: NoticeHash(reader.array()?),
            ratchet_key: KemPublic::parse(&reader.array()?)?,
            lasting_key: DhPublic(reader.array()?),
            flags: RequestFlags(reader.u16()?),
            language: reader.array()?,
            sent_at_minutes: reader.u32()?,
            reveal: Reveal::from_bytes(&reader.array()?),
            commitment: reader.array()?,
            answer_relays: read_relays(&mut reader)?,
            text: Zeroizing::new(reader.var(REQUEST_TEXT_BYTES, "text")?.to_vec()),
        })
    }
}

fn read_relays(reader: &mut Reader) -> Result<[AnswerRelay; 2], DecodeError> {
    let (first, second) = (reader.u8()?, reader.u8()?);
    let mut relay = |number| Ok(AnswerRelay { number, own: KeyHash(reader.array()?) });
    Ok([relay(first)?, relay(second)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_high_byte_need_a_newer_version() {
        assert!(RequestFlags::new(true).goes_on() && !RequestFlags::new(false).goes_on());
        assert!(!RequestFlags(0x00ff).needs_newer() && RequestFlags(0x0100).needs_newer());
        assert!(RequestFlags(0x8000).needs_newer() && !RequestFlags(0xfffe).goes_on());
    }
}
