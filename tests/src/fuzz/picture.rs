//! Pictures out of a camera, an encoder or somebody's hands: what is let through holds no metadata.

use poterne_client_core::attachment::jpeg::{self, JpegError, PHOTO_BYTES};
use poterne_client_core::attachment::{Attachable, FileRefused, OTHER_TYPE, PHOTO_TYPE, is_picture};

/// Where a segment's length stands, behind its marker.
const LENGTH_BYTES: usize = 2;

/// A file as it comes, and behind the start of a JPEG.
pub(super) fn picture(bytes: &[u8]) {
    judge(bytes);
    judge(&[&[0xff, 0xd8][..], bytes].concat());
}

fn judge(bytes: &[u8]) {
    let checked = jpeg::check(bytes);
    let bare = jpeg::bare(bytes);
    if checked.is_ok() {
        assert_eq!(bare.as_deref(), Ok(bytes), "what passes needs nothing taken out");
        assert!(jpeg::has_end(bytes) && bytes.len() <= PHOTO_BYTES && !names_metadata(bytes));
    }
    if let Ok(bare) = &bare {
        assert!(jpeg::has_end(bytes) && bare.len() <= bytes.len());
        assert!(matches!(jpeg::check(bare), Ok(_) | Err(JpegError::TooLarge)), "what was made bare passes");
    }
    match Attachable::new(bytes.to_vec().into(), OTHER_TYPE) {
        Ok(file) if jpeg::is_jpeg(bytes) => assert!(checked.is_ok() && file.media_type() == PHOTO_TYPE),
        Ok(_) => assert!(!is_picture(bytes)),
        Err(FileRefused::Jpeg(error)) => assert_eq!(Err(error), checked),
        Err(FileRefused::Picture) => assert!(is_picture(bytes)),
        Err(refused) => assert_eq!((refused, bytes.len()), (FileRefused::Empty, 0)),
    }
}

/// Whether the first segment, where cameras put it, is one of metadata.
fn names_metadata(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xd8, 0xff, 0xe0..=0xef | 0xfe, ..])
}

/// A picture of one pixel in the strict form; with what a camera adds; and how other formats begin.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let table = segment(0xdb, &[&[0][..], &[1; 64]].concat());
    let frame = segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
    let huffman = segment(0xc4, &[&[0][..], &[1], &[0; 15], &[0]].concat());
    let scan = [&segment(0xda, &[1, 1, 0, 0, 63, 0])[..], &[0x12, 0xff, 0, 0x34, 0xff, 0xd0, 0x56]].concat();
    let interval = segment(0xdd, &[0, 1]);
    let rest = [&table[..], &interval, &frame, &huffman, &scan, &[0xff, 0xd9]].concat();
    let start = [0xff, 0xd8];
    let exif = segment(0xe1, b"Exif\0\0MM\0*\0\0\0\x08");
    let plain = [&start[..], &rest].concat();
    let of_camera = [&start[..], &exif, &segment(0xfe, b"here"), &rest, b"a film behind it"].concat();
    let others: [&[u8]; 4] = [
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x04\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypheic\0\0\0\0",
        b"BM\0\0\0\0\0\0\0\0",
    ];
    [plain, rest, of_camera].into_iter().chain(others.map(<[u8]>::to_vec)).collect()
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + LENGTH_BYTES) as u16;
    [&[0xff, marker][..], &length.to_be_bytes(), payload].concat()
}
