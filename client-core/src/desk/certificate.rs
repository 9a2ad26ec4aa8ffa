//! The certificates of coordinators and devices (docs/spec/notice.md §3, handshake.md §6).
//!
//! Roots certify a coordinator for at most 90 days; a coordinator certifies a device for at most 8 days ahead. A
//! requester believes a device only through a notice that she has verified.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::desk::DeskId;
use poterne_protocol::time::Day;

use crate::desk::epoch::Epoch;
use crate::desk::roots::{RootSet, Signatures};
use crate::dh::DhPublic;
use crate::labels;
use crate::notice::Notice;
use crate::sign::{SIGNATURE_BYTES, SignPublic, SignSecret};

/// Days that a coordinator's certificate may span, its first day not counted.
pub const COORDINATOR_DAYS_MAX: u32 = 90;

/// Who may publish notices for a desk, as its roots say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CoordinatorCertificate {
    /// The coordinator's key.
    pub key: SignPublic,
    /// Rising with each certificate of the desk; only the highest publishes.
    pub serial: u16,
    /// The first day of the notices that it may sign.
    pub first_day: Day,
    /// The last one, at most 90 days later.
    pub last_day: Day,
    /// By the threshold of a root set.
    pub signatures: Signatures,
}

impl CoordinatorCertificate {
    /// A root's signature over this certificate, under the root set of `root_version`.
    pub fn sign(&self, root: &SignSecret, desk: &DeskId, root_version: u16) -> [u8; SIGNATURE_BYTES] {
        root.sign(labels::COORDINATOR_SIGNATURE, &[&desk.0, &root_version.to_le_bytes(), &self.body()])
    }

    /// Whether `roots` certify it, for a span that is allowed.
    pub(crate) fn is_certified(&self, roots: &RootSet, desk: &DeskId) -> bool {
        let version = roots.version.to_le_bytes();
        self.first_day <= self.last_day
            && self.last_day <= self.first_day + COORDINATOR_DAYS_MAX
            && roots.verifies(
                labels::COORDINATOR_SIGNATURE,
                &[&desk.0, &version, &self.body()],
                &self.signatures,
            )
    }

    /// Whether it may sign notices of `day`.
    pub(crate) fn covers(&self, day: Day) -> bool {
        (self.first_day..=self.last_day).contains(&day)
    }

    fn body(&self) -> Vec<u8> {
        encoded(|writer| self.write_body(writer))
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.put(&self.key.0).u16(self.serial).u32(self.first_day.0).u32(self.last_day.0);
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.write_body(writer);
        self.signatures.write(writer);
    }

    /// {key 32, serial 2, first day 4, last day 4, signatures}.
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads [`Self::encode`]'s bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parsed(bytes, Self::read)
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            key: SignPublic(reader.array()?),
            serial: reader.u16()?,
            first_day: Day(reader.u32()?),
            last_day: Day(reader.u32()?),
            signatures: Signatures::read(reader)?,
        })
    }
}

/// What makes a device one of its desk: {desk id, serial, index, IK_V, last day, last generation}, signed by the
/// coordinator of that serial. Desk id and serial are not carried: the reader takes them from a notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceCertificate {
    /// The device's place in the revocation bitmap, below 1024.
    pub index: u16,
    /// IK_V, the device's X25519 key.
    pub identity: DhPublic,
    /// The last epoch that it may answer requests of.
    pub last: Epoch,
    /// By the coordinator.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why a device is not believed. The first three say that the answer is not from this desk as it is now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// The certificate ended before the request's epoch.
    #[error("the certificate of the device ended before the request")]
    Ended,
    /// No coordinator that she knows signed it.
    #[error("the certificate of the device is not signed by the desk")]
    NotSigned,
    /// The newest notice revokes the device.
    #[error("the desk has revoked the device")]
    Revoked,
    /// The roots have changed since the certificate was made.
    #[error("the desk has changed its roots since the certificate was made")]
    RootsChanged,
}

impl DeviceCertificate {
    /// Bytes of its encoding.
    pub const BYTES: usize = 2 + 32 + 4 + 2 + SIGNATURE_BYTES;

    /// The coordinator certifies a device.
    pub fn sign(
        coordinator: &SignSecret,
        desk: &DeskId,
        serial: u16,
        index: u16,
        identity: DhPublic,
        last: Epoch,
    ) -> Self {
        let mut certificate = Self { index, identity, last, signature: [0; SIGNATURE_BYTES] };
        certificate.signature =
            coordinator.sign(labels::DEVICE_SIGNATURE, &[&certificate.signed(desk, serial)]);
        certificate
    }

    /// Whether a requester may believe it: it is signed by the coordinator of the newest notice or of the one that her
    /// first contact echoed; it lasts until `since`, the epoch of that contact (on the lifeline: today − 30); and the
    /// newest notice neither revokes the index nor has a higher root version than the notice that verified it.
    pub fn check(&self, echoed: &Notice, newest: &Notice, since: Epoch) -> Result<(), CertificateError> {
        let by = [newest, echoed]
            .into_iter()
            .find(|notice| self.is_signed_under(notice))
            .ok_or(CertificateError::NotSigned)?;
        if self.last < since {
            return Err(CertificateError::Ended);
        }
        if newest.is_revoked(self.index) {
            return Err(CertificateError::Revoked);
        }
        if newest.version().root > by.version().root {
            return Err(CertificateError::RootsChanged);
        }
        Ok(())
    }

    fn is_signed_under(&self, notice: &Notice) -> bool {
        let signed = self.signed(&notice.desk(), notice.version().serial);
        notice.coordinator().verifies(labels::DEVICE_SIGNATURE, &[&signed], &self.signature)
    }

    fn signed(&self, desk: &DeskId, serial: u16) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.put(&desk.0).u16(serial);
        self.write_body(&mut writer);
        writer.into_vec()
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.u16(self.index).put(&self.identity.0).u32(self.last.day.0).u16(self.last.generation);
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.write_body(writer);
        writer.put(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            index: reader.u16()?,
            identity: DhPublic(reader.array()?),
            last: Epoch { day: Day(reader.u32()?), generation: reader.u16()? },
            signature: reader.array()?,
        })
    }

    /// {index 2, IK_V 32, last day 4, last generation 2, signature 64}.
    pub fn encode(&self) -> Vec<u8> {
        encoded(|writer| self.write(writer))
    }

    /// Reads [`Self::encode`]'s bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        parsed(bytes, Self::read)
    }
}

/// What `write` writes.
fn encoded(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    write(&mut writer);
    writer.into_vec()
}

/// What `read` reads, if nothing is left behind it.
fn parsed<T>(
    bytes: &[u8],
    read: impl FnOnce(&mut Reader) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let read = read(&mut reader)?;
    reader.finish()?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_come_back_as_they_were() {
        let desk = crate::fixture::Desk::new(1);
        let coordinator = desk.certificate(1);
        assert_eq!(CoordinatorCertificate::parse(&coordinator.encode()), Ok(coordinator));
        let device = &desk.device.certificate;
        assert_eq!(DeviceCertificate::parse(&device.encode()).as_ref(), Ok(device));
    }
}
