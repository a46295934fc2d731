//! `pretext-bench-views [--json]`: views a second beside torchvision, interleaved; prints a table, and with `--json` one
//! object of figures. Started by `cargo xtask bench views`, which prepares torchvision.

mod files;
mod imagenet;
mod single;
#[path = "../methods/stage.rs"]
mod stage;

use pretext_benches::{Beside, Peer, in_turns};
use pretext_stages::augment::Policy;
use pretext_stages::nn::ops;
use serde_json::{Map, Value, json};
use std::path::Path;

const ROUNDS: usize = 7;
/// Of CIFAR-10's channels.
const MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
const SD: [f32; 3] = [0.2470, 0.2435, 0.2616];

fn main() -> anyhow::Result<()> {
    // As the worker does.
    ops::tune_allocator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-views");
    let argument = folder.to_str().expect("a path in UTF-8");
    let mut figures = Map::new();
    println!("views per second, medians of {ROUNDS} interleaved rounds");
    println!("{:<34} {:>10} {:>12} {:>8}", "views", "pretext", "torchvision", "ratio");
    for (case, words) in [
        ("tensor", "32x32, one core, tensors"),
        ("pil", "32x32, one core, PIL"),
        ("jpeg", "96x96 from JPEG files, all cores"),
        ("imagenet", "224x224 from 20,000 JPEGs, all cores"),
    ] {
        // It makes the images as well.
        let mut theirs = [Peer::start("views.py", &[case, argument])?];
        theirs[0].measure()?;
        let ours: Box<dyn FnMut() -> anyhow::Result<f64>> = match case {
            "jpeg" => Box::new(files::measure(&folder.join("jpeg"))?),
            "imagenet" => Box::new(imagenet::measure(&folder.join("imagenet"))?),
            _ => Box::new(single::measure(&folder.join("small.rgb"))?),
        };
        let medians = in_turns(ROUNDS, ours, &mut theirs)?;
        let Beside { theirs, ratio } = medians.peers[0];
        println!("{words:<34} {:>10.0} {theirs:>12.0} {ratio:>8.2}", medians.ours);
        figures.insert(format!("views_{case}"), ratio.into());
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", Value::Object(figures));
    }
    Ok(())
}

/// SimCLR's views as `augment/simclr` makes them by default, but for `size` and the blur's probability.
fn simclr(size: usize, blur: f64) -> Policy {
    let policy = json!({ "operations": [
        { "op": "random_resized_crop", "scale": [0.08, 1.0], "ratio": [0.75, 4.0 / 3.0], "size": size },
        { "op": "horizontal_flip", "p": 0.5 },
        { "op": "color_jitter", "p": 0.8, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1 },
        { "op": "grayscale", "p": 0.2 },
        { "op": "gaussian_blur", "p": blur, "sigma": [0.1, 2.0] },
    ] });
    serde_json::from_value(policy).expect("a policy")
}
