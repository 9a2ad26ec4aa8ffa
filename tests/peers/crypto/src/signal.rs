//! libsignal, through Node: its own harness, because it is not published as a crate.

use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/libsignal.mjs");
/// Where `npm install --prefix` has put it.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../target/peers/libsignal");

/// Times libsignal, or says what is missing.
pub fn run() {
    if !Path::new(PACKAGE).join("node_modules/@signalapp/libsignal-client").exists() {
        println!(
            "libsignal is not installed, so it was not timed: \
             `npm install --prefix target/peers/libsignal @signalapp/libsignal-client`"
        );
        return;
    }
    match Command::new("node").args([SCRIPT, PACKAGE]).status() {
        Ok(status) if status.success() => {}
        other => println!("libsignal could not be timed: {other:?}"),
    }
}
