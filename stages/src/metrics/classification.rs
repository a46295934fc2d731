//! How well classes are predicted. All of it looks at the confusion matrix: how many images of each class are predicted as each.

use crate::csv::quoted;

/// `[class][class that is predicted]`: how many images, or pixels of masks.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion(Vec<Vec<f64>>);

impl Confusion {
    /// Of nothing yet.
    pub(super) fn empty(classes: usize) -> Self {
        Self(vec![vec![0.0; classes]; classes])
    }

    /// One more of a class, predicted as another or the same.
    pub(super) fn count(&mut self, class: usize, predicted: usize) {
        self.0[class][predicted] += 1.0;
    }

    /// By `scores`, `[image, class]`, of which the highest tells the class. An image with several equal highest ones counts
    /// as a part of an image for each of them: what a fair choice between them would do in the mean. So where all classes
    /// have equal scores, one of `n` images is told rightly for `n` classes.
    ///
    /// # Panics
    /// When there are no images, or not `classes` scores of each, or a score is not a number.
    pub fn new(scores: &[f64], labels: &[i32], classes: usize) -> Self {
        assert_eq!(scores.len(), labels.len() * classes, "a score of every class for each label");
        assert!(!labels.is_empty(), "images that are not there cannot be judged");
        let Self(mut counts) = Self::empty(classes);
        for (scores, &label) in scores.chunks_exact(classes).zip(labels) {
            assert!(!scores.iter().any(|score| score.is_nan()), "a score is not a number");
            let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let predicted: Vec<usize> = (0..classes).filter(|&class| scores[class] == highest).collect();
            predicted.iter().for_each(|&class| counts[label as usize][class] += 1.0 / predicted.len() as f64);
        }
        Self(counts)
    }

    /// Share of images whose class is predicted, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        let right: f64 = (0..self.0.len()).map(|class| self.0[class][class]).sum();
        right / self.0.iter().flatten().sum::<f64>()
    }

    /// The share of each class's images that are predicted, its recall, and the mean over the classes that have images, in [0, 1]:
    /// scikit-learn's `balanced_accuracy_score`.
    pub fn balanced_accuracy(&self) -> f64 {
        mean(
            (0..self.0.len())
                .filter(|&class| self.images(class) > 0.0)
                .map(|class| self.right(class) / self.images(class)),
        )
    }

    /// The harmonic mean of each class's recall and of the share of what is predicted as the class that is of it, and the mean over the
    /// classes that have images or are predicted, in [0, 1]: scikit-learn's `f1_score(average="macro")`.
    pub fn macro_f1(&self) -> f64 {
        let both = |class| self.images(class) + self.predicted(class);
        mean((0..self.0.len()).filter(|&class| both(class) > 0.0).map(|class| 2.0 * self.right(class) / both(class)))
    }

    /// A line for each class, a column for each class that is predicted, the share of the class's images that are predicted last.
    pub fn to_csv(&self, classes: &[String]) -> String {
        let head = classes.iter().map(|name| quoted(name)).chain(["recall".to_owned()]);
        let mut text = format!("class,{}\n", head.collect::<Vec<_>>().join(","));
        for (class, name) in classes.iter().enumerate() {
            let counts = self.0[class].iter().map(f64::to_string);
            let recall = if self.images(class) > 0.0 {
                (self.right(class) / self.images(class)).to_string()
            } else {
                String::new()
            };
            text += &format!("{},{}\n", quoted(name), counts.chain([recall]).collect::<Vec<_>>().join(","));
        }
        text
    }

    /// How many images of a class are told as each.
    pub fn row(&self, class: usize) -> &[f64] {
        &self.0[class]
    }

    pub(super) fn right(&self, class: usize) -> f64 {
        self.0[class][class]
    }

    /// How many images the class has.
    pub(super) fn images(&self, class: usize) -> f64 {
        self.0[class].iter().sum()
    }

    /// How many images are predicted as the class.
    pub(super) fn predicted(&self, class: usize) -> f64 {
        self.0.iter().map(|row| row[class]).sum()
    }
}

/// Not a number where there are none.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion_of(predicted: &[usize], labels: &[i32], classes: usize) -> Confusion {
        let score = |&predicted: &usize| (0..classes).map(move |class| if class == predicted { 1.0 } else { 0.0 });
        Confusion::new(&predicted.iter().flat_map(score).collect::<Vec<_>>(), labels, classes)
    }

    /// scikit-learn 1.9.1: `accuracy_score`, `balanced_accuracy_score`, `f1_score(average="macro")`, of which the second leaves
    /// out the class without images, and the third leaves out the one that is not predicted either.
    #[test]
    fn they_are_those_of_scikit_learn() {
        let cases: [(&[usize], &[i32], [f64; 3]); 3] = [
            (&[0, 1, 2, 2, 0, 1, 0], &[0, 1, 2, 0, 0, 0, 1], [4.0 / 7.0, 2.0 / 3.0, 73.0 / 126.0]),
            (&[3, 1, 1, 0, 0], &[0, 1, 1, 0, 0], [0.8, 5.0 / 6.0, 0.6]),
            (&[0, 0, 0, 0], &[0, 0, 0, 2], [0.75, 0.5, 3.0 / 7.0]),
        ];
        for (predicted, labels, [accuracy, balanced, f1]) in cases {
            let confusion = confusion_of(predicted, labels, 5);
            let found = [confusion.accuracy(), confusion.balanced_accuracy(), confusion.macro_f1()];
            for (found, expected) in found.into_iter().zip([accuracy, balanced, f1]) {
                assert!((found - expected).abs() < 1e-12, "{predicted:?}: {found} in place of {expected}");
            }
        }
    }

    #[test]
    fn equal_scores_are_told_by_chance() {
        // All images are of class 0, which the lower of equals would tell every time.
        let all_equal = Confusion::new(&[0.5; 40], &[0; 10], 4);
        assert_eq!([all_equal.accuracy(), all_equal.balanced_accuracy()], [0.25; 2]);
        let two_of_three = Confusion::new(&[1.0, 2.0, 2.0, 3.0, f64::NEG_INFINITY, 3.0], &[1, 1], 3);
        assert_eq!(two_of_three.accuracy(), 0.25);
    }
}
