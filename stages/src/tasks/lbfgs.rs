//! L-BFGS (Liu & Nocedal 1989; Nocedal & Wright, algorithm 7.5) with a backtracking line search, for smooth convex
//! functions of some ten thousand variables.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;
/// Sufficient decrease (Armijo).
const DECREASE: f64 = 1e-4;

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub iterations: usize,
    /// Stop when the largest entry of the gradient falls below this.
    pub gradient: f64,
    /// Stop when ten iterations together lower the value by less than this share of it.
    pub progress: f64,
}

/// The minimum of `f` from `x` on; `f` gives value and gradient. `None` when `go_on` said no.
pub fn minimise(
    mut x: Vec<f64>,
    limits: Limits,
    mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    mut go_on: impl FnMut() -> bool,
) -> Option<Vec<f64>> {
    let (mut value, mut gradient) = f(&x);
    let mut memory: VecDeque<Pair> = VecDeque::new();
    let mut before = f64::INFINITY;
    for iteration in 0..limits.iterations {
        if iteration % 10 == 0 {
            if before - value < limits.progress * value.abs() {
                break;
            }
            before = value;
        }
        if gradient.iter().all(|g| g.abs() < limits.gradient) {
            break;
        }
        if !go_on() {
            return None;
        }
        let direction = descent(&gradient, &memory);
        let slope = dot(&gradient, &direction);
        let mut length = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let mut next = None;
        for _ in 0..20 {
            let candidate: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (v, g) = f(&candidate);
            if v <= value + DECREASE * length * slope {
                next = Some((candidate, v, g));
                break;
            }
            length /= 2.0;
        }
        // No decrease along a descent direction: rounding is all that is left.
        let Some((candidate, v, g)) = next else { break };
        let pair = Pair::new(&x, &candidate, &gradient, &g);
        if pair.curvature > 0.0 {
            memory.push_back(pair);
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        (x, value, gradient) = (candidate, v, g);
    }
    Some(x)
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

impl Pair {
    fn new(x: &[f64], next: &[f64], gradient: &[f64], next_gradient: &[f64]) -> Self {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| b - a).collect::<Vec<_>>();
        let (step, change) = (difference(x, next), difference(gradient, next_gradient));
        let curvature = dot(&step, &change);
        Self { step, change, curvature }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Minus the gradient times the approximate inverse Hessian (the two-loop recursion).
fn descent(gradient: &[f64], memory: &VecDeque<Pair>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let subtract = |q: &mut [f64], factor: f64, v: &[f64]| q.iter_mut().zip(v).for_each(|(q, v)| *q -= factor * v);
    let mut factors = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let factor = dot(&pair.step, &q) / pair.curvature;
        subtract(&mut q, factor, &pair.change);
        factors.push(factor);
    }
    if let Some(last) = memory.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (pair, factor) in memory.iter().zip(factors.iter().rev()) {
        let correction = dot(&pair.change, &q) / pair.curvature;
        subtract(&mut q, correction - factor, &pair.step);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sum of i (x_i - i)^2, whose minimum is at x_i = i.
    #[test]
    fn it_finds_the_minimum_of_a_stretched_bowl() {
        let f = |x: &[f64]| {
            let terms = x.iter().enumerate().map(|(i, x)| (i as f64 + 1.0, x - i as f64));
            (terms.clone().map(|(a, d)| a * d * d).sum(), terms.map(|(a, d)| 2.0 * a * d).collect())
        };
        let x = minimise(vec![0.0; 50], Limits { iterations: 200, gradient: 1e-8, progress: 0.0 }, f, || true).unwrap();
        assert!(x.iter().enumerate().all(|(i, x)| (x - i as f64).abs() < 1e-7), "{x:?}");
    }

    #[test]
    fn it_ends_when_told_to() {
        assert!(
            minimise(
                vec![1.0],
                Limits { iterations: 5, gradient: 0.0, progress: 0.0 },
                |x| (x[0] * x[0], vec![2.0 * x[0]]),
                || false
            )
            .is_none()
        );
    }
}
