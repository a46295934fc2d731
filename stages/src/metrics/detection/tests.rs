use super::*;
use proptest::prelude::*;

/// pycocotools' `evaluateImg`, `accumulate` and `summarize`, line by line, without its tables of ids.
mod literal {
    use super::{Found, Scene, Truth};

    struct Image {
        scores: Vec<f64>,
        /// `[threshold][found]`
        matched: Vec<Vec<bool>>,
        ignored: Vec<Vec<bool>>,
        truths_ignored: Vec<bool>,
    }

    fn bb_iou(d: &Found, g: &Truth) -> f64 {
        let [dx, dy, dw, dh] = [d.edges[0], d.edges[1], d.edges[2] - d.edges[0], d.edges[3] - d.edges[1]];
        let [gx, gy, gw, gh] = [g.edges[0], g.edges[1], g.edges[2] - g.edges[0], g.edges[3] - g.edges[1]];
        let w = (dw + dx).min(gw + gx) - dx.max(gx);
        let h = (dh + dy).min(gh + gy) - dy.max(gy);
        if w <= 0.0 || h <= 0.0 { 0.0 } else { w * h / (dw * dh + gw * gh - w * h) }
    }

    fn iou_thresholds() -> Vec<f64> {
        let mut values: Vec<f64> = (0..10).map(|n| 0.5 + n as f64 * ((0.95 - 0.5) / 9.0)).collect();
        values[9] = 0.95;
        values
    }

    fn evaluate_image(scene: &Scene, class: usize, [low, high]: [f64; 2], most: usize) -> Option<Image> {
        let mut gt: Vec<(Truth, bool)> = vec![];
        for truth in scene.truths.iter().filter(|truth| truth.class == class) {
            let area = (truth.edges[2] - truth.edges[0]) * (truth.edges[3] - truth.edges[1]);
            gt.push((*truth, area < low || area > high));
        }
        let mut dt: Vec<Found> = scene.found.iter().copied().filter(|found| found.class == class).collect();
        if gt.is_empty() && dt.is_empty() {
            return None;
        }
        gt = gt.iter().filter(|g| !g.1).chain(gt.iter().filter(|g| g.1)).copied().collect();
        // A stable sort by insertion.
        for i in 1..dt.len() {
            let mut j = i;
            while j > 0 && dt[j - 1].score < dt[j].score {
                dt.swap(j - 1, j);
                j -= 1;
            }
        }
        dt.truncate(most);
        let (mut matched, mut ignored) = (vec![vec![false; dt.len()]; 10], vec![vec![false; dt.len()]; 10]);
        for (t, threshold) in iou_thresholds().into_iter().enumerate() {
            let mut truth_matched = vec![false; gt.len()];
            for (d, found) in dt.iter().enumerate() {
                let mut iou = threshold.min(1.0 - 1e-10);
                let mut m = -1i64;
                for (g, (truth, is_ignored)) in gt.iter().enumerate() {
                    if truth_matched[g] {
                        continue;
                    }
                    if m > -1 && !gt[m as usize].1 && *is_ignored {
                        break;
                    }
                    if bb_iou(found, truth) < iou {
                        continue;
                    }
                    iou = bb_iou(found, truth);
                    m = g as i64;
                }
                if m == -1 {
                    continue;
                }
                ignored[t][d] = gt[m as usize].1;
                matched[t][d] = true;
                truth_matched[m as usize] = true;
            }
            for (d, found) in dt.iter().enumerate() {
                let area = (found.edges[2] - found.edges[0]) * (found.edges[3] - found.edges[1]);
                if !matched[t][d] && (area < low || area > high) {
                    ignored[t][d] = true;
                }
            }
        }
        let scores = dt.iter().map(|found| found.score).collect();
        Some(Image { scores, matched, ignored, truths_ignored: gt.iter().map(|g| g.1).collect() })
    }

    /// Precision at each threshold and recall, and the recall at each threshold.
    fn accumulate(scenes: &[Scene], class: usize, area: [f64; 2], most: usize) -> Option<(Vec<Vec<f64>>, Vec<f64>)> {
        let images: Vec<Image> = scenes.iter().filter_map(|scene| evaluate_image(scene, class, area, most)).collect();
        let npig = images.iter().flat_map(|image| &image.truths_ignored).filter(|ignored| !**ignored).count();
        if npig == 0 {
            return None;
        }
        let mut order: Vec<(usize, usize, f64)> = vec![];
        for (i, image) in images.iter().enumerate() {
            image.scores.iter().enumerate().for_each(|(d, &score)| order.push((i, d, score)));
        }
        for i in 1..order.len() {
            let mut j = i;
            while j > 0 && order[j - 1].2 < order[j].2 {
                order.swap(j - 1, j);
                j -= 1;
            }
        }
        let (mut precision, mut recall) = (vec![], vec![]);
        for t in 0..10 {
            let (mut tp, mut fp, mut rc, mut pr) = (0.0f64, 0.0f64, vec![], vec![]);
            for &(i, d, _) in &order {
                let image = &images[i];
                if image.matched[t][d] && !image.ignored[t][d] {
                    tp += 1.0;
                }
                if !image.matched[t][d] && !image.ignored[t][d] {
                    fp += 1.0;
                }
                rc.push(tp / npig as f64);
                pr.push(tp / (fp + tp + f64::EPSILON));
            }
            recall.push(*rc.last().unwrap_or(&0.0));
            for i in (1..pr.len()).rev() {
                if pr[i] > pr[i - 1] {
                    pr[i - 1] = pr[i];
                }
            }
            let mut q = vec![0.0; 101];
            for (r, value) in q.iter_mut().enumerate() {
                let wanted = if r == 100 { 1.0 } else { r as f64 * 0.01 };
                if let Some(place) = rc.iter().position(|&recall| recall >= wanted) {
                    *value = pr[place];
                }
            }
            precision.push(q);
        }
        Some((precision, recall))
    }

    pub fn stats(scenes: &[Scene], classes: usize) -> [f64; 12] {
        let areas = [[0.0, 1e10], [0.0, 1024.0], [1024.0, 9216.0], [9216.0, 1e10]];
        let summarize = |is_ap: bool, threshold: Option<usize>, area: usize, most: usize| {
            let mut all = vec![];
            for (precision, recall) in (0..classes).filter_map(|class| accumulate(scenes, class, areas[area], most)) {
                for t in (0..10).filter(|t| threshold.is_none_or(|only| only == *t)) {
                    if is_ap { all.extend(&precision[t]) } else { all.push(recall[t]) }
                }
            }
            if all.is_empty() { -1.0 } else { all.iter().sum::<f64>() / all.len() as f64 }
        };
        [
            summarize(true, None, 0, 100),
            summarize(true, Some(0), 0, 100),
            summarize(true, Some(5), 0, 100),
            summarize(true, None, 1, 100),
            summarize(true, None, 2, 100),
            summarize(true, None, 3, 100),
            summarize(false, None, 0, 1),
            summarize(false, None, 0, 10),
            summarize(false, None, 0, 100),
            summarize(false, None, 1, 100),
            summarize(false, None, 2, 100),
            summarize(false, None, 3, 100),
        ]
    }
}

const CLASSES: usize = 3;

/// A box on whole pixels of a canvas of 160, so that equal overlaps and areas at the ends of a range are drawn too.
fn edges() -> impl Strategy<Value = [f64; 4]> {
    let side = prop_oneof![Just(32), Just(96), 1..120];
    (0..40, 0..40, side.clone(), side).prop_map(|(x, y, width, height)| [x, y, x + width, y + height].map(f64::from))
}

/// Objects, and what is said of them: moved a little or much, sometimes of another class, with scores of which many are equal.
fn scene() -> impl Strategy<Value = Scene> {
    let truth = (0..CLASSES, edges()).prop_map(|(class, edges)| Truth { class, edges });
    let near = (any::<prop::sample::Index>(), prop::array::uniform4(-6..7i32), 0..20usize, 0..8i32);
    let far = (0..CLASSES, edges(), 0..8i32);
    let all =
        (prop::collection::vec(truth, 0..6), prop::collection::vec(near, 0..16), prop::collection::vec(far, 0..4));
    all.prop_map(|(truths, near, far)| {
        let mut found = vec![];
        for (of, by, class, score) in near.into_iter().filter(|_| !truths.is_empty()) {
            let truth: &Truth = of.get(&truths);
            let [left, top, right, bottom] = std::array::from_fn(|edge| truth.edges[edge] + f64::from(by[edge]));
            let edges = [left, top, right.max(left + 1.0), bottom.max(top + 1.0)];
            let class = if class < CLASSES { class } else { truth.class };
            found.push(Found { class, edges, score: f64::from(score) / 8.0 });
        }
        found.extend(far.into_iter().map(|(class, edges, score)| Found {
            class,
            edges,
            score: f64::from(score) / 8.0,
        }));
        Scene { truths, found }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn they_are_those_of_pycocotools_read_literally(scenes in prop::collection::vec(scene(), 0..8)) {
        let found = Detections::new(&scenes, CLASSES).figures().in_order();
        let expected = literal::stats(&scenes, CLASSES);
        for (number, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            prop_assert!((found - expected).abs() < 1e-12, "figure {number}: {found} in place of {expected}");
        }
    }
}

fn of_one_scene(truths: &[(usize, [f64; 4])], found: &[(usize, [f64; 4], f64)]) -> Detections {
    let truths = truths.iter().map(|&(class, edges)| Truth { class, edges }).collect();
    let found = found.iter().map(|&(class, edges, score)| Found { class, edges, score }).collect();
    Detections::new(&[Scene { truths, found }], 2)
}

#[test]
fn where_there_is_nothing_there_is_no_figure() {
    let false_alarms = of_one_scene(&[], &[(0, [0.0, 0.0, 10.0, 10.0], 0.9)]);
    assert_eq!(false_alarms.figures().in_order(), [-1.0; 12]);
    assert_eq!(false_alarms.ap_of_classes(), [None, None]);
    let missed = of_one_scene(&[(1, [0.0, 0.0, 10.0, 10.0])], &[]);
    assert_eq!(missed.figures().in_order(), [0., 0., 0., 0., -1., -1., 0., 0., 0., 0., -1., -1.]);
    assert_eq!(missed.ap_of_classes(), [None, Some(0.0)]);
}

/// Two objects of a class: the surer answer is a false alarm, the second is right, and one object is missed.
#[test]
fn precision_falls_with_false_alarms_and_ends_where_objects_are_missed() {
    let square = |at: f64| [at, at, at + 20.0, at + 20.0];
    let found = [(0, square(60.0), 0.9), (0, square(0.0), 0.8)];
    let curve = of_one_scene(&[(0, square(0.0)), (0, square(30.0))], &found).precision_by_recall()[0].unwrap();
    assert!(curve[..=50].iter().all(|precision| (precision - 0.5).abs() < 1e-9));
    assert!(curve[51..].iter().all(|&precision| precision == 0.0));
}

#[test]
fn a_large_answer_to_a_small_object_counts_as_the_object_does() {
    // 30 x 30 is small; what is found of it has 36 x 36, and an IoU of .69.
    let found = [(0, [0.0, 0.0, 36.0, 36.0], 0.5)];
    let figures = of_one_scene(&[(0, [0.0, 0.0, 30.0, 30.0])], &found).figures();
    assert!((figures.ap_50 - 1.0).abs() < 1e-9);
    assert!((figures.ap_by_size[0] - 0.4).abs() < 1e-9, "{figures:?}");
    assert_eq!(figures.ap_by_size[1..], [-1.0, -1.0]);
}

#[test]
fn right_invented_and_missed_are_told_apart_from_the_best_score_on() {
    let square = |at: f64| [at, at, at + 20.0, at + 20.0];
    let truths = [(0, square(0.0)), (0, square(30.0)), (1, square(60.0))].map(|(class, edges)| Truth { class, edges });
    // The first is said twice, the third to be of another class, and much is said that is not there.
    let said = [(0, 1.0, 0.9), (0, 2.0, 0.7), (0, 30.0, 0.6), (0, 60.0, 0.2), (1, 0.0, 0.1)];
    let found = said.map(|(class, at, score)| Found { class, edges: square(at), score });
    let scene = Scene { truths: truths.to_vec(), found: found.to_vec() };
    assert_eq!(best_score(std::slice::from_ref(&scene), 2), 0.6);
    let told = outcome(&scene, 0.6);
    assert_eq!(told, Outcome { right: vec![found[0], found[2]], invented: vec![found[1]], missed: vec![truths[2]] });
    let all = outcome(&scene, 0.0);
    assert_eq!((all.right.len(), all.invented.len(), all.missed.len()), (2, 3, 1));
}
