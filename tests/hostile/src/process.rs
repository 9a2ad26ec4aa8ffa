//! What a process holds, as the kernel counts it (proc(5)).

use std::fs;
use std::path::Path;

/// What the names of sled's threads begin with.
const SLED_THREADS: &str = "sled-io-";

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Open descriptors, those of regular files left out.
    pub descriptors: usize,
    /// Open regular files.
    pub files: usize,
    /// Bytes of memory that are resident.
    pub memory_bytes: u64,
    /// Threads, but for those of sled, which come and go: at most eight.
    pub threads: usize,
}

impl Holding {
    /// What the process of that id holds now.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn of(id: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
        let open = fs::read_dir(format!("/proc/{id}/fd")).expect("the process is ours").flatten();
        let (files, others): (Vec<_>, Vec<_>) = open.partition(|entry| is_of_a_file(&entry.path()));
        let memory_bytes = number(&status, "VmRSS:") * 1024;
        Self { descriptors: others.len(), files: files.len(), memory_bytes, threads: threads_of(id) }
    }
}

fn threads_of(id: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).expect("the process is ours").flatten();
    // A thread may end while we look.
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| !name.starts_with(SLED_THREADS)).count()
}

/// Whether that entry of a process's descriptors leads to a regular file; sockets and the like have no path.
fn is_of_a_file(descriptor: &Path) -> bool {
    fs::read_link(descriptor).is_ok_and(|to| to.is_absolute() && !to.starts_with("/dev"))
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
