//! The oldest compiler that the pure crates promise, held to its word.

use std::process::Stdio;

use anyhow::Context as _;

use crate::command::{command, is_installed, output, root, run as run_command, target_dir};
use crate::tally::Tally;
use crate::wasm::PURE_CRATES;

const NAME: &str = "pure crates with their oldest compiler";

pub fn step(tally: &mut Tally) {
    tally.step(NAME);
    match promised_version() {
        Ok(version) if has_toolchain(&version) => tally.check(NAME, check(&version)),
        Ok(version) => {
            tally.skip(NAME, format!("Rust {version} is not installed and rustup could not add it"))
        }
        Err(error) => tally.fail(format_args!("{NAME}: {error:#}")),
    }
}

/// The `rust-version` of the lowest crate; a test holds the others to the same.
fn promised_version() -> anyhow::Result<String> {
    let manifest = std::fs::read_to_string(root().join("protocol/Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    line.map(|version| version.trim_matches('"').to_owned())
        .context("protocol/Cargo.toml names no rust-version")
}

fn has_toolchain(version: &str) -> bool {
    is_installed("rustup") && (is_runnable(version) || is_added(version))
}

fn is_runnable(version: &str) -> bool {
    let list = output(&mut command("rustup", &["toolchain", "list"])).unwrap_or_default();
    list.lines().any(|line| line.starts_with(&format!("{version}-")))
}

fn is_added(version: &str) -> bool {
    let words = ["120", "rustup", "toolchain", "install", version, "--profile", "minimal"];
    let mut add = command("timeout", &words);
    add.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    add.status().is_ok_and(|status| status.success())
}

fn check(version: &str) -> anyhow::Result<()> {
    let mut words = vec!["run", version, "cargo", "check", "--quiet"];
    for name in PURE_CRATES {
        words.extend(["--package", name]);
    }
    // A folder of its own: the other compiler would rebuild everything in ours.
    let mut check = command("rustup", &words);
    check.env("CARGO_TARGET_DIR", target_dir().join("msrv")).env_remove("LD_LIBRARY_PATH");
    run_command(&mut check)
}
