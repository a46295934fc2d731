//! That no training step waits for the GPU: every method, optimiser, kind of network and of what is tuned takes some, while libtorch ends a call that
//! waits with an error. The loader's thread copies meanwhile, and must not wait either.

use crate::kit::{self, STORE};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use pretext_benches::training::device_name;
use pretext_stages::nn::{self, ops};
use serde_json::json;
use std::panic::catch_unwind;

const STAGES: [&str; 7] = ["methods", "clustered", "optimisers", "networks", "tuned", "found", "segmented"];

pub fn section() -> Result<()> {
    let notices = !kit::on_gpu() || notices_a_wait()?;
    println!("a read of a value is noticed: {}", if kit::on_gpu() { notices.to_string() } else { "no GPU".into() });
    let mut failed = vec![];
    for stage in STAGES {
        let set = kit::on_processor(&["stages.networks.with.encoder.width=12"]);
        let mut run = kit::run(stage, &device_name(), STORE, &set);
        if kit::succeed(run.arg("--keep-going").env("PRETEXT_FORBID_WAITS", "1")).is_err() {
            failed.push(stage);
        }
    }
    println!("steps that wait: {}", if failed.is_empty() { "none".into() } else { failed.join(", ") });
    println!("{}", json!({ "noticed": kit::on_gpu().then_some(notices), "waiting": failed }));
    ensure!(notices && failed.is_empty(), "what waits is said above, by `called a synchronizing CUDA operation`");
    Ok(())
}

/// What is forbidden is seen when it is done: otherwise the rest says nothing.
fn notices_a_wait() -> Result<bool> {
    let value = Tensor::<1>::ones([1], &nn::device(&device_name())?);
    Ok(catch_unwind(|| ops::while_forbidden(|| value.into_scalar::<f32>())).is_err())
}
