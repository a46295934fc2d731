//! A rehearsal ends where a stage would begin to compute, and leaves what others can begin on.

#[path = "versions/inputs.rs"]
#[allow(dead_code, reason = "it uses a part")]
mod inputs;
mod tiny;

use inputs::Inputs;
use pretext_protocol::Gpu;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::{Context, Stopped};
use pretext_stages::nn;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Rehearses a kind in a folder, and says what it would refuse.
fn rehearse(entry: &Entry, params: Map<String, Value>, folder: &Path, inputs: &[(&str, &Path)]) -> Option<String> {
    let run = tiny::request(entry, params, folder, inputs);
    let mut context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
    context.rehearses = true;
    (entry.run)(&run.params, &context).err().filter(|error| !error.is::<Stopped>()).map(|error| format!("{error:#}"))
}

#[test]
fn every_kind_that_computes_can_be_rehearsed_and_trains_nothing() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // SAFETY: the other test of this program reads no variable of this name.
    unsafe { std::env::set_var("PRETEXT_STAND_INS", "1") };
    let inputs = Inputs::write(root.path());
    let trained = tiny::trained_kinds();
    let mut rehearsed = 0;
    for entry in catalog::entries() {
        let kind = (entry.kind)();
        // Weights of others are fetched, which is all that `pretrain/imported` does.
        if kind.gpu == Gpu::Unused || entry.name == "pretrain/imported" {
            continue;
        }
        let connected = inputs.of(&kind);
        let connected: Vec<(&str, &Path)> = connected.iter().map(|(port, at)| (&**port, &**at)).collect();
        let folder = root.path().join(entry.name.replace('/', "-"));
        let params = tiny::small_params(&entry, 1000, 32);
        assert_eq!(rehearse(&entry, params, &folder, &connected), None, "{}", entry.name);
        assert!(!folder.join("side").join("curve.csv").exists(), "{} has trained", entry.name);
        assert!(!folder.join("scratch/checkpoint").exists(), "{} has saved a state", entry.name);
        let is_trained = trained.iter().any(|trained| trained.name == entry.name);
        // What DEC begins on are clusters, and those it would have to compute.
        if is_trained && entry.name != "pretrain/dec" {
            EncoderArtifact::open_to_train(&folder.join("out/encoder"), &nn::device("cpu").unwrap()).unwrap();
        }
        rehearsed += 1;
    }
    assert!(rehearsed > 25, "{rehearsed} kinds were rehearsed");
}

#[test]
fn what_a_training_would_leave_decides_what_may_come_after_it() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    let encoder = |name: &str| -> PathBuf {
        let (entry, folder) = (catalog::find(name).unwrap(), root.path().join(name));
        assert_eq!(rehearse(&entry, tiny::small_params(&entry, 1, 32), &folder, &[("data", &data)]), None);
        folder.join("out/encoder")
    };
    let after = |kind: &str, encoder: &Path| {
        let (entry, folder) = (catalog::find(kind).unwrap(), root.path().join("after"));
        let _ = std::fs::remove_dir_all(&folder);
        rehearse(&entry, tiny::small_params(&entry, 1, 32), &folder, &[("data", &data), ("encoder", encoder)])
    };
    let [simclr, autoencoder, supervised] =
        ["pretrain/simclr", "pretrain/autoencoder", "pretrain/supervised"].map(encoder);
    assert!(after("eval/denoise", &simclr).unwrap().starts_with("the encoder has no decoder"));
    assert_eq!(after("eval/denoise", &autoencoder), None);
    assert!(after("eval/robustness", &simclr).unwrap().starts_with("this encoder has no classifier"));
    assert_eq!(after("eval/robustness", &supervised), None);
    assert!(after("eval/detect", &simclr).unwrap().contains("has no boxes"));
    assert_eq!(after("features", &simclr), None);
    let features = root.path().join("after/out/features");
    let neighbours = |k: u32| {
        let (entry, folder) = (catalog::find("eval/knn").unwrap(), root.path().join(format!("knn-{k}")));
        let mut params = tiny::small_params(&entry, 1, 32);
        params["k"] = k.into();
        rehearse(&entry, params, &folder, &[("features", &features)])
    };
    assert_eq!(neighbours(160), None);
    assert_eq!(neighbours(161).unwrap(), "k is 161 and there are 160 training images: lower `k`");
    let (entry, folder) = (catalog::find("eval/finetune").unwrap(), root.path().join("finetune"));
    let mut params = tiny::small_params(&entry, 1, 32);
    assert_eq!(rehearse(&entry, params.clone(), &folder, &[("data", &data), ("encoder", &simclr)]), None);
    assert_eq!(after("eval/robustness", &folder.join("out/encoder")), None, "a fine-tuned one has a classifier");
    params["head_first"] = 100.into();
    let error = rehearse(&entry, params, &root.path().join("head"), &[("data", &data), ("encoder", &simclr)]);
    assert!(error.unwrap().starts_with("head_first is 100 of 4 steps"));
}
