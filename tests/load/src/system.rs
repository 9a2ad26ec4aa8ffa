//! What the kernel tells of a process and of a folder.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Bytes that were written so far to the disk on which a folder is, by whomever. What the kernel tells of one process
/// counts whole folios where a page of them was written, which is a third too much for a log.
pub fn bytes_written(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let device = fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?.dev();
    let text = fs::read_to_string("/proc/diskstats").context("reading /proc/diskstats")?;
    let sectors = sectors_written(&text, rustix::fs::major(device), rustix::fs::minor(device));
    sectors
        .map(|sectors| sectors * 512)
        .with_context(|| format!("no disk is known below {}", folder.display()))
}

fn sectors_written(text: &str, major: u32, minor: u32) -> Option<u64> {
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_it =
        |one: &Vec<String>| one.len() > 9 && one[0] == major.to_string() && one[1] == minor.to_string();
    text.lines().map(fields).find(is_it)?[9].parse().ok()
}

/// Bytes of memory that this process holds.
pub fn resident_bytes() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    field(&text, "VmRSS:").map(|kib| kib * 1024).context("/proc/self/status tells no VmRSS")
}

/// The number behind a name, which begins a line of what the kernel tells.
pub fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes of disk that a folder takes. A file may be removed meanwhile.
pub fn disk_bytes(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => entry.metadata().map_or(0, |file| file.blocks() * 512),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sectors_of_a_disk_are_found_by_its_number() {
        let text = " 254  0 vda 1 2 3 4 5 6 777 8\n 254  1 vda1 1 2 3 4 5 6 888 8\n";
        assert_eq!(sectors_written(text, 254, 1), Some(888));
        assert_eq!(sectors_written(text, 8, 0), None);
    }

    #[test]
    fn a_field_is_found_by_its_name() {
        assert_eq!(field("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
        assert_eq!(field("", "VmRSS:"), None);
    }
}
