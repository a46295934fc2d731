//! `eval/project`: features on a plane, to be looked at, and how far the plane keeps who is near whom.

mod neighbourhoods;
mod picture;
mod tsne;

use super::linear_probe::FEATURES;
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::features::{FeatureSet, Spectrum};
use crate::random::{Purpose, Rng};
use crate::stage::{About, MeasureAbout, Stage};
use anyhow::{Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};
use neighbourhoods::{Distances, trustworthiness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

pub struct Project;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// pca: the two directions in which features vary most; tsne: t-SNE from there
    method: Method,
    /// images of the test split that are shown, drawn by `seed`; all where there are fewer. The time of tsne grows with the square
    #[schemars(range(min = 50, max = 10_000), extend("x-unit" = "images"))]
    images: u32,
    /// of tsne: how many neighbours an image has, in a sense; of few images a third of their number
    #[schemars(range(min = 2.0, max = 500.0))]
    perplexity: f64,
    /// neighbours that are looked at by trustworthiness and continuity
    #[schemars(range(min = 1, max = 1000))]
    neighbours: u32,
    /// which images are shown
    #[schemars(range(min = 0))]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Method {
    Pca,
    Tsne,
}

impl Default for Params {
    fn default() -> Self {
        Self { method: Method::Tsne, images: 1000, perplexity: 30.0, neighbours: 12, seed: 0 }
    }
}

const TRUSTWORTHINESS: MeasureAbout = MeasureAbout {
    name: "trustworthiness",
    splits: &["test"],
    unit: "fraction",
    setting: false,
    doc: "1 where all that are near on the plane are near among the features (Venna & Kaski 2001), 0.5 or so by chance",
};
const CONTINUITY: MeasureAbout = MeasureAbout {
    name: "continuity",
    splits: &["test"],
    unit: "fraction",
    setting: false,
    doc: "1 where all that are near among the features are near on the plane",
};

impl Stage for Project {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/project",
        summary: "Features on a plane: PCA or t-SNE (van der Maaten & Hinton 2008), with trustworthiness and continuity",
        docs: "plane.svg shows each image as a dot in the colour of its class; plane.csv has its row in the data set, its class and its place. \
               t-SNE is exact, begins with the principal components and takes scikit-learn's settings: 1,000 iterations, of which the first \
               250 with an exaggeration of 12.",
        needs: &[FEATURES],
        measures: &[TRUSTWORTHINESS, CONTINUITY],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let test = set.split(Split::Test)?;
        let mut shown: Vec<usize> = (0..test.labels.len()).collect();
        Rng::new(params.seed, Purpose::Evaluate, &[]).shuffle(&mut shown);
        shown.truncate(params.images as usize);
        shown.sort_unstable();
        let (count, neighbours) = (shown.len(), params.neighbours as usize);
        ensure!(
            2 * neighbours < count,
            "{count} images are shown, and {neighbours} neighbours of each are looked at, of which there must be fewer than half: lower \
             `neighbours`, or use a larger test split"
        );
        context.check_stop()?;
        let perplexity = params.perplexity.min(count as f64 / 3.0);
        let rows: Vec<&[f32]> =
            shown.iter().map(|&image| &test.values[image * set.features..][..set.features]).collect();
        let distances = Distances::of(&rows);
        let mut plane = principal(&rows, context);
        if params.method == Method::Tsne {
            let mut meter = context.meter("arrange", tsne::ITERATIONS as u64, "iterations");
            let go_on = |done: usize| {
                meter.at(done as u64, &[]);
                !context.stopping()
            };
            let Some(arranged) = tsne::arrange(&distances, plane, perplexity, go_on) else { bail!(Stopped) };
            plane = arranged;
        }
        let flat: Vec<[f32; 2]> = plane.iter().map(|place| place.map(|along| along as f32)).collect();
        let on_plane = Distances::of(&flat.iter().map(<[f32; 2]>::as_slice).collect::<Vec<_>>());
        // Where all features are the same nobody is nearer than another, and any plane is as good as chance.
        let both = match distances.are_zero() {
            true => [0.5; 2],
            false => [(&distances, &on_plane), (&on_plane, &distances)]
                .map(|(truth, shown)| trustworthiness(truth, shown, neighbours)),
        };
        for (measure, value) in [TRUSTWORTHINESS, CONTINUITY].iter().zip(both) {
            context.measure(measure.name, "test", value);
        }
        let classes: Vec<i32> = shown.iter().map(|&image| test.labels[image]).collect();
        let mut text = "row,class,x,y\n".to_owned();
        for ((&image, class), [x, y]) in shown.iter().zip(&classes).zip(&flat) {
            let _ = writeln!(text, "{},{class},{x},{y}", test.ids[image]);
        }
        std::fs::write(context.side().join("plane.csv"), text)?;
        Ok(std::fs::write(context.side().join("plane.svg"), picture::svg(&flat, &classes))?)
    }
}

/// The places of rows along the two directions in which they vary most.
fn principal(rows: &[&[f32]], context: &Context) -> Vec<[f64; 2]> {
    let features = rows[0].len();
    let mean: Vec<f64> = (0..features)
        .map(|feature| rows.iter().map(|row| f64::from(row[feature])).sum::<f64>() / rows.len() as f64)
        .collect();
    let centred =
        rows.iter().flat_map(|row| row.iter().zip(&mean).map(|(&value, mean)| (f64::from(value) - mean) as f32));
    let centred = TensorData::new(centred.collect::<Vec<f32>>(), [rows.len(), features]);
    let centred = Tensor::from_data(centred, &context.device);
    let along: Vec<f64> = Spectrum::of(&centred).first_two(&centred).into_data().iter::<f64>().collect();
    along.chunks_exact(2).map(|place| [place[0], place[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Outbox;
    use crate::data::npy;
    use pretext_protocol::{Reply, Run};
    use serde_json::{Map, Value};

    /// Made by `generate.py` beside it, with scikit-learn.
    const EXPECTED: &str = include_str!("../../tests/project/expected.json");
    const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/project/digits.npy");
    const FEATURES: usize = 64;

    fn expected(plane: &str, measure: &str) -> f64 {
        serde_json::from_str::<Value>(EXPECTED).unwrap()[plane][measure].as_f64().unwrap()
    }

    /// Digits, with waves so small that they only tell apart what is equally far.
    fn digits() -> Vec<f32> {
        let (_, pixels) = npy::read::<u8>(DIGITS.as_ref()).unwrap();
        pixels.iter().enumerate().map(|(n, &v)| (f64::from(v) + 1e-3 * (n as f64).sin()) as f32).collect()
    }

    struct Nobody;

    impl Outbox for Nobody {
        fn send(&self, _: &Reply) {}
    }

    fn measured(digits: &[f32], plane: &[[f32; 2]]) -> [f64; 2] {
        let truth = Distances::of(&digits.chunks(FEATURES).collect::<Vec<_>>());
        let shown = Distances::of(&plane.iter().map(<[f32; 2]>::as_slice).collect::<Vec<_>>());
        [trustworthiness(&truth, &shown, 12), trustworthiness(&shown, &truth, 12)]
    }

    #[test]
    fn trustworthiness_and_continuity_are_scikit_learns() {
        let digits = digits();
        let plane: Vec<[f32; 2]> = digits.chunks(FEATURES).map(|digit| [digit[20], digit[43]]).collect();
        let found = measured(&digits, &plane);
        for (found, measure) in found.into_iter().zip(["trustworthiness", "continuity"]) {
            let expected = expected("first_two", measure);
            assert!((found - expected).abs() < 1e-12, "{measure}: {found} in place of {expected}");
        }
    }

    #[test]
    fn places_are_as_trustworthy_as_scikit_learns() {
        let digits = digits();
        let rows: Vec<&[f32]> = digits.chunks(FEATURES).collect();
        let folder = tempfile::tempdir().unwrap();
        let run = Run::in_folder("eval/project", Map::new(), &[], folder.path()).unwrap();
        let context = Context::new(&run, &Nobody, &|| false).unwrap();
        let first = principal(&rows, &context);
        let arranged = tsne::arrange(&Distances::of(&rows), first, 30.0, |_| true).unwrap();
        let plane: Vec<[f32; 2]> = arranged.iter().map(|place| place.map(|along| along as f32)).collect();
        let found = measured(&digits, &plane);
        for (found, measure) in found.into_iter().zip(["trustworthiness", "continuity"]) {
            let expected = expected("tsne", measure);
            assert!(found > expected - 0.005, "{measure}: {found}, and scikit-learn comes to {expected}");
        }
    }
}
