//! Figures by name, and the table of them.

use crate::child::Measured;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the table shows: the figure, what it is, what is to be reached, and the same of Snakemake and of DVC.
const ROWS: [(&str, &str, f64, &str, &str); 6] = [
    ("version_ms", "pretext --version", 5.0, "", ""),
    ("noop_1000_ms", "nothing to do among 1,000 stages", 30.0, "snakemake_noop_1000_ms", "dvc_noop_1000_ms"),
    ("stage_overhead_ms", "first run of 1,000, for each", 3.0, "snakemake_stage_overhead_ms", ""),
    ("plan_edit_1000_ms", "plan 1,000, a leaf edited", 30.0, "", ""),
    ("plan_100k_s", "plan 100,000, the slower", 2.0, "", ""),
    ("plan_100k_mb", "its peak memory", 500.0, "", ""),
];

/// All that was measured.
#[derive(Default)]
pub struct Figures {
    values: BTreeMap<String, Vec<f64>>,
}

impl Figures {
    /// A measurement of something that is measured several times: wall time in the unit of which a second has `scale`;
    /// beside it, as `NAME_cpu`, processor time.
    pub fn add(&mut self, name: &str, measured: Measured, scale: f64) {
        self.values.entry(name.to_owned()).or_default().push(measured.seconds * scale);
        self.values.entry(format!("{name}_cpu")).or_default().push(measured.cpu_seconds * scale);
    }

    pub fn set(&mut self, name: &str, value: f64) {
        self.values.entry(name.to_owned()).or_default().push(value);
    }

    /// Not a number where nothing was measured.
    pub fn median(&self, name: &str) -> f64 {
        let mut values = self.values.get(name).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Medians of everything, in one line.
    pub fn json(&self) -> Value {
        let rounded = |name: &String| (name.clone(), ((self.median(name) * 1e4).round() / 1e4).into());
        Value::Object(self.values.keys().map(rounded).collect::<Map<_, _>>())
    }

    /// The goals first, then every figure with how far its measurements lie apart.
    pub fn print(&self) {
        println!("medians, on {}", machine());
        let cell = |name: &str| if name.is_empty() { "-".to_owned() } else { format!("{:.1}", self.median(name)) };
        println!("{:<18} {:<33} {:>8} {:>8} {:>10} {:>8}", "figure", "", "to reach", "pretext", "Snakemake", "DVC");
        for (name, what, goal, snakemake, dvc) in ROWS {
            let missed = if self.median(name) <= goal { "" } else { "  missed" };
            let (ours, theirs, others) = (cell(name), cell(snakemake), cell(dvc));
            println!("{name:<18} {what:<33} {goal:>8} {ours:>8} {theirs:>10} {others:>8}{missed}");
        }
        println!("\n{:<32} {:>10} {:>10} {:>10} {:>3}", "every figure", "median", "least", "most", "n");
        for (name, values) in &self.values {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            println!("{name:<32} {:>10.3} {least:>10.3} {most:>10.3} {:>3}", self.median(name), values.len());
        }
    }
}

/// `2 cores of AMD EPYC`
fn machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}", model.map_or("an unknown processor", |(_, name)| name.trim()))
}
