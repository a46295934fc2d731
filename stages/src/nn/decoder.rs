use super::layers::{Conv2d, ConvNorm, Linear, Mode};
use super::{HeadConfig, Init};
use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

/// A feature vector back to an image: a linear layer to a map of an eighth of the size (a quarter, where eight do not divide it), then three
/// times (twice) nearest upsampling and a 3x3 convolution, and one to the image's channels without normalisation, drawn by its inputs, so that
/// what it draws at first is small however few channels there are.
#[derive(Module, Debug)]
pub struct Decoder {
    project: Linear,
    convs: Vec<ConvNorm>,
    to_image: Conv2d,
    /// Of the images.
    colours: usize,
    /// Of the first map.
    channels: usize,
    size: usize,
}

/// How often a map is made twice as large, for images of this side.
fn upsamplings(size: usize) -> usize {
    if size.is_multiple_of(8) { 3 } else { 2 }
}

impl Decoder {
    /// An error where there is no decoder for images of this height and width.
    pub fn check([height, width]: [usize; 2]) -> Result<()> {
        ensure!(
            height == width && width.is_multiple_of(4),
            "the decoder draws squares of a multiple of 4 pixels; these images have {height}x{width}: make others of them (`size` of \
             data/folder, `pad` of data/one_class), or use `encoder: {{ kind: mlp }}`, whose decoder is linear layers"
        );
        Ok(())
    }

    /// `size`: the images' side, as [`Decoder::check`] has it; `width`: maps at full resolution.
    pub fn new(init: &mut Init, features: usize, [colours, size]: [usize; 2], width: usize) -> Self {
        let times = upsamplings(size);
        let size = size >> times;
        let channels = width << times;
        let convs = (0..times).map(|i| ConvNorm::new(init, channels >> i, channels >> (i + 1), 3, 1)).collect();
        Self {
            project: Linear::new(init, features, channels * size * size),
            convs,
            to_image: {
                let weight = init.uniform([colours, width, 3, 3], width * 9);
                Conv2d::with_bias(init, weight, 0.0)
            },
            colours,
            channels,
            size,
        }
    }

    /// Length of what it draws from.
    pub fn features(&self) -> usize {
        self.project.dims()[1]
    }

    /// How it is built.
    pub fn config(&self) -> HeadConfig {
        let [features, width] = [self.features(), self.channels >> self.convs.len()];
        HeadConfig::Decoder { features, channels: self.colours, size: self.size << self.convs.len(), width }
    }

    /// `[batch, features]` to `[batch, colours, size, size]`.
    pub fn forward(&self, features: Tensor<2>, mode: Mode) -> Tensor<4> {
        let batch = features.dims()[0];
        // The map is laid out as [batch, h, w, channels] and then seen as channels-last.
        let map =
            self.project.forward(features).reshape([batch, self.size, self.size, self.channels]).permute([0, 3, 1, 2]);
        let y = self.convs.iter().fold(map, |x, conv| conv.forward_relu(upsample(x), mode));
        self.to_image.forward(y)
    }
}

/// Every pixel becomes four.
fn upsample(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * height, 2 * width]))
}
