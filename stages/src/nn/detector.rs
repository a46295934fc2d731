//! The head of FCOS (Tian et al. 2019, arXiv:1904.01355, section 3): what is at each place of a pyramid, how far its edges are, and how near
//! to its centre the place is.

use super::layers::{Conv2d, GroupNorm};
use super::{HeadConfig, Init, ops};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Channels that are normalised together, as in the paper (32 groups of 256).
const CHANNELS_IN_A_GROUP: usize = 8;
/// Of first weights; and how probable a class is at first (Lin et al. 2017, arXiv:1708.02002, section 4.1).
const SD: f32 = 0.01;
const PRIOR: f32 = 0.01;

#[derive(Module, Debug)]
pub struct Detector {
    class_tower: Tower,
    box_tower: Tower,
    classes: Conv2d,
    distances: Conv2d,
    centreness: Conv2d,
    /// `[levels]`: what distances are multiplied by before the exponential.
    scales: Param<Tensor<1>>,
    width: usize,
    count: usize,
}

/// One convolution; the paper has four.
#[derive(Module, Debug)]
struct Tower {
    conv: Conv2d,
    norm: GroupNorm,
}

/// What is said of all places of all levels, the finest level first, row by row; in float32.
#[derive(Debug, Clone)]
pub struct Said {
    /// Logits `[batch, places, classes]`.
    pub classes: Tensor<3>,
    /// To the left, top, right and bottom edge in pixels, `[batch, places, 4]`.
    pub distances: Tensor<3>,
    /// Logits `[batch, places]`.
    pub centreness: Tensor<2>,
}

impl Detector {
    pub fn new(init: &mut Init, width: usize, levels: usize, classes: usize) -> Self {
        let mut conv = |outputs: usize, bias: f32| {
            let weight = init.normal([outputs, width, 3, 3]) * SD;
            Conv2d::with_bias(init, weight, bias)
        };
        let convs = [conv(width, 0.0), conv(width, 0.0)];
        let (classes_, distances, centreness) =
            (conv(classes, (PRIOR / (1.0 - PRIOR)).ln()), conv(4, 0.0), conv(1, 0.0));
        let groups = if width.is_multiple_of(CHANNELS_IN_A_GROUP) { width / CHANNELS_IN_A_GROUP } else { 1 };
        let [class_tower, box_tower] = convs.map(|conv| Tower { conv, norm: GroupNorm::new(init, width, groups) });
        let scales = Param::from_tensor(Tensor::ones([levels], &init.device));
        Self { class_tower, box_tower, classes: classes_, distances, centreness, scales, width, count: classes }
    }

    /// How it is built.
    pub fn config(&self) -> HeadConfig {
        HeadConfig::Detector { width: self.width, levels: self.scales.dims()[0], classes: self.count }
    }

    /// Of levels `[batch, width, h, w]` with their strides.
    pub fn forward(&self, levels: Vec<Tensor<4>>, strides: &[usize]) -> Said {
        let (mut classes, mut distances, mut centreness) = (vec![], vec![], vec![]);
        for (number, (level, &stride)) in levels.into_iter().zip(strides).enumerate() {
            let (of_class, of_box) = (self.class_tower.forward(level.clone()), self.box_tower.forward(level));
            classes.push(by_place(self.classes.forward(of_class)));
            centreness.push(by_place(self.centreness.forward(of_box.clone())));
            let scale = self.scales.val().narrow(0, number, 1).reshape([1, 1, 1]);
            distances.push((by_place(self.distances.forward(of_box)) * scale).exp() * stride as f32);
        }
        Said {
            classes: Tensor::cat(classes, 1),
            distances: Tensor::cat(distances, 1),
            centreness: Tensor::cat(centreness, 1).squeeze_dim(2),
        }
    }
}

impl Tower {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::relu(self.norm.forward(self.conv.forward(x)))
    }
}

/// `[batch, channels, h, w]` to `[batch, h w, channels]` in float32.
fn by_place(x: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    ops::float32(x).permute([0, 2, 3, 1]).reshape([batch, height * width, channels])
}
