//! How well scores put what is looked for before what is not. Nothing but the order of the scores counts, and equal ones count as
//! scikit-learn has them: none of them stands before another.

/// The area under the receiver operating characteristic (Fawcett 2006, doi:10.1016/j.patrec.2005.10.010): the share of pairs of a
/// positive and a negative sample in which the positive one has the higher score, where equal scores count half; in [0, 1], and
/// 1/2 for guesses. scikit-learn's `roc_auc_score`. `None` where one of the two kinds is not there.
///
/// `scores`: of each sample, the higher the surer that it is positive. They may be infinite.
///
/// # Panics
/// When the two differ in length, or a score is not a number.
pub fn auroc(scores: &[f64], are_positive: &[bool]) -> Option<f64> {
    let (mut before, mut right) = (0.0, 0.0);
    let levels = levels(scores, are_positive);
    for [positive, negative] in &levels {
        right += negative * (before + positive / 2.0);
        before += positive;
    }
    let pairs = before * levels.iter().map(|[_, negative]| negative).sum::<f64>();
    (pairs > 0.0).then(|| right / pairs)
}

/// Average precision: the mean over the positive samples of the share of positive ones among all that have at least as high a score;
/// in [0, 1], and for guesses the share of positive samples. scikit-learn's `average_precision_score`, without interpolation.
/// `None` where no sample is positive.
///
/// # Panics
/// As [`auroc`].
pub fn average_precision(scores: &[f64], are_positive: &[bool]) -> Option<f64> {
    let (mut found, mut all, mut sum) = (0.0, 0.0, 0.0);
    for [positive, negative] in levels(scores, are_positive) {
        (found, all) = (found + positive, all + positive + negative);
        sum += positive * found / all;
    }
    (found > 0.0).then(|| sum / found)
}

/// The mean over classes of [`auroc`] of each against the rest: scikit-learn's `roc_auc_score(multi_class="ovr", average="macro")`.
/// `None` where a class has no samples, or all.
///
/// `scores`: `[sample, class]`.
///
/// # Panics
/// When there are not `classes` scores of each sample, or a score is not a number.
pub fn macro_auroc(scores: &[f64], labels: &[i32], classes: usize) -> Option<f64> {
    assert_eq!(scores.len(), labels.len() * classes, "a score of every class for each label");
    let of_class = |class: usize| {
        let scores: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
        auroc(&scores, &labels.iter().map(|&label| label as usize == class).collect::<Vec<_>>())
    };
    let all: Vec<f64> = (0..classes).map(of_class).collect::<Option<_>>()?;
    (classes > 0).then(|| all.iter().sum::<f64>() / classes as f64)
}

/// The share of samples whose class is among the `k` with the highest scores, in [0, 1]. Where the class and others have equal scores
/// and not all of them are among the `k`, it counts as the part that a fair choice between them would do in the mean, as
/// [`super::Confusion`] has it; scikit-learn's `top_k_accuracy_score` takes the later class.
///
/// `scores`: `[sample, class]`.
///
/// # Panics
/// When there are no samples, or not `classes` scores of each, or a score is not a number.
pub fn top_k_accuracy(scores: &[f64], labels: &[i32], classes: usize, k: usize) -> f64 {
    assert_eq!(scores.len(), labels.len() * classes, "a score of every class for each label");
    assert!(!labels.is_empty(), "samples that are not there cannot be judged");
    let right = scores.chunks_exact(classes).zip(labels).map(|(scores, &label)| {
        assert!(!scores.iter().any(|score| score.is_nan()), "a score is not a number");
        let own = scores[label as usize];
        let higher = scores.iter().filter(|&&score| score > own).count();
        let equal = scores.iter().filter(|&&score| score == own).count();
        (k.saturating_sub(higher) as f64 / equal as f64).min(1.0)
    });
    right.sum::<f64>() / labels.len() as f64
}

/// How many positive and negative samples have each score, the highest first.
fn levels(scores: &[f64], are_positive: &[bool]) -> Vec<[f64; 2]> {
    assert_eq!(scores.len(), are_positive.len(), "a score for each sample");
    assert!(!scores.iter().any(|score| score.is_nan()), "a score is not a number");
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(are_positive.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    // -0 and 0 are equal, and stand beside each other in this order.
    let levels = ranked.chunk_by(|a, b| a.0 == b.0).map(|level| {
        let positive = level.iter().filter(|(_, is_positive)| *is_positive).count();
        [positive as f64, (level.len() - positive) as f64]
    });
    levels.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-12)
    }

    /// scikit-learn 1.9.1: `roc_auc_score`, `average_precision_score`.
    #[test]
    fn they_are_those_of_scikit_learn() {
        let cases: [(&[f64], &[u8], [f64; 2]); 4] = [
            (&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1], [0.75, 0.8333333333333333]),
            (&[0.5, 0.5, 0.5, 0.2, 0.9, 0.9, 0.9], &[1, 0, 1, 0, 0, 1, 1], [2.0 / 3.0, 2.0 / 3.0]),
            (&[1.0, 1.0, 1.0, 1.0], &[1, 0, 0, 0], [0.5, 0.25]),
            (&[3.0, 2.0, 2.0, 1.0], &[0, 1, 0, 0], [0.5, 1.0 / 3.0]),
        ];
        for (scores, labels, [area, precision]) in cases {
            let are_positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
            let found = (auroc(scores, &are_positive), average_precision(scores, &are_positive));
            assert!(near(found.0, area) && near(found.1, precision), "{scores:?}: {found:?}");
        }
        assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Some(0.5));
        assert_eq!(auroc(&[f64::INFINITY, 1.0, f64::NEG_INFINITY], &[true, true, false]), Some(1.0));
    }

    /// scikit-learn 1.9.1: `roc_auc_score(multi_class="ovr")`; by hand: the third sample's class shares the first place with
    /// another one, and those of the last two the second.
    #[test]
    fn many_classes_are_told_one_against_the_rest_and_by_the_first_k() {
        let scores = [
            [0.5, 0.25, 0.25],
            [0.25, 0.25, 0.5],
            [0.375, 0.375, 0.25],
            [0.125, 0.75, 0.125],
            [0.25, 0.5, 0.25],
            [0.25, 0.25, 0.5],
        ];
        let (scores, labels) = (scores.as_flattened(), [0, 2, 1, 1, 2, 0]);
        assert!(near(macro_auroc(scores, &labels, 3), 0.7708333333333334));
        assert!(near(Some(top_k_accuracy(scores, &labels, 3, 1)), 3.5 / 6.0));
        assert!(near(Some(top_k_accuracy(scores, &labels, 3, 2)), 5.0 / 6.0));
        assert_eq!(top_k_accuracy(scores, &labels, 3, 3), 1.0);
        assert_eq!(macro_auroc(scores, &[0, 2, 0, 0, 2, 0], 3), None, "nothing is of class 1");
    }

    #[test]
    fn where_one_kind_is_missing_there_is_no_figure() {
        assert_eq!([auroc(&[1.0, 2.0], &[true; 2]), auroc(&[1.0, 2.0], &[false; 2]), auroc(&[], &[])], [None; 3]);
        assert_eq!(average_precision(&[1.0, 2.0], &[false; 2]), None);
        assert_eq!(average_precision(&[1.0, 2.0], &[true; 2]), Some(1.0));
    }

    #[test]
    #[should_panic(expected = "a score is not a number")]
    fn what_is_no_number_is_no_score() {
        auroc(&[1.0, f64::NAN], &[true, false]);
    }
}
