//! Images as patches, of which some are masked: what methods that restore them have in common (He et al. 2021, arXiv:2111.06377, section 3).

use burn::tensor::Tensor;

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
pub fn normalised(patches: Tensor<3>) -> [Tensor<3>; 3] {
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
