//! What a process holds, as the kernel counts it (proc(5)).

use std::fs;
use std::path::Path;

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Open descriptors, those of regular files left out.
    pub descriptors: usize,
    /// Open regular files.
    pub files: usize,
    /// Bytes of memory that are resident.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u64,
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
        Self {
            descriptors: others.len(),
            files: files.len(),
            memory_bytes,
            threads: number(&status, "Threads:"),
        }
    }
}

/// Whether that entry of a process's descriptors leads to a regular file; sockets and the like have no path.
fn is_of_a_file(descriptor: &Path) -> bool {
    fs::read_link(descriptor).is_ok_and(|to| to.is_absolute() && !to.starts_with("/dev"))
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
