//! Libraries of a few lines of C, made where they are needed, that take the place of a process's system calls: a disk
//! that is slow on purpose, and a clock that can be set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How slow a disk is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes that reach it in a second.
    pub bytes_per_sec: u64,
    /// Milliseconds of each sync beside.
    pub sync_millis: u64,
}

/// The words in front of a program that is to have such a disk; `None` where there is no C compiler.
pub fn slow_disk(folder: &Path, pace: Pace) -> Option<Vec<String>> {
    let library = make(folder, "slow_disk", include_str!("preload/slow_disk.c"))?;
    let bytes = format!("SLOW_DISK_BYTES_PER_SEC={}", pace.bytes_per_sec);
    let sync = format!("SLOW_DISK_SYNC_MICROS={}", pace.sync_millis * 1000);
    Some(words(&library, [bytes, sync]))
}

/// The clock of a process, which the test sets.
pub struct SteppedClock {
    library: PathBuf,
    offset: PathBuf,
}

impl SteppedClock {
    /// A clock that is right; `None` where there is no C compiler.
    pub fn make(folder: &Path) -> Option<Self> {
        let library = make(folder, "stepped_clock", include_str!("preload/stepped_clock.c"))?;
        let clock = Self { library, offset: folder.join("offset") };
        clock.set(0);
        Some(clock)
    }

    /// From now on it shows so many seconds more than there are.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn set(&self, secs: i64) {
        let draft = self.offset.with_extension("new");
        fs::write(&draft, secs.to_string()).and_then(|()| fs::rename(&draft, &self.offset)).expect("writes");
    }

    /// The words in front of a program that is to have that clock.
    pub fn wrapper(&self) -> Vec<String> {
        words(&self.library, [format!("STEPPED_CLOCK_FILE={}", self.offset.display())])
    }
}

fn make(folder: &Path, name: &str, text: &str) -> Option<PathBuf> {
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&source, text).ok()?;
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(&source);
    compiler.output().is_ok_and(|made| made.status.success()).then_some(library)
}

fn words<const N: usize>(library: &Path, settings: [String; N]) -> Vec<String> {
    let preload = format!("LD_PRELOAD={}", library.display());
    ["env".to_owned(), preload].into_iter().chain(settings).collect()
}
