//! Weights of others: whose files are read, what is said of them, and what is caught. Files are made by `imported/generate.py`.

mod tiny;

use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::nn::state;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/imported");

/// What is done to the tensors of a file.
type Change = dyn Fn(&mut BTreeMap<String, tch::Tensor>);

struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        tiny::write_dataset(&root.path().join("data"));
        Self { root }
    }

    fn run(&self, kind: &str, inputs: &[(&str, PathBuf)], change: Value) -> Result<String, String> {
        let entry = catalog::find(kind).unwrap();
        let mut params = tiny::small_params(&entry, 1, 32);
        params.extend(change.as_object().unwrap().clone());
        let inputs: Vec<(&str, &Path)> = inputs.iter().map(|(port, path)| (*port, path.as_path())).collect();
        let run = tiny::request(&entry, params, &self.root.path().join(kind.replace('/', "-")), &inputs);
        let notes = tiny::Noted::default();
        let context = Context::new(&run, &notes, &|| false).unwrap();
        let result = (entry.run)(&run.params, &context).map_err(|error| format!("{error:#}"));
        let notes = notes.0.into_inner().unwrap().join("\n");
        result.map(|()| notes)
    }

    /// What the stage notes, or why it ends.
    fn import(&self, change: Value) -> Result<String, String> {
        let mut params =
            json!({ "encoder": vit(), "allow_left_over": ["head.*"], "check": file("reference.safetensors") });
        params.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.run("pretrain/imported", &[("data", self.root.path().join("data"))], params)
    }

    fn encoder(&self) -> PathBuf {
        self.root.path().join("pretrain-imported/out/encoder")
    }

    /// The tensors of a file after a change, as another file.
    fn changed(&self, change: impl FnOnce(&mut BTreeMap<String, tch::Tensor>)) -> String {
        let mut tensors = pretext_stages::foreign::read(file("wrapped.safetensors").as_ref()).unwrap();
        change(&mut tensors);
        let path = self.root.path().join("changed.safetensors");
        state::save(&path, &tensors.into_iter().collect::<Vec<_>>()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn file(name: &str) -> String {
    format!("{FILES}/{name}")
}

/// What the files are weights of.
fn vit() -> Value {
    json!({ "kind": "vit_tiny", "width": 12, "patch": 4, "depth": 2, "positions": "learned", "stem": "small", "init": "torchvision",
        "hidden": [10] })
}

#[test]
fn what_torch_save_wrote_is_read_in_each_of_its_formats() {
    let place = Place::new();
    for (name, prefix) in
        [("vit.pth", ""), ("legacy.pth", " behind `state_dict.`"), ("wrapped.safetensors", " behind `model.`")]
    {
        let left_over =
            if name == "vit.pth" { json!(["head.*"]) } else { json!(["model.head.*", "state_dict.head.*"]) };
        let note = place.import(json!({ "file": file(name), "allow_left_over": left_over })).unwrap();
        let said = format!("30 tensors by timm's names{prefix}; 2 left over: ");
        assert!(note.starts_with(&said) && note.contains("features are those of the library, to "), "{note}");
    }
}

/// Each has every name and every shape.
#[test]
fn what_shapes_do_not_tell_features_do() {
    let place = Place::new();
    let exchange = |one: &'static str, other: &'static str| {
        move |tensors: &mut BTreeMap<String, tch::Tensor>| {
            let [first, second] = [one, other].map(|name| tensors.remove(name).unwrap());
            tensors.extend([(one.to_owned(), second), (other.to_owned(), first)]);
        }
    };
    let replace = |name: &'static str, by: fn(&tch::Tensor) -> tch::Tensor| {
        move |tensors: &mut BTreeMap<String, tch::Tensor>| {
            let changed = by(&tensors[name]);
            tensors.insert(name.to_owned(), changed);
        }
    };
    let imported = |change: &Change, check: Value| {
        let path = place.changed(change);
        place.import(json!({ "file": path, "allow_left_over": ["model.head.*"], "check": check }))
    };
    let reference = || Value::from(file("reference.safetensors"));
    assert!(imported(&|_| (), reference()).is_ok());
    let faults: [&Change; 3] = [
        &exchange("model.blocks.0.norm1.weight", "model.blocks.1.norm2.weight"),
        &replace("model.patch_embed.proj.weight", |weight| weight.flip([1])),
        &replace("model.blocks.1.attn.proj.weight", |weight| weight.transpose(0, 1)),
    ];
    for fault in faults {
        let error = imported(fault, reference()).unwrap_err();
        assert!(error.starts_with("the features of the reference's images are off by "), "{error}");
        let note = imported(fault, Value::Null).unwrap();
        assert!(note.ends_with("features were not compared with the library's: give some as `check`"), "{note}");
    }
    // The same weights under another normalisation.
    let error = place.import(json!({ "file": file("vit.pth"), "mean": [0.5, 0.5, 0.5] })).unwrap_err();
    assert!(error.contains("`mean` and `sd` others than the library's"), "{error}");
}

#[test]
fn what_is_missing_or_left_over_stops_it_unless_it_is_allowed() {
    let place = Place::new();
    let error = place.import(json!({ "file": file("vit.pth"), "allow_left_over": [] })).unwrap_err();
    assert_eq!(
        error,
        "these weights are not the encoder's: by timm's names 30 of the encoder's tensors were found, 2 are left over in it: \
         head.bias, head.weight. If that is meant, write `allow_left_over: [head.bias, head.weight]` (a name may end in *); else \
         `encoder` describes another network"
    );
    let without_norm = || place.changed(|tensors| drop(tensors.remove("model.norm.bias")));
    let lacking = |allowed: Value| {
        let params = json!({ "file": without_norm(), "check": null, "allow_left_over": ["model.head.*"], "allow_missing": allowed });
        place.import(params)
    };
    let error = lacking(json!(["model.norm.weight"])).unwrap_err();
    assert!(
        error.contains(
            "1 is missing in the file: model.norm.bias. If that is meant, write `allow_missing: [model.norm.bias]`"
        ),
        "{error}"
    );
    let note = lacking(json!(["model.norm.*"])).unwrap();
    assert!(
        note.contains(
            "29 tensors by timm's names behind `model.`; 1 missing, at their first weights: model.norm.bias; 2 left"
        ),
        "{note}"
    );

    let mut deeper = vit();
    deeper["width"] = 24.into();
    let error = place.import(json!({ "file": file("vit.pth"), "encoder": deeper })).unwrap_err();
    assert!(error.contains("is [12, 3, 4, 4] in the file, and the encoder's is [24, 3, 4, 4]"), "{error}");
    let error = place.import(json!({ "file": file("vit.pth"), "encoder": { "kind": "resnet18" } })).unwrap_err();
    assert!(error.contains("expected is conv1.weight (torchvision), or conv1.weight (timm), or "), "{error}");
}

#[test]
fn nothing_in_a_pickle_is_executed() {
    let place = Place::new();
    let error = place.import(json!({ "file": file("hostile.pth") })).unwrap_err();
    assert!(error.contains("hostile.pth holds no"), "{error}");
    assert!(!Path::new("executed-by-a-pickle").exists());
    let error = place.import(json!({ "file": file("generate.py") })).unwrap_err();
    assert!(
        error.contains("generate.py holds no weights that can be read: expected safetensors, or what torch.save wrote"),
        "{error}"
    );
}

#[test]
fn one_kind_of_source_is_asked_for() {
    let place = Place::new();
    assert!(place.import(json!({})).unwrap_err().starts_with("whose weights? Write `weights: mobilenet_v2`"));
    let both = json!({ "file": file("vit.pth"), "weights": "mobilenet_v2" });
    assert_eq!(place.import(both).unwrap_err(), "there are `weights` and a `file`: leave one");
}

/// It would count in the key and check nothing.
#[test]
fn a_check_of_weights_that_have_their_own_is_refused() {
    let error = Place::new().import(json!({ "weights": "mobilenet_v2" })).unwrap_err();
    assert!(error.starts_with("there are `weights` and a `check`, which is of a `file`: leave it out, "), "{error}");
    let check = &(catalog::find("pretrain/imported").unwrap().kind)().params["properties"]["check"];
    assert_eq!(check["x-contradicts"], json!([{ "weights": "given" }]), "a recipe is refused before anything starts");
}

/// An encoder that images were not normalised for as ImageNet's are comes back as it was.
#[test]
fn what_is_exported_says_what_images_are_normalised_by() {
    let place = Place::new();
    let own = json!({ "file": file("vit.pth"), "check": null, "mean": [0.5, 0.25, 0.5], "sd": [0.25, 0.25, 0.5] });
    place.import(own).unwrap();
    let normal = || {
        let text = std::fs::read_to_string(place.encoder().join("encoder.json")).unwrap();
        let encoder: Value = serde_json::from_str(&text).unwrap();
        [encoder["mean"].clone(), encoder["sd"].clone()]
    };
    let expected = normal();
    assert_eq!(expected, [json!([0.5, 0.25, 0.5]), json!([0.25, 0.25, 0.5])]);
    place.run("export", &[("encoder", place.encoder())], json!({ "names": "timm" })).unwrap();
    let exported = place.root.path().join("export/out/weights/model.safetensors");
    let note = place.import(json!({ "file": exported, "check": null, "allow_left_over": [] })).unwrap();
    assert_eq!(normal(), expected);
    assert!(!note.contains("ImageNet"), "{note}");
    let note = place.import(json!({ "file": file("vit.pth"), "check": null })).unwrap();
    assert!(note.contains(". Images are normalised as ImageNet's, which the file says nothing of. "), "{note}");
}

/// What is misspelt is missing under one name and left over under another; what is no number is no weight.
#[test]
fn what_is_misspelt_is_told_by_both_names() {
    let place = Place::new();
    let misspelt = place.changed(|tensors| {
        let norm = tensors.remove("model.norm.bias").unwrap();
        tensors.insert("model.norm.bais".into(), norm);
    });
    let error =
        place.import(json!({ "file": misspelt, "check": null, "allow_left_over": ["model.head.*"] })).unwrap_err();
    let told = "29 of the encoder's tensors were found, 1 is missing in the file: model.norm.bias, and 1 is left over in it: model.norm.bais. \
                If that is meant, write `allow_missing: [model.norm.bias]` and `allow_left_over: [model.norm.bais]` (a name may end in *); \
                else a name is misspelt, or `encoder` describes another network";
    assert!(error.ends_with(told), "{error}");
    let broken = place.changed(|tensors| drop(tensors.get_mut("model.norm.bias").unwrap().fill_(f64::NAN)));
    let error =
        place.import(json!({ "file": broken, "check": null, "allow_left_over": ["model.head.*"] })).unwrap_err();
    assert!(error.ends_with("model.norm.bias has values that are not finite (NaN or infinite)"), "{error}");
}

/// Out under timm's names and in again: the same file.
#[test]
fn what_is_exported_is_what_was_imported() {
    let place = Place::new();
    place.import(json!({ "file": file("vit.pth") })).unwrap();
    place.run("export", &[("encoder", place.encoder())], json!({ "names": "timm" })).unwrap();
    let exported = place.root.path().join("export/out/weights/model.safetensors");
    let theirs = pretext_stages::foreign::read(file("vit.pth").as_ref()).unwrap();
    let ours = state::load(&exported).unwrap();
    assert_eq!(ours.len(), 30);
    assert!(ours.iter().all(|(name, tensor)| theirs[name] == *tensor), "a tensor differs");
    let error = place.run("export", &[("encoder", place.encoder())], json!({ "names": "torchvision" })).unwrap_err();
    assert_eq!(error, "torchvision has no such encoder: write `names: timm` or `names: pretext`");
}
