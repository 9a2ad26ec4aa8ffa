//! A file on this disk that goes with a text (docs/cli.md §7).
//!
//! Photos are made anew from their pixels ([`crate::photo`]), so that nothing else of them is sent; other files go as they
//! are. Invariant: whatever looks like a picture is re-encoded or refused, whatever its name says.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use poterne_client_core::attachment::{
    Attachable, FILE_BYTES_MAX, FileRefused, OTHER_TYPE, PHOTO_TYPE, is_picture, jpeg,
};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::photo;

/// Bytes of a photo as a camera makes it, at most.
const SOURCE_BYTES_MAX: u64 = 64 << 20;

/// What a name's ending says of a file that is sent as it is.
const MEDIA_TYPES: [(&str, &str); 6] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("zip", "application/zip"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("mp4", "video/mp4"),
];

/// Reads a file and makes it fit to be sent.
pub fn attachable(path: &Path) -> Result<Attachable, Failure> {
    let content = read(path)?;
    if content.is_empty() {
        return Err(Failure::FileEmpty);
    }
    if jpeg::is_jpeg(&content) || is_picture(&content) {
        let photo = photo::reencoded(&content)?;
        return Ok(Attachable::new(photo, PHOTO_TYPE)?);
    }
    if content.len() > FILE_BYTES_MAX {
        return Err(Failure::FileTooLarge);
    }
    Ok(Attachable::new(content, media_type(path))?)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        // A pipe or a device may never end.
        let kind = if about.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::Unsupported };
        return Err(failed(kind.into()));
    }
    let mut content = Zeroizing::new(Vec::new());
    File::open(path).map_err(failed)?.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > SOURCE_BYTES_MAX { Err(Failure::FileTooLarge) } else { Ok(content) }
}

fn media_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == ending);
    known.map_or(OTHER_TYPE, |(_, media_type)| media_type)
}

/// The ending for a file of that type, which is what somebody else says of it.
pub fn ending(media_type: &str) -> &'static str {
    let known = MEDIA_TYPES.iter().find(|(_, known)| *known == media_type);
    match media_type {
        PHOTO_TYPE => "jpg",
        _ => known.map_or("bin", |(ending, _)| ending),
    }
}

impl From<FileRefused> for Failure {
    fn from(refused: FileRefused) -> Self {
        match refused {
            FileRefused::Empty => Self::FileEmpty,
            FileRefused::Jpeg(_) => Self::PhotoBroken,
            FileRefused::MediaType | FileRefused::Picture => Self::PhotoUnknown,
            FileRefused::TooLarge { .. } => Self::FileTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_goes_as_it_is_with_the_type_of_its_ending() {
        let (_folder, path) = folder_with("Letter.PDF", b"%PDF-1.7");
        let file = attachable(&path).unwrap();
        assert_eq!((file.content().as_slice(), file.media_type()), (&b"%PDF-1.7"[..], "application/pdf"));
        assert_eq!((ending("application/pdf"), ending("../../x"), ending(PHOTO_TYPE)), ("pdf", "bin", "jpg"));
    }

    #[test]
    fn what_can_not_be_sent_says_why() {
        let (folder, path) = folder_with("empty", b"");
        assert_eq!(attachable(&path).unwrap_err(), Failure::FileEmpty);
        let codes = [
            (folder.path().to_owned(), "file_unreadable"),
            (folder.path().join("absent"), "file_unreadable"),
            ("/dev/zero".into(), "file_unreadable"),
        ];
        for (path, code) in codes {
            assert_eq!(attachable(&path).unwrap_err().code(), code);
        }
        let (_folder, large) = folder_with("large.bin", &vec![0; FILE_BYTES_MAX + 1]);
        assert_eq!(attachable(&large).unwrap_err(), Failure::FileTooLarge);
        let (_folder, heic) = folder_with("photo.jpg", b"\0\0\0\x18ftypheic\0\0\0\0");
        assert_eq!(attachable(&heic).unwrap_err(), Failure::PhotoUnknown);
    }
}
