//! One relay per data folder: a lock file that is held while the relay lives, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";

/// Why the folder isn't ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another relay runs on it.
    #[error("Another relay already works in {0}. End it first, or give this one a data_dir of its own.")]
    Held(PathBuf),
    /// The disk refuses.
    #[error("The lock in {path} can't be taken ({error}). See that the relay owns the folder.")]
    Storage {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The lock; it ends when this is dropped or the process dies.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Takes the folder for this process.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let storage = |error| LockError::Storage { path: dir.to_owned(), error };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(dir.join(LOCK_FILE)).map_err(storage)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(storage(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_refused_until_the_first_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let first = InstanceLock::take(dir.path()).unwrap();
        assert!(matches!(InstanceLock::take(dir.path()), Err(LockError::Held(_))));
        drop(first);
        assert!(InstanceLock::take(dir.path()).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = InstanceLock::take(Path::new("/no/such/folder")).unwrap_err().to_string();
        assert!(error.contains("/no/such/folder"), "{error}");
    }
}
