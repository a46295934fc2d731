use crate::random::{Purpose, Rng};
use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the first weights of convolutions are drawn from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConvInit {
    /// As torchvision's ResNet: normal, by the fan-out, for a ReLU (He et al. 2015, arXiv:1502.01852).
    #[default]
    Torchvision,
    /// As PyTorch's layers by themselves: `kaiming_uniform_(a=sqrt(5))`, which is uniform within `1 / sqrt(fan_in)` of zero.
    Pytorch,
}

/// Makes the first values of a network's parameters, in the order in which its layers are built. They are drawn here
/// and not on the device, so that a seed means the same network everywhere.
#[derive(Debug)]
pub struct Init {
    rng: Rng,
    pub device: Device,
    convolutions: ConvInit,
}

impl Init {
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { rng: Rng::new(seed, Purpose::Init, &[]), device: device.clone(), convolutions: ConvInit::default() }
    }

    /// Builds a network whose convolutions are drawn so; those of what is built afterwards are drawn as before.
    pub fn with<N>(&mut self, convolutions: ConvInit, build: impl FnOnce(&mut Self) -> N) -> N {
        let before = std::mem::replace(&mut self.convolutions, convolutions);
        let network = build(self);
        self.convolutions = before;
        network
    }

    /// `[out, in, height, width]` of a convolution that a norm and a ReLU follow.
    pub fn convolution(&mut self, shape: [usize; 4]) -> Tensor<4> {
        let [out, inputs, height, width] = shape;
        match self.convolutions {
            ConvInit::Torchvision => {
                let sd = (2.0 / (out * height * width) as f32).sqrt();
                self.fill(shape, |rng| sd * rng.normal())
            }
            ConvInit::Pytorch => self.uniform(shape, inputs * height * width),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::{EncoderConfig, EncoderKind};
    use crate::nn::state;

    /// Mean square and largest absolute value of a convolution's weights.
    fn moments(init: ConvInit, name: &str) -> [f64; 2] {
        let config = EncoderConfig { kind: EncoderKind::Resnet20, init, ..EncoderConfig::default() };
        let encoder = config.build(&mut Init::new(0, &crate::nn::device("cpu").unwrap()), [3, 32, 32]);
        let (_, weight) =
            state::named(&encoder).into_iter().find(|(found, _)| found.ends_with(name)).expect("there is one");
        [weight.square().mean(tch::Kind::Double), weight.abs().max()].map(|moment| moment.double_value(&[]))
    }

    /// 64 channels from 32, 3 x 3: He's variance is 2 / (64 9); the other's a third of its squared bound, 1 / (32 9).
    #[test]
    fn convolutions_are_drawn_as_they_are_asked_for() {
        let weight = "layers.2.0.convs.0.conv.weight";
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.05;
        let [variance, largest] = moments(ConvInit::Torchvision, weight);
        // Of 18,432 normal numbers the largest is about four standard deviations from 0.
        assert!(near(variance, 2.0 / 576.0) && largest > 3.5 * (2.0f64 / 576.0).sqrt(), "{variance} {largest}");
        let [variance, largest] = moments(ConvInit::Pytorch, weight);
        let bound = (1.0f64 / 288.0).sqrt();
        assert!(
            near(variance, bound * bound / 3.0) && largest <= bound && near(largest, bound),
            "{variance} {largest}"
        );
    }

    #[test]
    fn what_is_built_after_a_network_is_drawn_as_before() {
        let device = crate::nn::device("cpu").unwrap();
        let shape = [8, 4, 3, 3];
        let last = |build: fn(&mut Init) -> Tensor<4>| build(&mut Init::new(3, &device)).into_data();
        let plain = last(|init| {
            init.convolution([8, 4, 3, 3]);
            init.convolution([8, 4, 3, 3])
        });
        let after = last(|init| {
            init.with(ConvInit::Torchvision, |init| init.convolution([8, 4, 3, 3]));
            init.convolution([8, 4, 3, 3])
        });
        assert_eq!(plain, after);
        let init = &mut Init::new(3, &device);
        init.with(ConvInit::Pytorch, |init| init.convolution(shape));
        assert_eq!(init.convolutions, ConvInit::Torchvision);
    }
}
