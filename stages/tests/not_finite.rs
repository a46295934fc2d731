//! A number that is not finite ends its training: the step that made it is named and can be run again, and the last good
//! checkpoint stays.

mod tiny;

use pretext_protocol::{CHECKPOINT, Run};
use pretext_stages::catalog::Entry;
use pretext_stages::context::{Context, Stopped};
use pretext_stages::nn::state;
use pretext_stages::worker;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const EPOCHS: u32 = 8;
const BATCH: u32 = 32;
const NEVER: usize = usize::MAX;

struct Place {
    root: TempDir,
    entry: Entry,
}

impl Place {
    fn new(kind: &str) -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let root = tempfile::tempdir().unwrap();
        tiny::write_dataset(&root.path().join("data"));
        Self { root, entry: tiny::trained_kinds().into_iter().find(|entry| entry.name == kind).unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn request(&self, name: &str, lr: f64) -> Run {
        let mut params = tiny::small_params(&self.entry, EPOCHS, BATCH);
        params["optimiser"]["lr"] = lr.into();
        tiny::request(&self.entry, params, &self.root.path().join(name), &[("data", &self.data())])
    }

    /// How it fails, or [`Stopped`] after so many looks whether it should stop.
    fn fails(&self, run: &Run, stop_after: usize) -> anyhow::Error {
        let looked = AtomicUsize::new(0);
        let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= stop_after;
        let context = Context::new(run, &tiny::Nobody, &stopping).unwrap();
        (self.entry.run)(&run.params, &context).unwrap_err()
    }
}

fn steps_done(checkpoint: &Path) -> u64 {
    let position: Value = serde_json::from_slice(&std::fs::read(checkpoint.join("position.json")).unwrap()).unwrap();
    position["step"].as_u64().unwrap()
}

fn assert_finite(checkpoint: &Path) {
    for file in ["networks.safetensors", "optimiser.safetensors"] {
        for (name, tensor) in state::load(&checkpoint.join(file)).unwrap() {
            assert!(bool::try_from(tensor.isfinite().all()).unwrap(), "{name}");
        }
    }
}

/// The step's number, from 1, in `NaN in TENSOR at step N (epoch E): ...`.
fn step_of(sentence: &str) -> u64 {
    let (_, rest) = sentence.split_once(" at step ").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn weights_that_run_away_end_a_training_at_the_step_that_made_a_nan_of_them() {
    for kind in ["pretrain/supervised", "pretrain/byol", "pretrain/moco"] {
        let place = Place::new(kind);
        let calm = place.request("calm", 0.01);
        assert!(place.fails(&calm, 7).is::<Stopped>());
        let mut wild = place.request("wild", 1e30);
        wild.resume = Some(calm.scratch.clone());
        let message = format!("{:#}", place.fails(&wild, NEVER));
        println!("{kind}: {message}");
        let sentence = message.lines().next().unwrap();
        let step = step_of(sentence);
        assert!(step > 7 && sentence.contains(&format!("(epoch {})", (step - 1) / 5 + 1)), "{message}");
        let names = ["NaN in ", "an infinity in "].iter().any(|start| sentence.starts_with(start));
        assert!(names && sentence.ends_with("set optimiser.clip_norm"), "{message}");

        // What a next attempt goes on from.
        let good = [&wild.scratch, &calm.scratch].map(|folder| folder.join(CHECKPOINT));
        let good = good.into_iter().find(|folder| folder.is_dir()).unwrap();
        assert!(message.contains(&format!("the last good checkpoint, after step {}, stays", steps_done(&good))));
        assert_finite(&good);

        let kept = wild.scratch.join("failed-step");
        assert_eq!(steps_done(&kept.join(CHECKPOINT)), step - 1);
        assert_finite(&kept.join(CHECKPOINT));
        assert!(message.ends_with(&format!("pretext-worker replay {}", kept.display())), "{message}");
        let report = worker::replay(&kept).unwrap();
        assert_eq!(report.lines().last().unwrap(), sentence, "the step again");
    }
}

#[test]
fn images_that_are_not_finite_are_named_at_the_first_step() {
    let place = Place::new("pretrain/simclr");
    // The inverse of the smallest number is an infinity.
    tiny::change_manifest(&place.data(), |manifest| manifest.sd[1] = f32::from_bits(1));
    let run = place.request("run", 0.01);
    let message = format!("{:#}", place.fails(&run, NEVER));
    let sentence = message.lines().next().unwrap();
    let ending = " in view 1 of the images at step 1 (epoch 1): look at the data and its views";
    assert!(sentence.ends_with(ending), "{message}");
    assert_eq!(steps_done(&run.scratch.join(CHECKPOINT)), 0, "the first weights are what there is to go back to");
    assert_eq!(worker::replay(&run.scratch.join("failed-step")).unwrap().lines().last().unwrap(), sentence);
}
