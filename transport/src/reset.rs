//! Stateless resets that outlive a restart (RFC 9000 §10.3): a client whose relay was killed learns of it with its next
//! packet, not after a minute of silence.
//!
//! The token of a connection id is its HMAC under a key that the relay keeps. Ids are random; who shows one that no
//! connection has gets its token back and nothing else.

use std::sync::Arc;
use std::time::Duration;

use poterne_protocol::kdf;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use rand_core::{Rng as _, UnwrapErr};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::bounds::RESET_INTERVAL;

const CONNECTION_ID_BYTES: usize = 8;

/// The key of the reset tokens: 32 bytes that are the same at every start of one relay.
pub struct ResetKey(Zeroizing<[u8; 32]>);

impl ResetKey {
    /// The key of these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }
}

impl std::fmt::Debug for ResetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResetKey(..)")
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&kdf::hmac(&self.0[..], &[data])[..]);
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match kdf::hmac(&self.0[..], &[data]).ct_eq(signature).into() {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

/// An endpoint whose resets are signed by `key`.
pub(crate) fn endpoint_config(key: ResetKey) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(key));
    // quinn's own ids carry a mark of their start: those of an earlier one would be dropped instead of reset.
    config.cid_generator(|| Box::new(RandomIds)).min_reset_interval(RESET_INTERVAL);
    config
}

struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; CONNECTION_ID_BYTES];
        UnwrapErr(getrandom::SysRng).fill_bytes(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_same_after_a_restart_and_another_relays_is_not() {
        let token = |key: u8| {
            let mut token = [0; 32];
            ResetKey::from_bytes(&[key; 32]).sign(b"connection", &mut token);
            token
        };
        assert_eq!(token(1), token(1));
        assert_ne!(token(1), token(2));
        assert!(ResetKey::from_bytes(&[1; 32]).verify(b"connection", &token(1)).is_ok());
        assert!(ResetKey::from_bytes(&[2; 32]).verify(b"connection", &token(1)).is_err());
    }
}
