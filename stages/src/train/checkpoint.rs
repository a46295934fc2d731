//! What a training needs to go on as if it had never been interrupted.

use super::Method;
use super::optimiser::Optimiser;
use crate::data::{read_json, write_json};
use crate::nn::state;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a method keeps beside its model, where it keeps anything.
const KEPT: &str = "kept.safetensors";

/// Where a training is, beside its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps that are done.
    pub step: usize,
    /// Sum of the losses of the running epoch's steps.
    pub loss_sum: f64,
    /// Mean loss of each whole epoch.
    pub losses: Vec<f64>,
    /// Accuracy of the encoder after an epoch, counted from 1, where it was judged.
    #[serde(default)]
    pub knn: BTreeMap<usize, f64>,
    /// Seconds of training so far, all attempts together.
    pub seconds: f64,
}

/// Writes it into `folder`.
pub fn save(folder: &Path, method: &impl Method, optimiser: &Optimiser, position: &Position) -> Result<()> {
    state::save(&folder.join("model.safetensors"), &state::named(method.model()))?;
    let kept = method.kept();
    if !kept.is_empty() {
        state::save(&folder.join(KEPT), &kept)?;
    }
    state::save(&folder.join("optimiser.safetensors"), &optimiser.state())?;
    write_json(&folder.join("position.json"), position)
}

pub fn restore(folder: &Path, method: &impl Method, optimiser: &mut Optimiser) -> Result<Position> {
    let position: Position = read_json(&folder.join("position.json"))?;
    state::restore(method.model(), &state::load(&folder.join("model.safetensors"))?)?;
    let kept = method.kept();
    if !kept.is_empty() {
        state::restore_named(kept, &state::load(&folder.join(KEPT))?)?;
    }
    optimiser.restore(&state::load(&folder.join("optimiser.safetensors"))?, position.step)?;
    Ok(position)
}
