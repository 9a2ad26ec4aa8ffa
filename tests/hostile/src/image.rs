//! An ext4 image on a loop device: its power can be cut, it can run out of room or of files, it can fall back to
//! read-only, and its raw bytes can be searched as a thief does.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::ioctl::{Opcode, Setter, ioctl};

/// Shuts an ext4 file system down (the kernel's fs/ext4/ext4.h).
const EXT4_IOC_SHUTDOWN: Opcode = 0x8004_587D;
const NO_LOG_FLUSH: u32 = 2;
/// Bytes that a disk writes whole.
const SECTOR_BYTES: usize = 512;
/// Bytes by which a sector is known.
const MARK_BYTES: usize = 16;

/// The bytes by which a sector is known again.
pub type Mark = [u8; MARK_BYTES];

/// A loop-mounted image; unmounted when dropped.
pub struct Image {
    file: PathBuf,
    /// Where it is mounted.
    pub mount: PathBuf,
}

impl Image {
    /// Makes and mounts one of that size; `None` where that can't be done.
    pub fn make(folder: &Path, mib: u64) -> Option<Self> {
        Self::make_with(folder, mib, &[])
    }

    /// As [`Image::make`], with more words for mkfs.ext4.
    pub fn make_with(folder: &Path, mib: u64, words: &[&str]) -> Option<Self> {
        let image = Self { file: folder.join("image"), mount: folder.join("mount") };
        File::create(&image.file).ok()?.set_len(mib << 20).ok()?;
        fs::create_dir(&image.mount).ok()?;
        let made = run("mkfs.ext4", &[words, &["-q", "-F", image.file.to_str()?]].concat());
        (made && image.mount()).then_some(image)
    }

    /// Mounts it again.
    pub fn mount(&self) -> bool {
        let (file, mount) = (self.file.to_string_lossy(), self.mount.to_string_lossy());
        run("mount", &["-o", "loop,errors=remount-ro", &file, &mount])
    }

    /// Unmounts it, puts right what a check finds, and mounts it again.
    pub fn heal(&self) -> bool {
        self.unmount() && {
            // Its exit code tells what it did; whether that helped, the mount tells.
            run("fsck.ext4", &["-f", "-y", &self.file.to_string_lossy()]);
            self.mount()
        }
    }

    /// The page cache is gone, what was synced is on the disk.
    #[expect(unsafe_code, reason = "no safe wrapper knows this ioctl")]
    pub fn cut_power(&self) -> bool {
        let Ok(directory) = File::open(&self.mount) else { return false };
        // SAFETY: EXT4_IOC_SHUTDOWN reads a u32 through the pointer that a setter passes, and writes nothing.
        let cut = unsafe { ioctl(&directory, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
        cut.is_ok()
    }

    /// Makes the file system find an error, upon which it goes on as read-only.
    pub fn fall_back_to_read_only(&self) -> bool {
        let Some(device) = self.device() else { return false };
        fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "test").is_ok()
    }

    /// The name of its loop device.
    fn device(&self) -> Option<String> {
        let mounts = fs::read_to_string("/proc/mounts").ok()?;
        let mount = self.mount.to_string_lossy().into_owned();
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(&mount))?;
        Some(line.split(' ').next()?.trim_start_matches("/dev/").to_owned())
    }

    /// Unmounts it.
    pub fn unmount(&self) -> bool {
        run("umount", &[&self.mount.to_string_lossy()])
    }

    /// Which of the marks stand in the raw image, at the beginning of a sector of the disk.
    pub fn search(&self, marks: &BTreeSet<Mark>) -> BTreeSet<Mark> {
        run("sync", &["-f", &self.mount.to_string_lossy()]);
        let mut file = File::open(&self.file).expect("the image is there");
        let mut buffer = vec![0; 1 << 20];
        let mut found = BTreeSet::new();
        loop {
            let count = file.read(&mut buffer).expect("the image can be read");
            if count == 0 {
                return found;
            }
            let sectors =
                buffer[..count].chunks_exact(SECTOR_BYTES).filter_map(|sector| sector.first_chunk());
            found.extend(sectors.filter(|mark| marks.contains(*mark)));
        }
    }
}

/// The marks of all sectors of these bytes.
pub fn marks_of(bytes: &[u8]) -> impl Iterator<Item = Mark> {
    bytes.chunks_exact(SECTOR_BYTES).filter_map(|sector| sector.first_chunk().copied())
}

impl Drop for Image {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn run(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
