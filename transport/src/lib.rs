//! Dials and accepts relays' connections (docs/spec/transport.md): QUIC with the inner channel on top.
//!
//! [`dial`] gives a [`client::RelayClient`], whose calls run side by side over one channel. [`listen`] takes connections
//! and hands each request to a [`listen::Service`]. Nothing here decides what a request may do.
//!
//! A carrier is not believed: certificates are whatever they are, and what counts is the pin in the relay's address,
//! which the descriptor proves and the channel binds.

pub mod client;
pub mod dial;
pub mod listen;
#[cfg(feature = "raw")]
pub mod raw;

mod bounds;
mod decapsulation;
mod frames;
mod network;
mod quic;
mod reset;
mod sparing;
mod tls;

pub use bounds::{INCOMING_BYTES, RELAY_SEND_WINDOW_BYTES, RELAY_WINDOW_BYTES, UDP_BUFFER_BYTES};
pub use network::Network;
pub use reset::ResetKey;

#[cfg(test)]
mod tests;
