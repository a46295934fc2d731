//! JPEG and PNG files: which there are beneath a folder, and their pixels. What a file is tells its content, as its name
//! may be wrong.

use anyhow::{Context, Result, bail, ensure};
use image::{ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A decoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub height: usize,
    pub width: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

/// Endings of the files that are listed, in any case.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Every JPEG and PNG file beneath `root`, at any depth, ordered by path. Links are followed, as by torchvision's
/// `ImageFolder`; names that begin with a dot are passed over.
pub fn list(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    walk(root, &mut vec![], &mut found)?;
    ensure!(
        !found.is_empty(),
        "no picture beneath {}: expected files that end in .{}",
        root.display(),
        ENDINGS.join(", .")
    );
    found.sort();
    Ok(found)
}

/// `above`: the folders that this one lies in, without links.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, found: &mut Vec<PathBuf>) -> Result<()> {
    let cannot_read = || format!("cannot read the folder {}", folder.display());
    let real = folder.canonicalize().with_context(cannot_read)?;
    if above.contains(&real) {
        bail!("{} is a link to a folder that it lies in: remove it", folder.display());
    }
    above.push(real);
    for entry in folder.read_dir().with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            walk(&path, above, found)?;
        } else if path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end.eq_ignore_ascii_case(known))) {
            found.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// The pixels of a JPEG or PNG file, as 8-bit red, green and blue. Grey is repeated, a palette looked up, CMYK
/// converted, 16 bits rounded to 8; alpha is dropped and what it hid shows, and a turn that EXIF asks for is not made,
/// both as torchvision's `default_loader`.
pub fn decode(path: &Path) -> Result<Picture> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    pixels(bytes).with_context(|| format!("cannot decode {}", path.display()))
}

fn pixels(bytes: Vec<u8>) -> Result<Picture> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    match reader.format() {
        Some(ImageFormat::Jpeg | ImageFormat::Png) => {}
        Some(other) => bail!("it is {other:?}; expected JPEG or PNG: convert it"),
        None => bail!("it begins as no picture does; expected JPEG or PNG"),
    }
    let image = reader.decode()?.into_rgb8();
    Ok(Picture { height: image.height() as usize, width: image.width() as usize, rgb: image.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage, Rgb, RgbImage, Rgba, RgbaImage};

    fn ramp() -> RgbImage {
        RgbImage::from_fn(32, 16, |x, y| Rgb([8 * x as u8, 16 * y as u8, 100]))
    }

    #[test]
    fn every_kind_of_png_becomes_the_same_eight_bit_colours() {
        let folder = tempfile::tempdir().unwrap();
        let decoded = |name: &str, image: DynamicImage| {
            let path = folder.path().join(name);
            image.save(&path).unwrap();
            decode(&path).unwrap()
        };
        let plain = decoded("plain.png", ramp().into());
        assert_eq!((plain.height, plain.width, &plain.rgb), (16, 32, ramp().as_raw()));
        let hidden = RgbaImage::from_fn(32, 16, |x, y| {
            let Rgb([r, g, b]) = *ramp().get_pixel(x, y);
            Rgba([r, g, b, 0])
        });
        assert_eq!(decoded("alpha.png", hidden.into()), plain);
        assert_eq!(decoded("deep.png", DynamicImage::from(ramp()).into_rgb16().into()), plain);
        let grey = decoded("grey.png", GrayImage::from_fn(2, 1, |x, _| image::Luma([7 + x as u8])).into());
        assert_eq!(grey.rgb, [7, 7, 7, 8, 8, 8]);
    }

    #[test]
    fn a_jpeg_under_another_name_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        ramp().save_with_format(&path, ImageFormat::Jpeg).unwrap();
        let picture = decode(&path).unwrap();
        assert_eq!((picture.height, picture.width), (16, 32));
        // The ramp is smooth, so that JPEG loses little of it.
        let worst = picture.rgb.iter().zip(ramp().as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(16), "off by {worst:?}");
    }

    #[test]
    fn pictures_are_listed_by_path_and_faults_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("b/deep")).unwrap();
        for name in ["b/deep/1.JPG", "b/0.png", "a.jpeg", "notes.txt", ".hidden.png"] {
            std::fs::write(root.join(name), "no picture").unwrap();
        }
        let names = ["a.jpeg", "b/0.png", "b/deep/1.JPG"].map(|name| root.join(name));
        assert_eq!(list(root).unwrap(), names);
        let fault = format!("{:#}", decode(&names[1]).unwrap_err());
        assert!(fault.contains("b/0.png: it begins as no picture does"), "{fault}");
        std::os::unix::fs::symlink(root, root.join("b/up")).unwrap();
        let fault = format!("{:#}", list(root).unwrap_err());
        assert!(fault.contains("b/up is a link to a folder that it lies in"), "{fault}");
    }
}
