use crate::case::Case;
use libtest_mimic::Failed;
use pretext_stages::metrics::{Confusion, Contingency, Overlap, auroc, average_precision, macro_auroc, top_k_accuracy};

const METRICS: f64 = 1e-6;

/// Those of two classes are of class 1 against the others.
pub fn classes(case: &Case) -> Result<(), Failed> {
    let (labels, predicted) = (case.integers("in.true"), case.integers("in.pred"));
    let classes = case.shape("in.prob")[1];
    let score = |&told: &i32| (0..classes as i32).map(move |class| f64::from(u8::from(class == told)));
    let confusion = Confusion::new(&predicted.iter().flat_map(score).collect::<Vec<_>>(), &labels, classes);
    let clusters: Vec<u32> = predicted.iter().map(|&cluster| cluster as u32).collect();
    let table = Contingency::new(&clusters, &labels, classes, classes);
    let scores = case.values("in.prob");
    let (of_one, are_one): (Vec<f64>, Vec<bool>) =
        scores.chunks_exact(classes).zip(&labels).map(|(scores, &label)| (scores[1], label == 1)).unzip();
    let there = |figure: Option<f64>| figure.expect("there are both kinds");
    for (name, found) in [
        ("out.top2", top_k_accuracy(scores, &labels, classes, 2)),
        ("out.auroc_ovr", there(macro_auroc(scores, &labels, classes))),
        ("out.auroc", there(auroc(&of_one, &are_one))),
        ("out.average_precision", there(average_precision(&of_one, &are_one))),
        ("out.accuracy", confusion.accuracy()),
        ("out.macro_f1", confusion.macro_f1()),
        ("out.balanced_accuracy", confusion.balanced_accuracy()),
        ("out.nmi", table.nmi()),
        ("out.ari", table.ari()),
        ("out.cluster_accuracy", table.accuracy(&table.matching())),
    ] {
        case.expect(name, &[found], METRICS)?;
    }
    Ok(())
}

pub fn masks(case: &Case) -> Result<(), Failed> {
    let bytes = |name| case.integers(name).into_iter().map(|value| value as u8).collect::<Vec<_>>();
    let classes = case.shape("out.iou")[0];
    let mut overlap = Overlap::new(classes);
    overlap.add(&bytes("in.true"), &bytes("in.pred"));
    let ious: Vec<f64> = (0..classes).map(|class| overlap.iou(class).unwrap_or(f64::NAN)).collect();
    case.expect("out.iou", &ious, METRICS)?;
    case.expect("out.miou", &[overlap.mean_iou()], METRICS)?;
    case.expect("out.pixel_accuracy", &[overlap.pixels().accuracy()], METRICS)
}
