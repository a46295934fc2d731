/// Sums side by side, which the compiler makes wide instructions of.
const LANES: usize = 8;

/// The squared Euclidean distance of two vectors of one length, from their differences: exact where they are near each other, as what
/// products give is not.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_count_whatever_the_length() {
        for length in [0, 1, 7, 8, 9, 31] {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let b = vec![1.0; length];
            let expected: f32 = a.iter().map(|a| (a - 1.0).powi(2)).sum();
            assert_eq!(squared_distance(&a, &b), expected, "{length}");
        }
        // Of vectors far from zero.
        assert_eq!(squared_distance(&[1e7, 1e7], &[1e7 + 1.0, 1e7]), 1.0);
    }
}
