//! One stretching of a passphrase at a time on this machine: each takes up to 256 MiB, and many at once would starve it.
//!
//! The lock is on the program's own file, so that nothing on the disk tells of it. It is a courtesy between runs of one
//! program: who can't have it in time goes on without.

use std::env;
use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// How long a run waits for its turn. Twenty runs that begin together need less.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether it has come.
const PAUSE: Duration = Duration::from_millis(10);

/// This run's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for the turn.
    pub fn wait() -> Self {
        Self { _lock: env::current_exe().and_then(File::open).ok().filter(|file| is_locked(file, PATIENCE)) }
    }
}

fn is_locked(file: &File, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while flock(file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_when_the_other_is_over_and_waiting_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let (first, second) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        assert!(is_locked(&first, Duration::ZERO));
        assert!(!is_locked(&second, PAUSE));
        drop(first);
        assert!(is_locked(&second, Duration::ZERO));
    }
}
