//! The pure crates for wasm32, by whichever compiler this machine can have.
//!
//! One function picks the route: rustup's target where it is there or can be added, else Debian's rustc-web.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::command::{cargo, command, is_installed, output, run, target_dir};

const TARGET: &str = "wasm32-unknown-unknown";
/// The crate that checks the frozen vectors; it brings the pure crates with it.
const VECTORS_CRATE: &str = "poterne-wasm-vectors";
/// The crates without clock, randomness, sockets or files.
pub const PURE_CRATES: &[&str] = &["poterne-protocol", "poterne-client-core", "poterne-relay-core"];
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-19";

/// A compiler for wasm32.
pub enum Route {
    /// The toolchain of this run with rustup's target.
    Rustup,
    /// Debian's compiler, with the standard library built from its source package.
    Debian,
}

impl Route {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Debian => "Debian's rustc-web",
            Self::Rustup => "rustup's target",
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut build = match self {
            Self::Rustup => cargo(arguments),
            Self::Debian => debian_cargo(arguments),
        };
        // A folder of its own: the other compiler would rebuild everything in ours, and lock it meanwhile.
        build.env("CARGO_TARGET_DIR", wasm_target_dir());
        // Link-time optimisation costs a minute and proves nothing here.
        build.env("CARGO_PROFILE_RELEASE_LTO", "off");
        build
    }
}

fn debian_cargo(arguments: &[&str]) -> Command {
    let mut build = command(DEBIAN_CARGO, arguments);
    build
        .arg("-Zbuild-std=std,panic_abort")
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
        // rustup sets these for its own toolchain.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTUP_TOOLCHAIN");
    build
}

/// Picks the route, or says why there is none.
pub fn route() -> Result<Route, String> {
    let rustup = match rustup_target() {
        Ok(()) => return Ok(Route::Rustup),
        Err(reason) => reason,
    };
    match debian_compiler() {
        Ok(()) => Ok(Route::Debian),
        Err(debian) => Err(format!("no compiler for {TARGET}: {rustup}; {debian}")),
    }
}

fn rustup_target() -> Result<(), &'static str> {
    if !is_installed("rustup") {
        return Err("rustup is not installed");
    }
    let installed = output(&mut command("rustup", &["target", "list", "--installed"])).unwrap_or_default();
    if installed.lines().any(|line| line == TARGET) {
        return Ok(());
    }
    quiet(&mut command("timeout", &["60", "rustup", "target", "add", TARGET]))
        .then_some(())
        .ok_or("rustup could not add the target")
}

fn debian_compiler() -> Result<(), &'static str> {
    if debian_is_complete() {
        return Ok(());
    }
    if !is_installed("apt-get") {
        return Err("this is no Debian");
    }
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(DEBIAN_PACKAGES);
    if is_root() && quiet(&mut command("apt-get", &install)) && debian_is_complete() {
        return Ok(());
    }
    Err(
        "Debian's rustc-web, cargo-web, rust-web-src and lld-19 are not installed (as root they are installed here)",
    )
}

fn debian_is_complete() -> bool {
    let needed = [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_LINKER];
    needed.iter().all(|path| Path::new(path).exists())
}

fn is_root() -> bool {
    output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Runs without a word; whether it ended well.
fn quiet(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Builds the pure crates and the vectors' module; gives the path of the latter.
pub fn build(route: &Route) -> anyhow::Result<PathBuf> {
    let mut arguments = vec!["build", "--release", "--quiet", "--target", TARGET];
    for name in PURE_CRATES.iter().chain([&VECTORS_CRATE]) {
        arguments.extend(["--package", name]);
    }
    run(&mut route.cargo(&arguments)).with_context(|| format!("building by {}", route.name()))?;
    let file = format!("{}.wasm", VECTORS_CRATE.replace('-', "_"));
    Ok(wasm_target_dir().join(TARGET).join("release").join(file))
}

fn wasm_target_dir() -> PathBuf {
    target_dir().join("wasm")
}
