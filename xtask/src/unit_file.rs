//! The systemd unit, judged by systemd's own checker, which needs no running systemd.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::command::{built_binary, command, is_installed, output, root, target_dir};
use crate::tally::Tally;

/// Exposure that `systemd-analyze security` may give the unit, in tenths (0 best, 100 worst).
const MOST_EXPOSURE: &str = "20";
const INSTALLED_BINARY: &str = "/usr/bin/poterne-relay";

pub fn step(tally: &mut Tally) {
    tally.step("unit file");
    if !is_installed("systemd-analyze") {
        tally.skip("unit file", "systemd-analyze is not installed");
        return;
    }
    tally.check("unit file", verified());
}

fn verified() -> anyhow::Result<()> {
    let unit = unit_with_built_binary()?;
    let unit = unit.to_string_lossy();
    output(&mut command("systemd-analyze", &["verify", "--man=no", &unit]))?;
    let threshold = format!("--threshold={MOST_EXPOSURE}");
    output(&mut command(
        "systemd-analyze",
        &["security", "--offline=true", "--no-pager", &threshold, &unit],
    ))?;
    Ok(())
}

/// A copy whose program exists on this machine: the checker looks for it.
fn unit_with_built_binary() -> anyhow::Result<PathBuf> {
    let source = root().join("deploy/poterne-relay.service");
    let text = std::fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
    let built = built_binary("poterne-relay");
    anyhow::ensure!(text.contains(INSTALLED_BINARY), "the unit does not start {INSTALLED_BINARY}");
    let copy = target_dir().join("unit/poterne-relay.service");
    std::fs::create_dir_all(copy.parent().expect("the copy has a folder"))?;
    std::fs::write(&copy, text.replace(INSTALLED_BINARY, &built.to_string_lossy()))?;
    Ok(copy)
}
