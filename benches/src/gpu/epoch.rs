//! As many images as CIFAR-10 has, by SimCLR with its loader: who waits for whom.

use crate::kit::{self, Done, STORE};
use anyhow::{Context as _, Result};
use pretext_benches::training::device_name;
use serde_json::json;

const STAGE: &str = "epoch";

pub fn section() -> Result<()> {
    let changes = ["stages.epoch.with.epochs=1", "stages.epoch.with.encoder.kind=conv4"];
    let set = [kit::all_threads(STAGE), kit::on_processor(&changes)].concat();
    kit::succeed(&mut kit::run(STAGE, &device_name(), STORE, &set))?;
    let done = Done::newest(STORE, STAGE)?.provenance;
    let figure = |name: &str| done[name].as_f64().with_context(|| format!("the training has no {name}"));
    let (rate, waits) = (figure("images_per_second")?, figure("data_wait_share")?);
    println!("SimCLR with {} threads: {rate:.0} images a second", done["threads"]);
    println!("the network waits for images in {:.1} % of the time", 100.0 * waits);
    println!("{}", json!({ "images_per_second": rate, "data_wait_share": waits, "threads": done["threads"] }));
    Ok(())
}
