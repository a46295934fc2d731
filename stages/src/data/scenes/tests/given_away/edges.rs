//! A detector of what stands out by its edges and its saturation.

use super::*;

/// A window stands out from what lies so much around it.
const AROUND: usize = 4;

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

/// Windows that stand out from what is around them; each is said to be of every class.
fn standing_out(image: &[u8], classes: usize) -> Vec<Found> {
    let mut sums = vec![[0.0; SCENE + 1]; SCENE + 1];
    for (place, value) in salience(image).iter().enumerate() {
        let [x, y] = [place % SCENE, place / SCENE];
        sums[y + 1][x + 1] = value + sums[y][x + 1] + sums[y + 1][x] - sums[y][x];
    }
    let sum = |[left, top, right, bottom]: Window| {
        let sum = sums[bottom][right] - sums[top][right] - sums[bottom][left] + sums[top][left];
        (sum, ((right - left) * (bottom - top)) as f64)
    };
    let stands_out = |window: Window| {
        let [left, top, right, bottom] = window;
        let wider = [left.saturating_sub(AROUND), top.saturating_sub(AROUND), right + AROUND, bottom + AROUND];
        let ((inside, area), (all, whole)) = (sum(window), sum(wider.map(|edge| edge.min(SCENE))));
        inside / area - (all - inside) / (whole - area)
    };
    let kept = surest(windows().into_iter().map(|window| (window, stands_out(window))).collect());
    (0..classes).flat_map(|class| kept.iter().map(move |&window| super::found(class, window))).collect()
}

/// AP50 of the training scenes: of the classes, and of whatever is an object.
fn found_so(cache: &Path, change: impl Fn(&mut Params)) -> [f64; 2] {
    let (data, _place) = made(cache, |params| {
        (params.train, params.classes) = (200, super::CLASSES.to_vec());
        change(params);
    })
    .unwrap();
    [data.manifest.classes.len(), 1]
        .map(|classes| ap_50_of(&data, Split::Train, classes, |image| standing_out(image, classes)))
}

#[test]
fn neither_edges_nor_saturation_give_objects_away() {
    let cache = real(0..DRAWINGS);
    let [guarded, guarded_of_any] = found_so(cache.path(), |_| ());
    let [plain, plain_of_any] = found_so(cache.path(), |params| {
        (params.distractors, params.saturation, params.blur) = ([0, 0], [1.0; 2], [1.0; 2]);
    });
    assert!(guarded < 0.05 && plain > 0.05, "{guarded} with what the defaults do against it, {plain} without");
    assert!(guarded_of_any < plain_of_any / 2.0, "{guarded_of_any} of anything, {plain_of_any} without");
}
