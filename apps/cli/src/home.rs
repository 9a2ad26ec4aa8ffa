//! The folder of one person: her vault, and the lock that keeps two processes out of it (docs/cli.md §2).
//!
//! Invariants: the folder is 0700 and its files 0600; whoever reads or writes the vault holds the lock, which the system
//! gives back when the process ends, however it ends.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use getrandom::SysRng;
use poterne_client_core::vault::{self, Params, Vault};
use rand_core::{CryptoRng, UnwrapErr};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::disk::{self, FileDisk};
use crate::failure::Failure;
use crate::turn::Turn;

const VAULT_FILE: &str = "vault";
const UNFINISHED_FILE: &str = "vault.new";
const LOCK_FILE: &str = "lock";

/// A home that this process holds alone.
#[derive(Debug)]
pub struct Home {
    folder: PathBuf,
    _lock: File,
}

/// The folder when none is named: below the user's data folder.
pub fn default_folder() -> Option<PathBuf> {
    let data = env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let home =
        || Some(PathBuf::from(env::var_os("HOME").filter(|value| !value.is_empty())?).join(".local/share"));
    Some(data.or_else(home)?.join("poterne"))
}

/// Whether a vault lies in that folder.
pub fn has_vault(folder: &Path) -> bool {
    folder.join(VAULT_FILE).exists()
}

/// Whether anything of a home lies in that folder.
pub fn exists(folder: &Path) -> bool {
    [VAULT_FILE, UNFINISHED_FILE].iter().any(|name| folder.join(name).exists())
}

impl Home {
    /// Takes the home for this process, and makes the folder where there is none.
    pub fn lock(folder: &Path) -> Result<Self, Failure> {
        let denied = |error: io::Error| Failure::home(folder, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(denied)?;
        match lock_file(&folder.join(LOCK_FILE)) {
            Ok(Some(lock)) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Ok(None) => Err(Failure::HomeInUse { path: folder.display().to_string() }),
            Err(error) => Err(denied(error)),
        }
    }

    /// Opens the vault that is there. A slot that was made to burn the others does so before anything else, in silence.
    pub fn open_vault(&self, passphrase: &[u8]) -> Result<Vault<FileDisk>, Failure> {
        let path = self.folder.join(VAULT_FILE);
        let disk = FileDisk::open(&path).map_err(|error| Failure::home(&path, &error))?;
        let _turn = Turn::wait();
        let mut vault = Vault::open(disk, passphrase)?;
        if vault.erases_others() {
            vault.erase_others(&mut UnwrapErr(SysRng))?;
        }
        Ok(vault)
    }

    /// Makes a vault; it is there when this returns, and not before.
    pub fn create_vault(
        &self,
        params: Params,
        passphrase: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vault<FileDisk>, Failure> {
        let (unfinished, path) = (self.folder.join(UNFINISHED_FILE), self.folder.join(VAULT_FILE));
        let denied = |error: io::Error| Failure::home(&path, &error);
        let disk = FileDisk::create(&unfinished, params.file_bytes()).map_err(denied)?;
        let _turn = Turn::wait();
        match Vault::format(disk, params, passphrase, rng) {
            Ok(vault) => disk::rename_durably(&unfinished, &path).map_err(denied).map(|()| vault),
            Err(error) => {
                // The disk may be full of it; if it stays, the next try replaces it.
                disk::remove_if_there(&unfinished).ok();
                Err(error.into())
            }
        }
    }

    /// Overwrites the vault and removes it, and the folder if nothing else lies in it.
    pub fn wipe(self, rng: &mut impl CryptoRng) -> Result<(), Failure> {
        let path = self.folder.join(VAULT_FILE);
        let denied = |error: io::Error| Failure::home(&path, &error);
        for name in [VAULT_FILE, UNFINISHED_FILE] {
            let file = self.folder.join(name);
            if file.exists() {
                vault::wipe(&mut FileDisk::open(&file).map_err(denied)?, rng)?;
                disk::remove_durably(&file).map_err(denied)?;
            }
        }
        disk::remove_if_there(&self.folder.join(LOCK_FILE)).map_err(denied)?;
        // The folder may be somebody's own, with other things in it.
        fs::remove_dir(&self.folder).ok();
        Ok(())
    }
}

/// The locked file; `None` while another process has it, or is just removing it.
fn lock_file(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // Who wiped the home removed the file that it had locked: a lock on that one would exclude nobody.
    let is_there =
        fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|ours| there.ino() == ours.ino()));
    Ok(is_there.then_some(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use getrandom::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn created(folder: &Path) -> Vault<FileDisk> {
        let home = Home::lock(folder).unwrap();
        home.create_vault(Params::smallest(), b"right", &mut UnwrapErr(SysRng)).unwrap()
    }

    #[test]
    fn two_holders_exclude_each_other() {
        let folder = folder();
        let first = Home::lock(folder.path()).unwrap();
        let path = folder.path().display().to_string();
        assert_eq!(Home::lock(folder.path()).unwrap_err(), Failure::HomeInUse { path });
        drop(first);
        assert!(Home::lock(folder.path()).is_ok());
    }

    #[test]
    fn a_vault_opens_with_its_passphrase_only() {
        let folder = folder();
        drop(created(folder.path()));
        let home = Home::lock(folder.path()).unwrap();
        assert!(home.open_vault(b"right").is_ok());
        assert_eq!(home.open_vault(b"wrong").unwrap_err(), Failure::PassphraseWrong);
    }

    #[test]
    fn a_home_is_its_owners_alone() {
        let folder = folder();
        let path = folder.path().join("in/new folders");
        created(&path);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(VAULT_FILE)), 0o600);
        assert_eq!(mode(&path.join(LOCK_FILE)), 0o600);
        assert!(!path.join(UNFINISHED_FILE).exists());
    }

    #[test]
    fn a_vault_that_was_never_finished_is_none() {
        let folder = folder();
        fs::write(folder.path().join(UNFINISHED_FILE), "half").unwrap();
        assert!(!has_vault(folder.path()));
        created(folder.path());
        assert!(has_vault(folder.path()));
    }

    #[test]
    fn a_file_that_is_no_vault_is_said_to_be_none() {
        let folder = folder();
        fs::write(folder.path().join(VAULT_FILE), [0; 8192]).unwrap();
        let home = Home::lock(folder.path()).unwrap();
        assert_eq!(home.open_vault(b"any").unwrap_err(), Failure::VaultUnknown);
    }

    #[test]
    fn wiping_leaves_no_folder_behind() {
        let folder = folder();
        let path = folder.path().join("home");
        created(&path);
        Home::lock(&path).unwrap().wipe(&mut UnwrapErr(SysRng)).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn wiping_keeps_what_is_not_ours() {
        let folder = folder();
        created(folder.path());
        fs::write(folder.path().join("letter"), "mine").unwrap();
        Home::lock(folder.path()).unwrap().wipe(&mut UnwrapErr(SysRng)).unwrap();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["letter"]);
    }
}
