//! Every method that trains, put to [`super::checks`], and objectives that are wrong, which do not pass.

use super::checks::Checked;
use super::nt_xent;
use crate::augment::{Batch, Targets, Wants, samples};
use crate::catalog::{self, Entry};
use crate::context::{Context, Outbox};
use crate::data::{DatasetWriter, Format, Labels, Sample, Split};
use crate::nn::Init;
use crate::nn::encoder::{Encoder, EncoderConfig};
use crate::nn::layers::Mode;
use crate::nn::ops;
use crate::nn::state::{Part, Parts};
use crate::random::{Purpose, Rng};
use crate::train::{At, Ema, Objective, Term, Training};
use anyhow::Result;
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use pretext_protocol::{Reply, Run};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::path::Path;

const SIDE: usize = 16;
const BATCH: usize = 6;

thread_local! {
    static CHECKS: Cell<bool> = const { Cell::new(false) };
}

/// In place of a training, where a test asks for it: checks the objective with its first batch. Says whether it did.
pub fn checks(encoder: &Encoder, objective: &mut dyn Objective, training: &Training) -> Result<bool> {
    if !CHECKS.get() {
        return Ok(false);
    }
    let mut first = None;
    let device = crate::nn::device("cpu")?.autodiff();
    training.source.for_each(0..1, &device, |_, batch| {
        first = Some(batch);
        Ok(())
    })?;
    Checked::new(encoder, objective, first.expect("there is a batch")).check()?;
    Ok(true)
}

struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: &Reply) {}
}

/// Pieces of the photographs, each photograph a class.
fn write_dataset(folder: &Path) {
    let samples = samples();
    let piece = |number: usize| -> Vec<u8> {
        let (bytes, top) = (samples[number % samples.len()].source().bytes, 7 * (number / samples.len()));
        (top..top + SIDE).flat_map(|y| bytes[(y * 64 + top) * 3..(y * 64 + top + SIDE) * 3].to_vec()).collect()
    };
    let pieces: Vec<Vec<u8>> = (0..2 * BATCH).map(piece).collect();
    let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
    let format = Format {
        name: "pieces".into(),
        height: SIDE,
        width: SIDE,
        channels: 3,
        classes,
        labels: Labels::Images,
        pictures: None,
    };
    std::fs::create_dir_all(folder).unwrap();
    let mut writer = DatasetWriter::create(folder, format, pieces.len()).unwrap();
    for (number, image) in pieces.iter().enumerate() {
        let class = (number % samples.len()) as i32;
        writer.add(Sample::new(Split::Train, image, class)).unwrap();
    }
    writer.finish().unwrap();
}

/// What a kind says of itself with such an encoder.
fn checked(entry: &Entry, encoder: &Value, root: &Path) -> Result<()> {
    let run = request(entry, encoder, root, "run")?;
    let context = Context::new(&run, &Nobody, &|| false)?;
    CHECKS.set(true);
    let outcome = (entry.run)(&run.params, &context);
    CHECKS.set(false);
    outcome
}

/// To train an encoder of a kind in `root`, from one that lies there where it learns on.
fn request(entry: &Entry, encoder: &Value, root: &Path, name: &str) -> Result<Run> {
    let given = json!({ "encoder": encoder, "batch": BATCH, "projector_hidden": 8, "predictor_hidden": 8, "projector_out": 6,
        "decoder_width": 12, "queue": 10, "hidden": 8, "permutations": 5, "online_knn": 0 });
    let kind = (entry.kind)();
    let Value::Object(given) = given else { panic!("parameters are a map") };
    let params: Map<String, Value> =
        given.into_iter().filter(|(name, _)| kind.params["properties"].get(name).is_some()).collect();
    let inputs = [("data", root.join("data")), ("encoder", root.join("encoder/out/encoder"))];
    let inputs = inputs.each_ref().map(|(port, folder)| (*port, folder.as_path()));
    Ok(Run::in_folder(entry.name, params, &inputs, &root.join(name))?)
}

/// An encoder that was never trained, for what learns on.
fn write_encoder(root: &Path) {
    let random = catalog::find("pretrain/random").unwrap();
    let run = request(&random, &narrow(&random), root, "encoder").unwrap();
    (random.run)(&run.params, &Context::new(&run, &Nobody, &|| false).unwrap()).unwrap();
}

/// An encoder of the kind that a method has when none is named.
fn narrow(entry: &Entry) -> Value {
    let kind = (entry.kind)().params["properties"]["encoder"]["properties"]["kind"]["default"].clone();
    let width = if kind == "vit_tiny" { 12 } else { 4 };
    json!({ "kind": kind, "width": width })
}

#[test]
fn every_method_has_its_own_gradients_views_and_targets() {
    tch::set_num_threads(1);
    let root = tempfile::tempdir().unwrap();
    write_dataset(&root.path().join("data"));
    write_encoder(root.path());
    let trains = |entry: &Entry| {
        let kind = (entry.kind)();
        kind.family() == "pretrain" && kind.params["properties"]["epochs"]["x-unused"] != true
    };
    let methods: Vec<Entry> = catalog::entries().into_iter().filter(trains).collect();
    assert!(methods.len() >= 6);
    for entry in &methods {
        checked(entry, &narrow(entry), root.path()).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
    }
    let supervised = methods.iter().find(|entry| entry.name == "pretrain/supervised").unwrap();
    for encoder in [
        json!({ "kind": "resnet20", "width": 4 }),
        json!({ "kind": "resnet50", "width": 2, "stem": "imagenet" }),
        json!({ "kind": "vit_tiny", "width": 12, "patch": 8 }),
    ] {
        checked(supervised, &encoder, root.path()).unwrap_or_else(|error| panic!("{encoder}: {error:#}"));
    }
}

/// A square weight.
#[derive(Module, Debug)]
struct Square {
    weight: Param<Tensor<2>>,
}

/// What is wrong about a method.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    /// The weight's gradient is that of its transpose.
    TransposedGradient,
    /// The second view is of the next image.
    ShiftedView,
    /// The second view is the first once more.
    OneView,
    /// Targets are made by the network that learns, and their gradients reach it.
    NoStopGradient,
    /// The same without their gradients.
    NoMomentum,
}

/// Tells the features that a slow copy makes of another view, as BYOL and MoCo do: right, or wrong in one way.
struct Example {
    square: Square,
    slow_encoder: Ema<Encoder>,
    slow_square: Ema<Square>,
    wrong: Wrong,
}

impl Square {
    fn project(&self, features: Tensor<2>, wrong: Wrong) -> Tensor<2> {
        let weight = self.weight.val();
        let weight = match wrong {
            Wrong::TransposedGradient => {
                let transposed = weight.clone().transpose();
                weight.detach() + transposed.clone() - transposed.detach()
            }
            _ => weight,
        };
        features.matmul(weight)
    }
}

impl Example {
    fn new(wrong: Wrong) -> (Encoder, Self) {
        let init = &mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let encoder = EncoderConfig { width: 2, ..EncoderConfig::default() }.build(init, [3, 16, 16]);
        let features = encoder.features();
        let square = Square { weight: Param::from_tensor(init.uniform([features, features], features)) };
        let example = Self { slow_encoder: Ema::of(&encoder), slow_square: Ema::of(&square), square, wrong };
        (encoder, example)
    }

    fn target(&self, encoder: &Encoder, view: Tensor<4>) -> Tensor<2> {
        let by_itself = |view| self.square.project(encoder.pooled(view, Mode::Train), Wrong::Nothing);
        match self.wrong {
            Wrong::NoStopGradient => by_itself(view),
            Wrong::NoMomentum => by_itself(view).detach(),
            _ => {
                let features = self.slow_encoder.network().pooled(view.inner(), Mode::Train);
                Tensor::from_inner(self.slow_square.network().project(features, Wrong::Nothing))
            }
        }
    }
}

impl Objective for Example {
    fn wants(&self) -> Wants {
        Wants::views(2)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("square", &self.square)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let [a, b] = batch.into_views();
        let b = match self.wrong {
            Wrong::ShiftedView => {
                let images = b.dims()[0];
                Tensor::cat(vec![b.clone().narrow(0, 1, images - 1), b.narrow(0, 0, 1)], 0)
            }
            Wrong::OneView => a.clone(),
            _ => b,
        };
        let projection = self.square.project(encoder.pooled(a, Mode::Train), self.wrong);
        Term::alone(nt_xent(projection, self.target(encoder, b), 0.5))
    }

    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        let slow = vec![
            ("slow_encoder", self.slow_encoder.network() as &dyn Part),
            ("slow_square", self.slow_square.network()),
        ];
        crate::nn::state::named(&Parts(slow))
    }
}

/// What the checks say of a method that is wrong so.
fn refusal(wrong: Wrong) -> String {
    let mut rng = Rng::new(0, Purpose::Noise, &[]);
    let device = crate::nn::device("cpu").unwrap().autodiff();
    let mut view = || {
        let values: Vec<f32> = (0..BATCH * 3 * SIDE * SIDE).map(|_| rng.normal()).collect();
        ops::channels_last(Tensor::from_data(TensorData::new(values, [BATCH, 3, SIDE, SIDE]), &device))
    };
    let batch = Batch { ids: (0..BATCH as u32).collect(), views: vec![view(), view()], targets: Targets::None };
    let (encoder, mut example) = Example::new(wrong);
    match Checked::new(&encoder, &mut example, batch).check() {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn methods_that_are_wrong_do_not_pass() {
    assert_eq!(refusal(Wrong::Nothing), "");
    for (wrong, said) in [
        (Wrong::TransposedGradient, "the gradient of square.weight says "),
        (Wrong::ShiftedView, "the loss is "),
        (Wrong::OneView, "the loss is the same when view 1 is of other images than the rest"),
        (Wrong::NoStopGradient, "the loss does not change with slow_encoder"),
        (Wrong::NoMomentum, "the gradient of encoder"),
    ] {
        let refusal = refusal(wrong);
        assert!(refusal.starts_with(said), "{said}: {refusal}");
    }
    assert!(refusal(Wrong::ShiftedView).ends_with("in another order: views are of different images"));
}
