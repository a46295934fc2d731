//! From a picture in its file to an image, with what is told of it where it then lies.

use super::super::dataset::Region;
use super::super::pictures::{self, Placement};
use super::{Common, Item, Told};
use crate::metrics::UNKNOWN;
use anyhow::{Context as _, Result, ensure};
use std::ops::AddAssign;

pub struct Made {
    /// `[size, size, 3]`
    pub image: Vec<u8>,
    pub regions: Option<Vec<Region>>,
    pub mask: Option<Vec<u8>>,
    pub seen: Seen,
}

/// What was seen on the way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub boxes: Boxes,
    /// Masks with objects of which the image shows none.
    pub emptied: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.boxes += other.boxes;
        self.emptied += other.emptied;
    }
}

/// How many boxes there are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Boxes {
    pub all: usize,
    /// Of which a fit leaves nothing.
    pub lost: usize,
    /// In which no pixel of the mask is of their class.
    pub contradicted: usize,
}

impl AddAssign for Boxes {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.lost += other.lost;
        self.contradicted += other.contradicted;
    }
}

/// From this share of contradicted boxes on, masks count classes otherwise than boxes do.
const CONTRADICTED: f64 = 0.25;

impl Boxes {
    /// That masks count classes as boxes do.
    pub fn check(&self) -> Result<()> {
        let Self { all, contradicted, .. } = *self;
        ensure!(
            contradicted as f64 <= CONTRADICTED * all as f64,
            "in {contradicted} of {all} boxes no pixel of the mask is of their class: masks number classes by the order of their names (1 the \
             first), so that a name that is misspelt, or an order of one's own, makes them others. Mend the names or the masks, or take \
             only one of them"
        );
        Ok(())
    }
}

/// By how much a box may reach outside of its picture, in pixels: what rounding makes of its edges.
const SLACK: f32 = 0.5;

/// An error where the picture cannot be read, or what is told of it cannot be.
/// `keeps_small`: whether a mask shows each pixel that an object touches, and not what is nearest to its middle.
pub fn make(item: &Item, classes: &[String], common: &Common, keeps_small: bool) -> Result<Made> {
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
    let inside = |(region, number): &(Region, i64), by: &str| {
        inside(region, size, classes).with_context(|| format!("{by} {number}"))
    };
    let regions = item.told.as_ref().map(|Told { by, regions }| regions.iter().map(|told| inside(told, by)).collect());
    let regions: Option<Vec<Region>> = regions.transpose()?;
    let mask = item.mask.as_ref().map(|draw| draw(size)).transpose()?;
    mask.iter().try_for_each(|mask| check_mask(mask, classes.len()))?;
    let placement = common.fit.placement(size, [common.size; 2]);
    let moved: Option<Vec<Region>> =
        regions.as_ref().map(|all| all.iter().filter_map(|region| moved(region, placement)).collect());
    let all = regions.as_deref().unwrap_or_default();
    let boxes = Boxes {
        all: all.len(),
        lost: all.len() - moved.as_ref().map_or(0, Vec::len),
        contradicted: mask
            .as_ref()
            .map_or(0, |mask| all.iter().filter(|region| !shows(mask, size[1] as usize, region)).count()),
    };
    let mut placed = mask.as_ref().map(|mask| placement.mask(mask, size[1], common.size));
    if let (Some(mask), Some(placed), true) = (&mask, &mut placed, keeps_small) {
        placement.touch(mask, size[1], common.size, placed);
    }
    let shows_object = |mask: &Vec<u8>| mask.iter().any(|&shown| shown != 0 && shown != UNKNOWN);
    let emptied = usize::from(mask.as_ref().is_some_and(shows_object) && !placed.as_ref().is_some_and(shows_object));
    Ok(Made {
        image: common.fit.apply(picture, [common.size; 2])?.into_raw(),
        seen: Seen { boxes, emptied },
        regions: moved,
        mask: placed,
    })
}

/// Whether a mask of that width has a pixel of a box's class in it.
fn shows(mask: &[u8], width: usize, region: &Region) -> bool {
    let [left, top, right, bottom] = region.edges;
    let rows = mask.chunks_exact(width).skip(top.floor() as usize).take((bottom.ceil() - top.floor()) as usize);
    let mut pixels = rows.flat_map(|row| &row[left.floor() as usize..right.ceil() as usize]);
    pixels.any(|&shown| i32::from(shown) == region.class + 1)
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
    let wrong = mask.iter().find(|&&shown| shown != UNKNOWN && usize::from(shown) > classes);
    ensure!(
        wrong.is_none(),
        "its mask holds {}: expected 0 for the background, 1 to {classes} for the classes, 255 where nobody knows",
        wrong.copied().unwrap_or_default()
    );
    Ok(())
}

/// As far as it lies in what is used of the picture.
fn moved(region: &Region, Placement { part, inside, at }: Placement) -> Option<Region> {
    let [top, left, height, width] = part.map(f64::from);
    let along = |edge: f32, start: f64, length: f64, axis: usize| {
        let most = f64::from(inside[axis]);
        (f64::from(at[axis]) + ((f64::from(edge) - start) * most / length).clamp(0.0, most)) as f32
    };
    let edges = [(0, left, width, 1), (1, top, height, 0), (2, left, width, 1), (3, top, height, 0)]
        .map(|(edge, start, length, axis)| along(region.edges[edge], start, length, axis));
    Some(Region { class: region.class, edges }).filter(Region::is_seen)
}
