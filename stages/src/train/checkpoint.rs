//! What a training needs to go on as if it had never been interrupted.

use super::optimiser::Optimiser;
use crate::context::Context;
use crate::data::{read_json, write_json};
use crate::nn::state;
use anyhow::Result;
use burn::module::Module;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Where a training is, beside its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Steps that are done.
    pub step: usize,
    /// Sum of the losses of the running epoch's steps.
    pub loss_sum: f64,
    /// Mean loss of each whole epoch.
    pub losses: Vec<f64>,
    /// Seconds of training so far, all attempts together.
    pub seconds: f64,
}

pub fn save<M: Module>(context: &Context, model: &M, optimiser: &Optimiser, position: &Position) -> Result<()> {
    context.save_checkpoint(|folder| {
        state::save(&folder.join("model.safetensors"), &state::named(model))?;
        state::save(&folder.join("optimiser.safetensors"), &optimiser.state())?;
        write_json(&folder.join("position.json"), position)
    })
}

pub fn restore<M: Module>(folder: &Path, model: &M, optimiser: &mut Optimiser) -> Result<Position> {
    let position: Position = read_json(&folder.join("position.json"))?;
    state::restore(model, &state::load(&folder.join("model.safetensors"))?)?;
    optimiser.restore(&state::load(&folder.join("optimiser.safetensors"))?, position.step)?;
    Ok(position)
}
