//! Images as patches, of which some are masked: what methods that restore them have in common (He et al. 2021, arXiv:2111.06377, section 3).

use crate::augment::{Operation, Policy};
use crate::train::{OptimiserConfig, OptimiserKind};
use burn::tensor::Tensor;

/// That they are trained by unless a recipe says otherwise.
pub fn optimiser() -> OptimiserConfig {
    OptimiserConfig { kind: OptimiserKind::Adamw, beta2: 0.95, warmup_epochs: 1.0, ..OptimiserConfig::default() }
}

/// Their views unless some are connected: crops of this share of the area at least, and flips.
pub fn crops_and_flips(least: f32) -> Policy {
    Policy::Operations(vec![
        Operation::RandomResizedCrop { scale: [least, 1.0], ratio: [0.75, 4.0 / 3.0], size: None },
        Operation::HorizontalFlip { p: 0.5 },
    ])
}

/// How many of an image's patches are seen.
pub fn kept(patches: usize, mask_ratio: f64) -> usize {
    patches - (mask_ratio * patches as f64).round() as usize
}

/// Mean squared error of patches that are masked: of each its mean over the values, of these the mean over the masked patches.
///
/// `restored` is `[batch, patches, values]`, `images` `[batch, channels, height, width]`, from whose patches of `patch` x `patch` pixels it
/// is told; each is normalised before. `masked` is `[batch, patches]`: 1 where a patch counts, else 0.
pub fn masked_patch_error(restored: Tensor<3>, images: Tensor<4>, masked: Tensor<2>, patch: usize) -> Tensor<1> {
    let [target, ..] = normalised(patches(images, patch));
    let errors = (restored - target).square().mean_dim(2).squeeze_dim::<2>(2); // [batch, patches]
    (errors * masked.clone()).sum() / masked.sum()
}

/// What is added to a patch's variance.
const EPS: f64 = 1e-6;

/// Patches `[batch, patches, values]` with mean 0 and (unbiased) variance 1; and their means and deviations, `[batch, patches, 1]`.
fn normalised(patches: Tensor<3>) -> [Tensor<3>; 3] {
    let (variance, mean) = patches.clone().var_mean(2);
    let sd = variance.add_scalar(EPS).sqrt();
    [(patches - mean.clone()) / sd.clone(), mean, sd]
}

/// Images `[batch, channels, height, width]` to `[batch, patches, values]`: patches row by row, and in each its pixels row by row, with
/// their channels.
pub fn patches(images: Tensor<4>, patch: usize) -> Tensor<3> {
    let [batch, channels, height, width] = images.dims();
    let [rows, columns] = [height, width].map(|side| side / patch);
    let parts = images.reshape([batch, channels, rows, patch, columns, patch]).permute([0, 2, 4, 3, 5, 1]);
    parts.reshape([batch, rows * columns, patch * patch * channels])
}

/// The way back.
pub fn from_patches(patches: Tensor<3>, [channels, height, width]: [usize; 3], patch: usize) -> Tensor<4> {
    let batch = patches.dims()[0];
    let [rows, columns] = [height, width].map(|side| side / patch);
    let parts = patches.reshape([batch, rows, columns, patch, patch, channels]).permute([0, 5, 1, 3, 2, 4]);
    parts.reshape([batch, channels, height, width])
}

/// Columns that show a person images `[batch, channels, height, width]`, what is seen of them, and what is `restored`, `[batch, patches,
/// values]`, to which the true mean and deviation of each patch are given back. `masked` is `[batch, patches]`, as above.
pub fn columns(images: Tensor<4>, restored: Tensor<3>, masked: Tensor<2>, patch: usize) -> Vec<Tensor<4>> {
    let [_, channels, height, width] = images.dims();
    let whole = patches(images.clone(), patch);
    let [_, mean, sd] = normalised(whole.clone());
    let masked = masked.unsqueeze_dim::<3>(2); // [batch, patches, 1]
    let seen = whole * masked.clone().neg().add_scalar(1.0);
    let restored = seen.clone() + (restored * sd + mean) * masked;
    let image = |values| from_patches(values, [channels, height, width], patch);
    vec![images, image(seen), image(restored)]
}
