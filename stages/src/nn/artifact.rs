//! The `encoder` artifact: `encoder.json` and, unless it is the identity, `weights.safetensors`.

use super::encoder::{Encoder, EncoderConfig};
use super::layers::Mode;
use super::{Init, state};
use crate::data::{Manifest, read_json, write_json};
use anyhow::{Context as _, Result};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;

const WEIGHTS: &str = "weights.safetensors";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderArtifact {
    /// None: raw pixels.
    pub network: Option<EncoderConfig>,
    /// What its input is normalised with.
    pub mean: Vec<f32>,
    pub sd: Vec<f32>,
}

impl EncoderArtifact {
    pub fn new(network: Option<&EncoderConfig>, data: &Manifest) -> Self {
        Self { network: network.cloned(), mean: data.mean.clone(), sd: data.sd.clone() }
    }

    pub fn save(&self, encoder: Option<&Encoder>, folder: &Path) -> Result<()> {
        if let Some(encoder) = encoder {
            state::save(&folder.join(WEIGHTS), &state::named(encoder))?;
        }
        write_json(&folder.join("encoder.json"), self)
    }

    /// The trained encoder, to be trained further.
    pub fn open_to_train(folder: &Path, device: &Device) -> Result<(Self, Encoder)> {
        let artifact: Self = read_json(&folder.join("encoder.json"))?;
        let config = artifact
            .network
            .as_ref()
            .context("raw pixels have no weights to train: connect the encoder of another method")?;
        let encoder = config.build(&mut Init::new(0, &device.clone().autodiff()));
        state::restore(&encoder, &state::load(&folder.join(WEIGHTS))?)?;
        Ok((artifact, encoder))
    }

    /// The trained encoder, to be used and not to be trained.
    pub fn open(folder: &Path, device: &Device) -> Result<Frozen> {
        let artifact: Self = read_json(&folder.join("encoder.json"))?;
        let encoder = match &artifact.network {
            None => None,
            Some(config) => {
                let encoder = config.build(&mut Init::new(0, device)).valid();
                state::restore(&encoder, &state::load(&folder.join(WEIGHTS))?)?;
                Some(encoder)
            }
        };
        Ok(Frozen { artifact, encoder })
    }
}

/// An encoder for inference.
#[derive(Debug)]
pub struct Frozen {
    pub artifact: EncoderArtifact,
    encoder: Option<Encoder>,
}

impl Frozen {
    /// `[batch, 3, h, w]`, normalised, to `[batch, features]`; raw pixels for the identity.
    pub fn features(&self, x: Tensor<4>) -> Tensor<2> {
        match &self.encoder {
            Some(encoder) => encoder.forward(x, Mode::Eval),
            None => x.flatten(1, 3),
        }
    }
}
