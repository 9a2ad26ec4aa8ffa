//! A JPEG (ITU-T T.81) that holds a picture and nothing else (docs/spec/attachments.md §3).
//!
//! A strict reader of segments, which looks at their order and lengths and not at pixels. Allowed are the segments that a
//! decoder needs: tables, frame, scans, restart interval. Application and comment segments (where cameras put place, time
//! and owner), fill bytes, unknown markers, bytes of a table behind its end, and anything behind the end of the picture
//! are refused. Deliberately absent: what a picture itself shows, and what somebody hides in its pixels.

/// Pixels of the longer side of a photo at most.
pub const PHOTO_SIDE_PIXELS: u16 = 2048;
/// Bytes of a photo at most: 300 KB.
pub const PHOTO_BYTES: usize = 300_000;
/// Segments of one picture at most; a progressive one has some ten scans with a table each.
const SEGMENTS_MAX: usize = 256;

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u16,
    /// Pixels from top to bottom.
    pub height: u16,
}

/// Why a JPEG is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JpegError {
    /// It is broken, cut off, or not of the strict form.
    #[error("the JPEG is broken or has an unusual form")]
    Form,
    /// It has an application or comment segment, which may say where, when and by whom it was made.
    #[error("the JPEG has a segment of metadata, marker {marker:#04x}")]
    Metadata {
        /// The second byte of the segment's marker.
        marker: u8,
    },
    /// It is above 2048 pixels wide or high, or above 300 KB.
    #[error("a photo has at most {PHOTO_SIDE_PIXELS} pixels a side and {PHOTO_BYTES} bytes")]
    TooLarge,
}

/// Whether these bytes begin as a JPEG does.
pub fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, START])
}

/// The size of a picture without metadata and within the bounds of a photo.
pub fn check(bytes: &[u8]) -> Result<Size, JpegError> {
    let size = Segments::of(bytes)?.walk(|_| Ok(()))?;
    let is_small = size.width.max(size.height) <= PHOTO_SIDE_PIXELS && bytes.len() <= PHOTO_BYTES;
    if is_small { Ok(size) } else { Err(JpegError::TooLarge) }
}

/// The same picture without application and comment segments. For the output of an encoder, which puts a bare "JFIF"
/// there; a photo out of a camera is decoded and encoded anew, so that nothing of it stays but its pixels.
pub fn bare(bytes: &[u8]) -> Result<Vec<u8>, JpegError> {
    let mut kept = vec![0xff, START];
    let segments = Segments { rest: Segments::of(bytes)?.rest, allows_metadata: true };
    segments.walk(|segment| {
        if !is_metadata(segment.marker) {
            kept.extend_from_slice(&[0xff, segment.marker]);
            kept.extend_from_slice(segment.bytes);
        }
        Ok(())
    })?;
    kept.extend_from_slice(&[0xff, END]);
    Ok(kept)
}

/// Whether a JPEG of any form goes on to its end, behind which cameras may put more. Decoders are content with half of
/// one.
pub fn has_end(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(&[0xff, START]) else { return false };
    while let [0xff, marker, behind @ ..] = rest {
        rest = match marker {
            &END => return true,
            0xff => &rest[1..],
            0x01 | 0xd0..=0xd7 => behind,
            _ => {
                let Ok(end) = payload_end(behind) else { return false };
                let data = if *marker == SCAN { entropy_coded(&behind[end..]) } else { 0 };
                &behind[end + data..]
            }
        };
    }
    false
}

fn is_metadata(marker: u8) -> bool {
    matches!(marker, 0xe0..=0xef | 0xfe)
}

/// One segment: its marker, and everything behind that up to the next marker, entropy-coded bytes too.
struct Segment<'a> {
    marker: u8,
    bytes: &'a [u8],
}

struct Segments<'a> {
    rest: &'a [u8],
    allows_metadata: bool,
}

impl<'a> Segments<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, JpegError> {
        let rest = bytes.strip_prefix(&[0xff, START]).ok_or(JpegError::Form)?;
        Ok(Self { rest, allows_metadata: false })
    }

    /// Visits all segments between start and end, and checks each. A picture has one frame, with a scan behind it.
    fn walk(mut self, mut visit: impl FnMut(&Segment) -> Result<(), JpegError>) -> Result<Size, JpegError> {
        let (mut size, mut has_scan) = (None, false);
        for _ in 0..SEGMENTS_MAX {
            let marker = self.marker()?;
            if marker == END {
                let is_whole = has_scan && self.rest.is_empty();
                return size.filter(|_| is_whole).ok_or(JpegError::Form);
            }
            let segment = self.segment(marker)?;
            let payload = &segment.bytes[2..payload_end(segment.bytes)?];
            match marker {
                0xc0..=0xc2 if size.is_none() => size = Some(frame(payload)?),
                0xc4 => huffman_tables(payload)?,
                0xdb => quantisation_tables(payload)?,
                0xdd if payload.len() == 2 => {}
                SCAN if size.is_some() => {
                    scan(payload)?;
                    has_scan = true;
                }
                _ if is_metadata(marker) && self.allows_metadata => {}
                _ if is_metadata(marker) => return Err(JpegError::Metadata { marker }),
                _ => return Err(JpegError::Form),
            }
            visit(&segment)?;
        }
        Err(JpegError::Form)
    }

    fn marker(&mut self) -> Result<u8, JpegError> {
        let [0xff, marker, rest @ ..] = self.rest else { return Err(JpegError::Form) };
        self.rest = rest;
        Ok(*marker)
    }

    fn segment(&mut self, marker: u8) -> Result<Segment<'a>, JpegError> {
        let mut end = payload_end(self.rest)?;
        if marker == SCAN {
            end += entropy_coded(&self.rest[end..]);
        }
        let (bytes, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Segment { marker, bytes })
    }
}

/// Where the payload of a segment ends that begins with its length.
fn payload_end(bytes: &[u8]) -> Result<usize, JpegError> {
    let [high, low, ..] = bytes else { return Err(JpegError::Form) };
    let end = usize::from(u16::from_be_bytes([*high, *low]));
    if (2..=bytes.len()).contains(&end) { Ok(end) } else { Err(JpegError::Form) }
}

/// Bytes up to the next marker that is neither a stuffed zero nor a restart.
fn entropy_coded(bytes: &[u8]) -> usize {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
    bytes.windows(2).position(is_end).unwrap_or(bytes.len())
}

/// {precision 8, height, width, components 1–4, 3 bytes each}.
fn frame(payload: &[u8]) -> Result<Size, JpegError> {
    let [8, h1, h0, w1, w0, components @ 1..=4, rest @ ..] = payload else { return Err(JpegError::Form) };
    let size = Size { width: u16::from_be_bytes([*w1, *w0]), height: u16::from_be_bytes([*h1, *h0]) };
    let is_sound = rest.len() == 3 * usize::from(*components) && size.width > 0 && size.height > 0;
    if is_sound { Ok(size) } else { Err(JpegError::Form) }
}

/// {components 1–4, 2 bytes each, 3 bytes}.
fn scan(payload: &[u8]) -> Result<(), JpegError> {
    let [components @ 1..=4, rest @ ..] = payload else { return Err(JpegError::Form) };
    if rest.len() == 2 * usize::from(*components) + 3 { Ok(()) } else { Err(JpegError::Form) }
}

/// Some of {class and place, 16 counts, as many bytes as they sum up to}.
fn huffman_tables(mut payload: &[u8]) -> Result<(), JpegError> {
    while let Some((table, rest)) = payload.split_at_checked(17) {
        let symbols: usize = table[1..].iter().map(|count| usize::from(*count)).sum();
        payload = rest.get(symbols..).filter(|_| table[0] & 0xee <= 2).ok_or(JpegError::Form)?;
    }
    if payload.is_empty() { Ok(()) } else { Err(JpegError::Form) }
}

/// Some of {precision and place, 64 numbers of one or two bytes}.
fn quantisation_tables(mut payload: &[u8]) -> Result<(), JpegError> {
    while let [kind, rest @ ..] = payload {
        let numbers = if kind >> 4 == 0 { 64 } else { 128 };
        payload = rest.get(numbers..).filter(|_| kind & 0xec == 0).ok_or(JpegError::Form)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A picture of the strict form, 1 pixel wide and `height` high, that no decoder needs to like.
    pub(crate) fn tiny(height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, START];
        bytes.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
        let [h1, h0] = height.to_be_bytes();
        bytes.extend(segment(0xc0, &[8, h1, h0, 0, 1, 1, 1, 0x11, 0]));
        bytes.extend(segment(0xc4, &[&[0][..], &[1], &[0; 15], &[0]].concat()));
        bytes.extend(segment(SCAN, &[1, 1, 0, 0, 63, 0]));
        bytes.extend([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, END]);
        bytes
    }

    fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &length, payload].concat()
    }

    /// The picture with a segment in front of all others.
    fn with(marker: u8, payload: &[u8]) -> Vec<u8> {
        let bytes = tiny(1);
        [&bytes[..2], &segment(marker, payload), &bytes[2..]].concat()
    }

    #[test]
    fn a_bare_picture_passes_with_its_size() {
        assert_eq!(check(&tiny(7)), Ok(Size { width: 1, height: 7 }));
    }

    #[test]
    fn every_application_and_comment_segment_is_refused() {
        for marker in (0xe0..=0xef).chain([0xfe]) {
            assert_eq!(check(&with(marker, b"Exif")), Err(JpegError::Metadata { marker }));
            assert_eq!(bare(&with(marker, b"Exif")), Ok(tiny(1)));
        }
    }

    #[test]
    fn a_comment_between_or_behind_scans_is_refused() {
        let bytes = tiny(1);
        let end = bytes.len() - 2;
        let commented = [&bytes[..end], &segment(0xfe, b"here"), &bytes[end..]].concat();
        assert_eq!(check(&commented), Err(JpegError::Metadata { marker: 0xfe }));
        assert_eq!(bare(&commented), Ok(bytes));
    }

    #[test]
    fn bytes_where_no_decoder_looks_are_refused() {
        let bytes = tiny(1);
        let behind = [&bytes[..], b"GPS"].concat();
        let filled = [&bytes[..2], &[0xff], &bytes[2..]].concat();
        let long_table = with(0xdb, &[&[0][..], &[1; 64], b"GPS"].concat());
        let long_huffman = with(0xc4, &[&[0][..], &[0; 16], b"GPS"].concat());
        let long_interval = with(0xdd, &[0, 1, 2]);
        for hiding in
            [behind, filled, long_table, long_huffman, long_interval, with(0xf0, b""), with(0xdc, b"")]
        {
            assert_eq!(check(&hiding), Err(JpegError::Form));
        }
    }

    #[test]
    fn a_picture_that_is_cut_off_anywhere_is_refused() {
        let bytes = tiny(1);
        for length in 0..bytes.len() {
            assert_eq!(check(&bytes[..length]), Err(JpegError::Form));
        }
    }

    #[test]
    fn a_photo_has_a_largest_size() {
        assert!(check(&tiny(PHOTO_SIDE_PIXELS)).is_ok());
        assert_eq!(check(&tiny(PHOTO_SIDE_PIXELS + 1)), Err(JpegError::TooLarge));
        let mut heavy = tiny(1);
        let scan = heavy.len() - 2;
        heavy.splice(scan..scan, vec![1; PHOTO_BYTES]);
        assert_eq!(check(&heavy), Err(JpegError::TooLarge));
    }

    #[test]
    fn a_picture_has_an_end_or_was_cut_off() {
        let bytes = with(0xe1, b"Exif");
        assert!((0..bytes.len()).all(|length| !has_end(&bytes[..length])));
        assert!(has_end(&bytes) && has_end(&[&bytes[..], b"a film behind it"].concat()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = check(&bytes);
            let _ = has_end(&[&[0xff, START][..], &bytes].concat());
            let _ = bare(&[&[0xff, START][..], &bytes].concat());
        }

        #[test]
        fn what_passes_holds_no_metadata(place in 0usize..120, byte in any::<u8>()) {
            let mut bytes = tiny(1);
            let place = place % bytes.len();
            bytes[place] = byte;
            if check(&bytes).is_ok() {
                prop_assert_eq!(bare(&bytes), Ok(bytes));
            }
        }

        #[test]
        fn what_was_made_bare_passes(marker in 0xe0u8..=0xef, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let made = bare(&with(marker, &payload)).unwrap();
            prop_assert!(check(&made).is_ok());
        }
    }
}
