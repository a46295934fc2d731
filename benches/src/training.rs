//! Our side: a classifier that trains with one batch of made-up images again and again, and the speed of products that it is
//! measured by.

use anyhow::{Context as _, Result};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use pretext_stages::augment::channels_last;
use pretext_stages::nn::encoder::{Encoder, EncoderConfig, EncoderKind};
use pretext_stages::nn::layers::{Linear, Mode};
use pretext_stages::nn::loss::cross_entropy;
use pretext_stages::nn::state::Part;
use pretext_stages::nn::{self, Init, ops};
use pretext_stages::random::{Purpose, Rng};
use pretext_stages::train::{Optimiser, OptimiserConfig};
use std::path::Path;
use std::time::Instant;

const CLASSES: usize = 10;
/// Of SGD with momentum and weight decay, as the peers'. From a ResNet-50's first weights larger rates lead, with few images, to
/// another loss in float64 than in float32.
const LR: f64 = 2e-7;

/// The processor, or what `PRETEXT_BENCH_DEVICE` names (`cuda:0`), for both sides.
pub fn device_name() -> String {
    std::env::var("PRETEXT_BENCH_DEVICE").unwrap_or_else(|_| "cpu".into())
}

/// What is trained.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    pub kind: EncoderKind,
    /// Pixels of an image's side.
    pub size: usize,
    pub batch: usize,
    pub bfloat16: bool,
}

#[derive(Module, Debug)]
struct Classifier {
    encoder: Encoder,
    head: Linear,
}

pub struct Training {
    model: Classifier,
    optimiser: Optimiser,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
}

/// What some steps took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    pub seconds: f64,
    /// Until the last call had returned: from then on there was nothing to do but to wait for the device.
    pub seconds_of_calls: f64,
}

impl Training {
    pub fn new(task: &Task) -> Result<Self> {
        let device: Device = nn::device(&device_name())?.autodiff();
        let mut init = Init::new(0, &device);
        let encoder =
            EncoderConfig { kind: task.kind, ..EncoderConfig::default() }.build(&mut init, [3, task.size, task.size]);
        let head = Linear::new(&mut init, encoder.features(), CLASSES);
        let model = Classifier { encoder, head };
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let pixels = (0..task.batch * task.size * task.size * 3).map(|_| rng.normal()).collect();
        let images = channels_last(pixels, task.size, task.size, &device);
        let labels: Vec<i32> = (0..task.batch).map(|_| rng.below(CLASSES) as i32).collect();
        Ok(Self {
            optimiser: Optimiser::new(&model, &OptimiserConfig::default()),
            images: if task.bfloat16 { ops::bfloat16(images) } else { images },
            labels: Tensor::from_data(TensorData::from(labels.as_slice()), &device.inner()),
            model,
        })
    }

    /// So many steps; the loss that the last one began with.
    pub fn steps(&mut self, count: usize) -> f64 {
        let last = (0..count).map(|_| self.step()).last();
        last.map_or(f64::NAN, |loss| f64::from(loss.into_scalar::<f32>()))
    }

    /// What so many steps take.
    pub fn measure(&mut self, steps: usize) -> Took {
        let started = Instant::now();
        let last = (0..steps).map(|_| self.step()).last();
        let seconds_of_calls = started.elapsed().as_secs_f64();
        // A GPU works on after the calls have returned, in their order: to read waits for all.
        drop(last.map(Tensor::into_data));
        Took { seconds: started.elapsed().as_secs_f64(), seconds_of_calls }
    }

    fn step(&mut self) -> Tensor<1> {
        let logits = self.model.head.forward(self.model.encoder.pooled(self.images.clone(), Mode::Train));
        let loss = cross_entropy(logits, self.labels.clone());
        self.optimiser.step(&self.model, loss.backward(), LR);
        loss.inner()
    }

    /// For a peer that is to start alike: in float32 every trained parameter in our order, the images `[batch, 3, size, size]`, and
    /// the labels.
    pub fn write(&self, file: &Path) -> Result<()> {
        let trained = self.model.entries().into_iter().filter(|entry| entry.trained).map(|entry| entry.tensor);
        let labels = self.labels.clone().float();
        let tensors = trained.chain([ops::raw(&self.images), ops::raw(&labels)]);
        let mut bytes = vec![];
        for tensor in tensors {
            let flat =
                tensor.detach().to_device(tch::Device::Cpu).to_kind(tch::Kind::Float).contiguous().flatten(0, -1);
            bytes.extend(Vec::<f32>::try_from(&flat)?.into_iter().flat_map(f32::to_le_bytes));
        }
        std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Floating-point operations a second in the product of two large matrices: the most that a network could reach.
pub fn peak(device: &Device, bfloat16: bool) -> f64 {
    const TRIES: usize = 5;
    let side = if device_name() == "cpu" { 2048 } else { 8192 };
    let matrix = Tensor::<2>::ones([side, side], device);
    let matrix = if bfloat16 { ops::bfloat16(matrix) } else { matrix };
    let seconds = (0..TRIES).map(|_| {
        let started = Instant::now();
        // To read waits for a GPU.
        drop(ops::product(&matrix, &matrix).narrow(0, 0, 1).into_data());
        started.elapsed().as_secs_f64()
    });
    2.0 * (side as f64).powi(3) / seconds.fold(f64::INFINITY, f64::min)
}
