//! Decoding and encoding by the `image` crate.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use poterne_client_core::attachment::jpeg::{self, PHOTO_BYTES, PHOTO_SIDE_PIXELS};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Pixels of a photo that is decoded, at most: 64 million.
const PIXELS_MAX: u64 = 64 << 20;
/// Bytes that a decoder may take, at most: so many pixels with four colours of one byte.
const DECODER_BYTES_MAX: u64 = 4 * PIXELS_MAX;
/// Qualities that are tried one after another, best first.
const QUALITIES: [u8; 4] = [85, 75, 65, 50];
/// By how much a picture that is too large at the last quality is made smaller, in percent of its sides.
const SMALLER_PERCENT: u32 = 75;
/// How often it is made smaller at most: 2048 pixels become 115.
const SMALLER_ROUNDS: usize = 10;

/// The photo of a JPEG, PNG or WebP file, as a bare JPEG.
pub fn reencoded(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let format = image::guess_format(file).map_err(|_| Failure::PhotoUnknown)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(Failure::PhotoUnknown);
    }
    if format == ImageFormat::Jpeg && !jpeg::has_end(file) {
        return Err(Failure::PhotoBroken);
    }
    let photo = decoded(file, format).map_err(|error| match error {
        ImageError::Limits(_) => Failure::PhotoTooLarge,
        ImageError::Unsupported(_) => Failure::PhotoUnknown,
        _ => Failure::PhotoBroken,
    })?;
    encoded(on_white(&photo))
}

fn decoded(file: &[u8], format: ImageFormat) -> Result<DynamicImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        let kind = image::error::LimitErrorKind::DimensionError;
        return Err(ImageError::Limits(image::error::LimitError::from_kind(kind)));
    }
    // Where it can't be told the picture stays as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut photo = small(DynamicImage::from_decoder(decoder)?);
    photo.apply_orientation(orientation);
    Ok(photo)
}

/// The picture, no side longer than that of a photo.
fn small(photo: DynamicImage) -> DynamicImage {
    let side = u32::from(PHOTO_SIDE_PIXELS);
    let is_small = photo.width().max(photo.height()) <= side;
    if is_small { photo } else { photo.resize(side, side, FilterType::Triangle) }
}

/// What is transparent becomes white.
fn on_white(photo: &DynamicImage) -> RgbImage {
    if !photo.color().has_alpha() {
        return photo.to_rgb8();
    }
    let (from, mut onto) = (photo.to_rgba8(), RgbImage::new(photo.width(), photo.height()));
    for (pixel, over) in onto.pixels_mut().zip(from.pixels()) {
        let [red, green, blue, alpha] = over.0.map(u32::from);
        let mixed = |colour: u32| u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255);
        pixel.0 = [mixed(red), mixed(green), mixed(blue)];
    }
    onto
}

/// The first try that is small enough.
fn encoded(mut photo: RgbImage) -> Result<Zeroizing<Vec<u8>>, Failure> {
    for _ in 0..SMALLER_ROUNDS {
        for quality in QUALITIES {
            let bytes = encoded_at(&photo, quality)?;
            if bytes.len() <= PHOTO_BYTES {
                return Ok(bytes);
            }
        }
        let smaller = |side: u32| (side * SMALLER_PERCENT / 100).max(1);
        let (width, height) = (smaller(photo.width()), smaller(photo.height()));
        photo = image::imageops::resize(&photo, width, height, FilterType::Triangle);
    }
    Err(Failure::PhotoTooLarge)
}

fn encoded_at(photo: &RgbImage, quality: u8) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(PHOTO_BYTES));
    JpegEncoder::new_with_quality(&mut *bytes, quality)
        .encode_image(photo)
        .map_err(|_| Failure::PhotoBroken)?;
    // The encoder puts a bare "JFIF" in front.
    let bare = jpeg::bare(&bytes).map_err(|_| Failure::PhotoBroken)?;
    Ok(Zeroizing::new(bare))
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder as _, Rgb, Rgba, RgbaImage};

    use super::*;

    /// A picture in which each corner can be told from the others.
    fn corners(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
            (true, true) => Rgb([250, 0, 0]),
            (false, true) => Rgb([0, 250, 0]),
            (true, false) => Rgb([0, 0, 250]),
            (false, false) => Rgb([250, 250, 0]),
        })
    }

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1u32;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [_, red, green, blue] = state.to_be_bytes();
            Rgb([red, green, blue])
        })
    }

    fn as_jpeg(photo: &RgbImage, exif: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
        if !exif.is_empty() {
            encoder.set_exif_metadata(exif.to_vec()).unwrap();
        }
        encoder.encode_image(photo).unwrap();
        bytes
    }

    /// TIFF with one entry: orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
        [b"II*\0\x08\0\0\0\x01\0".as_slice(), &entry, &[0; 4]].concat()
    }

    fn opened(bytes: &[u8]) -> RgbImage {
        jpeg::check(bytes).unwrap();
        image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap().to_rgb8()
    }

    #[test]
    fn a_photo_is_turned_before_its_orientation_is_dropped() {
        // 6: to be turned to the right, so that the lower left corner comes to the upper left.
        let photo = opened(&reencoded(&as_jpeg(&corners(64, 32), &exif(6))).unwrap());
        assert_eq!(photo.dimensions(), (32, 64));
        let [red, green, blue] = photo.get_pixel(4, 4).0;
        assert!(red < 60 && green < 60 && blue > 190);
    }

    #[test]
    fn a_large_photo_becomes_a_small_one() {
        let bytes = reencoded(&as_jpeg(&noise(2600, 1300), &[])).unwrap();
        assert!(bytes.len() <= PHOTO_BYTES);
        let (width, height) = opened(&bytes).dimensions();
        assert!(width <= 2048 && (width / 2).abs_diff(height) <= 1);
    }

    #[test]
    fn png_and_webp_become_jpeg_and_what_is_transparent_becomes_white() {
        let glass = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 0]));
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let mut file = Cursor::new(Vec::new());
            DynamicImage::ImageRgba8(glass.clone()).write_to(&mut file, format).unwrap();
            let photo = opened(&reencoded(file.get_ref()).unwrap());
            assert!(photo.pixels().all(|pixel| pixel.0.iter().all(|colour| *colour > 250)));
        }
    }

    #[test]
    fn what_is_broken_cut_off_or_of_another_format_is_refused() {
        let whole = as_jpeg(&corners(64, 64), &[]);
        assert_eq!(reencoded(&whole[..whole.len() / 2]).unwrap_err(), Failure::PhotoBroken);
        assert_eq!(reencoded(&whole[..whole.len() - 2]).unwrap_err(), Failure::PhotoBroken);
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.write_image(corners(64, 64).as_raw(), 64, 64, image::ExtendedColorType::Rgb8).unwrap();
        assert_eq!(reencoded(&png[..png.len() / 2]).unwrap_err(), Failure::PhotoBroken);
        assert_eq!(reencoded(b"GIF89a rest").unwrap_err(), Failure::PhotoUnknown);
        assert_eq!(reencoded(b"no picture").unwrap_err(), Failure::PhotoUnknown);
    }

    #[test]
    fn a_picture_of_more_pixels_than_memory_bears_is_refused_before_it_is_decoded() {
        // A PNG header that claims 60,000 x 60,000 pixels, and no data behind it.
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
        png.extend_from_slice(&crc(&png[12..]).to_be_bytes());
        png.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
        assert_eq!(reencoded(&png).unwrap_err(), Failure::PhotoTooLarge);
    }

    /// CRC-32 (ISO 3309), as PNG has it.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }
}
