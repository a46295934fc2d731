//! Weights of other libraries: read from their files, put into our networks, checked by what these then make of images, and written
//! under their names.

mod check;
mod matching;
mod read;
mod sets;

pub use check::{check_features, features_of};
pub use matching::{Allowed, Found, put_into};
pub use read::read;
pub use sets::{IMAGENET, Set, WeightSet};

use crate::nn::encoder::{Encoder, Library};
use crate::nn::state;
use anyhow::{Context, Result};
use std::path::Path;

/// Writes an encoder's tensors as safetensors, under a library's names.
pub fn export(encoder: &Encoder, library: Library, path: &Path) -> Result<()> {
    let named = state::named(encoder).into_iter().map(|(ours, tensor)| {
        let theirs = encoder.name_in(library, &ours);
        let theirs = theirs.with_context(|| {
            let others = Library::ALL.into_iter().filter(|&other| encoder.name_in(other, &ours).is_some());
            let others: Vec<&str> = others.map(Library::name).collect();
            format!("{} has no such encoder: write `names: {}`", library.name(), others.join("` or `names: "))
        })?;
        let shape = encoder.shape_in(library, &ours, &tensor.size());
        Ok((theirs, tensor.reshape(shape)))
    });
    state::save(path, &named.collect::<Result<Vec<_>>>()?)
}
