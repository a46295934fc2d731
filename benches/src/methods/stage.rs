//! Stages as the worker runs them, without a worker.

use anyhow::{Context as _, Result};
use pretext_protocol::{Measurement, Reply, Resources, Run};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Outbox};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Keeps what is measured.
#[derive(Default)]
struct Measurements(Mutex<Vec<Measurement>>);

impl Outbox for Measurements {
    fn send(&self, reply: &Reply) {
        if let Reply::Measure { measurement, .. } = reply {
            self.0.lock().expect("nobody panics with it").push(measurement.clone());
        }
    }
}

/// Runs a kind in `place`, with its defaults but for `params`, on as many threads as libtorch has. Gives what it measured.
pub fn run(kind: &str, params: &Value, inputs: &[(&str, &Path)], place: &Path) -> Result<Vec<Measurement>> {
    let entry = catalog::find(kind).with_context(|| format!("no kind {kind}"))?;
    let mut all = defaults(&(entry.kind)().params);
    lay_over(&mut all, params);
    let Value::Object(params) = all else { unreachable!("parameters are a map") };
    let part = |name: &str| -> Result<PathBuf> {
        let part = place.join(name);
        std::fs::create_dir_all(&part)?;
        Ok(part)
    };
    let run = Run {
        id: 1,
        kind: kind.into(),
        params,
        inputs: inputs.iter().map(|(port, artifact)| ((*port).to_owned(), (*artifact).to_owned())).collect(),
        out: part("out")?,
        side: part("side")?,
        scratch: part("scratch")?,
        resume: None,
        cache: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.pretext/cache"),
        resources: Resources { threads: tch::get_num_threads() as usize, device: "cpu".into() },
    };
    let outbox = Measurements::default();
    (entry.run)(&run.params, &Context::new(&run, &outbox, &|| false)?)?;
    Ok(outbox.0.into_inner().expect("nobody panicked with it"))
}

fn defaults(schema: &Value) -> Value {
    match schema["properties"].as_object() {
        Some(properties) => properties.iter().map(|(name, property)| (name.clone(), defaults(property))).collect(),
        None => schema["default"].clone(),
    }
}

fn lay_over(all: &mut Value, over: &Value) {
    match (all.as_object_mut(), over.as_object()) {
        (Some(all), Some(over)) => over.iter().for_each(|(name, value)| lay_over(&mut all[name.as_str()], value)),
        _ => *all = over.clone(),
    }
}
