//! The frozen vectors of the client hold. `POTERNE_WRITE_VECTORS=1` writes them anew, which is a change of the protocol.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and writes the vectors' file, its crate does not"
)]

use std::path::Path;

use poterne_client_core::vectors;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/client-core.json");

#[test]
fn the_frozen_vectors_hold() {
    if std::env::var_os("POTERNE_WRITE_VECTORS").is_some() {
        std::fs::write(Path::new(FILE), vectors::generate()).unwrap();
    }
    let json = std::fs::read_to_string(FILE).unwrap();
    assert!(vectors::check(&json).unwrap() > 40);
}
