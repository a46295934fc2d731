//! That objects are not found by what has nothing to do with what they are: that they are sharper or more colourful than photographs.

use super::*;
use crate::augment::samples;
use crate::metrics::detection::{self, Detections, Found, Truth};
use image::imageops::crop_imm;

/// Side of a scene.
const SCENE: usize = 96;
/// A window stands out from what lies so much around it.
const AROUND: usize = 4;

/// A cache with real pixels: pieces of the samples for photographs, and some of Twitter's drawings again and again.
fn real() -> tempfile::TempDir {
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
        let row = Params::default().classes.iter().position(|class| Some(*class) == group);
        let [x, y] = [number / 2 % 8, row.unwrap_or(4 + number / 16 % 2)].map(|place| place as u32);
        (label as u8, crop_imm(&sheet, x * side, y * side, side, side).to_image().into_raw())
    });
    cache
}

/// Of each pixel: edges and saturation, each beside its mean in the image, and weighted as finds most.
fn salience(image: &[u8]) -> Vec<f64> {
    let at = |x: usize, y: usize| &image[(y * SCENE + x) * 3..][..3];
    let grey =
        |x: usize, y: usize| at(x.min(SCENE - 1), y.min(SCENE - 1)).iter().map(|&value| f64::from(value)).sum::<f64>();
    let places = || (0..SCENE * SCENE).map(|place| (place % SCENE, place / SCENE));
    let edges: Vec<f64> = places()
        .map(|(x, y)| {
            (grey(x + 1, y) - grey(x.saturating_sub(1), y)).hypot(grey(x, y + 1) - grey(x, y.saturating_sub(1)))
        })
        .collect();
    let saturation: Vec<f64> =
        places().map(|(x, y)| f64::from(at(x, y).iter().max().unwrap() - at(x, y).iter().min().unwrap())).collect();
    let [by_edges, by_saturation] =
        [&edges, &saturation].map(|values| (SCENE * SCENE) as f64 / values.iter().sum::<f64>());
    edges.iter().zip(&saturation).map(|(edge, colour)| 0.3 * edge * by_edges + 0.7 * colour * by_saturation).collect()
}

/// Squares that stand out from what is around them, and do not overlap much; each is said to be of every class.
fn found(image: &[u8], classes: usize) -> Vec<Found> {
    let values = salience(image);
    let mut sums = vec![[0.0; SCENE + 1]; SCENE + 1];
    for (place, value) in values.iter().enumerate() {
        let [x, y] = [place % SCENE, place / SCENE];
        sums[y + 1][x + 1] = value + sums[y][x + 1] + sums[y + 1][x] - sums[y][x];
    }
    let mean = |[left, top, right, bottom]: [usize; 4]| {
        let sum = sums[bottom][right] - sums[top][right] - sums[bottom][left] + sums[top][left];
        (sum, ((right - left) * (bottom - top)) as f64)
    };
    let stands_out = |[left, top, right, bottom]: [usize; 4]| {
        let wider = [left.saturating_sub(AROUND), top.saturating_sub(AROUND), right + AROUND, bottom + AROUND];
        let ((inside, area), (all, whole)) =
            (mean([left, top, right, bottom]), mean(wider.map(|edge| edge.min(SCENE))));
        inside / area - (all - inside) / (whole - area)
    };
    let mut windows = vec![];
    for side in [16, 20, 26, 32, 38] {
        let starts = || (0..=SCENE - side).step_by(side / 5);
        windows.extend(starts().flat_map(|y| starts().map(move |x| [x, y, x + side, y + side])));
    }
    let mut windows: Vec<([usize; 4], f64)> = windows.into_iter().map(|window| (window, stands_out(window))).collect();
    windows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<([usize; 4], f64)> = vec![];
    for window in windows {
        if kept.iter().all(|other| overlap(other.0, window.0) < 0.3) {
            kept.push(window);
        }
    }
    let of_class = |class| {
        move |(edges, score): &([usize; 4], f64)| Found { class, edges: edges.map(|edge| edge as f64), score: *score }
    };
    (0..classes).flat_map(|class| kept.iter().map(of_class(class)).collect::<Vec<_>>()).collect()
}

/// Intersection over union.
fn overlap(a: [usize; 4], b: [usize; 4]) -> f64 {
    let along = |from: usize, to: usize| a[to].min(b[to]).saturating_sub(a[from].max(b[from]));
    let area = |edges: [usize; 4]| (edges[2] - edges[0]) * (edges[3] - edges[1]);
    let both = along(0, 2) * along(1, 3);
    both as f64 / (area(a) + area(b) - both) as f64
}

/// AP50 of the training scenes.
fn ap_50(cache: &Path, change: impl Fn(&mut Params)) -> f64 {
    let (data, _place) = made(cache, |params| {
        params.train = 200;
        change(params);
    })
    .unwrap();
    let classes = data.manifest.classes.len();
    let scene = |row: usize| detection::Scene {
        truths: data
            .regions(row)
            .unwrap()
            .iter()
            .map(|region| Truth { class: region.class as usize, edges: region.edges.map(f64::from) })
            .collect(),
        found: found(&data.image(row), classes),
    };
    let scenes: Vec<detection::Scene> = data.rows(Split::Train).map(scene).collect();
    Detections::new(&scenes, classes).figures().ap_50
}

#[test]
fn neither_edges_nor_colours_give_objects_away() {
    let cache = real();
    let guarded = ap_50(cache.path(), |_| ());
    let plain = ap_50(cache.path(), |params| {
        (params.distractors, params.saturation, params.blur) = ([0, 0], [1.0; 2], [1.0; 2]);
    });
    assert!(guarded < 0.05 && plain > 0.05, "{guarded} with what the defaults do against it, {plain} without");
}
