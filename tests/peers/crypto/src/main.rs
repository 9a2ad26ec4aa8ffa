//! `cargo xtask bench crypto`: what the cryptography of a conversation costs, beside other protocols, on one thread in one
//! run (docs/benchmarks.md).
//!
//! libsignal is no crate of a registry: where its npm package lies in `target/peers/libsignal` it is timed through Node.

mod olm;
mod ours;
mod signal;
mod times;

fn main() {
    ours::run();
    olm::run();
    signal::run();
}
