//! The head of a notice: one envelope that says everything a requester needs (docs/spec/notice.md §4).
//!
//! Invariant: [`Head::parse`] accepts exactly what [`Head::encode`] writes, so that a head has one hash. That it is
//! signed, and by whom, [`crate::notice::trust`] decides.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::desk::DeskId;
use poterne_protocol::kdf;
use poterne_protocol::kem::KemPublic;
use poterne_protocol::keys::WriteKey;
use poterne_protocol::time::{Day, UnixTime};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{NoticeHash, RelayEntry, relays};
use crate::desk::certificate::CoordinatorCertificate;
use crate::desk::epoch::Epoch;
use crate::desk::roots::RootSet;
use crate::labels;
use crate::sign::{SIGNATURE_BYTES, SignSecret};

/// Suite 1 is all there is.
pub(crate) const SUITE: u8 = 1;
const PART_HEAD: u8 = 0;
/// Devices of a desk at most: one bit each in the revocation bitmap.
pub const DEVICES_MAX: u16 = 1024;
/// Further intake keys in a head at most; there are none in suite 1.
const FURTHER_KEYS_MAX: usize = 4;

/// Compared in this order, so that a change of the roots heals a stolen coordinator key.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// The version of the root set.
    pub root: u16,
    /// The serial of the coordinator's certificate.
    pub serial: u16,
    /// Rising by one from notice to notice of that coordinator.
    pub counter: u32,
}

/// The revocation bitmap: bit i % 8 of byte i / 8 is set when the device i is revoked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocations([u8; 128]);

/// A further intake key, which would stand in the annex. None are used in suite 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FurtherKey {
    /// The suite that it is for.
    pub suite: u8,
    /// What it is for.
    pub purpose: u8,
    /// H(key).
    pub hash: [u8; 32],
}

/// What a head says.
#[derive(Clone)]
pub struct Head {
    /// Whose notice it is.
    pub desk: DeskId,
    /// Its place among all notices of the desk.
    pub version: Version,
    /// H(head) of the notice before; 32 zero bytes where there is none.
    pub previous: NoticeHash,
    /// The epoch that it is for.
    pub epoch: Epoch,
    /// The end of its day + 24 h, or earlier.
    pub expiry: UnixTime,
    /// The roots as they are now.
    pub roots: RootSet,
    /// Who signed this head.
    pub certificate: CoordinatorCertificate,
    /// What first contacts are sealed to.
    pub intake_key: KemPublic,
    /// Further intake keys.
    pub further_keys: Vec<FurtherKey>,
    /// The key that writes to the intake.
    pub intake_write: WriteKey,
    /// Revoked devices.
    pub revocations: Revocations,
    /// The desk's relays.
    pub relays: Vec<RelayEntry>,
    /// H(annex).
    pub annex_hash: [u8; 32],
    /// Envelopes of the annex.
    pub annex_parts: u8,
    /// Types that may be skipped, as they came.
    pub(crate) tlvs: Vec<u8>,
    /// By the coordinator, over all of it.
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

crate::secret::silent!(Head);

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.encode().ct_eq(&other.encode()).into()
    }
}

impl Eq for Head {}

impl Default for Revocations {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Revocations {
    /// Whether the device `index` is revoked. An index that no device can have counts as revoked.
    pub fn contains(&self, index: u16) -> bool {
        let byte = self.0.get(usize::from(index / 8));
        byte.is_none_or(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// Revokes the device `index`, which is below 1024.
    pub fn insert(&mut self, index: u16) {
        self.0[usize::from(index / 8)] |= 1 << (index % 8);
    }
}

impl Head {
    /// H(head), signature included.
    pub fn hash(&self) -> NoticeHash {
        NoticeHash(kdf::hash(&[&self.encode()]))
    }

    /// The head's bytes, signature included, without padding.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = self.unsigned();
        writer.put(&self.signature);
        writer.into_secret()
    }

    pub(crate) fn sign(&mut self, coordinator: &SignSecret) {
        self.signature = coordinator.sign(labels::NOTICE_SIGNATURE, &[self.unsigned().as_slice()]);
    }

    pub(crate) fn is_signed(&self) -> bool {
        let unsigned = self.unsigned();
        self.certificate.key.verifies(labels::NOTICE_SIGNATURE, &[unsigned.as_slice()], &self.signature)
    }

    fn unsigned(&self) -> Writer {
        let mut writer = Writer::with_capacity(crate::seal::WHOLE_BYTES);
        writer.u8(PART_HEAD).u8(SUITE).put(&self.desk.0);
        writer.u16(self.version.root).u16(self.version.serial).u32(self.version.counter);
        writer.put(&self.previous.0).u32(self.epoch.day.0).u16(self.epoch.generation).u64(self.expiry.0);
        self.roots.write(&mut writer);
        self.certificate.write(&mut writer);
        writer.put(self.intake_key.as_bytes());
        write_further_keys(&self.further_keys, &mut writer);
        writer.put(self.intake_write.expose()).put(&self.revocations.0);
        relays::write(&self.relays, &mut writer);
        writer.put(&self.annex_hash).u8(self.annex_parts).var(&self.tlvs);
        writer
    }

    /// Reads a head without padding.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let head = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(head)
    }

    /// Reads a head and leaves its padding.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        if reader.u8()? != PART_HEAD {
            return Err(DecodeError::Invalid { field: "part" });
        }
        match reader.u8()? {
            SUITE => Self::read_fields(reader),
            version => Err(DecodeError::Version { version }),
        }
    }

    fn read_fields(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            desk: DeskId(reader.array()?),
            version: Version { root: reader.u16()?, serial: reader.u16()?, counter: reader.u32()? },
            previous: NoticeHash(reader.array()?),
            epoch: Epoch { day: Day(reader.u32()?), generation: reader.u16()? },
            expiry: UnixTime(reader.u64()?),
            roots: RootSet::read(reader)?,
            certificate: CoordinatorCertificate::read(reader)?,
            intake_key: KemPublic::parse(&reader.array()?)?,
            further_keys: read_further_keys(reader)?,
            intake_write: WriteKey::from_bytes(&reader.array()?),
            revocations: Revocations(reader.array()?),
            relays: relays::read(reader)?,
            annex_hash: reader.array()?,
            annex_parts: reader.u8()?,
            tlvs: read_tlvs(reader)?,
            signature: reader.array()?,
        })
    }
}

fn write_further_keys(keys: &[FurtherKey], writer: &mut Writer) {
    writer.u8(u8::try_from(keys.len()).expect("a head has at most 4 further keys"));
    for key in keys {
        writer.u8(key.suite).u8(key.purpose).put(&key.hash);
    }
}

fn read_further_keys(reader: &mut Reader) -> Result<Vec<FurtherKey>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > FURTHER_KEYS_MAX {
        return Err(DecodeError::Invalid { field: "further keys" });
    }
    (0..count)
        .map(|_| Ok(FurtherKey { suite: reader.u8()?, purpose: reader.u8()?, hash: reader.array()? }))
        .collect()
}

/// TLVs {type u8, length u16, value}: an even type must be understood, and none is known yet.
fn read_tlvs(reader: &mut Reader) -> Result<Vec<u8>, DecodeError> {
    let tlvs = reader.var(crate::seal::WHOLE_BYTES, "TLVs")?;
    let mut inside = Reader::new(tlvs);
    while inside.remaining() > 0 {
        let kind = inside.u8()?;
        inside.var(usize::from(u16::MAX), "TLV")?;
        if kind % 2 == 0 {
            return Err(DecodeError::UnknownType { value: kind });
        }
    }
    Ok(tlvs.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_keys_come_back_and_are_bounded() {
        let read_back = |count: usize| {
            let keys = vec![FurtherKey { suite: 2, purpose: 1, hash: [7; 32] }; count];
            let mut writer = Writer::default();
            write_further_keys(&keys, &mut writer);
            read_further_keys(&mut Reader::new(writer.as_slice())).map(|read| read == keys)
        };
        assert_eq!([0, 1, 4].map(read_back), [Ok(true); 3]);
        assert_eq!(read_back(5), Err(DecodeError::Invalid { field: "further keys" }));
    }

    #[test]
    fn odd_types_behind_a_head_are_kept_and_even_ones_refused() {
        let read = |tlvs: &[u8]| {
            let mut writer = Writer::default();
            writer.var(tlvs);
            read_tlvs(&mut Reader::new(writer.as_slice())).map(|read| read == tlvs)
        };
        assert_eq!(read(&[]), Ok(true));
        assert_eq!(read(&[7, 1, 0, 9, 9, 0, 0]), Ok(true));
        assert_eq!(read(&[7, 1, 0, 9, 6, 0, 0]), Err(DecodeError::UnknownType { value: 6 }));
        assert_eq!(read(&[7, 2, 0, 9]), Err(DecodeError::TooShort { missing: 1 }));
    }
}
