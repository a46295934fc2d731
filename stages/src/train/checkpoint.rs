//! What a training needs to go on as if it had never been interrupted.

use super::optimiser::Optimiser;
use crate::json;
use crate::nn::state::{self, Part};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const NETWORKS: &str = "networks.safetensors";
/// Where there are any.
const BUFFERS: &str = "buffers.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";
const POSITION: &str = "position.json";

/// Where a training is, beside its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps that are done.
    pub step: usize,
    /// Sum of the losses of the running epoch's steps, and of each of their terms.
    pub loss_sum: f64,
    pub term_sums: BTreeMap<String, f64>,
    /// Means of each whole epoch.
    pub losses: Vec<f64>,
    pub terms: Vec<BTreeMap<String, f64>>,
    /// Accuracy of the encoder after an epoch, counted from 1, where it was evaluated.
    #[serde(default)]
    pub knn: BTreeMap<usize, f64>,
    /// Seconds of training so far, all attempts together.
    pub seconds: f64,
}

impl Position {
    /// After an epoch of so many steps.
    pub fn end_epoch(&mut self, steps: usize) {
        self.losses.push(std::mem::take(&mut self.loss_sum) / steps as f64);
        let sums = std::mem::take(&mut self.term_sums).into_iter();
        self.terms.push(sums.map(|(name, sum)| (name, sum / steps as f64)).collect());
    }
}

/// Writes it into `folder`.
pub fn save(
    folder: &Path,
    networks: &dyn Part,
    buffers: &[(String, tch::Tensor)],
    optimiser: &[(String, tch::Tensor)],
    position: &Position,
) -> Result<()> {
    state::save(&folder.join(NETWORKS), &state::named(networks))?;
    if !buffers.is_empty() {
        state::save(&folder.join(BUFFERS), buffers)?;
    }
    state::save(&folder.join(OPTIMISER), optimiser)?;
    json::write(&folder.join(POSITION), position)
}

pub fn restore(
    folder: &Path,
    networks: &dyn Part,
    buffers: Vec<(String, tch::Tensor)>,
    optimisers: &mut [Optimiser],
) -> Result<Position> {
    let position: Position = json::read(&folder.join(POSITION))?;
    state::restore(networks, &state::load(&folder.join(NETWORKS))?)?;
    if !buffers.is_empty() {
        state::restore_named(buffers, &state::load(&folder.join(BUFFERS))?)?;
    }
    let saved = state::load(&folder.join(OPTIMISER))?;
    optimisers.iter_mut().try_for_each(|optimiser| optimiser.restore(&saved, position.step))?;
    Ok(position)
}
