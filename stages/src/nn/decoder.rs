use super::layers::{Conv2d, ConvNorm, Linear, Mode};
use super::{HeadConfig, Init};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

/// A feature vector back to an image: a linear layer to a map of an eighth of the size, then three times nearest
/// upsampling and a 3x3 convolution, the last to the image's channels without normalisation.
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

const UPSAMPLINGS: usize = 3;

impl Decoder {
    /// `size`, the images' side, must be a multiple of 8; `width`: maps at full resolution.
    pub fn new(init: &mut Init, features: usize, [colours, size]: [usize; 2], width: usize) -> Self {
        let size = size >> UPSAMPLINGS;
        let channels = width << UPSAMPLINGS;
        let convs = (0..UPSAMPLINGS).map(|i| ConvNorm::new(init, channels >> i, channels >> (i + 1), 3, 1)).collect();
        Self {
            project: Linear::new(init, features, channels * size * size),
            convs,
            to_image: Conv2d::new(init, width, colours, 3, 1),
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
        let [features, width] = [self.features(), self.channels >> UPSAMPLINGS];
        HeadConfig::Decoder { features, channels: self.colours, size: self.size << UPSAMPLINGS, width }
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
