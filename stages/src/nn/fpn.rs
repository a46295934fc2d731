//! A feature pyramid (Lin et al. 2017, arXiv:1612.03144, section 3): every level knows what the coarser ones have seen. Batch norm stands
//! behind each convolution: maps of an encoder that was never trained are of any size.

use super::layers::{ConvNorm, Mode};
use super::{HeadConfig, Init};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

#[derive(Module, Debug)]
pub struct Fpn {
    /// To `width` channels, the finest first.
    laterals: Vec<ConvNorm>,
    smooth: Vec<ConvNorm>,
    channels: Vec<usize>,
    width: usize,
}

impl Fpn {
    /// `channels`: of each map, the finest first.
    pub fn new(init: &mut Init, channels: &[usize], width: usize) -> Self {
        let laterals = channels.iter().map(|&channels| ConvNorm::new(init, channels, width, 1, 1)).collect();
        let smooth = channels.iter().map(|_| ConvNorm::new(init, width, width, 3, 1)).collect();
        Self { laterals, smooth, channels: channels.to_vec(), width }
    }

    /// How it is built.
    pub fn config(&self) -> HeadConfig {
        HeadConfig::Fpn { channels: self.channels.clone(), width: self.width }
    }

    /// Maps `[batch, channels, h, w]`, the finest first, to as many of `width` channels.
    pub fn forward(&self, maps: Vec<Tensor<4>>, mode: Mode) -> Vec<Tensor<4>> {
        let mut coarser: Option<Tensor<4>> = None;
        let levels =
            maps.into_iter().zip(self.laterals.iter().zip(&self.smooth)).rev().map(|(map, (lateral, smooth))| {
                let own = lateral.forward(map, mode);
                let sum = match coarser.take() {
                    Some(coarser) => {
                        let [_, _, height, width] = own.dims();
                        own + scaled_to(coarser, [height, width])
                    }
                    None => own,
                };
                coarser = Some(sum.clone());
                smooth.forward(sum, mode)
            });
        let mut levels: Vec<Tensor<4>> = levels.collect();
        levels.reverse();
        levels
    }
}

/// Each place becomes those nearest to it.
fn scaled_to(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_sees_what_the_coarser_ones_see_and_no_finer_one() {
        let device = crate::nn::device("cpu").unwrap();
        let fpn = Fpn::new(&mut Init::new(0, &device), &[4, 6, 8], 16);
        let map =
            |channels: usize, size: usize, value: f32| Tensor::<4>::zeros([1, channels, size, size], &device) + value;
        let levels = |values: [f32; 3]| {
            let [fine, middle, coarse] = values;
            fpn.forward(vec![map(4, 9, fine), map(6, 5, middle), map(8, 3, coarse)], Mode::Eval)
        };
        let before = levels([1.0, 1.0, 1.0]);
        assert_eq!(
            before.iter().map(|level| level.dims()).collect::<Vec<_>>(),
            [[1, 16, 9, 9], [1, 16, 5, 5], [1, 16, 3, 3]]
        );
        let changed = |values: [f32; 3]| -> Vec<bool> {
            let off = |(a, b): (Tensor<4>, &Tensor<4>)| (a - b.clone()).abs().max().into_scalar::<f32>() > 1e-3;
            levels(values).into_iter().zip(&before).map(off).collect()
        };
        assert_eq!(changed([2.0, 1.0, 1.0]), [true, false, false]);
        assert_eq!(changed([1.0, 2.0, 1.0]), [true, true, false]);
        assert_eq!(changed([1.0, 1.0, 2.0]), [true, true, true]);
    }
}
