//! An ext4 image on a loop device, whose power can be cut.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::ioctl::{Opcode, Setter, ioctl};

/// Shuts an ext4 file system down (the kernel's fs/ext4/ext4.h).
const EXT4_IOC_SHUTDOWN: Opcode = 0x8004_587D;
const NO_LOG_FLUSH: u32 = 2;
const IMAGE_BYTES: u64 = 256 << 20;

/// A loop-mounted image; unmounted when dropped.
pub struct Image {
    file: PathBuf,
    /// Where it is mounted.
    pub mount: PathBuf,
}

impl Image {
    /// Makes and mounts one; `None` where that can't be done.
    pub fn make(folder: &Path) -> Option<Self> {
        let image = Self { file: folder.join("image"), mount: folder.join("mount") };
        File::create(&image.file).ok()?.set_len(IMAGE_BYTES).ok()?;
        std::fs::create_dir(&image.mount).ok()?;
        let made = run("mkfs.ext4", &["-q", "-F", image.file.to_str()?]);
        (made && image.mount()).then_some(image)
    }

    /// Mounts it again.
    pub fn mount(&self) -> bool {
        run("mount", &["-o", "loop", &self.file.to_string_lossy(), &self.mount.to_string_lossy()])
    }

    /// The page cache is gone, what was synced is on the disk.
    #[expect(unsafe_code, reason = "no safe wrapper knows this ioctl")]
    pub fn cut_power(&self) -> bool {
        let Ok(directory) = File::open(&self.mount) else { return false };
        // SAFETY: EXT4_IOC_SHUTDOWN reads a u32 through the pointer that a setter passes, and writes nothing.
        let cut = unsafe { ioctl(&directory, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
        cut.is_ok()
    }

    /// Unmounts it.
    pub fn unmount(&self) -> bool {
        run("umount", &[&self.mount.to_string_lossy()])
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn run(program: &str, words: &[&str]) -> bool {
    let status = Command::new(program).args(words).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
