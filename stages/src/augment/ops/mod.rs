//! Image operations, as torchvision.transforms.v2.functional defines them on floats in [0, 1]. The loader runs these and
//! no others.

mod affine;
mod colour;
mod filter;
mod histogram;
mod place;
mod resize;

pub use affine::{rotate, shear};
pub use colour::{brightness, contrast, grayscale, hue, posterize, saturation, solarize};
pub use filter::{gaussian_blur, sharpness};
pub use histogram::{autocontrast, equalize};
pub use place::{Crop, erase, horizontal_flip, rot90, shift};
pub use resize::{Size, resize, resized_crop, resized_crop_of};
