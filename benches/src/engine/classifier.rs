//! Training speed beside PyTorch's channels-last: forward, backward, SGD step of a classifier, in images per second, and the
//! share of the machine's speed in products of matrices that this is.

use anyhow::Result;
use pretext_benches::training::{Task, Training, device_name, peak};
use pretext_benches::{Beside, Peer, in_turns};
use pretext_stages::nn::encoder::EncoderKind;
use pretext_stages::nn::{self, ops};
use serde_json::{Map, Value};

const THREADS: usize = 2;
const ROUNDS: usize = 7;

struct Case {
    /// Its figure's name.
    name: &'static str,
    /// The network's name in `engine.py`.
    network: &'static str,
    kind: EncoderKind,
    /// Pixels of an image's side.
    size: usize,
    batch: usize,
    /// Steps of a round.
    steps: usize,
    bfloat16: bool,
    /// Also beside PyTorch with our allocator settings, as `NAME_tuned`.
    tuned: bool,
}

const NARROW: Case = Case {
    name: "narrow",
    network: "narrow",
    kind: EncoderKind::Resnet20,
    size: 32,
    batch: 128,
    steps: 12,
    bfloat16: false,
    tuned: true,
};

const CASES: [Case; 5] = [
    NARROW,
    Case { name: "resnet18", network: "resnet18", kind: EncoderKind::Resnet18, batch: 64, steps: 4, ..NARROW },
    Case {
        name: "resnet50",
        network: "resnet50",
        kind: EncoderKind::Resnet50,
        size: 64,
        batch: 16,
        steps: 2,
        tuned: false,
        ..NARROW
    },
    Case { name: "vit_tiny", network: "vit_tiny", kind: EncoderKind::VitTiny, steps: 1, tuned: false, ..NARROW },
    Case { name: "narrow_bf16", bfloat16: true, tuned: false, ..NARROW },
];

/// Medians of per-round ratios, ours / PyTorch's. `only`: the figures whose names begin so.
pub fn run(only: &str) -> Result<Map<String, Value>> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    let mut figures = Map::new();
    println!(
        "images per second on {}, {THREADS} threads, medians of {ROUNDS} interleaved rounds; PyTorch in channels_last, \
         float32",
        device_name()
    );
    println!(
        "{:<12} {:>10} {:>9} {:>8} {:>10} {:>8} {:>16} {:>8}",
        "network", "pretext", "GFLOP/s", "of peak", "PyTorch", "ratio", "PyTorch tuned", "ratio"
    );
    for case in CASES.iter().filter(|case| case.name.starts_with(only)) {
        if case.bfloat16 && !ops::has_fast_bfloat16(&device_name()) {
            println!("{:<12} this device has no instructions for bfloat16", case.name);
            continue;
        }
        let Case { kind, size, batch, bfloat16, .. } = *case;
        let mut ours = Training::new(&Task { kind, size, batch, bfloat16 })?;
        let start = |settings: &[&str]| {
            let numbers = [case.batch, case.size, case.steps, THREADS].map(|n| n.to_string());
            let arguments: Vec<&str> = [case.network].into_iter().chain(numbers.iter().map(String::as_str)).collect();
            Peer::start("engine.py", &[&arguments, settings].concat())
        };
        let flops = start(&["flops"])?.measure()?;
        let mut peers = vec![start(&[])?];
        if case.tuned {
            peers.push(start(&["tuned"])?);
        }
        let images = (case.steps * case.batch) as f64;
        let medians = in_turns(ROUNDS, || Ok(images / ours.measure(case.steps).seconds), &mut peers)?;
        let (reached, peak) = (flops * medians.ours, peak(&nn::device(&device_name())?, case.bfloat16));
        let share = format!("{:.0} %", 100.0 * reached / peak);
        print!("{:<12} {:>10.0} {:>9.0} {share:>8}", case.name, medians.ours, reached / 1e9);
        figures.insert(format!("{}_share_of_peak", case.name), (reached / peak).into());
        for (Beside { theirs, ratio }, (suffix, width)) in medians.peers.iter().zip([("", 10), ("_tuned", 16)]) {
            print!(" {theirs:>width$.0} {ratio:>8.2}");
            figures.insert(format!("{}{suffix}", case.name), (*ratio).into());
        }
        println!();
    }
    Ok(figures)
}
