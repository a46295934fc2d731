//! A case's parameters and arrays, and how results are compared.

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use libtest_mimic::Failed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

pub struct Case {
    pub name: String,
    params: Value,
    arrays: BTreeMap<String, Array>,
}

struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

pub fn load(folder: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(folder.join("cases.json")).context("cannot read cases.json")?;
    let described: BTreeMap<String, Value> = serde_json::from_str(&text)?;
    described
        .into_iter()
        .map(|(name, about)| {
            let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).with_context(|| name.clone())?;
            let file = safetensors::SafeTensors::deserialize(&bytes)?;
            let arrays = file.iter().map(|(key, view)| {
                let values = match view.dtype() {
                    safetensors::Dtype::F32 => {
                        view.data().as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
                    }
                    safetensors::Dtype::I64 => {
                        view.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()
                    }
                    safetensors::Dtype::U8 => view.data().iter().map(|&b| f64::from(b)).collect(),
                    other => anyhow::bail!("{name}: {key} is {other:?}"),
                };
                Ok((key.to_owned(), Array { shape: view.shape().to_vec(), values }))
            });
            Ok(Case { arrays: arrays.collect::<Result<_>>()?, params: about["params"].clone(), name })
        })
        .collect()
}

impl Case {
    pub fn param(&self, name: &str) -> f64 {
        self.params[name].as_f64().unwrap_or_else(|| panic!("{}: no parameter {name}", self.name))
    }

    pub fn json(&self, name: &str) -> &Value {
        &self.params[name]
    }

    fn array(&self, name: &str) -> &Array {
        self.arrays.get(name).unwrap_or_else(|| panic!("{}: no array {name}", self.name))
    }

    pub fn values(&self, name: &str) -> &[f64] {
        &self.array(name).values
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.array(name).shape
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.values(name).iter().map(|&v| v as f32).collect()
    }

    pub fn integers(&self, name: &str) -> Vec<i32> {
        self.values(name).iter().map(|&v| v as i32).collect()
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let shape: [usize; D] = self.shape(name).try_into().expect("the rank asked for");
        Tensor::from_data(TensorData::new(self.floats(name), shape), device)
    }

    /// Every entry within `tolerance` times the largest expected entry.
    pub fn expect(&self, name: &str, got: &[f64], tolerance: f64) -> Result<(), Failed> {
        let expected = self.values(name);
        if got.len() != expected.len() {
            return Err(format!("{name}: {} entries, expected {}", got.len(), expected.len()).into());
        }
        let scale = expected.iter().fold(0.0f64, |scale, v| scale.max(v.abs()));
        let worst = got
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |worst: f64, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) });
        if worst > tolerance * scale {
            return Err(format!(
                "{name}: off by {worst:e}, allowed {:e} ({tolerance:e} of {scale})",
                tolerance * scale
            )
            .into());
        }
        Ok(())
    }
}

/// The entries in logical order.
pub fn entries<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The processor, or the device that `PRETEXT_GOLDEN_DEVICE` names (`cuda:0`).
pub fn device() -> Device {
    let name = std::env::var("PRETEXT_GOLDEN_DEVICE").unwrap_or_else(|_| "cpu".into());
    pretext_stages::nn::device(&name).expect("the device that was asked for")
}
