use super::{Measured, THREADS, request, small_params};
use pretext_protocol::Measurement;
use pretext_stages::catalog;
use pretext_stages::context::Context;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A folder with a data set, `data`, and beside it what stages make of it, each in a folder of its name.
pub struct Place {
    root: tempfile::TempDir,
    epochs: u32,
}

impl Place {
    /// Trainings are so long unless they are told otherwise.
    pub fn of_epochs(epochs: u32) -> Self {
        tch::set_num_threads(THREADS as i32);
        Self { root: tempfile::tempdir().unwrap(), epochs }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The encoder that the stage of that name gives.
    pub fn encoder(&self, name: &str) -> PathBuf {
        self.at(name).join("out/encoder")
    }

    /// What a stage of a kind measures, with small parameters but for `change`, on the data set and what else is connected.
    pub fn run(
        &self,
        kind: &str,
        name: &str,
        change: Value,
        inputs: &[(&str, &Path)],
    ) -> anyhow::Result<Vec<Measurement>> {
        let entry = catalog::find(kind).unwrap();
        let mut params: Map<String, Value> = small_params(&entry, self.epochs, 32);
        params.extend(change.as_object().unwrap().clone());
        let data = self.at("data");
        let inputs: Vec<(&str, &Path)> = [("data", data.as_path())].into_iter().chain(inputs.iter().copied()).collect();
        let run = request(&entry, params, &self.at(name), &inputs);
        let measured = Measured::default();
        (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
        Ok(measured.0.into_inner().unwrap())
    }
}

/// What is measured once of test.
pub fn figure(measured: &[Measurement], name: &str) -> f64 {
    let all: Vec<f64> = measured.iter().filter(|m| m.name == name && m.split == "test").map(|m| m.value).collect();
    let [value] = all[..] else { panic!("{name} is measured {} times", all.len()) };
    value
}
