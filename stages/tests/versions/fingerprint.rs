//! What a kind yields at tiny size, in a few numbers.

use pretext_protocol::Measurement;
use pretext_stages::data::npy;
use pretext_stages::nn::state;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// How far numbers of the same version may lie apart, relative to their size (an element of a tensor: to the root mean
/// square of the tensor, or [`SMALL`]). libtorch and oneDNN choose their kernels by the processor, and these sum in
/// different orders. Between AVX2 and AVX-512 that comes to 1e-6 here, down to plain SSE4.1 to 3e-6, and to 2e-5 where
/// the input of a ReLU lies so near 0 that it falls on the other side. What a person changes is larger: 1 % more learning
/// rate moves every kind that trains by 4e-4 or more, 1 % more temperature SimCLR by 1e-2.
pub const ROUNDING: f64 = 2e-4;

/// Elements that are smaller than this in the mean count as if they were not: biases start at 0, and what four steps have
/// made of them is a difference of large sums.
const SMALL: f64 = 0.1;

/// One thing that a kind yields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fact {
    Tensor(Tensor),
    /// Bytes that do not depend on rounding: their number and blake3 digest.
    Bytes(String),
    Json(Value),
    /// `None`: not a number, of what is not there.
    Measured(Option<f64>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    shape: Vec<usize>,
    mean: f64,
    /// Euclidean length.
    norm: f64,
    /// Four elements, from the first to the last.
    at: Vec<f64>,
}

/// Every fact by its name: `encoder/weights.safetensors norm.weight`.
pub type Fingerprint = BTreeMap<String, Fact>;

/// Of everything under `out`, and of what was measured.
pub fn of(out: &Path, measurements: &[Measurement]) -> Fingerprint {
    let mut facts = Fingerprint::new();
    add_folder(&mut facts, out, "");
    for Measurement { name, split, value } in measurements {
        facts.insert(
            format!("{name} {split}").trim_end().to_owned(),
            Fact::Measured((!value.is_nan()).then(|| short(*value))),
        );
    }
    facts
}

/// What of `new` is not what `old` has, one line each; empty when rounding accounts for all of it.
pub fn differences(old: &Fingerprint, new: &Fingerprint) -> Vec<String> {
    let mut found = vec![];
    for (name, fact) in new {
        match old.get(name) {
            None => found.push(format!("{name} is new")),
            Some(before) => found.extend(fact.difference(before).map(|difference| format!("{name}: {difference}"))),
        }
    }
    found.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("{name} is gone")));
    found
}

fn add_folder(facts: &mut Fingerprint, folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        match path.extension().and_then(|extension| extension.to_str()) {
            // Which box wins is chosen by rounding where two are as sure; the weights that find them are looked at.
            _ if path.is_dir() && name == "predictions" => {}
            _ if path.is_dir() => add_folder(facts, &path, &format!("{name}/")),
            Some("safetensors") => facts.extend(state::load(&path).unwrap().into_iter().map(|(tensor, content)| {
                let shape = content.size().iter().map(|&n| n as usize).collect();
                let values = Vec::<f32>::try_from(&content.flatten(0, -1)).unwrap();
                (format!("{name} {tensor}"), Fact::Tensor(Tensor::of(shape, &values)))
            })),
            Some("npy") if name.ends_with("features.npy") => {
                let (shape, values) = npy::read::<f32>(&path).unwrap();
                facts.insert(name, Fact::Tensor(Tensor::of(shape, &values)));
            }
            Some("json") => {
                let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                facts.insert(name, Fact::Json(value));
            }
            _ => {
                let bytes = std::fs::read(&path).unwrap();
                let digest = blake3::hash(&bytes).to_hex();
                facts.insert(name, Fact::Bytes(format!("{} {}", bytes.len(), &digest[..16])));
            }
        }
    }
}

impl Fact {
    fn difference(&self, old: &Fact) -> Option<String> {
        match (self, old) {
            (Self::Tensor(new), Self::Tensor(old)) => new.difference(old),
            (Self::Measured(Some(new)), Self::Measured(Some(old))) => {
                (!close(*new, *old, old.abs())).then(|| change(new, old))
            }
            (Self::Json(new), Self::Json(old)) => (!alike(new, old)).then(|| change(new, old)),
            _ => (self != old).then(|| format!("{self:?} in place of {old:?}")),
        }
    }
}

impl Tensor {
    pub fn of(shape: Vec<usize>, values: &[f32]) -> Self {
        let (sum, squares) = values.iter().map(|&v| f64::from(v)).fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        assert!(f64::is_finite(squares), "a tensor of shape {shape:?} holds numbers that are none");
        let last = values.len() - 1;
        let at = [0, last / 3, last * 2 / 3, last].map(|place| short(f64::from(values[place])));
        Self { shape, mean: short(sum / values.len() as f64), norm: short(squares.sqrt()), at: at.to_vec() }
    }

    /// The first thing that is not as it was.
    fn difference(&self, old: &Self) -> Option<String> {
        if self.shape != old.shape {
            return Some(format!("has the shape {:?} in place of {:?}", self.shape, old.shape));
        }
        let elements = old.shape.iter().product::<usize>() as f64;
        let size = (old.norm / elements.sqrt()).max(SMALL);
        let numbers = |tensor: &Self| [tensor.mean].into_iter().chain(tensor.at.clone()).collect::<Vec<_>>();
        let names = ["mean", "first element", "element at a third", "element at two thirds", "last element"];
        let places = names.into_iter().zip(numbers(self).into_iter().zip(numbers(old)));
        let scaled = places.map(|(name, pair)| (name, pair, size));
        let mut all = [("norm", (self.norm, old.norm), size * elements.sqrt())].into_iter().chain(scaled);
        all.find(|&(_, (new, old), scale)| !close(new, old, scale)).map(|(name, (new, old), scale)| {
            format!(
                "{name} {}, {:.0e} of its size; rounding accounts for {ROUNDING:.0e}",
                change(&new, &old),
                (new - old).abs() / scale
            )
        })
    }
}

/// JSON that is the same but for the rounding of its numbers.
fn alike(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Number(new), Value::Number(old)) => {
            let (new, old) = (new.as_f64().unwrap(), old.as_f64().unwrap());
            close(new, old, old.abs())
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| alike(new, old))
        }
        (Value::Object(new), Value::Object(old)) => {
            new.len() == old.len() && new.iter().all(|(name, new)| old.get(name).is_some_and(|old| alike(new, old)))
        }
        _ => new == old,
    }
}

/// Not-a-number is close to nothing.
fn close(new: f64, old: f64, scale: f64) -> bool {
    (new - old).abs() <= ROUNDING * scale + 1e-12
}

fn change(new: &impl std::fmt::Display, old: &impl std::fmt::Display) -> String {
    format!("{new} in place of {old}")
}

/// Seven digits: more than the tolerance looks at.
fn short(value: f64) -> f64 {
    format!("{value:.6e}").parse().expect("a number that was written as one")
}
