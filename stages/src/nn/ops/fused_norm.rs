//! Batch norm of bfloat16 in few passes, where the processor and the memory layout are right; see [`super::channels`].

use super::channels::{self, Bfloat16, Layout, Place, is_fast_here};
use super::norm::NormSpec;
use std::ops::Range;
use tch::{Device, Kind, Tensor};

/// Whether this is for such a tensor: on a processor, in rows of channels, bfloat16.
pub(super) fn fits(x: &Tensor) -> bool {
    let rows = match (x.size().as_slice(), x.stride().as_slice()) {
        (&[_, channels], &[row, 1]) => row == channels,
        (&[_, c, h, w], &[image, 1, row, pixel]) => pixel == c && row == w * c && image == h * w * c,
        _ => false,
    };
    rows && x.device() == Device::Cpu && x.kind() == Kind::BFloat16 && x.numel() > 0 && is_fast_here()
}

/// The learned scale and shift, and the running statistics.
pub(super) struct Parameters<'a> {
    pub weight: &'a Tensor,
    pub bias: &'a Tensor,
    pub running_mean: &'a Tensor,
    pub running_var: &'a Tensor,
}

/// The result, and by channel the mean and the inverse standard deviation that it was normalised with. `residual` lies in
/// memory as `x` does.
pub(super) fn forward(x: &Tensor, residual: Option<&Tensor>, of: &Parameters, spec: NormSpec) -> (Tensor, [Tensor; 2]) {
    let layout = Layout::new(x.numel(), x.size()[1] as usize);
    let y = x.empty_like();
    let values = memory::<Bfloat16>(x);
    let (mean, inverse_sd) = if spec.train { statistics(values, layout, of, spec) } else { running(of, spec.eps) };
    let (weight, bias) = (memory::<f32>(of.weight), memory::<f32>(of.bias));
    let slope = |c: usize| f64::from(weight[c]) * inverse_sd[c];
    let scale = layout.stretched(|c| slope(c) as f32);
    let offset = layout.stretched(|c| (f64::from(bias[c]) - mean[c] * slope(c)) as f32);
    let residual = residual.map(memory::<Bfloat16>);
    let out = Place(y.data_ptr().cast::<Bfloat16>());
    layout.for_blocks(|part: Range<usize>| {
        // Safety: blocks do not overlap, and nobody else has the result yet.
        let y = unsafe { out.slice(part.start, part.len()) };
        let x = &values[part.clone()];
        match residual {
            Some(residual) => channels::scale_add_relu(x, &residual[part], &scale, &offset, y),
            None if spec.relu => channels::scale_relu(x, &scale, &offset, y),
            None => channels::scale(x, &scale, &offset, y),
        }
    });
    (y, [by_channel(&mean), by_channel(&inverse_sd)])
}

/// Mean and inverse standard deviation of this batch, which are added to the running ones.
fn statistics(values: &[Bfloat16], layout: Layout, of: &Parameters, spec: NormSpec) -> (Vec<f64>, Vec<f64>) {
    let n = layout.rows() as f64;
    // Sums are of differences from the first row: of numbers far from 0 the squares would say little of the variance.
    let shift = layout.stretched(|c| values[c].get());
    let [sums, squares] = layout.sums(|part, sum, squares| channels::add_moments(&values[part], &shift, sum, squares));
    let centre = |c: usize| sums[c] / n;
    let variance = |c: usize| (squares[c] / n - centre(c) * centre(c)).max(0.0);
    let mean: Vec<f64> = (0..layout.channels).map(|c| f64::from(shift[c]) + centre(c)).collect();
    let follow = |running: &Tensor, value: &dyn Fn(usize) -> f64| {
        // Safety: running statistics are written to in place; nobody reads them while their layer runs.
        let running = unsafe { Place(running.data_ptr().cast::<f32>()).slice(0, layout.channels) };
        for (c, running) in running.iter_mut().enumerate() {
            *running = (f64::from(*running) + spec.momentum * (value(c) - f64::from(*running))) as f32;
        }
    };
    follow(of.running_mean, &|c| mean[c]);
    follow(of.running_var, &|c| variance(c) * n / (n - 1.0).max(1.0));
    let inverse_sd = (0..layout.channels).map(|c| 1.0 / (variance(c) + spec.eps).sqrt()).collect();
    (mean, inverse_sd)
}

fn running(of: &Parameters, eps: f64) -> (Vec<f64>, Vec<f64>) {
    let inverse_sd = memory::<f32>(of.running_var).iter().map(|&var| 1.0 / (f64::from(var) + eps).sqrt());
    (memory::<f32>(of.running_mean).iter().map(|&mean| f64::from(mean)).collect(), inverse_sd.collect())
}

/// What the backward pass is given.
pub(super) struct Forward<'a> {
    pub x: &'a Tensor,
    pub weight: &'a Tensor,
    pub mean: &'a Tensor,
    pub inverse_sd: &'a Tensor,
    pub train: bool,
}

/// The gradients of x, weight and bias. Where a ReLU made `y`, `grad`, which nobody else holds, becomes that before the ReLU.
/// It lies in memory as `x` does.
pub(super) fn backward(grad: &Tensor, y: Option<&Tensor>, forward: &Forward) -> [Tensor; 3] {
    let layout = Layout::new(grad.numel(), grad.size()[1] as usize);
    let values = memory::<Bfloat16>(forward.x);
    let [weight, mean, inverse_sd] = [forward.weight, forward.mean, forward.inverse_sd].map(memory::<f32>);
    let centre = layout.stretched(|c| mean[c]);
    let [sums, products] = match y.map(memory::<Bfloat16>) {
        Some(y) => {
            let grads = Place(grad.data_ptr().cast::<Bfloat16>());
            layout.sums(|part, sum, products| {
                // Safety: blocks do not overlap, and the caller says that nobody else has the gradient.
                let grads = unsafe { grads.slice(part.start, part.len()) };
                channels::mask_and_add(grads, &y[part.clone()], &values[part], &centre, sum, products);
            })
        }
        None => {
            let grads = memory::<Bfloat16>(grad);
            layout.sums(|part, sum, products| {
                channels::add_gradients(&grads[part.clone()], &values[part], &centre, sum, products);
            })
        }
    };
    let inverse = |c: usize| f64::from(inverse_sd[c]);
    let by = |c: usize| f64::from(weight[c]) * inverse(c);
    // At inference the statistics are constants.
    let through = if forward.train { 1.0 / layout.rows() as f64 } else { 0.0 };
    let scale = layout.stretched(|c| by(c) as f32);
    let slope = layout.stretched(|c| (-by(c) * inverse(c) * inverse(c) * products[c] * through) as f32);
    let offset = layout.stretched(|c| (-by(c) * sums[c] * through) as f32);
    let of_x = grad.empty_like();
    let (grads, out) = (memory::<Bfloat16>(grad), Place(of_x.data_ptr().cast::<Bfloat16>()));
    layout.for_blocks(|part: Range<usize>| {
        // Safety: blocks do not overlap, and nobody else has the result yet.
        let of_x = unsafe { out.slice(part.start, part.len()) };
        channels::spread(&grads[part.clone()], &values[part], [&scale, &slope, &centre, &offset], of_x);
    });
    let of_weight: Vec<f64> = (0..layout.channels).map(|c| products[c] * inverse(c)).collect();
    [of_x, by_channel(&of_weight), by_channel(&sums)]
}

/// A tensor's values in the order of its memory, which is dense and of this number format.
fn memory<T>(tensor: &Tensor) -> &[T] {
    assert_eq!(tensor.kind().elt_size_in_bytes(), size_of::<T>(), "the number format of {tensor:?}");
    // Safety: as many numbers as the tensor has, which lives as long as the slice.
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<T>(), tensor.numel()) }
}

fn by_channel(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Float)
}
