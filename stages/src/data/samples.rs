//! What a data set looks like: a picture of some images of some classes, for people.

use super::dataset::{Dataset, Split};
use anyhow::{Context as _, Result};
use image::imageops::{FilterType, replace, resize};
use image::{DynamicImage, GrayImage, RgbImage};
use std::path::Path;

/// Rows: classes. Columns: images of a class.
const MOST: usize = 10;
/// Larger images are made smaller.
const LARGEST: u32 = 96;
const GAP: u32 = 2;

/// A row for each of the first classes: their first images of the train split.
pub fn draw(data: &Dataset, to: &Path) -> Result<()> {
    let classes = data.manifest.classes.len().clamp(1, MOST);
    let of_class =
        |class: usize| data.rows(Split::Train).filter(move |&row| data.class(row) == class as i32).take(MOST);
    let (height, width) = (data.manifest.height as u32, data.manifest.width as u32);
    let scale = |side: u32| (side * LARGEST.min(height.max(width)) / height.max(width)).max(1);
    let (down, across) = (scale(height), scale(width));
    let columns = (0..classes).map(|class| of_class(class).count()).max().unwrap_or(0) as u32;
    let side = |count: u32, each: u32| count * (each + GAP) + GAP;
    let mut grid = RgbImage::from_pixel(side(columns, across), side(classes as u32, down), image::Rgb([255; 3]));
    for class in 0..classes {
        for (column, row) in of_class(class).enumerate() {
            let (x, y) = (side(column as u32, across), side(class as u32, down));
            replace(&mut grid, &resize(&picture(data, row)?, across, down, FilterType::Triangle), x.into(), y.into());
        }
    }
    grid.save(to).with_context(|| format!("cannot write {}", to.display()))
}

fn picture(data: &Dataset, row: usize) -> Result<RgbImage> {
    let (width, height, pixels) =
        (data.manifest.width as u32, data.manifest.height as u32, data.image(row).into_owned());
    let picture = match data.manifest.channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    Ok(picture.context("an image has one or three channels")?.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::super::writer::{DatasetWriter, Format, Sample};
    use super::*;

    #[test]
    fn classes_are_rows_and_their_images_columns() {
        let folder = tempfile::tempdir().unwrap();
        let classes = ["a", "b"].map(String::from).to_vec();
        let format = Format { name: "grey".into(), height: 4, width: 6, channels: 1, classes, encoded: None };
        let mut writer = DatasetWriter::create(folder.path(), format, 15).unwrap();
        for number in 0..14u8 {
            writer.add(Sample::new(Split::Train, &[10 * number; 24], i32::from(number % 7 == 0))).unwrap();
        }
        writer.add(Sample::new(Split::Test, &[250; 24], 1)).unwrap();
        writer.finish().unwrap();
        let file = folder.path().join("samples.png");
        draw(&Dataset::open(folder.path()).unwrap(), &file).unwrap();
        let grid = image::open(&file).unwrap().into_rgb8();
        assert_eq!(grid.dimensions(), (2 + 10 * 8, 2 + 2 * 6));
        let cell = |row: u32, column: u32| grid.get_pixel(2 + column * 8 + 3, 2 + row * 6 + 2).0;
        let value = |number: u8| [10 * number; 3];
        assert_eq!([0, 1, 5, 6, 9].map(|column| cell(0, column)), [1, 2, 6, 8, 11].map(value));
        assert_eq!([0, 1, 2].map(|column| cell(1, column)), [value(0), value(7), [255; 3]], "not those of test");
    }
}
