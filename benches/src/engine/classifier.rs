//! Training speed beside PyTorch's channels-last: forward, backward, SGD step of a classifier, in images per second.

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pretext_benches::{Peer, in_turns};
use pretext_stages::augment::channels_last;
use pretext_stages::nn::encoder::{Encoder, EncoderConfig, EncoderKind};
use pretext_stages::nn::layers::{Linear, Mode};
use pretext_stages::nn::loss::cross_entropy;
use pretext_stages::nn::{self, Init, ops};
use pretext_stages::random::{Purpose, Rng};
use pretext_stages::train::{Optimiser, OptimiserConfig};
use serde_json::{Map, Value};
use std::time::Instant;

const THREADS: usize = 2;
const ROUNDS: usize = 7;
const SIZE: usize = 32;

struct Case {
    /// Its figure's name.
    name: &'static str,
    kind: EncoderKind,
    batch: usize,
    /// Steps of a round.
    steps: usize,
}

const CASES: [Case; 2] = [
    Case { name: "narrow", kind: EncoderKind::Resnet20, batch: 128, steps: 12 },
    Case { name: "resnet18", kind: EncoderKind::Resnet18, batch: 64, steps: 4 },
];

/// Medians of per-round ratios, ours / PyTorch's.
pub fn run() -> Result<Map<String, Value>> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    let mut figures = Map::new();
    println!("images per second, {THREADS} threads, medians of {ROUNDS} interleaved rounds");
    println!("{:<12} {:>10} {:>24} {:>8}", "network", "pretext", "PyTorch channels_last", "ratio");
    for case in &CASES {
        let mut ours = Ours::new(case)?;
        let (batch, steps, threads) = (case.batch.to_string(), case.steps.to_string(), THREADS.to_string());
        let mut theirs = Peer::start("engine.py", &[case.name, &batch, &steps, &threads])?;
        let medians = in_turns(ROUNDS, || Ok(ours.measure(case)), &mut theirs)?;
        println!("{:<12} {:>10.0} {:>24.0} {:>8.2}", case.name, medians.ours, medians.theirs, medians.ratio);
        figures.insert(case.name.into(), medians.ratio.into());
    }
    Ok(figures)
}

#[derive(Module, Debug)]
struct Classifier {
    encoder: Encoder,
    head: Linear,
}

struct Ours {
    model: Classifier,
    optimiser: Optimiser,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
}

impl Ours {
    fn new(case: &Case) -> Result<Self> {
        let device: Device = nn::device("cpu")?.autodiff();
        let mut init = Init::new(0, &device);
        let encoder = EncoderConfig { kind: case.kind, ..EncoderConfig::default() }.build(&mut init);
        let head = Linear::new(&mut init, encoder.features(), 10);
        let model = Classifier { encoder, head };
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let pixels = (0..case.batch * SIZE * SIZE * 3).map(|_| rng.normal()).collect();
        let labels: Vec<i32> = (0..case.batch).map(|_| rng.below(10) as i32).collect();
        Ok(Self {
            optimiser: Optimiser::new(&model, &OptimiserConfig::default()),
            images: channels_last(pixels, SIZE, SIZE, &device),
            labels: Tensor::from_data(TensorData::from(labels.as_slice()), &device.inner()),
            model,
        })
    }

    fn measure(&mut self, case: &Case) -> f64 {
        let started = Instant::now();
        for _ in 0..case.steps {
            let logits = self.model.head.forward(self.model.encoder.forward(self.images.clone(), Mode::Train));
            let loss = cross_entropy(logits, self.labels.clone());
            self.optimiser.step(&self.model, loss.backward(), 1e-3);
        }
        (case.steps * case.batch) as f64 / started.elapsed().as_secs_f64()
    }
}
