//! What a relay says of itself before a channel stands: its request key of the day, signed (docs/spec/wire.md §7).
//!
//! A descriptor is believed because it is signed by the identity key whose hash is the pin, and for no other reason: not
//! for the carrier it came by, nor for the client's clock. Only [`Descriptor::parse_verified`] makes a
//! [`VerifiedDescriptor`], and only that opens a channel.

mod identity;
mod newest;

use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

pub use identity::RelayIdentity;
pub use newest::{NewestDescriptor, Older};

use crate::address::HostPort;
use crate::codec::{DecodeError, Reader, Writer};
use crate::kem::{KemPublic, PUBLIC_BYTES};
use crate::keys::Pin;
use crate::limits::{DESCRIPTOR_ADDRESSES, DESCRIPTOR_BYTES, OPERATOR_NAME_BYTES};
use crate::time::Day;

const VERSION: u8 = 1;
const SUITE: u8 = 1;
pub(crate) const SIGNATURE_CONTEXT: &[u8] = b"poterne/1 descriptor";
const SIGNATURE_BYTES: usize = 64;
const PERMITS: u8 = 1;

/// What a relay says of itself. Signed it is at most 4096 bytes long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// The relay's UTC day, for which the request key is.
    pub day: Day,
    /// What channels encapsulate to (X-Wing).
    pub request_key: KemPublic,
    /// Who runs the relay.
    pub operator: Operator,
    /// Where the relay can be reached, at most 8.
    pub addresses: Vec<HostPort>,
    /// What it bears.
    pub limits: RelayLimits,
}

/// Who runs a relay, by their own word. Two relays with one id are never used as two hops or two homes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operator {
    id: u16,
    name: String,
}

impl Operator {
    /// An operator's name has at most 64 bytes in UTF-8 and no control characters.
    pub fn new(id: u16, name: &str) -> Result<Self, DecodeError> {
        if name.len() > OPERATOR_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(DecodeError::Invalid { field: "operator name" });
        }
        Ok(Self { id, name: name.to_owned() })
    }

    /// The number that all relays of this operator carry.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// The name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a relay bears, told before a channel stands. A client keeps to the lower of this and its own bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelayLimits {
    /// Envelopes in one answer at most.
    pub fetch_envelopes: u16,
    /// Seconds that a fetch may wait at most.
    pub fetch_wait_secs: u16,
    /// Seconds after which a channel that is continued over POST ends when it is idle.
    pub continued_idle_secs: u16,
    /// Opening an intake or a log needs a permit of the operator's.
    pub permits: bool,
}

/// Why a descriptor is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DescriptorError {
    /// The signature is not the identity key's.
    #[error("the relay's descriptor is not signed by its identity key")]
    BadSignature,
    /// It is not of its form.
    #[error("the relay's descriptor is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// It names a version or suite that this build does not speak.
    #[error("the relay's descriptor has the unknown version {version}.{suite}")]
    Version {
        /// The version that it names.
        version: u8,
        /// The suite that it names.
        suite: u8,
    },
    /// Its identity key is another relay's.
    #[error("another relay answered: its identity key does not have the expected pin")]
    WrongPin,
}

/// A descriptor whose signature and pin were checked.
#[derive(Clone, Eq, PartialEq)]
pub struct VerifiedDescriptor {
    pin: Pin,
    descriptor: Descriptor,
}

impl VerifiedDescriptor {
    /// Whose it is.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }

    /// What it says.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl fmt::Debug for VerifiedDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedDescriptor(day {})", self.descriptor.day)
    }
}

impl Descriptor {
    /// The bytes that the relay serves, signed by its identity key.
    ///
    /// # Panics
    /// Where there are more than 8 addresses.
    pub fn sign(&self, identity: &RelayIdentity) -> Vec<u8> {
        assert!(self.addresses.len() <= DESCRIPTOR_ADDRESSES, "a descriptor has at most 8 addresses");
        let mut writer = Writer::with_capacity(DESCRIPTOR_BYTES);
        writer.u8(VERSION).u8(SUITE).u32(self.day.0).put(&identity.public_key());
        writer.put(self.request_key.as_bytes()).u16(self.operator.id);
        put_text(&mut writer, &self.operator.name);
        writer.u8(u8::try_from(self.addresses.len()).expect("at most 8 addresses"));
        for address in &self.addresses {
            put_text(&mut writer, &address.to_string());
        }
        put_limits(&mut writer, &self.limits);
        let signature = identity.sign(&signed_text(writer.as_slice()));
        writer.put(&signature);
        writer.into_vec()
    }

    /// Reads a descriptor that came from the relay of `pin`, or from whoever stands in front of it.
    pub fn parse_verified(bytes: &[u8], pin: &Pin) -> Result<VerifiedDescriptor, DescriptorError> {
        if bytes.len() > DESCRIPTOR_BYTES {
            return Err(DecodeError::TooLong { extra: bytes.len() - DESCRIPTOR_BYTES }.into());
        }
        let missing = SIGNATURE_BYTES.saturating_sub(bytes.len());
        let (body, signature) =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(DecodeError::TooShort { missing })?;
        let mut reader = Reader::new(body);
        check_version(&mut reader)?;
        let day = Day(reader.u32()?);
        check_signature(&reader.array()?, pin, body, signature)?;
        let descriptor = read_contents(day, reader)?;
        Ok(VerifiedDescriptor { pin: *pin, descriptor })
    }
}

fn check_version(reader: &mut Reader<'_>) -> Result<(), DescriptorError> {
    match (reader.u8()?, reader.u8()?) {
        (VERSION, SUITE) => Ok(()),
        (version, suite) => Err(DescriptorError::Version { version, suite }),
    }
}

fn check_signature(
    identity_key: &[u8; 32],
    pin: &Pin,
    body: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), DescriptorError> {
    if Pin::of(identity_key) != *pin {
        return Err(DescriptorError::WrongPin);
    }
    VerifyingKey::from_bytes(identity_key)
        .and_then(|key| key.verify_strict(&signed_text(body), &Signature::from_bytes(signature)))
        .map_err(|_| DescriptorError::BadSignature)
}

fn signed_text(body: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, body].concat()
}

/// Everything behind the identity key.
fn read_contents(day: Day, mut reader: Reader<'_>) -> Result<Descriptor, DecodeError> {
    let request_key = KemPublic::parse(&reader.array::<PUBLIC_BYTES>()?)?;
    let operator_id = reader.u16()?;
    let operator = Operator::new(operator_id, text(&mut reader, "operator name")?)?;
    let addresses = addresses(&mut reader)?;
    let limits = limits(&mut reader)?;
    reader.tlvs(|_, _| Ok(false))?;
    Ok(Descriptor { day, request_key, operator, addresses, limits })
}

fn addresses(reader: &mut Reader<'_>) -> Result<Vec<HostPort>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > DESCRIPTOR_ADDRESSES {
        return Err(DecodeError::Invalid { field: "addresses" });
    }
    (0..count).map(|_| address(reader)).collect()
}

fn address(reader: &mut Reader<'_>) -> Result<HostPort, DecodeError> {
    text(reader, "address")?.parse().map_err(|_| DecodeError::Invalid { field: "address" })
}

fn put_limits(writer: &mut Writer, limits: &RelayLimits) {
    writer.u16(limits.fetch_envelopes).u16(limits.fetch_wait_secs).u16(limits.continued_idle_secs);
    writer.u8(if limits.permits { PERMITS } else { 0 });
}

fn limits(reader: &mut Reader<'_>) -> Result<RelayLimits, DecodeError> {
    Ok(RelayLimits {
        fetch_envelopes: reader.u16()?,
        fetch_wait_secs: reader.u16()?,
        continued_idle_secs: reader.u16()?,
        permits: reader.u8()? & PERMITS != 0,
    })
}

fn put_text(writer: &mut Writer, text: &str) {
    writer.u8(u8::try_from(text.len()).expect("names and addresses have at most 255 bytes"));
    writer.put(text.as_bytes());
}

fn text<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a str, DecodeError> {
    let length = usize::from(reader.u8()?);
    core::str::from_utf8(reader.bytes(length)?).map_err(|_| DecodeError::Invalid { field })
}

#[cfg(test)]
mod tests;
