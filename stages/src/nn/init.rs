use crate::random::{Purpose, Rng};
use burn::tensor::{Device, Tensor, TensorData};

/// Makes the first values of a network's parameters, in the order in which its layers are built. They are drawn here
/// and not on the device, so that a seed means the same network everywhere.
#[derive(Debug)]
pub struct Init {
    rng: Rng,
    pub device: Device,
}

impl Init {
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { rng: Rng::new(seed, Purpose::Init, &[]), device: device.clone() }
    }

    /// He et al. 2015 (arXiv:1502.01852), normal, by the fan-out, for a ReLU: as torchvision's ResNet.
    pub fn he_normal(&mut self, shape: [usize; 4]) -> Tensor<4> {
        let [out, _, height, width] = shape;
        let sd = (2.0 / (out * height * width) as f32).sqrt();
        self.fill(shape, |rng| sd * rng.normal())
    }

    /// Uniform within `1 / sqrt(fan_in)` of zero: PyTorch's linear layer.
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Tensor<D> {
        let bound = 1.0 / (fan_in as f32).sqrt();
        self.fill(shape, |rng| rng.range(-bound, bound))
    }

    /// Uniform within `sqrt(6 / (fan_in + fan_out))` of zero (Glorot & Bengio 2010).
    pub fn glorot<const D: usize>(&mut self, shape: [usize; D], fan_in: usize, fan_out: usize) -> Tensor<D> {
        let bound = (6.0 / (fan_in + fan_out) as f32).sqrt();
        self.fill(shape, |rng| rng.range(-bound, bound))
    }

    /// Mean 0, standard deviation 1.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        self.fill(shape, Rng::normal)
    }

    fn fill<const D: usize>(&mut self, shape: [usize; D], mut draw: impl FnMut(&mut Rng) -> f32) -> Tensor<D> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw(&mut self.rng)).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }
}
