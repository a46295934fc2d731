//! `pretext-bench-speedrun [--json]`: the time that SimCLR takes until its features are as good as those of lightly's after 10
//! epochs, judged by kNN on validation; 10,000 images of CIFAR-10, the narrow ResNet, three seeds, interleaved. Once with lightly's
//! own settings and once with all that makes ours faster, both fixed here beforehand (LOG.md says what else was tried, on validation).
//! Started by `cargo xtask bench speedrun`, which prepares lightly; takes half an hour.

#[path = "../methods/stage.rs"]
mod stage;

use anyhow::{Context, Result};
use pretext_benches::Peer;
use pretext_stages::data::{Dataset, Split};
use pretext_stages::features::{FeatureSet, SplitFeatures};
use pretext_stages::nn::ops;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;

const SEEDS: u64 = 3;
const THREADS: usize = 2;
const BATCH: usize = 128;
/// Of what is as good, the mean of three seeds may be so much less: two standard errors of the difference, at .7 points from seed to
/// seed.
const TWO_ERRORS: f64 = 0.011;

/// How ours trains.
struct Way {
    figure: &'static str,
    title: &'static str,
    views: (&'static str, Value),
    settings: Value,
    /// By how much its mean accuracy may be short of lightly's.
    short_by: f64,
}

/// Lightly's settings, one by one: what is left is the number format, which the title says.
fn equal() -> Way {
    Way {
        figure: "speedrun_equal",
        title: "equal settings",
        views: ("augment/simclr", json!({ "jitter_strength": 1.0 })),
        settings: json!({ "epochs": 10, "batch": BATCH, "encoder": { "kind": "resnet20", "init": "pytorch" }, "temperature": 0.5,
            "optimiser": { "lr": 0.06, "momentum": 0.9, "weight_decay": 5e-4 } }),
        short_by: TWO_ERRORS,
    }
}

/// Small views, a low temperature, a high rate that is warmed up to, and so fewer epochs.
fn everything_allowed() -> Way {
    Way {
        figure: "speedrun",
        title: "everything allowed",
        views: (
            "augment/multicrop",
            json!({ "global_size": 16, "global_scale": [0.2, 1], "local_views": 0, "jitter_strength": 0.5, "blur": 0 }),
        ),
        settings: json!({ "epochs": 2, "batch": BATCH, "encoder": { "kind": "resnet20" }, "temperature": 0.1,
            "optimiser": { "lr": 0.25, "nesterov": true, "warmup_epochs": 0.5 } }),
        short_by: 0.0,
    }
}

fn main() -> Result<()> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let folder = tempfile::tempdir()?;
    let split = json!({ "train": 10_000, "validation": 5_000 });
    stage::run("data/cifar10", split, &[], folder.path())?;
    let photographs = folder.path().join("out/dataset");
    let (batch, threads) = (BATCH.to_string(), THREADS.to_string());
    let place = photographs.to_str().context("a path in UTF-8")?;
    let mut peer = Peer::start("speedrun.py", &[place, &batch, &threads])?;
    let ways = [equal(), everything_allowed()];
    introduce(&ways);
    let mut rounds: Vec<Round> = vec![];
    for seed in 0..SEEDS {
        let ours = [train(&ways[0], &photographs, seed)?, train(&ways[1], &photographs, seed)?];
        let theirs = theirs(&mut peer, &photographs)?;
        let side = |outcome: &Outcome| format!("{:>9.1} {:>6.1}", outcome.seconds, 100.0 * outcome.accuracy);
        println!("{seed:<6} {}   {}   {}", side(&ours[0]), side(&ours[1]), side(&theirs));
        rounds.push(Round { ours, theirs });
    }
    let mut figures = Map::new();
    for (number, way) in ways.iter().enumerate() {
        match judged(&rounds, number, way.short_by) {
            Ok(ratio) => {
                println!("{}: {ratio:.2} times as fast, median of the seeds", way.title);
                figures.insert(way.figure.into(), ratio.into());
            }
            Err(reason) => println!("{}: {reason}: no ratio would say anything", way.title),
        }
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", Value::Object(figures));
    }
    Ok(())
}

fn introduce(ways: &[Way; 2]) {
    println!(
        "SimCLR on 10,000 images of CIFAR-10, narrow ResNet, {THREADS} threads: seconds of training and kNN accuracy on validation"
    );
    println!("lightly: 10 epochs, its own defaults without blur, float32, PyTorch's first weights");
    for Way { title, views: (kind, with), settings, .. } in ways {
        println!("{title}: {}, {kind} {with}, {settings}", precision());
    }
    println!("{:<6} {:>16}   {:>16}   {:>16}", "seed", ways[0].title, ways[1].title, "lightly");
}

fn precision() -> &'static str {
    if ops::has_fast_bfloat16("cpu") { "bfloat16" } else { "float32" }
}

struct Round {
    /// One of each way.
    ours: [Outcome; 2],
    theirs: Outcome,
}

/// How many times as long theirs took, in the median; an error where ours is not as good.
fn judged(rounds: &[Round], number: usize, short_by: f64) -> Result<f64, String> {
    let mean = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).sum::<f64>() / rounds.len() as f64;
    let (ours, theirs) = (mean(&|round| round.ours[number].accuracy), mean(&|round| round.theirs.accuracy));
    if ours < theirs - short_by {
        return Err(format!("its accuracy of {:.1} is short of lightly's {:.1}", 100.0 * ours, 100.0 * theirs));
    }
    let mut ratios: Vec<f64> = rounds.iter().map(|round| round.theirs.seconds / round.ours[number].seconds).collect();
    ratios.sort_by(f64::total_cmp);
    Ok(ratios[ratios.len() / 2])
}

struct Outcome {
    seconds: f64,
    /// Of kNN on validation.
    accuracy: f64,
}

fn train(way: &Way, photographs: &Path, seed: u64) -> Result<Outcome> {
    let (views, place, features) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    stage::run(way.views.0, way.views.1.clone(), &[], views.path())?;
    let mut settings = way.settings.clone();
    for (name, value) in [("precision", json!(precision())), ("online_knn", json!(0)), ("seed", json!(seed))] {
        settings[name] = value;
    }
    let started = Instant::now();
    let inputs = [("data", photographs), ("views", &views.path().join("out/views"))];
    stage::run("pretrain/simclr", settings, &inputs, place.path())?;
    let seconds = started.elapsed().as_secs_f64();
    let encoder = place.path().join("out/encoder");
    stage::run("features", json!({}), &[("data", photographs), ("encoder", &encoder)], features.path())?;
    Ok(Outcome { seconds, accuracy: accuracy(&features.path().join("out/features"))? })
}

/// Judged by the same kNN as ours.
fn theirs(peer: &mut Peer, photographs: &Path) -> Result<Outcome> {
    let seconds = peer.measure()?;
    let data = Dataset::open(photographs)?;
    let split = |split: Split| -> Result<SplitFeatures> {
        let bytes = std::fs::read(photographs.join(format!("theirs/{}.features", split.name())))?;
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(SplitFeatures {
            values,
            labels: data.labels(split).to_vec(),
            ids: data.rows(split).map(|row| row as u32).collect(),
        })
    };
    let (train, validation) = (split(Split::Train)?, split(Split::Validation)?);
    let features = train.values.len() / train.labels.len();
    // Nobody looks at a test split here; kNN wants one.
    let splits = [(Split::Train, train), (Split::Test, validation.clone()), (Split::Validation, validation)].into();
    let place = tempfile::tempdir()?;
    FeatureSet { features, classes: data.manifest.classes.len(), splits }.save(place.path())?;
    Ok(Outcome { seconds, accuracy: accuracy(place.path())? })
}

fn accuracy(features: &Path) -> Result<f64> {
    let place = tempfile::tempdir()?;
    let measured = stage::run("eval/knn", json!({}), &[("features", features)], place.path())?;
    let found = measured.iter().find(|m| m.name == "accuracy" && m.split == "validation");
    Ok(found.context("kNN measures accuracy on validation")?.value)
}
