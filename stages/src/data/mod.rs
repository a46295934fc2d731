//! Data sets: one file per format, and the artifact that they all become.

mod annotated;
mod arrays;
mod cifar10;
mod cifar100;
mod coco;
mod dataset;
mod drawn;
mod faults;
mod fetched;
mod folder;
mod masks;
mod mnist;
pub mod npy;
pub mod palette;
pub mod pictures;
mod samples;
mod sources;
mod split;
mod stl10;
mod summary;
mod voc;
mod writer;

pub use arrays::Arrays;
pub use cifar10::Cifar10;
pub use cifar100::Cifar100;
pub use coco::Coco;
pub use dataset::{Dataset, Encoded, Labels, Manifest, Region, Split, column};
pub use folder::Folder;
pub use masks::Masks;
pub use mnist::{FashionMnist, Mnist};
pub use samples::coloured;
pub use sources::{Source, first_that_works};
pub use split::keep;
pub use stl10::Stl10;
pub use voc::Voc;
pub use writer::{DatasetWriter, Format, Pixels, Sample, Summed};

/// The kinds that fetch their data, and from where, in the order in which it is tried.
pub const FETCHED: [(&str, &[Source]); 5] = [
    ("data/cifar10", cifar10::CIFAR10.sources),
    ("data/cifar100", cifar100::CIFAR100.sources),
    ("data/mnist", mnist::MNIST.sources),
    ("data/fashion_mnist", mnist::FASHION.sources),
    ("data/stl10", stl10::STL10.sources),
];

/// A number with commas: `60,000`.
fn grouped(number: usize) -> String {
    match number {
        ..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
