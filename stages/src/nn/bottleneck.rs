use super::encoder::Encoder;
use super::layers::Mode;
use super::state::Part;
use super::{Decoder, Head, HeadConfig, Init, Mlp, Norms, PixelValues};
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// From an encoder's features to a code, and from the code to an image: what stands behind the encoder of an autoencoder.
#[derive(Debug)]
pub struct Bottleneck {
    /// A linear layer on the encoder's last map; `None` where the pooled features are the code.
    code: Option<Mlp>,
    drawing: Drawing,
    /// Whether what is drawn are logits of values from 0 to 1, and not normalised values.
    logits: bool,
}

#[derive(Debug)]
enum Drawing {
    Convolutions(Box<Decoder>),
    /// Of images of so many channels, rows and columns.
    Layers(Mlp, [usize; 3]),
}

/// The heads' names in an artifact.
pub const CODE: &str = "code";
pub const DECODER: &str = "decoder";
/// Of a decoder that gives logits.
pub const LOGITS: &str = "decoder_of_logits";

impl Bottleneck {
    /// For images of `image`: channels, height and width, that the encoder is built for. `code`: how many numbers; 0: the pooled features.
    /// `width`: of a convolutional decoder's last map. The decoder of an encoder that is linear layers is its mirror, in
    /// which a code of its own takes the place of the features.
    pub fn new(init: &mut Init, encoder: &Encoder, image: [usize; 3], code: usize, width: usize) -> Self {
        let code = (code > 0).then(|| {
            let map = encoder.flat_length(image, &init.device.clone().inner());
            Mlp::new(init, &[map, code], Norms::None)
        });
        let length = code.as_ref().map_or(encoder.features(), |code| code.widths()[1]);
        let drawing = match encoder.linear_layers() {
            Some(widths) => Drawing::Layers(Mlp::new(init, &mirrored(&widths, length), Norms::None), image),
            None => Drawing::Convolutions(Box::new(Decoder::new(init, length, [image[0], image[2]], width))),
        };
        Self { code, drawing, logits: false }
    }

    /// The same, which draws logits of values from 0 to 1.
    pub fn of_logits(self) -> Self {
        Self { logits: true, ..self }
    }

    pub fn draws_logits(&self) -> bool {
        self.logits
    }

    /// As heads that were kept make it; `None` where `decoder` draws no images.
    pub fn of_heads(code: Option<Mlp>, decoder: Head, image: [usize; 3]) -> Option<Self> {
        let drawing = match decoder {
            Head::Decoder(decoder) => Drawing::Convolutions(decoder),
            Head::Mlp(decoder) => Drawing::Layers(decoder, image),
            _ => return None,
        };
        Some(Self { code, drawing, logits: false })
    }

    /// How many numbers a code has.
    pub fn length(&self) -> usize {
        match &self.drawing {
            Drawing::Convolutions(decoder) => decoder.features(),
            Drawing::Layers(layers, _) => layers.widths()[0],
        }
    }

    /// Images `[batch, channels, height, width]` to codes `[batch, length]`, in float32.
    pub fn code(&self, encoder: &Encoder, images: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.code_of(self.read(encoder, images, mode), mode)
    }

    /// What the code is made of, `[batch, numbers]`.
    pub fn read(&self, encoder: &Encoder, images: Tensor<4>, mode: Mode) -> Tensor<2> {
        if self.code.is_some() { encoder.flat(images, mode) } else { encoder.pooled(images, mode) }
    }

    pub fn code_of(&self, read: Tensor<2>, mode: Mode) -> Tensor<2> {
        match &self.code {
            Some(code) => code.forward(read, mode),
            None => read,
        }
    }

    /// Codes to images as an encoder sees them, normalised.
    pub fn images(&self, code: Tensor<2>, mode: Mode, values: &PixelValues) -> Tensor<4> {
        let drawn = self.draw(code, mode);
        if self.logits { values.of_values(sigmoid(drawn)) } else { drawn }
    }

    /// Images to what is drawn of their codes.
    pub fn redraw(&self, encoder: &Encoder, images: Tensor<4>, mode: Mode) -> Tensor<4> {
        self.draw(self.code(encoder, images, mode), mode)
    }

    /// Codes to images, in float32.
    pub fn draw(&self, code: Tensor<2>, mode: Mode) -> Tensor<4> {
        match &self.drawing {
            Drawing::Convolutions(decoder) => decoder.forward(code, mode),
            Drawing::Layers(layers, [channels, height, width]) => {
                let batch = code.dims()[0];
                layers.forward(code, mode).reshape([batch, *channels, *height, *width])
            }
        }
    }

    /// By name, as an objective has them.
    pub fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        let code = self.code.iter().map(|code| (CODE, code as &dyn Part));
        let decoder: &dyn Part = match &self.drawing {
            Drawing::Convolutions(decoder) => &**decoder,
            Drawing::Layers(layers, _) => layers,
        };
        code.chain([(self.decoder_name(), decoder)]).collect()
    }

    fn decoder_name(&self) -> &'static str {
        if self.logits { LOGITS } else { DECODER }
    }

    pub fn configs(&self) -> Vec<(&'static str, HeadConfig)> {
        let code = self.code.iter().map(|code| (CODE, code.config()));
        let decoder = match &self.drawing {
            Drawing::Convolutions(decoder) => decoder.config(),
            Drawing::Layers(layers, _) => layers.config(),
        };
        code.chain([(self.decoder_name(), decoder)]).collect()
    }
}

/// The widths of an encoder's layers backwards, from a code of `length` to the pixels.
fn mirrored(widths: &[usize], length: usize) -> Vec<usize> {
    let (_, before) = widths.split_last().expect("it has layers");
    [length].into_iter().chain(before.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::{EncoderConfig, EncoderKind};

    /// The shapes of the code and of what is drawn.
    fn shapes(config: &EncoderConfig, image: [usize; 3], length: usize) -> ([usize; 2], [usize; 4]) {
        let init = &mut Init::new(0, &crate::nn::device("cpu").unwrap());
        let encoder = config.build(init, image);
        let bottleneck = Bottleneck::new(init, &encoder, image, length, 2);
        let images = Tensor::zeros([3, image[0], image[1], image[2]], &init.device);
        let code = bottleneck.code(&encoder, images, Mode::Eval);
        (code.dims(), bottleneck.draw(code, Mode::Eval).dims())
    }

    #[test]
    fn a_code_is_as_long_as_it_is_asked_to_be() {
        let conv = EncoderConfig { width: 2, ..EncoderConfig::default() };
        assert_eq!(shapes(&conv, [3, 16, 16], 0), ([3, 16], [3, 3, 16, 16]));
        assert_eq!(shapes(&conv, [3, 16, 16], 5), ([3, 5], [3, 3, 16, 16]));
    }

    #[test]
    fn linear_layers_have_their_mirror() {
        let mlp = EncoderConfig { hidden: vec![20, 6], ..EncoderConfig::of(EncoderKind::Mlp) };
        assert_eq!(shapes(&mlp, [1, 6, 5], 0), ([3, 6], [3, 1, 6, 5]));
        assert_eq!(mirrored(&[784, 500, 2000, 10], 10), [10, 2000, 500, 784]);
        // A code of its own lies behind the features, and stands in their place in the mirror.
        assert_eq!(shapes(&mlp, [1, 6, 5], 2), ([3, 2], [3, 1, 6, 5]));
        assert_eq!(mirrored(&[30, 20, 6], 2), [2, 20, 30]);
    }
}
