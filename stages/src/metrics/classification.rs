/// Share of predictions that are right, in [0, 1].
///
/// # Panics
/// When the two differ in length or are empty.
pub fn accuracy(predicted: &[i32], labels: &[i32]) -> f64 {
    assert_eq!(predicted.len(), labels.len(), "one prediction for each label");
    assert!(!labels.is_empty(), "an accuracy needs images");
    predicted.iter().zip(labels).filter(|(a, b)| a == b).count() as f64 / labels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts() {
        assert_eq!(accuracy(&[1, 2, 3, 4], &[1, 2, 0, 4]), 0.75);
    }
}
