//! Data sets: one file per format, and the artifact that they all become.

mod annotated;
mod arrays;
mod cifar10;
mod cifar100;
mod coco;
mod dataset;
mod drawn;
mod emoji;
mod faults;
mod fetched;
mod folder;
mod grid;
mod groups;
mod head_mri;
mod masks;
mod medmnist;
mod mnist;
mod mvtec;
mod nifti;
pub mod npy;
mod one_class;
pub mod palette;
pub mod pictures;
mod ragged;
pub mod samples;
mod scenes;
mod slices;
mod solar_cells;
mod sources;
mod split;
mod stl10;
mod summary;
mod textiles;
mod twice;
mod voc;
mod writer;

pub use self::nifti::Nifti;
pub use arrays::Arrays;
pub use cifar10::Cifar10;
pub use cifar100::Cifar100;
pub use coco::Coco;
pub use dataset::{Dataset, Labels, Manifest, Preparation, Region, Split, column};
pub use emoji::Emoji;
pub use folder::Folder;
pub use grid::draw_grid;
pub use head_mri::HeadMri;
pub use masks::Masks;
pub use medmnist::MedMnist;
pub use mnist::{FashionMnist, Mnist};
pub use mvtec::Mvtec;
pub use one_class::OneClass;
pub use samples::coloured;
pub use scenes::Scenes;
pub use solar_cells::SolarCells;
pub use sources::{Source, first_that_works};
pub use split::keep;
pub use stl10::Stl10;
pub use textiles::Textiles;
pub use voc::Voc;
pub use writer::{DatasetWriter, Format, Pixels, Sample, Summed};

/// The kinds that fetch their data, and from where, in the order in which it is tried; `data/emoji` from one by its style.
pub const FETCHED: [(&str, &[Source]); 9] = [
    ("data/cifar10", cifar10::CIFAR10.sources),
    ("data/cifar100", cifar100::CIFAR100.sources),
    ("data/mnist", mnist::MNIST.sources),
    ("data/fashion_mnist", mnist::FASHION.sources),
    ("data/stl10", stl10::STL10.sources),
    ("data/solar_cells", solar_cells::SOLAR_CELLS.sources),
    ("data/textiles", textiles::TEXTILES.sources),
    ("data/emoji", emoji::SOURCES),
    ("data/head_mri", head_mri::SOURCES),
];

/// A number with commas: `60,000`.
fn grouped(number: usize) -> String {
    match number {
        ..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
