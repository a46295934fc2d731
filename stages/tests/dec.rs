//! Deep embedded clustering at tiny size: what it goes on from, what it keeps, and that codes move to their centres.

mod tiny;

use burn::tensor::{Tensor, TensorData};
use pretext_protocol::Measurement;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::data::Split;
use pretext_stages::features::FeatureSet;
use pretext_stages::metrics::Contingency;
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{device, ops};
use serde_json::{Value, json};
use tiny::place::Place;

impl Place {
    /// A data set, and an encoder of it.
    fn new(kind: &str, change: Value) -> Self {
        let place = Self::of_epochs(4);
        tiny::write_dataset(&place.at("data"));
        place.run(kind, "before", change, &[]).unwrap();
        place
    }

    fn cluster(&self, name: &str, change: Value) -> anyhow::Result<Vec<Measurement>> {
        self.run("pretrain/dec", name, change, &[("encoder", &self.encoder("before"))])
    }

    /// Of training images as features, what the centres say, `[image, cluster]`, and which class each is of.
    fn scores(&self, name: &str) -> (Tensor<2>, Vec<i32>) {
        let folder = self.encoder(name);
        self.run("features", "features", json!({}), &[("encoder", &folder)]).unwrap();
        let set = FeatureSet::open(&self.at("features/out/features")).unwrap();
        let train = set.split(Split::Train).unwrap();
        let artifact = EncoderArtifact::open(&folder, &device("cpu").unwrap()).unwrap().artifact;
        let head = artifact.open_head("prototypes", &folder, &device("cpu").unwrap()).unwrap();
        let data = TensorData::new(train.values.clone(), [train.labels.len(), set.features]);
        let features = Tensor::from_data(data, &device("cpu").unwrap());
        (head.expect("it keeps its centres").of_features(features, Mode::Eval), train.labels.clone())
    }

    /// How far training images are from the nearest centre, as a share of how far they are from the next, in the mean; and how many there are.
    fn spread(&self, name: &str) -> (f64, usize) {
        let (scores, _) = self.scores(name);
        let share = |scores: &[f32]| {
            let mut scores = scores.to_vec();
            scores.sort_by(f32::total_cmp);
            let [.., next, nearest] = scores[..] else { panic!("there are two clusters") };
            (f64::from(nearest) / f64::from(next)).sqrt()
        };
        let clusters = scores.dims()[1];
        let shares: Vec<f64> = ops::read(&scores, |scores| scores.chunks(clusters).map(share).collect());
        (shares.iter().sum::<f64>() / shares.len() as f64, clusters)
    }
}

#[test]
fn codes_move_to_their_centres_and_both_are_kept() {
    let place = Place::new("pretrain/autoencoder", json!({ "code": 5 }));
    let still = json!({ "epochs": 1, "optimiser": { "kind": "sgd", "lr": 1e-9 } });
    place.cluster("still", still).unwrap();
    place.cluster("moved", json!({ "epochs": 12, "optimiser": { "lr": 0.06 } })).unwrap();
    let ((still, of_classes), (moved, _)) = (place.spread("still"), place.spread("moved"));
    assert!(moved < 0.8 * still, "{still} before and {moved} after");
    assert_eq!(of_classes, 4, "as many as classes");
    place.cluster("seven", json!({ "clusters": 7, "epochs": 1 })).unwrap();
    assert_eq!(place.spread("seven").1, 7);
    let artifact = EncoderArtifact::open(&place.encoder("moved"), &device("cpu").unwrap()).unwrap().artifact;
    assert_eq!(artifact.heads.keys().collect::<Vec<_>>(), ["code", "prototypes"]);
    assert_eq!(artifact.seen.unwrap().len(), 160);
}

/// By the nearest centre, matched with classes by hand.
#[test]
fn its_own_assignment_is_judged() {
    let place = Place::new("pretrain/autoencoder", json!({}));
    place.cluster("dec", json!({})).unwrap();
    let (scores, labels) = place.scores("dec");
    let encoder = place.encoder("dec");
    let inputs = [("features", place.at("features/out/features")), ("encoder", encoder)];
    let inputs = inputs.each_ref().map(|(port, folder)| (*port, folder.as_path()));
    let measured = place.run("eval/cluster", "judged", json!({ "assignment": "prototypes" }), &inputs).unwrap();
    let nearest = |scores: &[f32]| (0..4).max_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize])).unwrap();
    let clusters: Vec<u32> = ops::read(&scores, |scores| scores.chunks(4).map(nearest).collect());
    let table = Contingency::new(&clusters, &labels, 4, 4);
    let accuracy = measured.iter().find(|m| m.name == "accuracy" && m.split == "train").unwrap().value;
    assert_eq!(accuracy, table.accuracy(&table.matching()));
    assert!(accuracy > 0.3, "{accuracy}");
}

#[test]
fn what_cannot_be_clustered_is_refused() {
    let place = Place::new("pretrain/autoencoder", json!({ "code": 5, "epochs": 1 }));
    let refused = |place: &Place, change: Value| place.cluster("refused", change).unwrap_err().to_string();
    let said = refused(&place, json!({ "clusters": 161 }));
    assert_eq!(said, "161 clusters of 160 training images: lower `clusters`");
    tiny::change_manifest(&place.at("data"), |manifest| manifest.classes.truncate(1));
    let said = refused(&place, json!({}));
    assert!(said.starts_with("clusters is 0, for as many as classes, and these images have no labels"), "{said}");
    let said = refused(&Place::new("pretrain/pixels", json!({})), json!({}));
    assert!(said.starts_with("raw pixels have no weights to train"), "{said}");
}
