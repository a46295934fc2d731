//! Newton's method for smooth convex functions of some ten thousand variables. Each step is found by conjugate gradients,
//! which need products with the Hessian and never the Hessian itself and of which a preconditioner leaves few, and goes no
//! further than the function has been seen to be like its quadratic model (a trust region: Steihaug 1983; Nocedal & Wright 2006,
//! algorithms 4.1 and 7.2).

/// A convex function near a point.
pub trait Local {
    fn value(&self) -> f64;
    fn gradient(&self) -> &[f64];
    /// The Hessian times `v`.
    fn curvature(&self, v: &[f64]) -> Vec<f64>;
    /// About the inverse of the Hessian times `v`, by a matrix that is symmetric and positive definite.
    fn precondition(&self, v: &[f64]) -> Vec<f64>;
}

/// Where a search ended.
#[derive(Debug, Clone)]
pub struct Minimum {
    pub x: Vec<f64>,
    /// About how far the value there is above the least: what the last step was to gain. It is found from gradient and Hessian
    /// together, so that it means the same however the variables are scaled.
    pub excess: f64,
}

/// A search ends with the first step that is to gain less.
pub const GAIN: f64 = 1e-9;
const STEPS: usize = 500;
/// For one step.
const PRODUCTS: usize = 2000;
/// The share of a value that may be rounding.
const ROUNDING: f64 = 1e-12;

/// The minimum of a function from `x` on; `at` gives the function near a point. `None` when `go_on` said no.
pub fn minimise<L: Local>(
    mut x: Vec<f64>,
    at: impl Fn(&[f64]) -> L,
    mut go_on: impl FnMut() -> bool,
) -> Option<Minimum> {
    let mut here = at(&x);
    let (mut radius, mut excess) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..STEPS {
        let step = Step::solve(&here, radius, &mut go_on)?;
        excess = if step.is_whole { step.gain } else { step.wanted };
        let mut point = x.clone();
        add(&mut point, 1.0, &step.direction);
        let there = at(&point);
        let share = step.share(&here, &there);
        radius = step.next_radius(share, radius);
        if share > 0.0 {
            (x, here) = (point, there);
        }
        if step.gain < GAIN {
            break;
        }
    }
    Some(Minimum { x, excess })
}

/// A step towards the minimum of the quadratic function that has the same value, gradient and Hessian.
struct Step {
    direction: Vec<f64>,
    /// By how much that function falls.
    gain: f64,
    /// By how much it would about fall in all, as the preconditioner has it.
    wanted: f64,
    /// In the preconditioner's norm, as the radius.
    length: f64,
    /// Whether it ended before it came to the radius.
    is_whole: bool,
}

impl Step {
    /// The closer to the minimum, the more exactly it is solved, so that steps converge faster than linearly.
    fn solve<L: Local>(here: &L, radius: f64, mut go_on: impl FnMut() -> bool) -> Option<Self> {
        let mut residual: Vec<f64> = here.gradient().iter().map(|g| -g).collect();
        let mut search = here.precondition(&residual);
        let mut size = dot(&residual, &search);
        let enough = (size * size.sqrt().min(0.1)).max(GAIN / 10.0);
        let none = vec![0.0; residual.len()];
        let mut step = Self { direction: none, gain: 0.0, wanted: size / 2.0, length: 0.0, is_whole: true };
        // Of the direction with itself, of both, and of the search with itself, in the preconditioner's norm.
        let (mut square, mut mixed, mut search_square) = (0.0, 0.0, size);
        for _ in 0..PRODUCTS {
            if !go_on() {
                return None;
            }
            let curved = here.curvature(&search);
            let bend = dot(&search, &curved);
            // Rounding, where the gradient vanishes.
            if bend <= 0.0 {
                break;
            }
            let mut length = size / bend;
            step.is_whole = square + length * (2.0 * mixed + length * search_square) < radius * radius;
            if !step.is_whole {
                let beyond = radius * radius - square;
                length = ((mixed * mixed + search_square * beyond).sqrt() - mixed) / search_square;
            }
            add(&mut step.direction, length, &search);
            step.gain += length * size - length * length * bend / 2.0;
            square += length * (2.0 * mixed + length * search_square);
            if !step.is_whole {
                break;
            }
            add(&mut residual, -length, &curved);
            let conditioned = here.precondition(&residual);
            let left = dot(&residual, &conditioned);
            if left <= enough {
                break;
            }
            let kept = left / size;
            mixed = kept * (mixed + length * search_square);
            search_square = left + kept * kept * search_square;
            search.iter_mut().zip(&conditioned).for_each(|(s, c)| *s = c + kept * *s);
            size = left;
        }
        step.length = square.sqrt();
        Some(step)
    }

    /// What the function falls by, as a share of what the model does.
    fn share<L: Local>(&self, here: &L, there: &L) -> f64 {
        let fall = here.value() - there.value();
        // Near the minimum values differ by their rounding, and slopes show what lies between.
        let fall = if fall.abs() > ROUNDING * here.value().abs() {
            fall
        } else {
            -(dot(here.gradient(), &self.direction) + dot(there.gradient(), &self.direction)) / 2.0
        };
        fall / self.gain
    }

    fn next_radius(&self, share: f64, radius: f64) -> f64 {
        match share {
            _ if share > 0.75 && !self.is_whole => 2.5 * radius,
            _ if share >= 0.25 => radius,
            _ => self.length / 4.0,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `sum += factor * term`
fn add(sum: &mut [f64], factor: f64, term: &[f64]) {
    sum.iter_mut().zip(term).for_each(|(sum, term)| *sum += factor * term);
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: usize = 50;

    /// sum of a_i cosh(b_i (x_i - i)), whose least value, sum of a_i, is at x_i = i. Curvatures span seven powers of ten.
    struct Bowl {
        x: Vec<f64>,
        gradient: Vec<f64>,
    }

    fn weight(i: usize) -> f64 {
        10f64.powf(-5.0 * i as f64 / VARIABLES as f64)
    }

    fn steepness(i: usize) -> f64 {
        10f64.powf(1.5 * (i * 7 % VARIABLES) as f64 / VARIABLES as f64)
    }

    impl Bowl {
        fn at(x: &[f64]) -> Self {
            let slope =
                |(i, x): (usize, &f64)| weight(i) * steepness(i) * (steepness(i) * (x - i as f64 / 50.0)).sinh();
            Self { x: x.to_vec(), gradient: x.iter().enumerate().map(slope).collect() }
        }
        fn cosh(&self, i: usize) -> f64 {
            (steepness(i) * (self.x[i] - i as f64 / 50.0)).cosh()
        }
    }

    impl Local for Bowl {
        fn value(&self) -> f64 {
            (0..VARIABLES).map(|i| weight(i) * self.cosh(i)).sum()
        }
        fn gradient(&self) -> &[f64] {
            &self.gradient
        }
        fn curvature(&self, v: &[f64]) -> Vec<f64> {
            v.iter().enumerate().map(|(i, v)| weight(i) * steepness(i).powi(2) * self.cosh(i) * v).collect()
        }
        /// Not quite it.
        fn precondition(&self, v: &[f64]) -> Vec<f64> {
            v.iter().enumerate().map(|(i, v)| (1.0 + (i % 3) as f64) * v / (weight(i) * steepness(i).powi(2))).collect()
        }
    }

    #[test]
    fn it_finds_the_minimum_of_a_stretched_bowl() {
        let least: f64 = (0..VARIABLES).map(weight).sum();
        for start in [0.0, 0.3, 1.0] {
            let found = minimise(vec![start; VARIABLES], Bowl::at, || true).unwrap();
            let above = Bowl::at(&found.x).value() - least;
            assert!(found.excess < GAIN && above < GAIN, "from {start}: {above}, and as it says {}", found.excess);
        }
    }

    #[test]
    fn a_start_at_the_minimum_stays_there() {
        let least: Vec<f64> = (0..VARIABLES).map(|i| i as f64 / 50.0).collect();
        let found = minimise(least.clone(), Bowl::at, || true).unwrap();
        assert_eq!((found.x, found.excess), (least, 0.0));
    }

    #[test]
    fn it_ends_when_told_to() {
        let mut looks = 0;
        let go_on = || {
            looks += 1;
            looks < 4
        };
        assert!(minimise(vec![0.0; VARIABLES], Bowl::at, go_on).is_none());
        assert_eq!(looks, 4);
    }
}
