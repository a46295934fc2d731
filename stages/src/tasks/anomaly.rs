//! What is not as all images that were trained on: each test image gets a score, and where maps are at hand each of its pixels.

mod bank;
mod coreset;
mod evaluate;
mod knn;
mod layers;
mod map;
mod padim;
mod patchcore;
mod picture;
mod reconstruction;

use super::features::{SEEN, measure_seen};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::features::{batch, normalised};
use crate::stage::{About, DATA, Deviations, ENCODER, MeasureAbout, OutputAbout, PortAbout, Stage};
use anyhow::{Result, bail, ensure};
use burn::tensor::Tensor;
use knn::Distance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well anomalies are told from what is normal.
pub struct Anomaly;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// By how badly the decoder that was trained with the encoder draws an image again.
    Reconstruction,
    /// By how far an image's features are from the nearest of training.
    Knn,
    Padim,
    Patchcore,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// reconstruction: squared error of the image that the encoder's `decoder` draws; knn: distance to the nearest training features;
    /// padim: a Gaussian for each place of the maps (Defard et al. 2020, arXiv:2011.08785); patchcore: the nearest of a coreset of all
    /// places of the maps (Roth et al. 2022, arXiv:2106.08265)
    method: Method,
    /// of padim and patchcore: the encoder's maps that are used, by number, 1 the finest; null: the papers', 1 to 3 and 2 and 3
    #[schemars(length(min = 1), inner(range(min = 1)))]
    layers: Option<Vec<u32>>,
    /// of knn: nearest training images
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    k: u32,
    /// of knn: the `mean` distance to those, or that to the farthest of them (`kth`)
    distance: Distance,
    /// of padim: channels of all maps together that are used, drawn by the seed; all where there are fewer
    #[schemars(range(min = 1, max = 4096), extend("x-unit" = "channels"))]
    channels: u32,
    /// of patchcore: share of the patches that is kept, of those that `patches` leaves
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0, "x-unit" = "fraction"))]
    share: f64,
    /// of patchcore: patches that those are chosen from at most; of more, as many are drawn by the seed. It bounds the memory: half a
    /// kilobyte each (and eight bytes of every patch that there is), and time is `share` times its square
    #[schemars(range(min = 1, max = 10_000_000), extend("x-unit" = "patches"))]
    patches: u32,
    /// of patchcore: patches around the nearest one by which an image's score is weighted; 1: it is not
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "patches"))]
    neighbours: u32,
    /// deviation of the Gaussian that smooths maps; null: a 56th of the images' shorter side, the papers' 4 at 224; 0: they stay
    #[schemars(range(min = 0, max = 100), extend("x-unit" = "pixels"))]
    sigma: Option<f64>,
    /// of what is drawn: padim's channels, patchcore's patches and first patch
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            method: Method::Knn,
            layers: None,
            k: 2,
            distance: Distance::Mean,
            channels: 100,
            share: 0.1,
            patches: 200_000,
            neighbours: 9,
            sigma: None,
            seed: 0,
        }
    }
}

const TEST: &[&str] = &["test"];

const fn measure(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: TEST, unit: "fraction", setting: false, doc }
}

impl Stage for Anomaly {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/anomaly",
        summary: "Anomaly detection on a frozen encoder: reconstruction error, kNN, PaDiM or PatchCore, fitted on normal images only",
        docs: "The data set says what is normal: data/one_class, data/mvtec. The train split is fitted on, the test split is scored once; \
               labels and masks of test are seen by the measures only, and validation is not used, so that nothing is chosen. Where all \
               scores are equal the AUROC is .5. An image's score is of reconstruction the mean squared error of its normalised values, of \
               padim the largest value of its smoothed map, of patchcore the largest distance of a patch, weighted. Of knn there are no \
               maps.\n\n\
               Beside the result: scores.csv, histogram.svg of normal and anomalous scores, extremes.png with the images of the highest \
               scores above and those of the lowest below, and, where there are maps, heatmaps.png: images, maps over them, and masks.",
        deviations: &[Deviations {
            of: "from the papers",
            list: &[
                "knn: distances are to the features as they are, Euclidean, as in DN2 (Bergman et al. 2020, arXiv:2002.10445)",
                "padim: maps are enlarged to the finest one's size by repeating, as in the authors' code",
                "patchcore: the channels of the joined maps are not averaged to 1,024; the neighbourhood is 3 x 3, zeros around the map \
                 counting; greedy selection begins with a patch drawn by the seed and sees 128 Gaussian projections, where there are more \
                 channels; the nearest of the coreset around a patch are that patch and the others, as in anomalib",
                "maps are smoothed as if they were mirrored at their outermost pixels, which are not repeated; images that are held out as \
                 validation are not fitted on",
                "images have the data set's size, and are not cropped; what smooths maps grows with them",
            ],
        }],
        needs: &[
            PortAbout { doc: "normal images to train on, all kinds to test", ..DATA },
            PortAbout { doc: "the frozen encoder", ..ENCODER },
        ],
        gives: &[OutputAbout {
            name: "scores",
            type_: "scores",
            doc: "test.npy, f32 `[n]`: the higher the less normal; and test.ids.npy, u32 `[n]`: the images' rows in their data set",
        }],
        measures: &[
            measure(
                "auroc",
                "area under the ROC curve: how often an anomalous image has a higher score than a normal one",
            ),
            measure("average_precision", "of anomalous images: precision, weighted by what recall gains"),
            measure(
                "pixel_auroc",
                "area under the ROC curve of all test pixels; NaN where there are no masks, or no maps",
            ),
            measure(
                "aupro",
                "per-region overlap (Bergmann et al. 2021), its mean up to a false positive rate of .3; NaN where there are no masks, or \
                 no maps",
            ),
            MeasureAbout { splits: TEST, ..SEEN },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        evaluate::check(&data)?;
        let folder = context.input("encoder")?;
        let encoder = EncoderArtifact::open(folder, &context.device)?;
        encoder.artifact.check_channels(&data.manifest)?;
        encoder.takes([data.manifest.height, data.manifest.width])?;
        measure_seen(&encoder.artifact, &data, Split::Test, context);
        let images = Images { data: &data, encoder: &encoder, context };
        let detector: Box<dyn Detector + '_> = match params.method {
            Method::Reconstruction => {
                Box::new(reconstruction::Reconstruction::open(&encoder, folder, &data.manifest, context)?)
            }
            Method::Knn => Box::new(knn::Knn::fit(&images, params.k as usize, params.distance)?),
            Method::Padim => Box::new(padim::Padim::fit(&images, &params)?),
            Method::Patchcore => Box::new(patchcore::PatchCore::fit(&images, &params)?),
        };
        let scored = score(&*detector, &images, &params)?;
        evaluate::evaluate(&images, &scored)
    }
}

/// What says of images how unlike normal ones they are.
trait Detector {
    /// Of normalised images `[batch, channels, height, width]`.
    fn look_at(&self, images: Tensor<4>) -> Result<Found>;
}

/// What is found of a batch.
struct Found {
    /// Of each image; `None`: the largest value of its smoothed map.
    scores: Option<Vec<f32>>,
    /// Of places, `[batch, 1, rows, columns]` at any size.
    map: Option<Tensor<4>>,
}

/// What is found of the test split.
struct Scored {
    scores: Vec<f32>,
    /// `[image, height, width]`, smoothed; empty where there are no maps.
    maps: Vec<f32>,
}

fn score(detector: &dyn Detector, images: &Images, params: &Params) -> Result<Scored> {
    let size = [images.data.manifest.height, images.data.manifest.width];
    let sigma = params.sigma.unwrap_or(size[0].min(size[1]) as f64 / 56.0);
    let mut scored = Scored { scores: vec![], maps: vec![] };
    images.each("score", images.data.rows(Split::Test).collect(), |_, x| {
        let Found { scores, map } = detector.look_at(x)?;
        let maps = map.map(|map| map::smoothed(map, size, sigma)).unwrap_or_default();
        let largest = || maps.chunks_exact(size[0] * size[1]).map(|map| map.iter().copied().fold(f32::MIN, f32::max));
        scored.scores.extend(scores.unwrap_or_else(|| largest().collect()));
        scored.maps.extend(maps);
        Ok(())
    })?;
    let rows = images.data.rows(Split::Test);
    if let Some(place) = scored.scores.iter().position(|score| !score.is_finite()) {
        bail!("image {} has the score {}, which nothing can be told by", rows.start + place, scored.scores[place]);
    }
    ensure!(
        scored.maps.iter().all(|score| score.is_finite()),
        "a map holds what is no number, and nothing can be told by that"
    );
    Ok(scored)
}

/// The data set's images, as the encoder takes them.
struct Images<'a> {
    data: &'a Dataset,
    encoder: &'a Frozen,
    context: &'a Context<'a>,
}

impl Images<'_> {
    /// Gives `take` some rows after the other, with their images `[batch, channels, height, width]`.
    fn each(
        &self,
        phase: &str,
        rows: Vec<usize>,
        mut take: impl FnMut(&[usize], Tensor<4>) -> Result<()>,
    ) -> Result<()> {
        // Maps of all places are held, and not only a feature vector of each image.
        const FEWER: usize = 8;
        let manifest = &self.data.manifest;
        let artifact = &self.encoder.artifact;
        let (size, normal) = ([manifest.height, manifest.width], [artifact.mean.as_slice(), &artifact.sd]);
        let mut meter = self.context.meter(phase, rows.len() as u64, "images");
        for (number, some) in rows.chunks((batch(size) / FEWER).max(1)).enumerate() {
            self.context.check_stop()?;
            let shape = [some.len(), size[0], size[1], manifest.channels];
            take(some, normalised(shape, normal, &self.context.device, |place| self.data.image(some[place])))?;
            meter.at((number * (batch(size) / FEWER).max(1) + some.len()) as u64, &[]);
        }
        Ok(())
    }

    fn train(&self) -> Vec<usize> {
        self.data.rows(Split::Train).collect()
    }
}
