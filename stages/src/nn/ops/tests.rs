//! Every operation beside libtorch's own graph in float64, which knows nothing of our backward passes; then in float32 and in
//! bfloat16, which have other kernels, beside the same. On the processor, or where `PRETEXT_GOLDEN_DEVICE` says.

use super::raw::{from_raw, raw};
use super::*;
use burn::tensor::Tensor;
use tch::Kind;

type Tensors = Vec<tch::Tensor>;

/// Float64 sums in another order.
const DOUBLE: f64 = 1e-11;
/// Float32 sums of at most a few ten thousand terms.
const SINGLE: f64 = 2e-5;
/// Of a number in bfloat16 the ninth bit is rounded; a result is a sum of products of such numbers.
const BFLOAT16: f64 = 2e-2;
/// Twice from one number in bfloat16 to the next: libtorch has a kernel for each order in memory, which round on the way.
const STEPS: f64 = 1.0 / 64.0;

/// Fixed numbers without a pattern, from -1.4 to 1.4, that bfloat16 holds exactly.
fn numbers(shape: &[i64], phase: f64) -> tch::Tensor {
    let count = shape.iter().product::<i64>();
    let wave = |i: i64| 1.4 * ((i as f64 + 1.0) * 12.9898 + phase).sin();
    let values: Vec<f64> = (0..count).map(|i| (64.0 * wave(i)).round() / 64.0).collect();
    tch::Tensor::from_slice(&values).reshape(shape).to_device(device())
}

fn device() -> tch::Device {
    let name = std::env::var("PRETEXT_GOLDEN_DEVICE").unwrap_or_else(|_| "cpu".into());
    let device = crate::nn::device(&name).expect("the device that was asked for");
    raw(&Tensor::<1>::zeros([1], &device)).device()
}

fn leaf<const D: usize>(values: &tch::Tensor) -> Tensor<D> {
    Tensor::from_inner(from_raw(values.copy())).require_grad()
}

/// The gradient that comes in from above, different for every entry.
fn upstream(y: &tch::Tensor) -> tch::Tensor {
    numbers(&y.size(), 0.3).to_kind(y.kind())
}

/// y, then the gradients of `inputs`, by libtorch's graph.
fn by_libtorch(inputs: &[tch::Tensor], f: impl Fn(&[tch::Tensor]) -> tch::Tensor) -> Tensors {
    let leaves: Tensors = inputs.iter().map(|x| x.detach().copy().set_requires_grad(true)).collect();
    let y = f(&leaves);
    let value = (&y * upstream(&y)).sum(Kind::Double);
    let grads = tch::Tensor::run_backward(&[value], &leaves, false, false);
    [y.detach()].into_iter().chain(grads).collect()
}

/// y, then the gradients that `found` takes out.
fn ours<const D: usize>(y: Tensor<D>, found: impl Fn(&burn::tensor::Gradients) -> Tensors) -> Tensors {
    // The product below is written into y's memory.
    let value = raw(&y).copy();
    let weights = Tensor::from_inner(from_raw::<D>(upstream(&value)));
    let grads = (y * weights).sum().backward();
    [value].into_iter().chain(found(&grads)).collect()
}

fn grad<const D: usize>(x: &Tensor<D>, grads: &burn::tensor::Gradients) -> tch::Tensor {
    raw(&x.grad(grads).expect("a gradient"))
}

fn assert_close(what: &str, got: &[tch::Tensor], expected: &[tch::Tensor], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (number, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got.size(), expected.size(), "{what}: result {number}");
        let worst = (got.to_kind(Kind::Double) - expected).abs().max().double_value(&[]);
        let size = expected.abs().max().double_value(&[]);
        // Not-a-number is close to nothing.
        assert!(worst <= tolerance * size, "{what}: result {number} is off by {worst:e} where the largest is {size}");
    }
}

/// Once with everything in float64, once in float32, once with the first input in bfloat16 and the rest in float32.
fn compare(
    what: &str,
    inputs: Tensors,
    reference: impl Fn(&[tch::Tensor]) -> tch::Tensor,
    operation: impl Fn(&[tch::Tensor]) -> Tensors,
) {
    let expected = compare_in_full(what, &inputs, reference, &operation);
    compare_mixed(what, &operation(&mixed(&inputs)), &expected, BFLOAT16);
}

/// In float64 and in float32. Gives what libtorch finds in float64.
fn compare_in_full(
    what: &str,
    inputs: &[tch::Tensor],
    reference: impl Fn(&[tch::Tensor]) -> tch::Tensor,
    operation: impl Fn(&[tch::Tensor]) -> Tensors,
) -> Tensors {
    let expected = by_libtorch(inputs, reference);
    assert_close(what, &operation(inputs), &expected, DOUBLE);
    let singles = inputs.iter().map(|x| x.to_kind(Kind::Float)).collect::<Tensors>();
    assert_close(&format!("{what} in float32"), &operation(&singles), &expected, SINGLE);
    expected
}

/// The first input in bfloat16 and the rest in float32.
fn mixed(inputs: &[tch::Tensor]) -> Tensors {
    let kinds = |(number, x): (usize, &tch::Tensor)| x.to_kind(if number == 0 { Kind::BFloat16 } else { Kind::Float });
    inputs.iter().enumerate().map(kinds).collect()
}

fn compare_mixed(what: &str, found: &[tch::Tensor], expected: &[tch::Tensor], tolerance: f64) {
    assert_eq!(found[0].kind(), Kind::BFloat16, "{what} computes in the precision of its input");
    assert!(found[2..].iter().all(|grad| grad.kind() == Kind::Float), "{what}: parameters' gradients are float32");
    assert_close(&format!("{what} in bfloat16"), found, expected, tolerance);
}

#[test]
fn convolutions() {
    let plain = ConvSpec::default();
    for (groups, spec) in [
        (1, ConvSpec { padding: 1, ..plain }),
        (1, ConvSpec { stride: 2, padding: 1, ..plain }),
        (1, ConvSpec { padding: 2, dilation: 2, ..plain }),
        (2, ConvSpec { stride: 2, groups: 2, ..plain }),
        (1, ConvSpec { stride: 2, padding: 1, output_padding: 1, transposed: true, ..plain }),
        (2, ConvSpec { groups: 2, transposed: true, dilation: 2, ..plain }),
    ] {
        let weight = if spec.transposed { [4, 6 / groups, 3, 3] } else { [6, 4 / groups, 3, 3] };
        let inputs = [numbers(&[2, 4, 9, 9], 0.0), numbers(&weight, 1.0), numbers(&[6], 2.0)];
        let both = |n: usize| [n as i64; 2];
        let reference = |x: &[tch::Tensor], bias: Option<&tch::Tensor>| {
            let ConvSpec { stride, padding, dilation, transposed, output_padding, .. } = spec;
            let [stride, padding, dilation, more] = [stride, padding, dilation, output_padding].map(both);
            x[0].convolution(&x[1], bias, stride, padding, dilation, transposed, more, groups)
        };
        let what = format!("{spec:?}");
        compare(
            &what,
            inputs.iter().map(tch::Tensor::shallow_clone).collect(),
            |x| reference(x, Some(&x[2])),
            |x| {
                let (image, weight, bias) =
                    (channels_last(leaf(&x[0])).detach().require_grad(), leaf(&x[1]), leaf(&x[2]));
                let y = conv2d(image.clone(), weight.clone(), Some(bias.clone()), spec);
                ours(y, |grads| vec![grad(&image, grads), grad(&weight, grads), grad(&bias, grads)])
            },
        );
        compare(
            &format!("{what} without bias"),
            inputs[..2].iter().map(tch::Tensor::shallow_clone).collect(),
            |x| reference(x, None),
            |x| {
                let (image, weight) = (leaf(&x[0]), leaf(&x[1]));
                let y = conv2d(image.clone(), weight.clone(), None, spec);
                ours(y, |grads| vec![grad(&image, grads), grad(&weight, grads)])
            },
        );
    }
}

#[test]
fn rows_are_taken_and_put_back() {
    let numbers_of_rows = [4, 0, 3];
    let at = |device: &burn::tensor::Device| RowNumbers::new(&numbers_of_rows, device);
    let index = || tch::Tensor::from_slice(&numbers_of_rows.map(i64::from)).to_device(device());
    compare(
        "taken",
        vec![numbers(&[6, 5], 0.0)],
        |x| x[0].index_select(0, &index()),
        |x| {
            let input = leaf::<2>(&x[0]);
            let y = take_rows(input.clone(), &at(&input.device()));
            ours(y, |grads| vec![grad(&input, grads)])
        },
    );
    compare(
        "put back",
        vec![numbers(&[3, 5], 0.0)],
        |x| x[0].new_zeros([6, 5], (x[0].kind(), x[0].device())).index_add(0, &index(), &x[0]),
        |x| {
            let input = leaf::<2>(&x[0]);
            let y = put_rows(input.clone(), &at(&input.device()), 6);
            ours(y, |grads| vec![grad(&input, grads)])
        },
    );
}

#[test]
fn linear_layers() {
    compare(
        "linear",
        vec![numbers(&[3, 5, 8], 0.0), numbers(&[6, 8], 1.0), numbers(&[6], 2.0)],
        |x| x[0].linear(&x[1], Some(&x[2])),
        |x| {
            let (input, weight, bias) = (leaf::<3>(&x[0]), leaf(&x[1]), leaf(&x[2]));
            let y = linear(input.clone(), weight.clone(), Some(bias.clone()));
            ours(y, |grads| vec![grad(&input, grads), grad(&weight, grads), grad(&bias, grads)])
        },
    );
    compare(
        "linear without bias",
        vec![numbers(&[7, 8], 0.0), numbers(&[6, 8], 1.0)],
        |x| x[0].linear(&x[1], None::<&tch::Tensor>),
        |x| {
            let (input, weight) = (leaf::<2>(&x[0]), leaf(&x[1]));
            let y = linear(input.clone(), weight.clone(), None);
            ours(y, |grads| vec![grad(&input, grads), grad(&weight, grads)])
        },
    );
}

#[test]
fn layer_norms() {
    compare(
        "layer_norm",
        vec![numbers(&[3, 5, 8], 0.0), numbers(&[8], 1.0), numbers(&[8], 2.0)],
        |x| x[0].layer_norm([8], Some(&x[1]), Some(&x[2]), 1e-6, false),
        |x| {
            let (input, weight, bias) = (leaf::<3>(&x[0]), leaf(&x[1]), leaf(&x[2]));
            let y = layer_norm(input.clone(), weight.clone(), bias.clone(), 1e-6);
            ours(y, |grads| vec![grad(&input, grads), grad(&weight, grads), grad(&bias, grads)])
        },
    );
}

#[test]
fn relus() {
    compare(
        "relu",
        vec![numbers(&[3, 5, 8], 0.0) * numbers(&[3, 5, 8], 2.0).ge(0.0)],
        |x| x[0].relu(),
        |x| {
            let input = leaf::<3>(&x[0]);
            let y = relu(input.clone());
            ours(y, |grads| vec![grad(&input, grads)])
        },
    );
}

#[test]
fn group_norms() {
    compare(
        "group_norm",
        vec![numbers(&[3, 8, 5, 4], 0.0), numbers(&[8], 1.0), numbers(&[8], 2.0)],
        |x| x[0].group_norm(4, Some(&x[1]), Some(&x[2]), 1e-5, false),
        |x| {
            let (input, weight, bias) = (channels_last(leaf(&x[0])).detach().require_grad(), leaf(&x[1]), leaf(&x[2]));
            let y = group_norm(input.clone(), weight.clone(), bias.clone(), 4, 1e-5);
            ours(y, |grads| vec![grad(&input, grads), grad(&weight, grads), grad(&bias, grads)])
        },
    );
}

#[test]
fn attention_is_softmax_of_the_products_of_queries_and_keys() {
    const HEADS: i64 = 2;
    // Few tokens, and so many that libtorch's kernel is taken on a processor too.
    for tokens in [7, super::attention::FEW + 1] {
        compare(
            &format!("self_attention of {tokens}"),
            vec![numbers(&[3, tokens, 3 * HEADS * 8], 0.0)],
            |x| {
                let part = |n| x[0].narrow(2, n * HEADS * 8, HEADS * 8).reshape([3, tokens, HEADS, 8]).transpose(1, 2);
                let weights = (part(0).matmul(&part(1).transpose(2, 3)) / 8f64.sqrt()).softmax(-1, None::<Kind>);
                weights.matmul(&part(2)).transpose(1, 2).reshape([3, tokens, HEADS * 8])
            },
            |x| {
                let qkv = leaf::<3>(&x[0]);
                ours(self_attention(qkv.clone(), HEADS as usize), |grads| vec![grad(&qkv, grads)])
            },
        );
    }
}

/// A batch norm and what follows it.
#[derive(Debug, Clone, Copy)]
struct Norm {
    shape: [i64; 4],
    relu: bool,
    residual: bool,
    train: bool,
}

const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

impl Norm {
    fn channels(&self) -> [i64; 1] {
        [self.shape[1]]
    }

    /// Running mean and variance, before.
    fn statistics(&self) -> [tch::Tensor; 2] {
        [numbers(&self.channels(), 3.0), numbers(&self.channels(), 4.0).square() + 0.5]
    }

    fn by_libtorch(&self, x: &[tch::Tensor], [mean, variance]: &[tch::Tensor; 2]) -> tch::Tensor {
        let (weight, bias) = (Some(&x[1]), Some(&x[2]));
        let y = x[0].batch_norm(weight, bias, Some(mean), Some(variance), self.train, MOMENTUM, EPS, false);
        let y = if self.residual { y + numbers(&self.shape, 5.0) } else { y };
        if self.relu { y.relu() } else { y }
    }

    /// In channels-last memory, as networks have it. The running statistics are written to.
    fn by_us(&self, x: &[tch::Tensor], statistics: &[tch::Tensor; 2]) -> Tensors {
        let last = |x: &tch::Tensor| channels_last(leaf(x)).detach();
        let (input, weight, bias) = (last(&x[0]).require_grad(), leaf(&x[1]), leaf(&x[2]));
        let [running_mean, running_var] =
            statistics.each_ref().map(|t| Tensor::from_inner(from_raw(t.shallow_clone())));
        let norm = NormTensors { weight: weight.clone(), bias: bias.clone(), running_mean, running_var };
        let spec = NormSpec { train: self.train, relu: self.relu, momentum: MOMENTUM, eps: EPS };
        let residual = self.residual.then(|| last(&numbers(&self.shape, 5.0).to_kind(x[0].kind())));
        let y = batch_norm(input.clone(), residual, norm, spec);
        ours(y, |grads| vec![grad(&input, grads), grad(&weight, grads), grad(&bias, grads)])
    }
}

#[test]
fn batch_norms_while_training_and_at_inference() {
    let shapes = [[3, 4, 6, 6], [2, 40, 24, 24], [2, 320, 8, 8]];
    let ends = [(false, false), (true, false), (true, true)];
    for (shape, (relu, residual), train) in shapes
        .into_iter()
        .flat_map(|s| ends.into_iter().flat_map(move |end| [true, false].map(|train| (s, end, train))))
    {
        let norm = Norm { shape, relu, residual, train };
        let channels = norm.channels();
        let inputs = vec![numbers(&shape, 0.0), numbers(&channels, 1.0), numbers(&channels, 2.0)];
        let statistics = |x: &[tch::Tensor]| norm.statistics().map(|t| t.to_kind(x[1].kind()));
        let what = format!("{norm:?}");
        let by_libtorch_here = |x: &[tch::Tensor]| norm.by_libtorch(x, &statistics(x));
        compare_in_full(&what, &inputs, by_libtorch_here, |x| norm.by_us(x, &statistics(x)));
        // libtorch rounds numbers before it takes one from another, so that in bfloat16 it is itself that ours is held to, in the same
        // memory format.
        let mut inputs = mixed(&inputs);
        let found = norm.by_us(&inputs, &statistics(&inputs));
        inputs[0] = raw(&channels_last(leaf(&inputs[0])));
        compare_mixed(&what, &found, &by_libtorch(&inputs, by_libtorch_here), STEPS);
    }
}

#[test]
fn running_statistics_follow_those_of_the_batches() {
    let norm = Norm { shape: [2, 40, 24, 24], relu: true, residual: false, train: true };
    let channels = norm.channels();
    let inputs = [numbers(&norm.shape, 0.0), numbers(&channels, 1.0), numbers(&channels, 2.0)];
    let expected = norm.statistics();
    let _ = norm.by_libtorch(&inputs, &expected);
    for kind in [Kind::Double, Kind::Float, Kind::BFloat16] {
        let rest = if kind == Kind::Double { kind } else { Kind::Float };
        let got = norm.statistics().map(|t| t.to_kind(rest));
        let inputs: Tensors = inputs.iter().zip([kind, rest, rest]).map(|(x, kind)| x.to_kind(kind)).collect();
        norm.by_us(&inputs, &got);
        // The numbers are exact in bfloat16, and sums are not in it.
        assert_close(&format!("running statistics of {kind:?}"), &got, &expected, SINGLE);
    }
}
