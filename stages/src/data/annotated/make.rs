//! From a picture in its file to an image, with what is told of it where it then lies.

use super::super::dataset::Region;
use super::super::pictures::{self, Placement};
use super::{Common, Item};
use crate::augment::ops::{Crop, Size};
use crate::augment::{Geometry, OUTSIDE};
use anyhow::{Result, ensure};

pub struct Made {
    /// `[size, size, 3]`
    pub image: Vec<u8>,
    pub regions: Option<Vec<Region>>,
    pub mask: Option<Vec<u8>>,
    /// Boxes of which nothing is left.
    pub lost: usize,
}

/// By how much a box may reach outside of its picture, in pixels: what rounding makes of its edges.
const SLACK: f32 = 0.5;

/// An error where the picture cannot be read, or what is told of it cannot be.
pub fn make(item: &Item, classes: &[String], common: &Common) -> Result<Made> {
    // As annotations see it: as it lies in its file, however a camera was held.
    let picture = pictures::read(&common.path.join(&item.path), false)?;
    let size = [picture.height as u32, picture.width as u32];
    if let Some([height, width]) = item.said {
        ensure!(
            size == [height, width],
            "it has {} x {} pixels, and its annotation says {width} x {height}",
            size[1],
            size[0]
        );
    }
    let regions = item.regions.as_ref().map(|all| all.iter().map(|region| inside(region, size, classes)).collect());
    let regions: Option<Vec<Region>> = regions.transpose()?;
    let mask = item.mask.as_ref().map(|draw| draw(size)).transpose()?;
    mask.iter().try_for_each(|mask| check_mask(mask, classes.len()))?;
    let geometry = geometry(common.fit.placement(size, [common.size; 2]), size, common.size);
    let moved = regions.as_ref().map(|regions| geometry.boxes(regions));
    Ok(Made {
        image: common.fit.apply(picture, [common.size; 2])?.into_raw(),
        lost: regions.map_or(0, |regions| regions.len()) - moved.as_ref().map_or(0, Vec::len),
        regions: moved,
        mask: mask.map(|mask| geometry.mask(&mask)),
    })
}

/// A box without what rounding has left outside.
fn inside(region: &Region, [height, width]: [u32; 2], classes: &[String]) -> Result<Region> {
    let (class, [left, top, right, bottom]) = (&classes[region.class as usize], region.edges);
    let (across, down) = (width as f32, height as f32);
    let is_inside = left >= -SLACK && top >= -SLACK && right <= across + SLACK && bottom <= down + SLACK;
    ensure!(
        is_inside,
        "a box of `{class}` lies outside of its {width} x {height} pixels: left {left}, top {top}, right {right}, bottom {bottom}"
    );
    ensure!(
        left < right && top < bottom,
        "a box of `{class}` has no area: left {left}, top {top}, right {right}, bottom {bottom}"
    );
    let edges = [left.max(0.0), top.max(0.0), right.min(across), bottom.min(down)];
    Ok(Region { class: region.class, edges })
}

fn check_mask(mask: &[u8], classes: usize) -> Result<()> {
    let wrong = mask.iter().find(|&&shown| shown != OUTSIDE && usize::from(shown) > classes);
    ensure!(
        wrong.is_none(),
        "its mask holds {}: expected 0 for the background, 1 to {classes} for the classes, 255 where nobody knows",
        wrong.copied().unwrap_or_default()
    );
    Ok(())
}

fn geometry(placement: Placement, picture: [u32; 2], side: u32) -> Geometry {
    let size = |[height, width]: [u32; 2]| Size { height: height as usize, width: width as usize };
    let [top, left, height, width] = placement.part.map(|edge| edge as usize);
    let mut geometry = Geometry::none(size(picture));
    geometry.crop(Crop { top, left, height, width }, size(placement.inside));
    if placement.inside != [side; 2] {
        geometry.pad(placement.at.map(|edge| edge as usize), size([side; 2]));
    }
    geometry
}
