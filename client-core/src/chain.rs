//! The symmetric chain: each step gives a message secret and forgets how it came there (docs/spec/ratchet.md §3).
//!
//! next chain key ‖ message secret = KDF(–, chain key, "chain"). Chains of the ratchet, chain 0 and follow-ups are alike.
//! The envelope's nonce is mixed into the message key, so that a state put back never meets a used (key, nonce).

use poterne_protocol::kdf;

use crate::labels;
use crate::seal::{NONCE_BYTES, Nonce};
use crate::secret::Secret;

/// Where a chain stands.
#[derive(Clone, Debug)]
pub(crate) struct ChainKey(pub(crate) Secret);

impl ChainKey {
    /// Steps on and returns the secret of the message that was stepped over.
    pub(crate) fn step(&mut self) -> Secret {
        let output = kdf::kdf::<64>(&[], self.0.expose(), labels::CHAIN, &[]);
        let (next, message) = output.split_first_chunk::<32>().expect("64 bytes are 32 and more");
        self.0 = Secret::from_bytes(next);
        Secret::from_bytes(message.try_into().expect("64 - 32 bytes"))
    }
}

/// mk ‖ its nonce = KDF(nonce, secret, label): what seals one payload.
pub(crate) fn message_key(nonce: &Nonce, secret: &[u8], label: &str) -> (Secret, Nonce) {
    let output = kdf::kdf::<{ 32 + NONCE_BYTES }>(nonce, secret, label, &[]);
    let (key, own_nonce) = output.split_first_chunk::<32>().expect("56 bytes are 32 and more");
    (Secret::from_bytes(key), own_nonce.try_into().expect("56 - 32 bytes"))
}
