//! Training speed beside PyTorch's channels-last: forward, backward, SGD step of a classifier, in images per second, and the
//! share of the machine's speed in products of matrices that this is.

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pretext_benches::{Beside, Peer, in_turns};
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

struct Case {
    /// Its figure's name.
    name: &'static str,
    /// The network's name in `engine.py`.
    network: &'static str,
    kind: EncoderKind,
    /// Pixels of an image's side.
    size: usize,
    batch: usize,
    /// Steps of a round.
    steps: usize,
    bfloat16: bool,
    /// Also beside PyTorch with our allocator settings, as `NAME_tuned`.
    tuned: bool,
}

const NARROW: Case = Case {
    name: "narrow",
    network: "narrow",
    kind: EncoderKind::Resnet20,
    size: 32,
    batch: 128,
    steps: 12,
    bfloat16: false,
    tuned: true,
};

const CASES: [Case; 5] = [
    NARROW,
    Case { name: "resnet18", network: "resnet18", kind: EncoderKind::Resnet18, batch: 64, steps: 4, ..NARROW },
    Case {
        name: "resnet50",
        network: "resnet50",
        kind: EncoderKind::Resnet50,
        size: 64,
        batch: 16,
        steps: 2,
        tuned: false,
        ..NARROW
    },
    Case { name: "vit_tiny", network: "vit_tiny", kind: EncoderKind::VitTiny, steps: 1, tuned: false, ..NARROW },
    Case { name: "narrow_bf16", bfloat16: true, tuned: false, ..NARROW },
];

/// Medians of per-round ratios, ours / PyTorch's. `only`: the figures whose names begin so.
pub fn run(only: &str) -> Result<Map<String, Value>> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    let mut figures = Map::new();
    println!(
        "images per second on {}, {THREADS} threads, medians of {ROUNDS} interleaved rounds; PyTorch in channels_last, \
         float32",
        device_name()
    );
    println!(
        "{:<12} {:>10} {:>9} {:>8} {:>10} {:>8} {:>16} {:>8}",
        "network", "pretext", "GFLOP/s", "of peak", "PyTorch", "ratio", "PyTorch tuned", "ratio"
    );
    for case in CASES.iter().filter(|case| case.name.starts_with(only)) {
        if case.bfloat16 && !ops::has_fast_bfloat16(&device_name()) {
            println!("{:<12} this device has no instructions for bfloat16", case.name);
            continue;
        }
        let mut ours = Ours::new(case)?;
        let start = |settings: &[&str]| {
            let numbers = [case.batch, case.size, case.steps, THREADS].map(|n| n.to_string());
            let arguments: Vec<&str> = [case.network].into_iter().chain(numbers.iter().map(String::as_str)).collect();
            Peer::start("engine.py", &[&arguments, settings].concat())
        };
        let flops = start(&["flops"])?.measure()?;
        let mut peers = vec![start(&[])?];
        if case.tuned {
            peers.push(start(&["tuned"])?);
        }
        let medians = in_turns(ROUNDS, || Ok(ours.measure(case)), &mut peers)?;
        let (reached, peak) = (flops * medians.ours, peak(case.bfloat16)?);
        let share = format!("{:.0} %", 100.0 * reached / peak);
        print!("{:<12} {:>10.0} {:>9.0} {share:>8}", case.name, medians.ours, reached / 1e9);
        figures.insert(format!("{}_share_of_peak", case.name), (reached / peak).into());
        for (Beside { theirs, ratio }, (suffix, width)) in medians.peers.iter().zip([("", 10), ("_tuned", 16)]) {
            print!(" {theirs:>width$.0} {ratio:>8.2}");
            figures.insert(format!("{}{suffix}", case.name), (*ratio).into());
        }
        println!();
    }
    Ok(figures)
}

/// Floating-point operations a second in the product of two large matrices: the most that a network could reach.
fn peak(bfloat16: bool) -> Result<f64> {
    const SIDE: usize = 2048;
    const TRIES: usize = 5;
    let device = nn::device(&device_name())?;
    let matrix = Tensor::<2>::ones([SIDE, SIDE], &device);
    let matrix = if bfloat16 { ops::bfloat16(matrix) } else { matrix };
    let seconds = (0..TRIES).map(|_| {
        let started = Instant::now();
        // To read waits for a GPU.
        drop(ops::product(&matrix, &matrix).narrow(0, 0, 1).into_data());
        started.elapsed().as_secs_f64()
    });
    Ok(2.0 * (SIDE as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min))
}

/// The processor, or what `PRETEXT_BENCH_DEVICE` names (`cuda:0`), for both sides.
pub fn device_name() -> String {
    std::env::var("PRETEXT_BENCH_DEVICE").unwrap_or_else(|_| "cpu".into())
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
        let device: Device = nn::device(&device_name())?.autodiff();
        let mut init = Init::new(0, &device);
        let encoder = EncoderConfig { kind: case.kind, ..EncoderConfig::default() }.build(&mut init);
        let head = Linear::new(&mut init, encoder.features(), 10);
        let model = Classifier { encoder, head };
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let pixels = (0..case.batch * case.size * case.size * 3).map(|_| rng.normal()).collect();
        let images = channels_last(pixels, case.size, case.size, &device);
        let labels: Vec<i32> = (0..case.batch).map(|_| rng.below(10) as i32).collect();
        Ok(Self {
            optimiser: Optimiser::new(&model, &OptimiserConfig::default()),
            images: if case.bfloat16 { ops::bfloat16(images) } else { images },
            labels: Tensor::from_data(TensorData::from(labels.as_slice()), &device.inner()),
            model,
        })
    }

    fn measure(&mut self, case: &Case) -> f64 {
        let started = Instant::now();
        let mut last = None;
        for _ in 0..case.steps {
            let logits = self.model.head.forward(self.model.encoder.forward(self.images.clone(), Mode::Train));
            let loss = cross_entropy(logits, self.labels.clone());
            self.optimiser.step(&self.model, loss.backward(), 1e-3);
            last = Some(loss);
        }
        // A GPU works on after the calls have returned, in their order: to read waits for all.
        drop(last.map(Tensor::into_data));
        (case.steps * case.batch) as f64 / started.elapsed().as_secs_f64()
    }
}
