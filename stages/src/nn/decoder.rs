use super::Init;
use super::layers::{Conv2d, ConvNorm, Linear, Mode};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

/// A feature vector back to an image: a linear layer to a map of an eighth of the size, then three times nearest
/// upsampling and a 3x3 convolution, the last to three channels without normalisation.
#[derive(Module, Debug)]
pub struct Decoder {
    project: Linear,
    convs: Vec<ConvNorm>,
    to_image: Conv2d,
    channels: usize,
    size: usize,
}

const UPSAMPLINGS: usize = 3;

impl Decoder {
    /// `image_size` must be a multiple of 8; `width`: channels at full resolution.
    pub fn new(init: &mut Init, features: usize, image_size: usize, width: usize) -> Self {
        let size = image_size >> UPSAMPLINGS;
        let channels = width << UPSAMPLINGS;
        let convs = (0..UPSAMPLINGS).map(|i| ConvNorm::new(init, channels >> i, channels >> (i + 1), 3, 1)).collect();
        Self {
            project: Linear::new(init, features, channels * size * size),
            convs,
            to_image: Conv2d::new(init, width, 3, 3, 1),
            channels,
            size,
        }
    }

    /// `[batch, features]` to `[batch, 3, image_size, image_size]`.
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
