//! The stored form of states: a version byte, then the state's plain fields in postcard's encoding
//! (docs/spec/handshake.md §9). Only the vault keeps these bytes, sealed.
//!
//! Invariant: keys have no `Serialize`; each state lists its fields in a private plain struct that wipes itself. The
//! bytes are written once, into a buffer of the right size, so that growth leaves no copy behind.

use poterne_protocol::kem::KemPublic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Stored bytes are not a state of this build.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoredError {
    /// The bytes are not of the form that their version says.
    #[error("the stored state is damaged")]
    Damaged,
    /// A newer build wrote them.
    #[error("the stored state has the unknown version {version}")]
    Version {
        /// The version that stands in front.
        version: u8,
    },
}

pub(crate) fn save<T: Serialize>(version: u8, state: &T) -> Zeroizing<Vec<u8>> {
    let size = postcard::experimental::serialized_size(state).expect("a plain state has a size");
    let mut bytes = Zeroizing::new(vec![0; size + 1]);
    bytes[0] = version;
    postcard::to_slice(state, &mut bytes[1..]).expect("the buffer has the state's size");
    bytes
}

pub(crate) fn load<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, StoredError> {
    match bytes.split_first() {
        None => Err(StoredError::Damaged),
        Some((found, rest)) if *found == version => match postcard::take_from_bytes(rest) {
            Ok((state, [])) => Ok(state),
            _ => Err(StoredError::Damaged),
        },
        Some((found, _)) => Err(StoredError::Version { version: *found }),
    }
}

/// An array out of stored bytes of the right length.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoredError> {
    bytes.try_into().map_err(|_| StoredError::Damaged)
}

/// A public key out of stored bytes.
pub(crate) fn kem_public(bytes: &[u8]) -> Result<KemPublic, StoredError> {
    KemPublic::parse(&array(bytes)?).map_err(|_| StoredError::Damaged)
}
