use super::encoder::Map;
use super::layers::{BatchNorm, Mode};
use super::segmenter::Unet;
use super::sparse::Seen;
use super::{Init, SegmenterConfig, SegmenterKind};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// What a convolutional network says of a part of an image to the whole image (Tian et al. 2023, arXiv:2301.03580, section 3.2): every
/// scale has a norm of its own, an embedding, that is learned, stands wherever nothing was shown, and a light U-Net draws from all scales.
#[derive(Module, Debug)]
pub struct SparseDecoder {
    /// Of each map, the finest first: over what was shown.
    norms: Vec<BatchNorm>,
    /// `[channels]`
    mask_tokens: Vec<Param<Tensor<1>>>,
    unet: Unet,
    /// Pixels of a side of what is drawn at each place of the finest map.
    stride: usize,
}

impl SparseDecoder {
    /// `channels`: of the maps, the finest first, whose places lie `stride` pixels apart; `image`: channels of what is drawn.
    pub fn new(init: &mut Init, channels: &[usize], stride: usize, width: usize, image: usize) -> Self {
        let classes = image * stride * stride;
        let config = SegmenterConfig { head: SegmenterKind::Unet, channels: channels.to_vec(), width, classes };
        Self {
            norms: channels.iter().map(|&channels| BatchNorm::new(init, channels)).collect(),
            mask_tokens: channels.iter().map(|&channels| Param::from_tensor(init.normal([channels]) * 0.02)).collect(),
            unet: Unet::new(init, &config),
            stride,
        }
    }

    /// Maps of images of which `seen` was shown to `[batch, channels, height, width]`, in float32.
    pub fn forward(&self, maps: Vec<Map>, seen: &Seen, mode: Mode) -> Tensor<4> {
        let filled = maps.into_iter().zip(&self.norms).zip(&self.mask_tokens).map(|((map, norm), token)| {
            let [_, channels, height, width] = map.x.dims();
            let shown = seen.of_shown(map.x, |places| norm.forward(places, mode));
            let hidden = seen.mask([height, width], &shown.device()).neg().add_scalar(1.0);
            let token = token.val().reshape([1, channels, 1, 1]);
            let filled = (hidden * token).cast(shown.dtype());
            shown + filled
        });
        let drawn = self.unet.forward(filled.collect(), mode);
        let ([batch, values, rows, columns], side) = (drawn.dims(), self.stride);
        let image = values / (side * side);
        let parts = drawn.reshape([batch, image, side, side, rows, columns]).permute([0, 1, 4, 2, 5, 3]);
        parts.reshape([batch, image, rows * side, columns * side])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{ops, state};
    use burn::tensor::TensorData;

    /// Every weight counts; what is drawn where nothing was shown depends on what was shown elsewhere.
    #[test]
    fn what_is_hidden_is_drawn_from_the_rest() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let decoder = SparseDecoder::new(&mut Init::new(0, &device), &[4, 6], 2, 8, 3);
        let seen = Seen::new(vec![true, false, true, true, false, true, true, true], [2, 2]);
        let maps = |phase: f32| -> Vec<Map> {
            let map = |channels: usize, side: usize, stride| {
                let count = 2 * channels * side * side;
                let values = (0..count).map(|place| (phase + 0.3 * place as f32).sin()).collect();
                let data = TensorData::new::<f32, _>(values, [2, channels, side, side]);
                Map { stride, x: seen.only(ops::channels_last(Tensor::from_data(data, &device))) }
            };
            vec![map(4, 8, 2), map(6, 4, 4)]
        };
        let drawn = decoder.forward(maps(0.0), &seen, Mode::Train);
        assert_eq!(drawn.dims(), [2, 3, 16, 16]);
        let other = decoder.forward(maps(1.0), &seen, Mode::Train);
        let hidden = seen.mask([16, 16], &device).neg().add_scalar(1.0);
        let changed = ((drawn.clone() - other) * hidden.clone()).abs().mean().into_scalar::<f32>();
        assert!(changed > 1e-3, "{changed}");
        let mut grads = (drawn.square() * hidden).mean().backward();
        let grads = state::Part::take_gradients(&decoder, &mut grads);
        assert_eq!(grads.len(), 2 * 3 + 2 * 3 + 2);
        assert!(grads.iter().flatten().all(|grad| grad.abs().sum(tch::Kind::Double).double_value(&[]) > 0.0));
    }
}
