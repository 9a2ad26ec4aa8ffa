//! What a process holds, as the kernel counts it (proc(5)).

use std::fs;

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Open descriptors.
    pub descriptors: usize,
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
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).expect("the process is ours").count();
        let memory_bytes = number(&status, "VmRSS:") * 1024;
        Self { descriptors, memory_bytes, threads: number(&status, "Threads:") }
    }
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
