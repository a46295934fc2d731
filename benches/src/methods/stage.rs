//! Stages as the worker runs them, without a worker.

use anyhow::{Context as _, Result, bail};
use pretext_protocol::{Measurement, Reply, Run};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Outbox};
use serde_json::Value;
use std::path::Path;
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
pub fn run(kind: &str, params: Value, inputs: &[(&str, &Path)], place: &Path) -> Result<Vec<Measurement>> {
    let entry = catalog::find(kind).with_context(|| format!("no kind {kind}"))?;
    // What is left out has its default: parameters are structs that say so.
    let Value::Object(params) = params else { bail!("parameters are a map") };
    let mut run = Run::in_folder(kind, params, inputs, place)?;
    run.cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.pretext/cache");
    run.resources.threads = tch::get_num_threads() as usize;
    let outbox = Measurements::default();
    (entry.run)(&run.params, &Context::new(&run, &outbox, &|| false)?)?;
    Ok(outbox.0.into_inner().expect("nobody panicked with it"))
}
