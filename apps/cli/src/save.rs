//! Files of the other side, written into a folder of the person's choice (docs/cli.md §7).
//!
//! Invariants: a name is made here, from the file's id and a known ending, and nothing of it comes from the other side;
//! nothing is overwritten; a file has its name only when all of it is on the disk, and is its owner's alone (0600).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use poterne_client_core::files::FileId;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::attach::ending;
use crate::disk::remove_if_there;
use crate::failure::Failure;

/// Names that are tried where one is taken by something else.
const NAMES_MAX: u32 = 100;

/// Writes a file into a folder, which is made where there is none. Where the same file is there already, as after a run
/// that was cut off, that one counts.
pub fn save(folder: &Path, file: FileId, media_type: &str, content: &[u8]) -> Result<PathBuf, Failure> {
    let failed =
        |error: io::Error| Failure::FileUnsaved { path: folder.display().to_string(), kind: error.kind() };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    write(folder, file, ending(media_type), content).map_err(failed)
}

fn write(folder: &Path, file: FileId, ending: &str, content: &[u8]) -> io::Result<PathBuf> {
    let unfinished = folder.join(format!(".poterne-{file}.part"));
    let mut is_written = false;
    for number in 1..=NAMES_MAX {
        let path = folder.join(name(file, number, ending));
        if is_taken(&path) {
            if is_same(&path, content) {
                remove_if_there(&unfinished)?;
                return Ok(path);
            }
            continue;
        }
        if !is_written {
            write_unfinished(&unfinished, content)?;
            is_written = true;
        }
        match rename_to_new(&unfinished, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => {
                other?;
                File::open(folder)?.sync_all()?;
                return Ok(path);
            }
        }
    }
    remove_if_there(&unfinished)?;
    Err(ErrorKind::AlreadyExists.into())
}

fn name(file: FileId, number: u32, ending: &str) -> String {
    match number {
        1 => format!("poterne-{file}.{ending}"),
        _ => format!("poterne-{file}-{number}.{ending}"),
    }
}

/// By anything, a link that leads nowhere too.
fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn is_same(path: &Path, content: &[u8]) -> bool {
    let is_file =
        fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.len() == content.len() as u64);
    is_file && fs::read(path).is_ok_and(|there| there == content)
}

/// In the place of one that was never finished.
fn write_unfinished(path: &Path, content: &[u8]) -> io::Result<()> {
    remove_if_there(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Renames where nothing has that name.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that can't: the name is taken first, so that what is replaced is ours.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const FILE: FileId = FileId([0xab; 8]);

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_and_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("new");
        let path = save(&into, FILE, "image/jpeg", b"content").unwrap();
        assert_eq!(names(&into), ["poterne-abababababababab.jpg"]);
        assert_eq!(fs::read(&path).unwrap(), b"content");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&into).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_same_file_is_saved_once_also_after_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".poterne-abababababababab.part"), "cont").unwrap();
        let first = save(folder.path(), FILE, "text/plain", b"content").unwrap();
        assert_eq!(save(folder.path(), FILE, "text/plain", b"content").unwrap(), first);
        assert_eq!(names(folder.path()), ["poterne-abababababababab.txt"]);
    }

    #[test]
    fn nothing_is_overwritten_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("poterne-abababababababab.bin");
        fs::write(&own, "something else").unwrap();
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join("poterne-abababababababab-2.bin")).unwrap();
        let path = save(folder.path(), FILE, "../../etc/passwd", b"content").unwrap();
        assert_eq!(path, folder.path().join("poterne-abababababababab-3.bin"));
        assert_eq!(fs::read(&own).unwrap(), b"something else");
        assert!(!target.exists());
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::write(&taken, "a file").unwrap();
        assert_eq!(save(&taken, FILE, "", b"content").unwrap_err().code(), "file_unsaved");
    }
}
