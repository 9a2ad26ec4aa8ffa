//! The frozen vectors of the wire hold. `POTERNE_WRITE_VECTORS=1` writes them anew, which is a change of the protocol.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads and writes the vectors' file, its crate does not"
)]

use std::path::Path;

use poterne_protocol::vectors;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/protocol.json");

#[test]
fn the_frozen_vectors_hold() {
    if std::env::var_os("POTERNE_WRITE_VECTORS").is_some() {
        std::fs::write(Path::new(FILE), vectors::generate()).unwrap();
    }
    let json = std::fs::read_to_string(FILE).unwrap();
    assert!(vectors::check(&json).unwrap() > 60);
}

#[test]
fn a_changed_left_out_or_added_vector_is_found() {
    let json = vectors::generate();
    let changed = json.replacen("\"op\": \"1\"", "\"op\": \"2\"", 1);
    assert_eq!(
        vectors::check(&changed).unwrap_err(),
        "request Hello: `op` is Some(\"2\") in the file, this build makes \"1\""
    );
    let cut = json.rfind(",\n  {").unwrap();
    assert!(vectors::check(&format!("{}]", &json[..cut])).unwrap_err().contains("vectors"));
    let longer = json.replacen("\"op\": \"1\"", "\"op\": \"1\", \"more\": \"\"", 1);
    assert_eq!(vectors::check(&longer).unwrap_err(), "request Hello: other fields than this build makes");
    assert!(vectors::check("{}").is_err() && vectors::check("[").is_err());
}
