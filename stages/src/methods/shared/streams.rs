//! What a loss draws of each image of a batch, by (seed, purpose, step, image): the same after a resume, and whatever the batch's order.

use crate::nn::ops::Staging;
use crate::random::{Purpose, Rng};
use crate::train::At;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

/// The stream of an image's draws in a step.
pub fn of_image(at: &At, purpose: Purpose, image: u32) -> Rng {
    Rng::new(at.seed, purpose, &[at.step as u64, u64::from(image)])
}

/// `[batch, channels, height, width]`, channels last, of which `draw` fills each image's part, `[height, width, channels]`.
pub fn of_each(
    at: &At,
    purpose: Purpose,
    images: &[u32],
    [channels, height, width]: [usize; 3],
    device: &Device,
    draw: impl Fn(&mut Rng, &mut [f32]) + Sync,
) -> Tensor<4> {
    let mut staging = Staging::<f32>::new([images.len(), height, width, channels], device);
    let parts = staging.values().par_chunks_mut(channels * height * width);
    parts.zip(images).for_each(|(part, &image)| draw(&mut of_image(at, purpose, image), part));
    staging.into_tensor()
}

/// Standard normal, `[batch, numbers]`.
pub fn normal(at: &At, images: &[u32], numbers: usize, device: &Device) -> Tensor<2> {
    let fill = |rng: &mut Rng, part: &mut [f32]| part.fill_with(|| rng.normal());
    of_each(at, Purpose::Noise, images, [numbers, 1, 1], device, fill).reshape([images.len(), numbers])
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { seed: 1, step: 7, steps: 9, epoch: 0, epochs: 1, turn: 0 };

    fn rows(at: &At, images: &[u32]) -> Vec<Vec<f32>> {
        let drawn = normal(at, images, 5, &crate::nn::device("cpu").unwrap());
        drawn.into_data().try_to_vec::<f32>().unwrap().chunks(5).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn an_image_has_its_own_draws_in_any_order_of_the_batch() {
        let rows_of = rows(&AT, &[3, 900, 4]);
        assert_eq!(rows(&AT, &[4, 3]), [rows_of[2].clone(), rows_of[0].clone()]);
        assert_ne!(rows_of[0], rows_of[1]);
        assert_ne!(rows(&At { step: 8, ..AT }, &[3])[0], rows_of[0]);
        assert_ne!(rows(&At { seed: 2, ..AT }, &[3])[0], rows_of[0]);
    }
}
