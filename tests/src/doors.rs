//! Real processes for the end-to-end tests: a relay that can be killed, and homes that run the `poterne` command.
//!
//! Binaries come from the target folder of the test itself (`cargo xtask test` builds them first); each process is
//! ended by its owner on drop. Nothing here asserts times.

pub mod disk;
pub mod home;
pub mod relay;

use std::path::PathBuf;

/// The path of a binary of this workspace, built in the same profile as the running test.
///
/// # Panics
/// When it has not been built; the message says how to.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().nth(2).expect("tests run from target/PROFILE/deps");
    let path = profile.join(name);
    assert!(path.exists(), "{name} is not built: run `cargo build --bins` first (cargo xtask test does)");
    path
}
