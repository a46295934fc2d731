//! Weights of other libraries: read from their files, put into our networks, checked by what these then make of images, and written
//! under their names.

mod check;
mod matching;
mod read;
mod sets;

pub use check::{check_features, features_of};
pub use matching::{Allowed, Found, put_into};
pub use read::{Tensors, read, read_with_normal};
pub use sets::{IMAGENET, Set, WeightSet};

use crate::nn::encoder::{Encoder, Library};
use crate::nn::state;
use anyhow::{Context, Result};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a file of ours says beside its tensors. One key, since a map of several would be written in any order.
const NORMAL: &str = "pretext";

#[derive(Serialize, Deserialize)]
struct Normal {
    mean: Vec<f32>,
    sd: Vec<f32>,
}

/// What the bytes of a file say of it, if they are what [`export`] wrote.
fn normal_of(bytes: &[u8]) -> Option<[Vec<f32>; 2]> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let Normal { mean, sd } = serde_json::from_str(header.metadata().as_ref()?.get(NORMAL)?).ok()?;
    Some([mean, sd])
}

/// Writes an encoder's tensors as safetensors, under a library's names, with the mean and standard deviation that each channel of its
/// images is normalised by.
pub fn export(encoder: &Encoder, library: Library, normal: [&[f32]; 2], path: &Path) -> Result<()> {
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
    let [mean, sd] = normal;
    let normal = serde_json::to_string(&Normal { mean: mean.to_vec(), sd: sd.to_vec() })?;
    state::save_with(path, &named.collect::<Result<Vec<_>>>()?, Some((NORMAL, normal)))
}
