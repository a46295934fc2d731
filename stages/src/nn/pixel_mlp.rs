//! Linear layers on the pixels, with a ReLU after each but the last: the encoder of deep embedded clustering (Xie et al. 2016,
//! arXiv:1511.06335: 784-500-500-2000-10 on MNIST). In what it differs is said in [`super::encoder::DEVIATIONS`].

use super::encoder::{Architecture, EncoderConfig};
use super::layers::Mode;
use super::{Init, Mlp, Norms, ops};
use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;

#[derive(Module, Debug)]
pub struct PixelMlp {
    mlp: Mlp,
    height: usize,
    width: usize,
    features: usize,
}

impl Architecture for PixelMlp {
    fn check(config: &EncoderConfig) -> Result<()> {
        config.draws_its_own("mlp")
    }

    fn build(config: &EncoderConfig, init: &mut Init, [channels, height, width]: [usize; 3]) -> Self {
        let outputs = config.hidden.iter().map(|&n| n as usize);
        let widths: Vec<usize> = std::iter::once(channels * height * width).chain(outputs).collect();
        Self { mlp: Mlp::new(init, &widths, Norms::None), height, width, features: widths[widths.len() - 1] }
    }

    fn name(&self) -> &'static str {
        "an mlp"
    }

    fn takes(&self, [height, width]: [usize; 2]) -> Result<()> {
        ensure!(
            [height, width] == [self.height, self.width],
            "encoder.kind is mlp, which takes images of one size, here {} x {} pixels, and these images or views have {height} x {width}: \
             use views of the images' own size, or another kind",
            self.height,
            self.width
        );
        Ok(())
    }

    fn features(&self) -> usize {
        self.features
    }

    fn layer_of(&self, name: &[&str]) -> usize {
        name[2].parse().expect("layers are numbered")
    }

    fn linear_layers(&self) -> Option<Vec<usize>> {
        Some(self.mlp.widths())
    }

    fn pooled(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        ops::float32(self.mlp.forward(x.flatten(1, 3), mode))
    }
}
