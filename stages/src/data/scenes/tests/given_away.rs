//! That objects are not found by what has nothing to do with what they are: that they are sharper, more colourful or of other colours than
//! photographs. Of 48 of Twitter's drawings, those of the default classes among them, on pieces of four photographs; what all drawings and
//! both styles come to is in LOG.md.

mod colours;
mod edges;

use super::*;
use crate::augment::samples;
use crate::data::Region;
use crate::metrics::detection::{self, Detections, Found, Truth};
use image::imageops::crop_imm;
use std::ops::Range;

/// Side of a scene.
const SCENE: usize = 96;
/// Drawings of each class in the fixture.
const DRAWINGS: usize = 8;
/// Those of the fixture, by rows.
const CLASSES: [Group; 4] = [Group::Faces, Group::Fruit, Group::Buildings, Group::Hearts];

/// Left, top, right, bottom, in whole pixels.
type Window = [usize; 4];

/// A cache with real pixels: pieces of the samples for photographs, and some of Twitter's drawings again and again.
fn real(some: Range<usize>) -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let photographs = samples();
    write_stand_in(&CIFAR10, cache.path(), |number| {
        let (photograph, place) = (photographs[number % 4].source().bytes, number / 4);
        let [left, top] = [place % 33, place / 33 % 33];
        let row = |y: usize| &photograph[(y * 64 + left) * 3..(y * 64 + left + 32) * 3];
        (0, (top..top + 32).flat_map(row).copied().collect())
    });
    let sheet = image::load_from_memory(include_bytes!("../fixture/emoji.png")).unwrap().into_rgba8();
    let side = SIDE as u32;
    write_stand_in(Style::Twitter.fetched(), cache.path(), |number| {
        let label = number % LABELS;
        let group = (label / 2 / 9).checked_sub(1).map(|group| Group::ALL[group]);
        let row = CLASSES.iter().position(|class| Some(*class) == group);
        let [x, y] =
            [some.start + number / 2 % some.len(), row.unwrap_or(4 + number / 16 % 2)].map(|place| place as u32);
        (label as u8, crop_imm(&sheet, x * side, y * side, side, side).to_image().into_raw())
    });
    cache
}

/// All that may be said to be an object.
fn windows() -> Vec<Window> {
    let of_side = |side: usize| {
        let starts = move || (0..=SCENE - side).step_by(side / 5);
        starts().flat_map(move |y| starts().map(move |x| [x, y, x + side, y + side]))
    };
    [16, 20, 26, 32, 38].into_iter().flat_map(of_side).collect()
}

/// Those of windows with scores that no surer one overlaps much, the surest first.
fn surest(mut scored: Vec<(Window, f64)>) -> Vec<(Window, f64)> {
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<(Window, f64)> = vec![];
    for window in scored {
        if kept.iter().all(|other| overlap(other.0, window.0) < 0.3) {
            kept.push(window);
        }
    }
    kept
}

/// Intersection over union.
fn overlap(a: Window, b: Window) -> f64 {
    let along = |from: usize, to: usize| a[to].min(b[to]).saturating_sub(a[from].max(b[from]));
    let area = |edges: Window| (edges[2] - edges[0]) * (edges[3] - edges[1]);
    let both = along(0, 2) * along(1, 3);
    both as f64 / (area(a) + area(b) - both) as f64
}

fn found(class: usize, (edges, score): (Window, f64)) -> Found {
    Found { class, edges: edges.map(|edge| edge as f64), score }
}

/// AP50 of a split, by what is found in each image.
fn ap_50(data: &Dataset, split: Split, found: impl Fn(&[u8]) -> Vec<Found>) -> f64 {
    ap_50_of(data, split, data.manifest.classes.len(), found)
}

/// With one class: of objects, whatever they are.
fn ap_50_of(data: &Dataset, split: Split, classes: usize, found: impl Fn(&[u8]) -> Vec<Found>) -> f64 {
    let class = |region: &Region| if classes == 1 { 0 } else { region.class as usize };
    let truth = |region: &Region| Truth { class: class(region), edges: region.edges.map(f64::from) };
    let scene = |row: usize| detection::Scene {
        truths: data.regions(row).unwrap().iter().map(truth).collect(),
        found: found(&data.image(row)),
    };
    let scenes: Vec<detection::Scene> = data.rows(split).map(scene).collect();
    Detections::new(&scenes, classes).figures().ap_50
}
