//! Against the same rules in float64, one value after the other; and that a restored optimiser goes on alike.

use super::*;
use crate::nn::state;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// What float32 may lose in a few steps.
const ROUNDING: f64 = 2e-6;
const STEPS: usize = 5;
const LR: f64 = 0.3;
const WEIGHT: [usize; 2] = [3, 4];
const BIAS: usize = 3;

#[derive(Module, Debug)]
struct Net {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

fn device() -> Device {
    crate::nn::device("cpu").unwrap().autodiff()
}

/// `count` values of a wave.
fn wave(phase: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| (phase + 1.3 * i as f64).sin()).collect()
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// Values of the weight, then of the bias.
type Values = [Vec<f64>; 2];

fn first_values() -> Values {
    [wave(0.2, WEIGHT[0] * WEIGHT[1]), wave(0.9, BIAS)]
}

fn gradients(batch: usize) -> Values {
    let phase = 2.0 + batch as f64;
    [wave(phase, WEIGHT[0] * WEIGHT[1]), wave(3.0 * phase, BIAS)]
}

impl Net {
    fn new([weight, bias]: &Values) -> Self {
        Self { weight: Param::from_tensor(tensor(weight, WEIGHT)), bias: Param::from_tensor(tensor(bias, [BIAS])) }
    }

    /// A loss whose gradients are those, the weight's laid out the other way round, as a linear layer's.
    fn backward(&self, [weight, bias]: &Values) -> Gradients {
        let factors = Tensor::<2>::from_data(tensor(weight, WEIGHT).inner().transpose().into_data(), &device());
        let of_weight = (self.weight.val().transpose() * factors).sum();
        (of_weight + (self.bias.val() * tensor(bias, [BIAS])).sum()).backward()
    }

    fn values(&self) -> Values {
        [self.weight.val().into_data(), self.bias.val().into_data()].map(|data| data.iter::<f64>().collect())
    }
}

/// Takes batches, with a step after every `accumulate` of them.
fn advance(optimiser: &mut Optimiser, net: &Net, batches: std::ops::Range<usize>) {
    for batch in batches {
        optimiser.add(net, net.backward(&gradients(batch)));
        if (batch + 1).is_multiple_of(optimiser.config.accumulate as usize) {
            optimiser.apply(LR);
        }
    }
}

fn norm<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The gradient of a step: the mean of its batches', scaled down to the limit.
fn step_gradient(config: &OptimiserConfig, step: usize) -> Values {
    let count = config.accumulate as usize;
    let mut mean = gradients(step * count).map(|values| vec![0.0; values.len()]);
    for batch in step * count..(step + 1) * count {
        for (sum, term) in mean.iter_mut().flatten().zip(gradients(batch).iter().flatten()) {
            *sum += term / count as f64;
        }
    }
    let total = norm(mean.iter().flatten());
    let factor = if config.clip_norm > 0.0 { (config.clip_norm / (total + 1e-6)).min(1.0) } else { 1.0 };
    mean.map(|values| values.into_iter().map(|v| v * factor).collect())
}

/// The values after so many steps.
fn reference(config: &OptimiserConfig, mut params: Values, steps: usize) -> Values {
    let zeros = || params.each_ref().map(|values| vec![0.0; values.len()]);
    let (mut first, mut second) = (zeros(), zeros());
    for step in 0..steps {
        let grads = step_gradient(config, step);
        for part in 0..2 {
            let excluded = part == 1 && config.excludes_bias_and_norm();
            let decay = if excluded { 0.0 } else { config.weight_decay() };
            let (p_norm, g_norm) = (norm(&params[part]), norm(&grads[part]));
            let mut rate = 1.0;
            if config.kind == OptimiserKind::Lars && !excluded && p_norm > 0.0 && g_norm > 0.0 {
                rate = config.trust * p_norm / (g_norm + decay * p_norm);
                if config.clip_rate {
                    rate = (rate / LR).min(1.0);
                }
            }
            for (i, p) in params[part].iter_mut().enumerate() {
                let (g, m, v) = (grads[part][i], &mut first[part][i], &mut second[part][i]);
                if config.kind == OptimiserKind::Adamw {
                    *m = config.beta1 * *m + (1.0 - config.beta1) * g;
                    *v = config.beta2 * *v + (1.0 - config.beta2) * g * g;
                    let unbiased = |mean: f64, beta: f64| mean / (1.0 - beta.powi(step as i32 + 1));
                    let direction = unbiased(*m, config.beta1) / (unbiased(*v, config.beta2).sqrt() + 1e-8);
                    *p -= LR * (direction + decay * *p);
                } else {
                    let g = rate * (g + decay * *p);
                    *m = config.momentum * *m + g;
                    *p -= LR * if config.nesterov { g + config.momentum * *m } else { *m };
                }
            }
        }
    }
    params
}

fn assert_near(got: &Values, expected: &Values, what: &str) {
    for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
        assert!((got - expected).abs() <= ROUNDING * expected.abs().max(1.0), "{what}: {got}, expected {expected}");
    }
}

/// Every kind with every option that it looks at, and some together.
fn configurations() -> Vec<OptimiserConfig> {
    let plain = OptimiserConfig { weight_decay: Some(0.1), ..OptimiserConfig::default() };
    let sgd = || OptimiserConfig { ..plain.clone() };
    let adamw = || OptimiserConfig { kind: OptimiserKind::Adamw, ..plain.clone() };
    let lars = || OptimiserConfig { kind: OptimiserKind::Lars, trust: 0.2, ..plain.clone() };
    vec![
        sgd(),
        OptimiserConfig { nesterov: true, exclude: Exclude::BiasAndNorm, ..sgd() },
        OptimiserConfig { clip_norm: 0.5, ..sgd() },
        // No gradient here is as long as that.
        OptimiserConfig { clip_norm: 100.0, ..sgd() },
        OptimiserConfig { accumulate: 3, clip_norm: 0.5, ..sgd() },
        OptimiserConfig { momentum: 0.0, ..sgd() },
        adamw(),
        // Its own.
        OptimiserConfig { weight_decay: None, ..adamw() },
        OptimiserConfig { exclude: Exclude::Nothing, beta1: 0.8, beta2: 0.95, accumulate: 2, ..adamw() },
        lars(),
        OptimiserConfig { clip_rate: true, ..lars() },
        // A trust so large that the rate is clipped to that of sgd.
        OptimiserConfig { clip_rate: true, trust: 10.0, ..lars() },
        OptimiserConfig { weight_decay: Some(0.0), nesterov: true, ..lars() },
        OptimiserConfig { momentum: 0.0, ..lars() },
        OptimiserConfig { exclude: Exclude::Nothing, clip_norm: 0.5, accumulate: 2, ..lars() },
    ]
}

#[test]
fn steps_are_those_of_the_reference() {
    for config in configurations() {
        let net = Net::new(&first_values());
        let mut optimiser = Optimiser::new(&net, &config);
        advance(&mut optimiser, &net, 0..STEPS * config.accumulate as usize);
        assert_near(&net.values(), &reference(&config, first_values(), STEPS), &format!("{config:?}"));
    }
}

#[test]
fn lars_moves_weights_that_are_zero() {
    let config = OptimiserConfig { kind: OptimiserKind::Lars, ..OptimiserConfig::default() };
    let start = first_values().map(|values| vec![0.0; values.len()]);
    let net = Net::new(&start);
    let mut optimiser = Optimiser::new(&net, &config);
    advance(&mut optimiser, &net, 0..1);
    let expected = gradients(0).map(|values| values.into_iter().map(|g| -LR * g).collect());
    assert_near(&net.values(), &expected, "rate 1");
}

/// What rested so many steps moves by AdamW's own count from then on, as in PyTorch, which counts for each parameter; restored half-way it
/// does so too.
#[test]
fn steps_that_a_parameter_rests_do_not_count_for_it() {
    let config = OptimiserConfig { kind: OptimiserKind::Adamw, weight_decay: Some(0.1), ..OptimiserConfig::default() };
    for rest in [1, 4] {
        let (mut net, steps) = (Net::new(&first_values()), rest + STEPS);
        let mut optimiser = Optimiser::new(&net, &config);
        for step in 0..steps {
            if step == rest + 2 {
                let state: BTreeMap<_, _> =
                    optimiser.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
                net = Net::new(&net.values());
                optimiser = Optimiser::new(&net, &config);
                optimiser.restore(&state, step).unwrap();
            }
            // The bias begins with its first gradient when the rest is over, the weight at once.
            let [weight, _] = gradients(step);
            let [_, bias] = gradients(step.saturating_sub(rest));
            optimiser.add_but(&net, net.backward(&[weight, bias]), &|name| name == "bias" && step < rest);
            optimiser.apply(LR);
        }
        let [weight, _] = reference(&config, first_values(), steps);
        let [_, bias] = reference(&config, first_values(), STEPS);
        assert_near(&net.values(), &[weight, bias], &format!("after {rest} steps of rest"));
    }
}

/// The two halves of `a + b` have one gradient between them: scaling one must not scale the other.
#[test]
fn gradients_that_share_memory_are_scaled_once() {
    #[derive(Module, Debug)]
    struct Sum {
        a: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }
    let param = || Param::from_tensor(tensor(&[1.0, 1.0], [2]));
    let net = Sum { a: param(), b: param() };
    let config = OptimiserConfig { clip_norm: 1.0, weight_decay: Some(0.0), ..OptimiserConfig::default() };
    let mut optimiser = Optimiser::new(&net, &config);
    let loss = ((net.a.val() + net.b.val()) * tensor(&[3.0, 4.0], [2])).sum();
    optimiser.step(&net, loss.backward(), 1.0);
    let factor = 1.0 / 50f64.sqrt();
    for side in [net.a.val(), net.b.val()] {
        let got: Vec<f64> = side.into_data().iter::<f64>().collect();
        for (got, g) in got.iter().zip([3.0, 4.0]) {
            assert!((got - (1.0 - factor * g)).abs() < ROUNDING, "{got}, expected {}", 1.0 - factor * g);
        }
    }
}

#[test]
fn a_restored_optimiser_goes_on_with_the_same_bits() {
    let saved = |optimiser: &Optimiser| -> BTreeMap<String, tch::Tensor> {
        optimiser.state().into_iter().map(|(name, buffer)| (name, buffer.copy())).collect()
    };
    for config in configurations() {
        let batches = STEPS * config.accumulate as usize;
        for stop in 1..batches {
            let (net, other) = (Net::new(&first_values()), Net::new(&first_values()));
            let mut optimiser = Optimiser::new(&net, &config);
            advance(&mut optimiser, &net, 0..stop);
            let mut restored = Optimiser::new(&other, &config);
            restored.restore(&saved(&optimiser), stop).unwrap();
            let weights = state::named(&net).into_iter().collect();
            state::restore(&other, &weights).unwrap();
            advance(&mut optimiser, &net, stop..batches);
            advance(&mut restored, &other, stop..batches);
            assert_eq!(net.values(), other.values(), "stopped after {stop} batches: {config:?}");
        }
    }
}

#[test]
fn a_step_before_its_last_batch_leaves_nothing_gathered() {
    let config = OptimiserConfig { accumulate: 4, ..OptimiserConfig::default() };
    let net = Net::new(&first_values());
    let mut optimiser = Optimiser::new(&net, &config);
    advance(&mut optimiser, &net, 0..2);
    optimiser.apply(LR);
    let state = optimiser.state().into_iter().collect();
    let mut restored = Optimiser::new(&net, &config);
    restored.restore(&state, 2).unwrap();
    assert!(!restored.state().iter().any(|(name, _)| name.starts_with("gradient.")));
}

#[test]
fn every_kind_has_a_rate_and_a_weight_decay_of_its_own() {
    let own = |kind| {
        let config = OptimiserConfig { kind, ..OptimiserConfig::default() };
        (config.lr(), config.weight_decay(), config.excludes_bias_and_norm())
    };
    assert_eq!(own(OptimiserKind::Sgd), (0.06, 5e-4, false));
    assert_eq!(own(OptimiserKind::Lars), (0.06, 5e-4, true));
    assert_eq!(own(OptimiserKind::Adamw), (1e-3, 0.05, true));
    let given = OptimiserConfig { lr: Some(0.5), weight_decay: Some(0.0), ..OptimiserConfig::default() };
    assert_eq!((given.lr(), given.weight_decay()), (0.5, 0.0));
}
