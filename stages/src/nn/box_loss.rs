//! Losses of finding objects.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};

/// torchvision's, so that an area of nothing divides nothing.
const EPS: f32 = 1e-7;

/// Focal loss (Lin et al. 2017, arXiv:1708.02002, eq. 5) of logits with targets of the same shape, each 0 or 1; the sum. `alpha` is
/// the weight of ones, `1 - alpha` that of zeros; what is told well already counts the less, the larger `gamma` is:
/// `-alpha_t (1 - p_t)^gamma log(p_t)`.
pub fn focal<const D: usize>(logits: Tensor<D>, targets: Tensor<D>, alpha: f64, gamma: f64) -> Tensor<1> {
    let signs = targets.clone() * 2.0 - 1.0;
    let towards = logits * signs; // the logit of the right answer
    let weights = targets * (2.0 * alpha - 1.0) + (1.0 - alpha);
    let missing = sigmoid(towards.clone().neg()).powf_scalar(gamma);
    (weights * missing * log_sigmoid(towards)).sum().neg()
}

/// Binary cross entropy of logits with targets in [0, 1], the sum.
pub fn binary_cross_entropy<const D: usize>(logits: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    let of_zero = log_sigmoid(logits.clone().neg());
    (targets.clone() * log_sigmoid(logits) + (targets.neg() + 1.0) * of_zero).sum().neg()
}

/// One minus the generalised intersection over union (Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1) of boxes
/// `[n, 4]`: left, top, right, bottom; `[n]`.
pub fn giou(found: Tensor<2>, truth: Tensor<2>) -> Tensor<1> {
    let edges = |boxes: &Tensor<2>| -> [Tensor<2>; 4] { std::array::from_fn(|edge| boxes.clone().narrow(1, edge, 1)) };
    let (a, b) = (edges(&found), edges(&truth));
    let area =
        |[left, top, right, bottom]: &[Tensor<2>; 4]| (right.clone() - left.clone()) * (bottom.clone() - top.clone());
    let least = |edge: usize| a[edge].clone().min_pair(b[edge].clone());
    let most = |edge: usize| a[edge].clone().max_pair(b[edge].clone());
    let both = (least(2) - most(0)).clamp_min(0.0) * (least(3) - most(1)).clamp_min(0.0);
    let either = area(&a) + area(&b) - both.clone();
    let around = (most(2) - least(0)) * (most(3) - least(1));
    let iou = both / (either.clone() + EPS);
    let empty = (around.clone() - either) / (around + EPS);
    (iou.neg() + 1.0 + empty).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(x: Tensor<1>) -> f64 {
        f64::from(x.into_scalar::<f32>())
    }

    /// One logit and one target after the other.
    #[test]
    fn focal_is_its_formula_and_its_slope_at_nothing_is_too() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        for (x, y) in [(0.0f64, 1.0f64), (0.0, 0.0), (3.0, 1.0), (-3.0, 1.0), (2.0, 0.0), (60.0, 0.0), (-60.0, 0.0)] {
            let logit = Tensor::<1>::from_floats([x as f32], &device).require_grad();
            let loss = focal(logit.clone(), Tensor::from_floats([y as f32], &device), 0.25, 2.0);
            let exact = |x: f64| {
                let towards = if y == 1.0 { x } else { -x };
                let missing = 1.0 / (1.0 + towards.exp());
                let entropy = (-towards).max(0.0) + (-towards.abs()).exp().ln_1p();
                (if y == 1.0 { 0.25 } else { 0.75 }) * missing * missing * entropy
            };
            let slope = (exact(x + 1e-5) - exact(x - 1e-5)) / 2e-5;
            let found = logit.grad(&loss.backward()).unwrap().into_scalar::<f32>();
            let loss = value(loss.inner());
            assert!((loss - exact(x)).abs() < 1e-5 * (1.0 + exact(x)), "{x}, {y}: {loss} in place of {}", exact(x));
            assert!((f64::from(found) - slope).abs() < 1e-4, "{x}, {y}: a slope of {found} in place of {slope}");
        }
    }

    #[test]
    fn boxes_that_do_not_touch_come_nearer() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let found = Tensor::<2>::from_floats([[0.0, 0.0, 10.0, 10.0]], &device).require_grad();
        let loss = giou(found.clone(), Tensor::from_floats([[20.0, 0.0, 30.0, 10.0]], &device));
        // 300 pixels around both, of which 100 are of neither.
        let grad = found.grad(&loss.backward()).unwrap().into_data().iter::<f32>().collect::<Vec<_>>();
        assert!((value(loss.inner()) - 4.0 / 3.0).abs() < 1e-6);
        assert!(grad[2] < 0.0, "the right edge has to move to the right: {grad:?}");
    }

    #[test]
    fn cross_entropy_of_two_answers_is_its_formula() {
        let device = crate::nn::device("cpu").unwrap();
        let logits = Tensor::<1>::from_floats([0.5, -2.0, 40.0], &device);
        let targets = Tensor::<1>::from_floats([0.3, 1.0, 0.0], &device);
        let entropy = |x: f64, y: f64| x.max(0.0) - x * y + (-x.abs()).exp().ln_1p();
        let expected = entropy(0.5, 0.3) + entropy(-2.0, 1.0) + entropy(40.0, 0.0);
        assert!((value(binary_cross_entropy(logits, targets)) - expected).abs() < 1e-5);
    }
}
