//! Known answers for every primitive and composition that the protocol stands on: Wycheproof, the drafts' vectors, and
//! other implementations as oracles.

mod aead;
mod ed25519;
mod hexadecimal;
mod hpke;
mod kdf;
mod ml_kem;
mod x25519;
mod x_wing;
