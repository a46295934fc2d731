//! Randomness as a function: every draw is determined by (seed, purpose, where it is used), never by what was drawn
//! before elsewhere. So a result depends neither on the number of loader threads nor on where a run was interrupted.

/// What a stream of draws is for. The numbers are part of every result: add, never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Split = 1,
    Init = 2,
    Shuffle = 3,
    View = 4,
    Noise = 5,
    Mask = 6,
    Evaluate = 7,
    Cluster = 8,
    Scene = 9,
}

/// A counter-based generator: draw number n is a mix of the key and n (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Rng {
    key: u64,
    counter: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// `place`: epoch, image, view, or whatever tells this stream from the others of its purpose.
    pub fn new(seed: u64, purpose: Purpose, place: &[u64]) -> Self {
        let start = mix(seed.wrapping_add(GOLDEN)) ^ mix((purpose as u64).wrapping_mul(GOLDEN));
        let key = place.iter().fold(mix(start), |key, part| mix(key.wrapping_mul(3).wrapping_add(mix(part ^ GOLDEN))));
        Self { key, counter: 0 }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key.wrapping_add(self.counter.wrapping_mul(GOLDEN)))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.uniform() < p
    }

    /// Uniform in 0..n, without bias worth speaking of (n is far below 2^32).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box & Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.uniform())).cos()) as f32
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part_of_their_place_and_repeat_exactly() {
        let draw = |seed, purpose, place: &[u64]| Rng::new(seed, purpose, place).next_u64();
        let base = draw(1, Purpose::View, &[2, 3, 4]);
        assert_eq!(base, draw(1, Purpose::View, &[2, 3, 4]));
        for other in [
            draw(2, Purpose::View, &[2, 3, 4]),
            draw(1, Purpose::Noise, &[2, 3, 4]),
            draw(1, Purpose::View, &[3, 2, 4]),
            draw(1, Purpose::View, &[2, 3]),
            draw(1, Purpose::View, &[2, 3, 5]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 200_000;
        let mut rng = Rng::new(7, Purpose::Noise, &[]);
        let uniform: Vec<f64> = (0..n).map(|_| f64::from(rng.uniform())).collect();
        let normal: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let moments = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            (mean, x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64)
        };
        // Five standard errors of the mean and of the variance at n = 200,000.
        let (mean, var) = moments(&uniform);
        assert!((mean - 0.5).abs() < 0.0033 && (var - 1.0 / 12.0).abs() < 0.0009, "{mean} {var}");
        let (mean, var) = moments(&normal);
        assert!(mean.abs() < 0.0112 && (var - 1.0).abs() < 0.0159, "{mean} {var}");
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_every_place_is_as_likely() {
        let mut counts = [0usize; 5];
        for seed in 0..5000 {
            let mut items = [0, 1, 2, 3, 4];
            Rng::new(seed, Purpose::Shuffle, &[]).shuffle(&mut items);
            counts[items.iter().position(|&x| x == 0).unwrap()] += 1;
        }
        // 1000 expected, sd 28; five of them.
        assert!(counts.iter().all(|&c| (859..=1141).contains(&c)), "{counts:?}");
    }
}
