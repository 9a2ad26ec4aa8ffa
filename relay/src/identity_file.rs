//! The file of the identity key: 64 hexadecimal digits, the seed of the Ed25519 key, and a line break.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use poterne_protocol::descriptor::RelayIdentity;
use zeroize::Zeroizing;

use crate::private_file;

const SEED_BYTES: usize = 32;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is not 64 hexadecimal digits.
    #[error(
        "The identity key {0} is spoilt. Put the right file back: clients know the relay by this key alone."
    )]
    Malformed(PathBuf),
    /// Other people of this machine may read it.
    #[error("The identity key {path} is open to other users of this machine. Run `chmod 600 {path}`.")]
    Open {
        /// Which file.
        path: PathBuf,
    },
    /// The file can't be read or made.
    #[error("The identity key {path} can't be read or made ({error}). `poterne-relay init` makes one.")]
    Storage {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Writes a new identity; an old one is never written over.
pub fn create(path: &Path, identity: &RelayIdentity) -> Result<(), IdentityError> {
    let text = encode(identity.expose_seed());
    private_file::create(path, text.as_bytes())
        .map_err(|error| IdentityError::Storage { path: path.to_owned(), error })
}

/// Reads the identity of a file that nobody else can read.
pub fn read(path: &Path) -> Result<RelayIdentity, IdentityError> {
    let storage = |error| IdentityError::Storage { path: path.to_owned(), error };
    if private_file::is_open_to_others(path).map_err(storage)? {
        return Err(IdentityError::Open { path: path.to_owned() });
    }
    let text = fs::read(path).map(Zeroizing::new).map_err(storage)?;
    let seed = decode(&text).ok_or_else(|| IdentityError::Malformed(path.to_owned()))?;
    Ok(RelayIdentity::from_seed(&seed))
}

fn encode(seed: &[u8; SEED_BYTES]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * SEED_BYTES + 1));
    for byte in seed {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).expect("half a byte is a digit"));
        }
    }
    text.push('\n');
    text
}

fn decode(text: &[u8]) -> Option<Zeroizing<[u8; SEED_BYTES]>> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    if digits.len() != 2 * SEED_BYTES {
        return None;
    }
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = half(pair[0])? << 4 | half(pair[1])?;
    }
    Some(seed)
}

fn half(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| u8::try_from(value).expect("a digit is below 16"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(seed: &[u8; 32]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        create(&path, &RelayIdentity::from_seed(seed)).unwrap();
        (dir, path)
    }

    #[test]
    fn an_identity_is_read_back() {
        let (_dir, path) = written(&[0xa7; 32]);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", "a7".repeat(32)));
        assert_eq!(read(&path).unwrap().pin(), RelayIdentity::from_seed(&[0xa7; 32]).pin());
    }

    #[test]
    fn an_identity_that_others_can_read_is_refused() {
        let (_dir, path) = written(&[1; 32]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(read(&path), Err(IdentityError::Open { .. })));
    }

    #[test]
    fn a_spoilt_file_is_no_identity() {
        for text in ["", "xy", &"0".repeat(63), &"g".repeat(64)] {
            assert!(decode(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn an_identity_is_never_written_over() {
        let (_dir, path) = written(&[1; 32]);
        assert!(create(&path, &RelayIdentity::from_seed(&[2; 32])).is_err());
        assert_eq!(read(&path).unwrap().pin(), RelayIdentity::from_seed(&[1; 32]).pin());
    }
}
