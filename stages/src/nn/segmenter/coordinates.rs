//! A control that looks at no image.

use super::{SegmenterConfig, scores};
use crate::nn::layers::{Conv2d, ConvNorm, Mode};
use crate::nn::{Init, ops};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

/// Two hidden layers at each pixel on its row and column, from -1 to 1, and their sines and cosines of 1, 2, 4 and 8 half turns: whatever
/// the image, the classes that are most often there.
#[derive(Module, Debug)]
pub struct Coordinates {
    hidden: Vec<ConvNorm>,
    scores: Conv2d,
}

const FREQUENCIES: usize = 4;
/// Of a pixel's row and of its column.
const CHANNELS: usize = 2 * (1 + 2 * FREQUENCIES);

impl Coordinates {
    pub fn new(init: &mut Init, config: &SegmenterConfig) -> Self {
        let hidden = [CHANNELS, config.width].map(|channels| ConvNorm::new(init, channels, config.width, 1, 1));
        Self { hidden: hidden.into(), scores: scores(init, config.width, config.classes) }
    }

    /// `[batch, classes, height, width]`, the same of every image.
    pub fn forward(&self, batch: usize, size: [usize; 2], device: &Device, mode: Mode) -> Tensor<4> {
        let x = self.hidden.iter().fold(places(size, device), |x, layer| layer.forward_relu(x, mode));
        self.scores.forward(x).repeat_dim(0, batch)
    }
}

/// `[1, CHANNELS, height, width]`
fn places([height, width]: [usize; 2], device: &Device) -> Tensor<4> {
    let from_middle = |place: usize, length: usize| (2 * place + 1) as f32 / length as f32 - 1.0;
    let waves = |at: f32| {
        let turn = move |k: usize| std::f32::consts::PI * (1 << k) as f32 * at;
        std::iter::once(at).chain((0..FREQUENCIES).flat_map(move |k| [turn(k).sin(), turn(k).cos()]))
    };
    let pixel = |place: usize| {
        let (row, column) = (from_middle(place / width, height), from_middle(place % width, width));
        waves(row).chain(waves(column))
    };
    let values: Vec<f32> = (0..height * width).flat_map(pixel).collect();
    let rows = Tensor::<4>::from_data(TensorData::new(values, [1, height, width, CHANNELS]), device);
    ops::channels_last(rows.permute([0, 3, 1, 2]))
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::nn::state;
    use burn::tensor::TensorData;

    /// The maps of different images are the same to it; its places are not; and every weight counts.
    #[test]
    fn it_sees_where_a_pixel_is_and_nothing_else() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let config = SegmenterConfig { head: SegmenterKind::Coordinates, channels: vec![4], width: 8, classes: 3 };
        let head = config.build(&mut Init::new(1, &device));
        let map = |phase: f32| {
            let values: Vec<f32> = (0..2 * 4 * 36).map(|i| (phase + i as f32).sin()).collect();
            vec![Map { stride: 2, x: Tensor::from_data(TensorData::new(values, [2, 4, 6, 6]), &device) }]
        };
        let logits = head.forward(map(0.0), [12, 10], Mode::Train);
        assert_eq!(logits.dims(), [2, 3, 12, 10]);
        let values = |logits: &Tensor<4>| logits.clone().into_data().iter::<f32>().collect::<Vec<_>>();
        let found = values(&logits);
        assert!(found == values(&head.forward(map(9.0), [12, 10], Mode::Train)));
        let (first, second) = found.split_at(360);
        assert!(first == second, "both images of a batch");
        let places: std::collections::BTreeSet<u32> = first[..120].iter().map(|score| score.to_bits()).collect();
        assert_eq!(places.len(), 120, "no two places are alike");
        let mut grads = logits.square().mean().backward();
        let grads = state::Part::take_gradients(&head, &mut grads);
        assert_eq!(grads.len(), 2 * 3 + 2);
        assert!(grads.iter().flatten().all(|grad| grad.abs().sum(tch::Kind::Double).double_value(&[]) > 0.0));
    }
}
