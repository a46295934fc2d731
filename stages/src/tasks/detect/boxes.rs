//! What the boxes of a data set have to be.

use super::super::tuning::labelled;
use crate::data::{Dataset, Labels, Region, Split};
use anyhow::{Result, ensure};

/// Of an image.
pub fn of(data: &Dataset, row: usize) -> &[Region] {
    data.regions(row).expect("boxes were looked for")
}

/// An error where there are none, or one is not of a class or no part of its image.
pub fn check(data: &Dataset, splits: &[Split]) -> Result<()> {
    let has_boxes = data.manifest.labels == Labels::Places && data.regions(0).is_some();
    ensure!(
        has_boxes,
        "the data set {} has no boxes, and detection learns from them: connect one that has some, such as data/scenes, data/coco or data/voc",
        data.manifest.name
    );
    let (classes, height, width) = (data.manifest.classes.len(), data.manifest.height, data.manifest.width);
    for (split, row) in splits.iter().flat_map(|&split| data.rows(split).map(move |row| (split, row))) {
        for Region { class, edges } in of(data, row) {
            let place = || format!("a box of row {row} ({})", split.name());
            let is_of_a_class = usize::try_from(*class).is_ok_and(|class| class < classes);
            ensure!(is_of_a_class, "{} is of class {class}: expected 0 to {}", place(), classes - 1);
            let [left, top, right, bottom] = *edges;
            let is_inside = left >= 0.0 && top >= 0.0 && right <= width as f32 && bottom <= height as f32;
            ensure!(
                is_inside && left < right && top < bottom,
                "{} goes from {left} to {right} across and from {top} to {bottom} down: expected one that has an area and lies within \
                 {width} x {height} pixels",
                place()
            );
        }
    }
    Ok(())
}

/// The training images whose boxes are used: `count` of them, or all where it is 0. An error where there is nothing to learn.
pub fn to_train_on(data: &Dataset, count: usize, seed: u64) -> Result<Vec<usize>> {
    let images = labelled(data, count, seed)?;
    ensure!(images.len() > 1, "batch norm needs two images with boxes: raise `images`");
    ensure!(
        images.iter().any(|&row| !of(data, row).is_empty()),
        "there is no object on the {} images that are trained on: raise `images`, or look at the data set's boxes",
        images.len()
    );
    Ok(images)
}
