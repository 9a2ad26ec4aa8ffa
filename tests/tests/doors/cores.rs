//! No running program can leave a core image behind.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::stage::Stage;

/// What the system allows a process to leave when it crashes.
fn core_limit(process: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ")
}

/// The files of a process that may not be dumped belong to root, whoever runs it.
fn is_sealed(process: u32) -> bool {
    fs::metadata(format!("/proc/{process}/environ")).unwrap().uid() == 0
}

#[test]
fn neither_the_relay_nor_a_shell_can_leave_a_core() {
    let stage = Stage::new();
    let mut shell = stage.desk.shell();
    shell.run(&["queue"]);
    for process in [stage.relay.process_id(), shell.process_id()] {
        assert_eq!(core_limit(process), "0 0");
        assert!(is_sealed(process));
    }
}
