//! Pictures as cameras and phones make them, each with words in every place where metadata can stand.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

/// What stands in the metadata of every picture here, in several pieces.
pub const CANARIES: [&str; 6] =
    ["CANARY-CAMERA", "CANARY-OWNER", "CANARY-XMP", "CANARY-COMMENT", "CANARY-COLOURS", "GPSLatitude"];

/// 50° 27' 0" north, as GPS data has it: three fractions.
const LATITUDE: [u8; 24] = [50, 0, 0, 0, 1, 0, 0, 0, 27, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

/// A JPEG of more than 3 MB with EXIF (camera, owner, orientation, place), XMP, a colour profile, a comment, and a film
/// behind its end.
pub fn camera_jpeg() -> Vec<u8> {
    let (width, height) = (2560, 1920);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 96);
    encoder.set_exif_metadata(exif()).expect("a JPEG takes EXIF");
    encoder.set_icc_profile(b"CANARY-COLOURS".repeat(20)).expect("a JPEG takes a profile");
    encoder
        .encode(scene(width, height).as_raw(), width, height, ExtendedColorType::Rgb8)
        .expect("it is encoded");
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>CANARY-XMP GPSLatitude=50,27N</x:xmpmeta>";
    bytes.splice(2..2, [segment(0xe1, xmp), segment(0xfe, b"CANARY-COMMENT")].concat());
    bytes.extend_from_slice(b"\0\0\0\x18ftypmp42 CANARY-COMMENT in a film");
    assert!(bytes.len() >= 3_000_000, "{} bytes", bytes.len());
    bytes
}

/// A PNG with text, time and EXIF.
pub fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    encoder.write_image(scene(900, 700).as_raw(), 900, 700, ExtendedColorType::Rgb8).expect("it is encoded");
    // Behind the header of 33 bytes.
    let chunks = [
        chunk(b"tEXt", b"Author\0CANARY-OWNER"),
        chunk(b"tEXt", b"Comment\0CANARY-COMMENT GPSLatitude 50.45"),
        chunk(b"tIME", &[0x07, 0xea, 11, 21, 12, 0, 0]),
        chunk(b"eXIf", &exif()),
    ];
    bytes.splice(33..33, chunks.concat());
    bytes
}

/// A WebP with EXIF and XMP.
pub fn webp() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.set_exif_metadata(exif()).expect("a WebP takes EXIF");
    encoder.write_image(scene(800, 600).as_raw(), 800, 600, ExtendedColorType::Rgb8).expect("it is encoded");
    bytes.into_inner()
}

/// Whether nothing of the metadata is in those bytes.
pub fn is_clean(bytes: &[u8]) -> bool {
    let holds = |words: &[u8]| bytes.windows(words.len()).any(|window| window == words);
    let names = [b"Exif".as_slice(), b"ICC_PROFILE", b"JFIF", b"http:", b"ftyp", &LATITUDE];
    !CANARIES.iter().map(|word| word.as_bytes()).chain(names).any(holds)
}

/// A sky over a field, with as much noise as a sensor has at night.
fn scene(width: u32, height: u32) -> RgbImage {
    let mut state = 7u32;
    RgbImage::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 24) as u8 / 2;
        let light = u8::try_from((x + y) * 120 / (width + height)).unwrap_or(120);
        if y < height / 2 { Rgb([noise, light, 120 + noise]) } else { Rgb([light, 100 + noise, noise]) }
    })
}

/// TIFF: camera, orientation, owner, and a directory with a place.
fn exif() -> Vec<u8> {
    const MAKE: &[u8] = b"CANARY-CAMERA\0";
    const OWNER: &[u8] = b"CANARY-OWNER\0";
    let (first, entries) = (8u32, 4u32);
    let behind = first + 2 + 12 * entries + 4;
    let (make_at, owner_at) = (behind, behind + 14);
    let place_at = owner_at + 14;
    let latitude_at = place_at + 2 + 12 * 2 + 4;
    let mut tiff = b"II*\0\x08\0\0\0\x04\0".to_vec();
    tiff.extend(entry(0x010f, 2, MAKE.len() as u32, make_at));
    tiff.extend(entry(0x0112, 3, 1, 6));
    tiff.extend(entry(0x013b, 2, OWNER.len() as u32, owner_at));
    tiff.extend(entry(0x8825, 4, 1, place_at));
    tiff.extend([0; 4]);
    tiff.extend(MAKE);
    tiff.extend(OWNER);
    tiff.push(0);
    tiff.extend([2, 0]);
    tiff.extend(entry(0x0001, 2, 2, u32::from(b'N')));
    tiff.extend(entry(0x0002, 5, 3, latitude_at));
    tiff.extend([0; 4]);
    tiff.extend(LATITUDE);
    tiff
}

fn entry(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
    [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).expect("a short segment").to_be_bytes();
    [&[0xff, marker][..], &length, payload].concat()
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let length = u32::try_from(data.len()).expect("a short chunk").to_be_bytes();
    [&length[..], &body, &crc(&body).to_be_bytes()].concat()
}

/// CRC-32 (ISO 3309), as PNG has it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}
