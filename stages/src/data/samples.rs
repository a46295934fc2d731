//! A picture of some of a data set's images, for people: a row a class.

use super::dataset::{Dataset, Labels, Manifest, Region, Split};
use anyhow::{Context, Result};
use image::imageops::{FilterType, replace, resize};
use image::{GrayImage, ImageBuffer, RgbImage};
use std::path::Path;

/// Classes, and images of each.
pub const ROWS: usize = 10;
pub const COLUMNS: usize = 12;
/// Side of an image at most, and the gap between two.
const SIDE: u32 = 96;
const GAP: u32 = 2;
/// Of the boxes of a class; further classes begin again.
const COLOURS: [[u8; 3]; 6] = [[255, 0, 0], [0, 255, 0], [0, 80, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255]];

/// Draws the first training images of the first classes, or of all where images have none, with the boxes on them; of unlabelled images
/// as many as there is room for.
pub fn draw(data: &Dataset, file: &Path) -> Result<()> {
    draw_rows(data, &rows(data), file)
}

/// Draws images by their rows in the data set, `rows` of them below each other, with the boxes on them.
pub fn draw_rows(data: &Dataset, rows: &[Vec<usize>], file: &Path) -> Result<()> {
    let [height, width] = tile(&data.manifest);
    let scale = width as f32 / data.manifest.width as f32;
    let drawn = |&row: &usize| -> Result<RgbImage> {
        let mut image = resize(&coloured(data, row)?, width, height, FilterType::Triangle);
        data.regions(row).into_iter().flatten().for_each(|region| outline(&mut image, region, scale));
        Ok(image)
    };
    let tiles: Result<Vec<Vec<RgbImage>>> = rows.iter().map(|images| images.iter().map(drawn).collect()).collect();
    sheet(&tiles?, [height, width]).save(file).with_context(|| format!("cannot write {}", file.display()))
}

/// Pictures of one height and width, `rows` of them below each other, on white.
pub fn sheet(rows: &[Vec<RgbImage>], [height, width]: [u32; 2]) -> RgbImage {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let mut picture = RgbImage::from_pixel(
        columns * (width + GAP) + GAP,
        rows.len() as u32 * (height + GAP) + GAP,
        image::Rgb([255; 3]),
    );
    for (y, images) in (0..).zip(rows) {
        for (x, image) in (0..).zip(images) {
            let [left, top] = [x * (width + GAP) + GAP, y * (height + GAP) + GAP];
            replace(&mut picture, image, left.into(), top.into());
        }
    }
    picture
}

/// The data set's rows that stand in each row of the picture.
fn rows(data: &Dataset) -> Vec<Vec<usize>> {
    let of_class = |class: usize| {
        // Anomalies are in no other split.
        let shown = if class > 0 && data.manifest.labels == Labels::Anomalies { Split::Test } else { Split::Train };
        data.rows(shown).filter(move |&row| data.class(row) == class as i32)
    };
    let labelled: Vec<Vec<usize>> = match data.manifest.labels {
        Labels::Images | Labels::Anomalies => {
            (0..data.manifest.classes.len().min(ROWS)).map(|class| of_class(class).take(COLUMNS).collect()).collect()
        }
        Labels::Places => {
            let images: Vec<usize> = data.rows(Split::Train).take(ROWS * COLUMNS / 2).collect();
            images.chunks(COLUMNS).map(<[usize]>::to_vec).collect()
        }
    };
    let few = ROWS - labelled.len();
    let unlabelled: Vec<usize> = data.rows(Split::Unlabelled).take(few * COLUMNS).collect();
    labelled.into_iter().chain(unlabelled.chunks(COLUMNS).map(<[usize]>::to_vec)).collect()
}

/// Height and width of an image in the picture.
pub fn tile(manifest: &Manifest) -> [u32; 2] {
    let longest = manifest.height.max(manifest.width) as u32;
    [manifest.height, manifest.width]
        .map(|side| if longest > SIDE { (side as u32 * SIDE / longest).max(1) } else { side as u32 })
}

/// A row's image with three colours.
pub fn coloured(data: &Dataset, row: usize) -> Result<RgbImage> {
    let (Manifest { height, width, channels, .. }, bytes) = (&data.manifest, data.image(row).into_owned());
    let [height, width] = [*height as u32, *width as u32];
    let image = match channels {
        1 => GrayImage::from_raw(width, height, bytes).map(|grey| image::DynamicImage::from(grey).into_rgb8()),
        _ => ImageBuffer::from_raw(width, height, bytes),
    };
    image.context("an image has its size")
}

/// Draws a box on an image that was made so much larger.
fn outline(image: &mut RgbImage, region: &Region, scale: f32) {
    let [left, top, right, bottom] = region.edges.map(|edge| (edge * scale).round() as i64);
    let is_edge = |x: i64, y: i64| {
        (left..right).contains(&x)
            && (top..bottom).contains(&y)
            && (x == left || y == top || x == right - 1 || y == bottom - 1)
    };
    let colour = image::Rgb(COLOURS[region.class as usize % COLOURS.len()]);
    let edges = image.enumerate_pixels_mut().filter(|(x, y, _)| is_edge((*x).into(), (*y).into()));
    edges.for_each(|(.., pixel)| *pixel = colour);
}

#[cfg(test)]
mod tests {
    use super::super::writer::{DatasetWriter, Format, Sample};
    use super::*;

    #[test]
    fn a_row_is_a_class_and_further_ones_have_none() {
        for channels in [1, 3] {
            let folder = tempfile::tempdir().unwrap();
            let classes = vec!["dark".to_owned(), "light".to_owned()];
            let format = Format {
                name: "x".into(),
                height: 8,
                width: 16,
                channels,
                classes,
                labels: Labels::Images,
                pictures: None,
            };
            let mut writer = DatasetWriter::create(folder.path(), format, 45).unwrap();
            let image = |value: u8| vec![value; 128 * channels];
            for number in 0..30 {
                let class = i32::from(number % 3 == 0);
                writer.add(Sample::new(Split::Train, &image([40, 200][class as usize]), class)).unwrap();
            }
            (0..15).for_each(|_| writer.add(Sample::new(Split::Unlabelled, &image(120), -1)).unwrap());
            writer.finish().unwrap();
            let file = folder.path().join("samples.png");
            draw(&Dataset::open(folder.path()).unwrap(), &file).unwrap();
            let picture = image::open(file).unwrap().into_rgb8();
            assert_eq!(picture.dimensions(), (12 * 18 + 2, 4 * 10 + 2));
            let at = |column: u32, row: u32| picture.get_pixel(2 + 18 * column + 8, 2 + 10 * row + 4).0;
            assert_eq!(
                [at(0, 0), at(11, 0), at(0, 1), at(9, 1), at(10, 1)],
                [[40; 3], [40; 3], [200; 3], [200; 3], [255; 3]]
            );
            assert_eq!([at(0, 2), at(2, 3), at(3, 3)], [[120; 3], [120; 3], [255; 3]]);
        }
    }

    #[test]
    fn boxes_are_drawn_around_what_they_are_of() {
        let folder = tempfile::tempdir().unwrap();
        let classes = vec!["dark".to_owned(), "light".to_owned()];
        let (name, labels) = ("x".into(), Labels::Places);
        let format = Format { name, height: 192, width: 192, channels: 3, classes, labels, pictures: None };
        let mut writer = DatasetWriter::create(folder.path(), format, 1).unwrap();
        let regions = [(1, [20.0, 40.0, 60.0, 80.0]), (0, [100.0, 100.0, 104.0, 104.0])];
        let regions = regions.map(|(class, edges)| Region { class, edges });
        let sample = Sample::new(Split::Train, &[9; 192 * 192 * 3], -1);
        writer.add(Sample { regions: Some(&regions), ..sample }).unwrap();
        writer.finish().unwrap();
        let file = folder.path().join("samples.png");
        draw(&Dataset::open(folder.path()).unwrap(), &file).unwrap();
        let picture = image::open(file).unwrap().into_rgb8();
        let at = |x: u32, y: u32| picture.get_pixel(2 + x, 2 + y).0;
        let (edge, image) = ([0, 255, 0], [9; 3]);
        assert_eq!([at(10, 20), at(29, 20), at(10, 39), at(29, 39), at(20, 39)], [edge; 5], "half as large");
        assert_eq!([at(9, 20), at(30, 30), at(20, 40), at(11, 21), at(20, 30)], [image; 5]);
    }
}
