//! From an encoder's maps to scores of classes at each pixel.

mod coordinates;

use super::encoder::Map;
use super::layers::{BatchNorm, Conv2d, ConvNorm, Mode};
use super::{Init, ops};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use coordinates::Coordinates;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What stands behind the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SegmenterKind {
    /// Scores of the last three maps, each from a hidden 3x3 convolution, added from the coarsest on: FCN-8s (Long et al. 2015,
    /// arXiv:1411.4038, section 4.2).
    Fcn,
    /// From the coarsest map on, made larger, joined with the next map and convolved: the right half of a U-Net (Ronneberger et al.
    /// 2015, arXiv:1505.04597), a convolution a level.
    Unet,
    /// A linear classifier of what all maps say of a place, standardised.
    Linear,
    /// No map at all: only where a pixel is.
    Coordinates,
}

/// How a segmenter is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmenterConfig {
    pub head: SegmenterKind,
    /// Of the maps, the finest first.
    pub channels: Vec<usize>,
    /// Hidden channels, where there are any.
    pub width: usize,
    pub classes: usize,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, and boxing it would hide its parameters' names")]
pub enum Segmenter {
    Fcn(Fcn),
    Unet(Unet),
    Linear(LinearMaps),
    Coordinates(Coordinates),
}

impl SegmenterConfig {
    /// With first weights.
    pub fn build(&self, init: &mut Init) -> Segmenter {
        match self.head {
            SegmenterKind::Fcn => Segmenter::Fcn(Fcn::new(init, self)),
            SegmenterKind::Unet => Segmenter::Unet(Unet::new(init, self)),
            SegmenterKind::Linear => Segmenter::Linear(LinearMaps::new(init, self)),
            SegmenterKind::Coordinates => Segmenter::Coordinates(Coordinates::new(init, self)),
        }
    }
}

impl Segmenter {
    /// The maps of a batch, as many as it was built for, to `[batch, classes, height, width]` in float32.
    pub fn forward(&self, maps: Vec<Map>, size: [usize; 2], mode: Mode) -> Tensor<4> {
        let maps: Vec<Tensor<4>> = maps.into_iter().map(|map| map.x).collect();
        let scores = match self {
            Self::Fcn(head) => head.forward(maps, mode),
            Self::Unet(head) => head.forward(maps, mode),
            Self::Linear(head) => head.forward(maps, mode),
            Self::Coordinates(head) => head.forward(maps[0].dims()[0], size, &maps[0].device(), mode),
        };
        resized(scores, size)
    }
}

/// Bilinear, half a pixel's corner to half a pixel's corner.
fn resized(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if size == [height, width] {
        return x;
    }
    interpolate(x, InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false).with_output_size(size))
}

fn size(x: &Tensor<4>) -> [usize; 2] {
    let [_, _, height, width] = x.dims();
    [height, width]
}

/// A score of each class at each place, by itself.
fn scores(init: &mut Init, channels: usize, classes: usize) -> Conv2d {
    Conv2d::patches(init, channels, classes, 1)
}

/// A level of [`SegmenterKind::Fcn`].
#[derive(Module, Debug)]
struct Level {
    conv: ConvNorm,
    scores: Conv2d,
}

#[derive(Module, Debug)]
pub struct Fcn {
    /// Of the last maps, the finest first.
    levels: Vec<Level>,
}

/// As many maps FCN-8s looks at.
const LEVELS: usize = 3;

impl Fcn {
    fn new(init: &mut Init, config: &SegmenterConfig) -> Self {
        let first = config.channels.len().saturating_sub(LEVELS);
        let level = |&channels: &usize| Level {
            conv: ConvNorm::new(init, channels, config.width, 3, 1),
            scores: scores(init, config.width, config.classes),
        };
        Self { levels: config.channels[first..].iter().map(level).collect() }
    }

    fn forward(&self, maps: Vec<Tensor<4>>, mode: Mode) -> Tensor<4> {
        let first = maps.len() - self.levels.len();
        let scores = maps.into_iter().skip(first).zip(&self.levels);
        let scores: Vec<Tensor<4>> =
            scores.map(|(map, level)| ops::float32(level.scores.forward(level.conv.forward_relu(map, mode)))).collect();
        let from_the_coarsest = scores.into_iter().rev();
        from_the_coarsest.reduce(|coarse, fine| resized(coarse, size(&fine)) + fine).expect("an encoder has a map")
    }
}

#[derive(Module, Debug)]
pub struct Unet {
    deepest: ConvNorm,
    /// The coarsest first.
    joins: Vec<ConvNorm>,
    scores: Conv2d,
}

impl Unet {
    pub fn new(init: &mut Init, config: &SegmenterConfig) -> Self {
        let SegmenterConfig { channels, width, classes, .. } = config;
        let (coarsest, finer) = channels.split_last().expect("an encoder has a map");
        let deepest = ConvNorm::new(init, *coarsest, *width, 3, 1);
        let joins = finer.iter().rev().map(|channels| ConvNorm::new(init, width + channels, *width, 3, 1)).collect();
        Self { deepest, joins, scores: scores(init, *width, *classes) }
    }

    /// Maps, the finest first, to `[batch, classes, height, width]` of the finest, in float32.
    pub fn forward(&self, mut maps: Vec<Tensor<4>>, mode: Mode) -> Tensor<4> {
        let coarsest = maps.pop().expect("an encoder has a map");
        let deepest = self.deepest.forward_relu(coarsest, mode);
        let x = maps.into_iter().rev().zip(&self.joins).fold(deepest, |x, (map, join)| {
            let x = resized(x, size(&map));
            join.forward_relu(Tensor::cat(vec![x, map], 1), mode)
        });
        ops::float32(self.scores.forward(x))
    }
}

/// Scores add up over maps: to make the scores of each larger is to make all maps as large as the finest, join them, and score what
/// is then known of a place.
#[derive(Module, Debug)]
pub struct LinearMaps {
    norms: Vec<BatchNorm>,
    scores: Vec<Conv2d>,
}

impl LinearMaps {
    fn new(init: &mut Init, config: &SegmenterConfig) -> Self {
        Self {
            norms: config.channels.iter().map(|&channels| BatchNorm::new(init, channels)).collect(),
            scores: config.channels.iter().map(|&channels| scores(init, channels, config.classes)).collect(),
        }
    }

    fn forward(&self, maps: Vec<Tensor<4>>, mode: Mode) -> Tensor<4> {
        let finest = size(&maps[0]);
        let scores = maps.into_iter().zip(&self.norms).zip(&self.scores);
        let scores =
            scores.map(|((map, norm), scores)| resized(ops::float32(scores.forward(norm.forward(map, mode))), finest));
        scores.reduce(|sum, scores| sum + scores).expect("an encoder has a map")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state;
    use burn::tensor::{Distribution, TensorData};

    const KINDS: [SegmenterKind; 3] = [SegmenterKind::Fcn, SegmenterKind::Unet, SegmenterKind::Linear];

    fn built(head: SegmenterKind, channels: &[usize]) -> Segmenter {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let config = SegmenterConfig { head, channels: channels.to_vec(), width: 6, classes: 3 };
        config.build(&mut Init::new(1, &device))
    }

    fn map([channels, height, width]: [usize; 3], stride: usize) -> Map {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        Map {
            stride,
            x: ops::channels_last(Tensor::random([2, channels, height, width], Distribution::Default, &device)),
        }
    }

    /// Every tensor is used, those of every map among them, whose sizes need not divide the image's; and the whole is repeatable.
    #[test]
    fn every_weight_counts_at_every_size() {
        for kind in KINDS {
            for (channels, precision) in [(&[4, 5, 7, 8][..], false), (&[4, 5, 7, 8], true), (&[4][..], false)] {
                let head = built(kind, channels);
                let maps = channels.iter().enumerate().map(|(number, &channels)| {
                    let map =
                        map([channels, 13usize.div_ceil(1 << number), 10usize.div_ceil(1 << number)], 2 << number);
                    if precision { Map { x: ops::bfloat16(map.x), ..map } } else { map }
                });
                let logits = head.forward(maps.collect(), [26, 20], Mode::Train);
                assert_eq!(logits.dims(), [2, 3, 26, 20]);
                let mut grads = logits.square().mean().backward();
                let found = state::Part::take_gradients(&head, &mut grads);
                let unused = if kind == SegmenterKind::Fcn { channels.len().saturating_sub(LEVELS) } else { 0 };
                let levels = channels.len() - unused;
                let expected = match kind {
                    SegmenterKind::Fcn => 5 * levels,
                    SegmenterKind::Unet => 3 * levels + 2,
                    SegmenterKind::Linear => 4 * levels,
                    SegmenterKind::Coordinates => panic!("it looks at no map"),
                };
                assert_eq!(found.len(), expected, "{kind:?}");
                assert!(found.iter().flatten().all(|grad| grad.abs().sum(tch::Kind::Double).double_value(&[]) > 0.0));
                assert!(found.iter().all(Option::is_some), "{kind:?}");
            }
        }
    }

    /// One map is made larger and joined with the other, and what is then known of each place is scored by one matrix.
    #[test]
    fn a_linear_head_is_a_linear_classifier_of_joined_maps() {
        let head = built(SegmenterKind::Linear, &[2, 3]);
        let maps = [map([2, 4, 4], 1), map([3, 2, 2], 2)];
        let found = head.forward(maps.to_vec(), [4, 4], Mode::Eval).inner();
        let Segmenter::Linear(linear) = &head else { panic!("it is linear") };
        // Running statistics are 0 and 1 at first, but for eps.
        let joined = Tensor::cat(vec![maps[0].x.clone(), resized(maps[1].x.clone(), [4, 4])], 1).inner()
            / (1.0f64 + 1e-5).sqrt();
        let weights: Vec<tch::Tensor> = state::named(linear)
            .into_iter()
            .filter(|(name, _)| name.ends_with("weight") && name.starts_with("scores"))
            .map(|(_, t)| t)
            .collect();
        let matrix = tch::Tensor::cat(&weights, 1).squeeze_dim(-1).squeeze_dim(-1); // [classes, 2 + 3]
        let values: Vec<f32> = (&matrix.contiguous().flatten(0, -1)).try_into().unwrap();
        let matrix = Tensor::<2>::from_data(TensorData::new(values, [3, 5]), &found.device());
        let rows = joined.permute([0, 2, 3, 1]).reshape([32, 5]);
        let expected = rows.matmul(matrix.transpose()).reshape([2, 4, 4, 3]).permute([0, 3, 1, 2]);
        let off = (found - expected).abs().max().into_scalar::<f32>();
        assert!(off < 1e-5, "{off}");
    }
}
