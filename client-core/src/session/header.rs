//! The headers of messages (docs/spec/ratchet.md §2, handshake.md §6).

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::kdf;
use poterne_protocol::kem::{self, KemCiphertext, KemPublic};
use zeroize::Zeroizing;

use crate::body::PartMark;
use crate::desk::certificate::DeviceCertificate;

/// Bytes of a ratchet header.
pub(crate) const HEADER_BYTES: usize = 12 + kem::PUBLIC_BYTES + kem::CIPHERTEXT_BYTES;
/// Bytes of the header of a message in A1's layout.
pub(crate) const ANSWER_HEADER_BYTES: usize = HEADER_BYTES + DeviceCertificate::BYTES + 8;
const VERSION: u8 = 1;

/// {ver 1, type 1, parts left 2, pn 4, n 4, ek 1216, ct 1120}.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) mark: PartMark,
    /// How many messages the sender's previous chain had.
    pub(crate) previous: u32,
    pub(crate) n: u32,
    pub(crate) ek: KemPublic,
    pub(crate) ct: KemCiphertext,
}

/// A ratchet header ‖ device certificate ‖ lease number 4 ‖ reserved 4.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHeader {
    pub(crate) ratchet: Header,
    pub(crate) certificate: DeviceCertificate,
    pub(crate) lease: u32,
}

impl Header {
    /// H(ek ‖ ct): what every message of a chain repeats.
    pub(crate) fn keys(&self) -> [u8; 32] {
        kdf::hash(&[self.ek.as_bytes(), self.ct.as_bytes()])
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::with_capacity(HEADER_BYTES);
        self.write(&mut writer);
        Zeroizing::new(writer.into_vec())
    }

    fn write(&self, writer: &mut Writer) {
        writer.u8(VERSION).u8(self.kind).u16(self.mark.to_wire()).u32(self.previous).u32(self.n);
        writer.put(self.ek.as_bytes()).put(self.ct.as_bytes());
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(bytes))
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = reader.u8()?;
        if version != VERSION {
            return Err(DecodeError::Version { version });
        }
        Ok(Self {
            kind: reader.u8()?,
            mark: PartMark::from_wire(reader.u16()?),
            previous: reader.u32()?,
            n: reader.u32()?,
            ek: KemPublic::parse(&reader.array()?)?,
            ct: KemCiphertext::from(reader.array()?),
        })
    }
}

impl AnswerHeader {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::with_capacity(ANSWER_HEADER_BYTES);
        self.ratchet.write(&mut writer);
        self.certificate.write(&mut writer);
        writer.u32(self.lease).pad_to(ANSWER_HEADER_BYTES);
        Zeroizing::new(writer.into_vec())
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            ratchet: Header::read(&mut reader)?,
            certificate: DeviceCertificate::read(&mut reader)?,
            lease: reader.u32()?,
        })
    }
}
