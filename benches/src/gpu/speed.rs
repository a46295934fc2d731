//! Training speed beside PyTorch on the same device, from the same weights with the same images: the loss after 20 steps must
//! agree, so that both sides are known to do the same work.

use crate::kit::on_gpu;
use anyhow::{Result, ensure};
use pretext_benches::training::{Task, Training, device_name, peak};
use pretext_benches::{Medians, Peer, in_turns};
use pretext_stages::nn::encoder::EncoderKind;
use pretext_stages::nn::{self, ops};
use serde_json::{Map, Value, json};
use std::slice;

/// Steps after which losses are compared and the clock starts.
const WARM_UP: usize = 20;
const START: &str = "start.bin";

struct Network {
    name: &'static str,
    kind: EncoderKind,
    /// On a GPU.
    size: usize,
    batch: usize,
}

const NETWORKS: [Network; 3] = [
    Network { name: "resnet18", kind: EncoderKind::Resnet18, size: 32, batch: 512 },
    Network { name: "resnet50", kind: EncoderKind::Resnet50, size: 64, batch: 128 },
    Network { name: "vit_tiny", kind: EncoderKind::VitTiny, size: 32, batch: 512 },
];

struct Case<'a> {
    network: &'a Network,
    precision: &'static str,
    /// Of PyTorch's side.
    compiled: bool,
}

/// How far apart losses may be, of that of a guess.
fn tolerance(precision: &str) -> f64 {
    match precision {
        "float32" => 1e-3,
        "tf32" => 5e-3,
        _ => 3e-2,
    }
}

fn agree(ours: f64, theirs: f64, precision: &str) -> bool {
    (ours - theirs).abs() <= tolerance(precision) * std::f64::consts::LN_10
}

pub fn section() -> Result<()> {
    ops::tune_allocator();
    if !on_gpu() {
        tch::set_num_threads(1);
    }
    let mut peer = Peer::start("gpu.py", &[])?;
    let (mut figures, mut disagreeing) = (Map::new(), vec![]);
    println!(
        "{:<28} {:>9} {:>8} {:>8} {:>9} {:>6} {:>8} {:>8}",
        "images a second", "pretext", "of peak", "of calls", "PyTorch", "ratio", "loss", "PyTorch"
    );
    for case in cases() {
        let compiled = if case.compiled { ", compiled" } else { "" };
        let name = format!("{} {}{compiled}", case.network.name, case.precision);
        let measured = case.measure(&mut peer)?;
        println!("{}", measured.line(&name));
        if !agree(measured.losses[0], measured.losses[1], case.precision) {
            disagreeing.push(name.clone());
        }
        figures.insert(name, measured.figures());
        // After each: where time runs out, the last one counts.
        println!("{}", Value::Object(figures.clone()));
    }
    ensure!(disagreeing.is_empty(), "the losses do not agree: {}", disagreeing.join("; "));
    Ok(())
}

/// What takes longest, to be compiled, comes last.
fn cases() -> Vec<Case<'static>> {
    let bfloat16 = ops::has_fast_bfloat16(&device_name()).then_some("bfloat16");
    let precisions =
        ["float32"].into_iter().chain(on_gpu().then_some("tf32")).chain(bfloat16).map(|name| (name, false));
    let compiled = on_gpu().then_some(("bfloat16", true));
    let all = precisions.chain(compiled);
    all.flat_map(|(precision, compiled)| NETWORKS.iter().map(move |network| Case { network, precision, compiled }))
        .collect()
}

struct Measured {
    medians: Medians,
    /// Ours, PyTorch's.
    losses: [f64; 2],
    settings: [Value; 2],
    /// Of the speed in products of matrices.
    share_of_peak: f64,
    /// Of a step's time until its calls have returned: near 1, the processor is what is waited for.
    share_of_calls: f64,
}

impl Case<'_> {
    fn measure(&self, peer: &mut Peer) -> Result<Measured> {
        let Network { name, kind, size, batch } = *self.network;
        let (size, batch, steps, rounds) = if on_gpu() { (size, batch, 20, 3) } else { (size.min(32), 8, 1, 1) };
        let bfloat16 = self.precision == "bfloat16";
        let device = nn::device(&device_name())?;
        let mut ours = Training::new(&Task { kind, size, batch, bfloat16 })?;
        // Whoever names a device forbids it.
        ops::allow_tf32(self.precision == "tf32");
        ours.write(START.as_ref())?;
        let question = json!({ "network": name, "size": size, "batch": batch, "precision": self.precision,
            "compiled": self.compiled, "start": START, "warm_up": WARM_UP, "steps": steps });
        let answer = peer.ask(&question.to_string());
        std::fs::remove_file(START)?;
        let theirs: Value = serde_json::from_str(&answer?)?;
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let loss = ours.steps(WARM_UP);
        let mut share_of_calls = 0.0;
        let round = || {
            let took = ours.measure(steps);
            share_of_calls = took.seconds_of_calls / took.seconds;
            Ok((steps * batch) as f64 / took.seconds)
        };
        let medians = in_turns(rounds, round, slice::from_mut(peer))?;
        let reached = number(&theirs["flops"]) * medians.ours;
        Ok(Measured {
            share_of_peak: reached / peak(&device, bfloat16),
            share_of_calls,
            losses: [loss, number(&theirs["loss"])],
            settings: [settings(bfloat16), theirs["settings"].clone()],
            medians,
        })
    }
}

fn settings(bfloat16: bool) -> Value {
    json!({
        "libtorch": ops::libtorch_version(),
        "dtype": if bfloat16 { "bfloat16 activations, weights float32" } else { "float32" },
        "tf32": ops::allows_tf32(),
        "memory_format": "channels_last",
        "cudnn_deterministic": true,
        "cudnn_benchmark": false,
        "optimiser": "SGD, fused",
        "warm_up": format!("{WARM_UP} steps"),
    })
}

impl Measured {
    fn line(&self, name: &str) -> String {
        let Self { medians, losses: [ours, theirs], .. } = self;
        let peer = &medians.peers[0];
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let shares = [self.share_of_peak, self.share_of_calls].map(percent);
        format!(
            "{name:<28} {:>9.0} {:>8} {:>8} {:>9.0} {:>6.2} {ours:>8.4} {theirs:>8.4}",
            medians.ours, shares[0], shares[1], peer.theirs, peer.ratio
        )
    }

    fn figures(&self) -> Value {
        let peer = &self.medians.peers[0];
        json!({
            "ratio": peer.ratio,
            "pretext": { "images_per_second": self.medians.ours, "loss": self.losses[0], "settings": self.settings[0],
                "share_of_peak": self.share_of_peak, "share_of_calls": self.share_of_calls },
            "pytorch": { "images_per_second": peer.theirs, "loss": self.losses[1], "settings": self.settings[1] },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn losses_agree_as_far_as_their_precision_goes() {
        assert!(agree(0.402, 0.4, "float32") && !agree(0.403, 0.4, "float32"));
        assert!(agree(0.41, 0.4, "tf32") && !agree(0.42, 0.4, "tf32"));
        assert!(agree(0.46, 0.4, "bfloat16") && !agree(0.48, 0.4, "bfloat16"));
        assert!(!agree(f64::NAN, 2.3, "bfloat16") && !agree(2.3, f64::NAN, "bfloat16"));
    }
}
