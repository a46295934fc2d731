//! Picture files: which there are beneath a folder, and their pixels, the right way up. What a file is tells its content, as
//! its name may be wrong.

mod fit;
mod jpeg;
mod list;

pub use fit::{Fit, Placement};
pub use list::{ENDINGS, Listing, NOWHERE, by_ending, ending, list, passed_over};

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub height: usize,
    pub width: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
    /// Whether it lay otherwise in its file, and was turned as that asks for.
    pub is_turned: bool,
}

fn is_read(format: ImageFormat) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    matches!(format, Jpeg | Png | Bmp | Gif | Tiff | WebP | Pnm)
}

/// The same in words.
const FORMATS: &str = "JPEG, PNG, BMP, GIF, TIFF, WebP, PPM, PGM and PBM";

/// A decoded picture may have so many bytes; a damaged file may ask for any number.
const MOST_BYTES: u64 = 512 << 20;

/// The pixels of a file, as 8-bit red, green and blue; errors do not name the file. Grey is repeated, a palette looked up, CMYK
/// converted, 16 bits rounded to 8; alpha is dropped and what it hid shows, as with torchvision's `default_loader`. Of an
/// animation the first frame, of several pages the first. With `turns`, a picture is turned and mirrored as its EXIF
/// orientation says (of a TIFF, its own). One that ends early is an error.
pub fn read(file: &Path, turns: bool) -> Result<Picture> {
    pixels(&std::fs::read(file).context("it cannot be read")?, turns)
}

/// The same of a file's bytes.
pub fn pixels(bytes: &[u8], turns: bool) -> Result<Picture> {
    let (mut image, orientation) = decoded(bytes)?;
    let is_turned = turns && orientation != Orientation::NoTransforms;
    if is_turned {
        image.apply_orientation(orientation);
    }
    let image = image.into_rgb8();
    ensure!(image.width() > 0 && image.height() > 0, "it has no pixels");
    Ok(Picture { height: image.height() as usize, width: image.width() as usize, rgb: image.into_raw(), is_turned })
}

/// A file whose values are no colours, as it lies there: grey as values, or red, green and blue, which a palette becomes too.
pub fn values(file: &Path) -> Result<DynamicImage> {
    Ok(decoded(&std::fs::read(file).context("it cannot be read")?)?.0)
}

/// A picture as it lies in its file, and how it is to be turned.
fn decoded(bytes: &[u8]) -> Result<(DynamicImage, Orientation)> {
    ensure!(!bytes.is_empty(), "it is empty");
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let Some(format) = reader.format() else { bail!("it begins as no picture does that is read: {FORMATS}") };
    match format {
        ImageFormat::Jpeg => return jpeg::decode(bytes),
        ImageFormat::WebP => check_length(bytes)?,
        format => ensure!(is_read(format), "it is {format:?}, which is not read: convert it to JPEG or PNG"),
    }
    let (image, orientation) = decoded_as(format, reader, bytes)?;
    if matches!(image, DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)) {
        bail!("it holds floating-point numbers, which do not say what is white: convert it to 8 or 16 bits");
    }
    Ok((image, orientation))
}

fn decoded_as(
    format: ImageFormat,
    reader: ImageReader<Cursor<&[u8]>>,
    bytes: &[u8],
) -> Result<(DynamicImage, Orientation)> {
    let fault = |error| match error {
        ImageError::Unsupported(error) => anyhow!("its kind of {format:?} is not read: convert it to PNG ({error})"),
        error => anyhow!("it is damaged or ends early: {error}"),
    };
    let mut decoder = reader.into_decoder().map_err(fault)?;
    check_size(decoder.total_bytes(), decoder.dimensions())?;
    let orientation = match format {
        ImageFormat::Png => exif_of_png(bytes).map_or(Orientation::NoTransforms, oriented),
        ImageFormat::WebP => {
            let exif = decoder.exif_metadata().map_err(fault)?;
            exif.map_or(Orientation::NoTransforms, |exif| oriented(&exif))
        }
        _ => decoder.orientation().map_err(fault)?,
    };
    Ok((DynamicImage::from_decoder(decoder).map_err(fault)?, orientation))
}

fn check_size(bytes: u64, (width, height): (u32, u32)) -> Result<()> {
    ensure!(
        bytes <= MOST_BYTES,
        "it has {width} x {height} pixels, more than {} MiB: make it smaller",
        MOST_BYTES >> 20
    );
    Ok(())
}

/// A WebP file says how long it is. The decoder does without the end of a picture.
fn check_length(bytes: &[u8]) -> Result<()> {
    let said = bytes
        .get(4..8)
        .and_then(|said| said.try_into().ok())
        .map_or(u64::MAX, |said| u64::from(u32::from_le_bytes(said)));
    ensure!(bytes.len() as u64 >= said.saturating_add(8), "it ends early");
    Ok(())
}

/// The EXIF data of a PNG file. The decoder does not see what stands behind the pixels, where ImageMagick writes it.
fn exif_of_png(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        match rest.get(4..8)? {
            b"eXIf" => return rest.get(8..8 + length),
            _ => rest = rest.get(length.checked_add(12)?..)?,
        }
    }
}

/// What EXIF data says of how a picture is to be turned; what says nothing sensible says nothing.
fn oriented(exif: &[u8]) -> Orientation {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

#[cfg(test)]
mod tests;
