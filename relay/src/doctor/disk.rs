//! The folder of the data: whose it is, how much room there is, and whether overwriting erases on its file system.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{statfs, statvfs};

use super::Finding;
use crate::config::Config;

/// File systems that never write in place (their numbers in statfs(2)), by name.
const COPY_ON_WRITE: &[(u64, &str)] = &[
    (0x0000_3434, "nilfs"),
    (0x2FC1_2FC1, "zfs"),
    (0x794C_7630, "overlayfs"),
    (0x9123_683E, "btrfs"),
    (0xCA45_1A4E, "bcachefs"),
    (0xF2F5_2010, "f2fs"),
];
const GROUP_AND_OTHERS: u32 = 0o077;
/// Segments are few and large: a hundred files are far more than a relay needs at once.
const FEW_FILES: u64 = 100;

pub(super) fn folder(config: &Config) -> Finding {
    let path = config.data_dir.display();
    let Ok(about) = fs::metadata(&config.data_dir) else {
        return Finding::ok("folder", "The data folder is made at the first start.");
    };
    match about.permissions().mode() & GROUP_AND_OTHERS {
        0 => Finding::ok("folder", "The data folder is open to the relay alone."),
        _ => Finding::warning("folder", format!("Other users can look into {path}. Run `chmod 700 {path}`.")),
    }
}

pub(super) fn space(config: &Config) -> Finding {
    let path = existing_part(&config.data_dir);
    match statvfs(&path) {
        Ok(disk) => {
            let (total, free) = (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize);
            judge_space(config, total, free, disk.f_favail)
        }
        Err(error) => {
            let path = path.display();
            Finding::problem(
                "space",
                format!("The disk of {path} can't be read ({error}). See that it is mounted."),
            )
        }
    }
}

fn judge_space(config: &Config, total: u64, free: u64, files: u64) -> Finding {
    let reserve = config.reserve_bytes.max(total / 100 * u64::from(config.reserve_percent));
    let mebibytes = |bytes: u64| bytes >> 20;
    if free <= reserve {
        let (free, reserve) = (mebibytes(free), mebibytes(reserve));
        let says = format!(
            "{free} MiB are free, less than the reserve of {reserve} MiB: puts are refused. Make room."
        );
        return Finding::problem("space", says);
    }
    if files < FEW_FILES {
        return Finding::problem("space", "Hardly any file can be made any more. Remove files on this disk.");
    }
    Finding::ok("space", format!("{} MiB are free beyond the reserve.", mebibytes(free - reserve)))
}

pub(super) fn overwriting(config: &Config) -> Finding {
    let kind = statfs(existing_part(&config.data_dir)).map(|disk| disk.f_type.cast_unsigned());
    match kind.ok().and_then(copy_on_write_name) {
        Some(name) => {
            let says = format!(
                "{name} keeps old blocks when a file is overwritten: what was deleted stays on the disk for some time. \
                 Put data_dir on ext4 or XFS."
            );
            Finding::warning("erasing", says)
        }
        None => Finding::ok("erasing", "Overwriting erases on this file system."),
    }
}

fn copy_on_write_name(kind: u64) -> Option<&'static str> {
    // Some numbers come sign-extended.
    let kind = kind & 0xFFFF_FFFF;
    COPY_ON_WRITE.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

/// The nearest folder above that exists.
fn existing_part(path: &Path) -> PathBuf {
    path.ancestors().find(|part| part.exists()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_larger_reserve_counts() {
        let config = Config { reserve_bytes: GIB, reserve_percent: 5, ..Config::default() };
        assert_eq!(judge_space(&config, 100 * GIB, 6 * GIB, 1000).level, Level::Ok);
        assert_eq!(judge_space(&config, 100 * GIB, 4 * GIB, 1000).level, Level::Problem);
        assert_eq!(judge_space(&config, 2 * GIB, GIB, 1000).level, Level::Problem);
    }

    #[test]
    fn a_disk_without_inodes_is_a_problem() {
        assert_eq!(judge_space(&Config::default(), 100 * GIB, 90 * GIB, 3).level, Level::Problem);
    }

    #[test]
    fn file_systems_that_copy_on_write_are_known_by_number() {
        assert_eq!(copy_on_write_name(0x9123_683E), Some("btrfs"));
        assert_eq!(copy_on_write_name(0xFFFF_FFFF_F2F5_2010), Some("f2fs"));
        assert_eq!(copy_on_write_name(0xEF53), None);
    }

    #[test]
    fn a_folder_that_others_can_read_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
        assert_eq!(folder(&config).level, Level::Warning);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("not/yet");
        let config = Config { data_dir, reserve_bytes: 0, reserve_percent: 0, ..Config::default() };
        assert_eq!(space(&config).level, Level::Ok);
    }
}
