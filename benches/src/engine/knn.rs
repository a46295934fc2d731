//! kNN beside torch's products and `topk` in blocks of queries: 10,000 queries, 200 neighbours of 50,000 vectors of 512,
//! and the weighted vote; in queries per second. Both have the vectors, of unit length, in memory when the clock starts.

use anyhow::Result;
use burn::tensor::{Tensor, TensorData};
use pretext_benches::training::device_name;
use pretext_benches::{Beside, Peer, in_turns};
use pretext_stages::features::{all_scores, nearest};
use pretext_stages::nn::loss::l2_normalise;
use pretext_stages::random::{Purpose, Rng};
use pretext_stages::{memory, nn};
use serde_json::{Map, Value};
use std::time::Instant;

const NAME: &str = "knn";
const ROUNDS: usize = 5;
const BANK: usize = 50_000;
const QUERIES: usize = 10_000;
const FEATURES: usize = 512;
const CLASSES: usize = 10;
const NEIGHBOURS: usize = 200;
const TEMPERATURE: f64 = 0.1;

/// The median of per-round ratios, ours / torch's. Nothing when `only` names others.
pub fn run(only: &str, threads: usize) -> Result<Map<String, Value>> {
    let mut figures = Map::new();
    if !NAME.starts_with(only) {
        return Ok(figures);
    }
    tch::set_num_threads(threads as i32);
    let numbers = [BANK, QUERIES, FEATURES, CLASSES, NEIGHBOURS, threads].map(|number| number.to_string());
    let theirs = Peer::start("knn.py", &numbers.each_ref().map(String::as_str))?;
    let (bank, queries) = (vectors(BANK, 0)?, vectors(QUERIES, 1)?);
    let labels: Vec<i32> = (0..BANK).map(|image| (image % CLASSES) as i32).collect();
    let mut peak = 0;
    let ours = || {
        let started = Instant::now();
        let (scores, bytes) = memory::peak_during(|| {
            let neighbours = nearest(&bank, &queries, NEIGHBOURS, |_| true).expect("it may go on");
            all_scores(&neighbours, &labels, CLASSES, TEMPERATURE)
        });
        peak = peak.max(bytes);
        Ok((scores.len() / CLASSES) as f64 / started.elapsed().as_secs_f64())
    };
    let medians = in_turns(ROUNDS, ours, &mut [theirs])?;
    let Beside { theirs, ratio } = medians.peers[0];
    println!("{NAME}: queries per second, {threads} threads, medians of {ROUNDS} interleaved rounds");
    println!("pretext {:.0}, torch {theirs:.0}, ratio {ratio:.2}", medians.ours);
    println!("pretext's peak beyond the vectors: {:.0} MB", peak as f64 / 1e6);
    figures.insert(NAME.into(), ratio.into());
    Ok(figures)
}

/// `[count, FEATURES]`, of unit length.
fn vectors(count: usize, stream: u64) -> Result<Tensor<2>> {
    let mut rng = Rng::new(0, Purpose::Noise, &[stream]);
    let values: Vec<f32> = (0..count * FEATURES).map(|_| rng.normal()).collect();
    Ok(l2_normalise(Tensor::from_data(TensorData::new(values, [count, FEATURES]), &nn::device(&device_name())?)))
}
