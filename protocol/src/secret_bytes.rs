//! Bytes of a whole frame that are secret.

use core::fmt;
use core::ops::Deref;

use zeroize::optimization_barrier;

/// Bytes that are wiped when they are dropped, with all the room that they have.
///
/// `Zeroizing<Vec<u8>>` says the same of a key or a name; it writes byte by byte, which for the frames of a relay under
/// load was a sixth of its work. Here a `memset` does it, and a barrier keeps the compiler from leaving it out. `Debug`
/// shows none of them.
#[derive(PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be changed within the room that they have: growth would leave a copy behind.
    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_they_were_given_and_stand_in_no_log() {
        let bytes = SecretBytes::new(b"word".to_vec());
        assert_eq!(*bytes, *b"word");
        assert_eq!(format!("{bytes:?}"), "SecretBytes(..)");
    }
}
