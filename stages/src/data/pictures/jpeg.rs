//! JPEG files. The `image` crate has its decoder go on when data is missing, and what is missing becomes grey.

use super::{check_size, oriented};
use anyhow::{Context, Result, anyhow};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// 64 bits of 1, put before the end of the last scan. What is whole has been decoded before they are reached, and the decoder
/// passes them over on its way to the end marker. No JPEG file uses as many ones as the code of a value, so that a scan which
/// ends early, and would be filled with zeros, ends in an error.
const FENCE: [u8; 16] = [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0];

pub fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    let end = end(bytes).context("it ends early")?;
    let fenced = [&bytes[..end], &FENCE, &bytes[end..]].concat();
    // Headers are read as every program reads them: stray bytes between them do no harm.
    let lenient = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(fenced.as_slice()), lenient);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().context("a JPEG's headers say its size")?;
    let (width, height) = (width as u32, height as u32);
    let colours = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    check_size(u64::from(width) * u64::from(height) * colours.num_components() as u64, (width, height))?;
    let orientation = decoder.exif().map_or(Orientation::NoTransforms, |exif| oriented(exif));
    let strict = decoder.options().jpeg_set_out_colorspace(colours).set_strict_mode(true);
    decoder.set_options(strict);
    let pixels = decoder.decode().map_err(damaged)?;
    let image = match colours {
        ColorSpace::Luma => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    Ok((image.context("a JPEG has the pixels that its headers say")?, orientation))
}

fn damaged(error: DecodeErrors) -> anyhow::Error {
    match error {
        DecodeErrors::Unsupported(kind) => anyhow!("{kind:?}: convert it"),
        error => anyhow!("it is damaged or ends early: {}", error.to_string().trim_matches('"')),
    }
}

/// Where the marker stands that ends the picture. `None` where the file is cut off, also where zeros stand in place of the
/// rest. What follows it (another picture, a film) does not count.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match [*bytes.get(at)?, *bytes.get(at + 1)?] {
            [0xff, 0xd9] => return Some(at),
            [0xff, 0xff] => at += 1,
            // A value of 255 within a scan, and markers without a length: restarts among them.
            [0xff, 0x00 | 0x01 | 0xd0..=0xd8] => at += 2,
            [0xff, _] => at += 2 + usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?])),
            // A scan, or stray bytes between segments.
            _ => at += 1,
        }
    }
}
