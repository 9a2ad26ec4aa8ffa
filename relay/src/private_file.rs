//! Small files that hold secrets: written whole or not at all, readable by their owner alone, overwritten when erased.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

const OWNER_ONLY_FILE: u32 = 0o600;
const OWNER_ONLY_DIR: u32 = 0o700;
/// Permission bits of everybody but owner and group. A credential of systemd shows group bits for its access list.
const OTHERS: u32 = 0o007;

/// Makes the folder, and those above it, for its owner alone; one that is there stays as it is.
pub fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIR).create(path)
}

/// Writes a new file; one that is there already is an error.
pub fn create(path: &Path, secret: &[u8]) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let draft = path.with_extension("new");
    // What a crash left behind is in nobody's use.
    remove_if_there(&draft)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY_FILE).open(&draft)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_dir_of(path)
}

/// The 32 random bytes of a file, made at the first start. A spoilt file is replaced.
pub fn keep(path: &Path, rng: &mut impl CryptoRng) -> io::Result<Zeroizing<[u8; 32]>> {
    let kept = match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(kept) = kept {
        return Ok(kept);
    }
    remove_if_there(path)?;
    let mut fresh = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut fresh[..]);
    create(path, &fresh[..])?;
    Ok(fresh)
}

/// Overwrites the file in place and removes it. On a file system that copies on write the old bytes may stay.
pub fn erase(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.write_all(&vec![0; length])?;
    file.sync_all()?;
    fs::remove_file(path)?;
    sync_dir_of(path)
}

/// Whether people beside owner and group may read or change the file.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & OTHERS != 0)
}

/// Makes the names in the folder of `path` durable.
fn sync_dir_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!is_open_to_others(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(is_open_to_others(&path).unwrap());
    }

    #[test]
    fn a_secret_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"first").unwrap();
        assert_eq!(create(&path, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_half_written_secret_of_a_crash_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key.new"), b"half").unwrap();
        create(&dir.path().join("key"), b"whole").unwrap();
        assert_eq!(fs::read(dir.path().join("key")).unwrap(), b"whole");
    }

    #[test]
    fn a_kept_secret_is_the_same_until_it_is_spoilt() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let first = keep(&path, &mut rng).unwrap();
        assert_eq!(*keep(&path, &mut rng).unwrap(), *first);
        fs::write(&path, b"spoilt").unwrap();
        assert_ne!(*keep(&path, &mut rng).unwrap(), *first);
    }

    #[test]
    fn an_erased_secret_is_overwritten_under_every_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other_name) = (dir.path().join("key"), dir.path().join("link"));
        create(&path, b"secret").unwrap();
        fs::hard_link(&path, &other_name).unwrap();
        erase(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read(&other_name).unwrap(), [0; 6]);
    }
}
