use crate::nn::ops;
use rayon::prelude::*;

/// The mean and the covariance of rows of numbers.
#[derive(Debug)]
pub struct Gaussian {
    mean: Vec<f64>,
    /// `[number, number]`
    covariance: Vec<f64>,
}

impl Gaussian {
    /// Of two rows at least, `[row, number]`; the covariance is divided by one less than there are rows.
    pub fn of(rows: &[f32], length: usize) -> Self {
        let count = rows.len() / length;
        let column = |number: usize| rows.iter().skip(number).step_by(length).map(|&value| f64::from(value));
        let mean: Vec<f64> = (0..length).map(|number| column(number).sum::<f64>() / count as f64).collect();
        let centred: Vec<Vec<f64>> =
            (0..length).map(|number| column(number).map(|value| value - mean[number]).collect()).collect();
        let covariance = centred.par_iter().flat_map_iter(|a| centred.iter().map(|b| dot(a, b) / (count - 1) as f64));
        Self { covariance: covariance.collect(), mean }
    }

    /// The squared Frechet distance (Dowson & Landau 1982): of the means, and what the covariances differ by.
    pub fn distance(&self, other: &Self) -> f64 {
        let length = self.mean.len();
        let trace = |of: &Self| -> f64 { of.covariance.iter().step_by(length + 1).sum() };
        let means: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let root = ops::trace_of_root_of_product(&self.covariance, &other.covariance);
        means + trace(self) + trace(other) - 2.0 * root
    }

    /// The number that stands so many standard deviations from the mean along each direction: `[number]`, of as many standard normal draws.
    pub fn at(&self, normal: &[f32]) -> Vec<f32> {
        let length = self.mean.len();
        let along = |number: usize| -> f64 {
            let row = &self.covariance[number * length..][..=number];
            row.iter().zip(normal).map(|(share, draw)| share * f64::from(*draw)).sum()
        };
        (0..length).map(|number| (self.mean[number] + along(number)) as f32).collect()
    }

    /// With the lower triangle of its covariance's root (Cholesky) in place of it, as [`Gaussian::at`] needs it.
    pub fn rooted(self) -> Self {
        let length = self.mean.len();
        let mut root = vec![0.0; length * length];
        for row in 0..length {
            for column in 0..=row {
                let before = dot(&root[row * length..][..column], &root[column * length..][..column]);
                let left = self.covariance[row * length + column] - before;
                root[row * length + column] = match row == column {
                    // A number that follows from the others has nothing of its own.
                    true => left.max(0.0).sqrt(),
                    false if root[column * length + column] > 1e-12 => left / root[column * length + column],
                    false => 0.0,
                };
            }
        }
        Self { covariance: root, ..self }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(rows: usize, scale: f64, phase: f64) -> Vec<f32> {
        (0..rows * 3).map(|n| (scale * (0.7 * n as f64 + phase).sin() + 0.1 * (n % 3) as f64) as f32).collect()
    }

    /// By numpy and `scipy.linalg.sqrtm` of the same waves in float64 (`np.cov(rowvar=False)`).
    #[test]
    fn the_distance_is_scipys() {
        let (a, b) = (Gaussian::of(&wave(20, 1.0, 0.3), 3), Gaussian::of(&wave(30, 2.0, 1.1), 3));
        let expected = 1.55337258;
        assert!((a.distance(&b) - expected).abs() < 1e-5, "{} in place of {expected}", a.distance(&b));
        assert!(a.distance(&a).abs() < 1e-6);
    }

    #[test]
    fn what_is_drawn_has_the_mean_and_the_covariance() {
        let gaussian = Gaussian::of(&wave(20, 1.0, 0.3), 3);
        let (mean, covariance) = (gaussian.mean.clone(), gaussian.covariance.clone());
        let rooted = gaussian.rooted();
        assert_eq!(rooted.at(&[0.0; 3]), mean.iter().map(|&v| v as f32).collect::<Vec<_>>());
        let product = |a: usize, b: usize| dot(&rooted.covariance[a * 3..][..3], &rooted.covariance[b * 3..][..3]);
        for (place, expected) in covariance.iter().enumerate() {
            assert!((product(place / 3, place % 3) - expected).abs() < 1e-9);
        }
    }
}
