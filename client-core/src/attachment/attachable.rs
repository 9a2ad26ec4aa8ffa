//! A file that may be sent (docs/spec/attachments.md §3).
//!
//! Invariant: a picture among these is a bare JPEG within the bounds of a photo; formats of pictures that could carry
//! metadata are refused, whatever their name says.

use zeroize::Zeroizing;

use super::jpeg::{self, JpegError};
use super::{FILE_BYTES_MAX, MEDIA_TYPE_BYTES};

/// The media type of a photo.
pub const PHOTO_TYPE: &str = "image/jpeg";
/// The media type of what no other is known for.
pub const OTHER_TYPE: &str = "application/octet-stream";

/// Content and media type, checked.
#[derive(Clone)]
pub struct Attachable {
    content: Zeroizing<Vec<u8>>,
    media_type: String,
}

crate::secret::silent!(Attachable);

/// Why a file is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FileRefused {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// A JPEG that may not be sent as it is.
    #[error("{0}")]
    Jpeg(#[from] JpegError),
    /// The media type is above 64 bytes.
    #[error("a media type has at most {MEDIA_TYPE_BYTES} bytes")]
    MediaType,
    /// A picture of another format than JPEG, which may hold metadata.
    #[error("a picture is sent as a bare JPEG only")]
    Picture,
    /// It is above 1 MiB.
    #[error("a file has at most {FILE_BYTES_MAX} bytes, this one has {bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

impl Attachable {
    /// Checks a file. What begins as a JPEG is one, whatever `media_type` says.
    pub fn new(content: Zeroizing<Vec<u8>>, media_type: &str) -> Result<Self, FileRefused> {
        match content.len() {
            0 => return Err(FileRefused::Empty),
            bytes if bytes > FILE_BYTES_MAX => return Err(FileRefused::TooLarge { bytes }),
            _ if media_type.len() > MEDIA_TYPE_BYTES => return Err(FileRefused::MediaType),
            _ => {}
        }
        if jpeg::is_jpeg(&content) {
            jpeg::check(&content)?;
            return Ok(Self { content, media_type: PHOTO_TYPE.to_owned() });
        }
        if is_picture(&content) || media_type.starts_with("image/") {
            return Err(FileRefused::Picture);
        }
        Ok(Self { content, media_type: media_type.to_owned() })
    }

    /// What is in it.
    pub fn content(&self) -> &Zeroizing<Vec<u8>> {
        &self.content
    }

    /// As in `image/jpeg`.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }
}

/// How PNG, GIF, TIFF (both byte orders), JPEG XL (both forms) and JPEG 2000 begin.
const OTHER_PICTURES: [&[u8]; 7] =
    [b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"\xff\x0a", b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  "];

/// Whether these bytes begin as a picture of a format that can carry metadata: PNG, GIF, WebP, TIFF, BMP, HEIC, AVIF,
/// JPEG XL, JPEG 2000. JPEG is not among these.
pub fn is_picture(bytes: &[u8]) -> bool {
    let begins = |with: &[u8]| bytes.starts_with(with);
    let is_webp = begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let is_bmp = begins(b"BM") && bytes.get(6..10) == Some(&[0; 4]);
    let is_other = OTHER_PICTURES.into_iter().any(begins);
    is_webp || is_bmp || is_other || is_heic(bytes)
}

/// HEIC, HEIF or AVIF: an ISO base media file whose brand is one of a picture.
pub fn is_heic(bytes: &[u8]) -> bool {
    const BRANDS: [&[u8; 4]; 10] =
        [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];
    bytes.get(4..8) == Some(b"ftyp") && BRANDS.iter().any(|brand| bytes.get(8..12) == Some(&brand[..]))
}

#[cfg(test)]
mod tests {
    use super::super::jpeg::tests::tiny;
    use super::*;

    fn checked(content: &[u8], media_type: &str) -> Result<Attachable, FileRefused> {
        Attachable::new(Zeroizing::new(content.to_vec()), media_type)
    }

    #[test]
    fn a_jpeg_is_one_whatever_it_is_called() {
        assert_eq!(checked(&tiny(1), "application/pdf").unwrap().media_type(), PHOTO_TYPE);
        let exif = [&tiny(1)[..2], b"\xff\xe1\0\x08Exif\0\0", &tiny(1)[2..]].concat();
        let refused = FileRefused::Jpeg(JpegError::Metadata { marker: 0xe1 });
        assert_eq!(checked(&exif, "application/octet-stream").unwrap_err(), refused);
    }

    #[test]
    fn pictures_of_other_formats_are_refused() {
        let webp = b"RIFF\x04\0\0\0WEBPVP8 ";
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0";
        for picture in [b"\x89PNG\r\n\x1a\n".as_slice(), webp, heic, b"GIF89a", b"II*\0rest", b"MM\0*rest"] {
            assert_eq!(checked(picture, OTHER_TYPE).unwrap_err(), FileRefused::Picture);
        }
        assert_eq!(checked(b"no picture", "image/png").unwrap_err(), FileRefused::Picture);
    }

    #[test]
    fn a_file_has_between_1_byte_and_1_mib() {
        assert_eq!(checked(b"", OTHER_TYPE).unwrap_err(), FileRefused::Empty);
        assert!(checked(&vec![b'x'; FILE_BYTES_MAX], OTHER_TYPE).is_ok());
        let bytes = FILE_BYTES_MAX + 1;
        assert_eq!(checked(&vec![b'x'; bytes], OTHER_TYPE).unwrap_err(), FileRefused::TooLarge { bytes });
        assert_eq!(checked(b"x", &"x".repeat(65)).unwrap_err(), FileRefused::MediaType);
    }
}
