use super::linear_probe::FEATURES;
use crate::context::{Context, Stopped};
use crate::data::{Dataset, Split, coloured, draw_grid};
use crate::features::{FeatureSet, Neighbour, SplitFeatures, nearest, unit_bank, unit_rows};
use crate::stage::{About, DATA, MeasureAbout, PortAbout, Stage};
use anyhow::{Result, bail, ensure};
use image::{Rgb, RgbImage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many of the images that are nearest to one are of its class.
pub struct Retrieve;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// not used: nothing is drawn
    #[schemars(range(min = 0))]
    seed: u64,
}

/// How many are looked at, and by what name they are measured.
const LOOKED_AT: [(usize, MeasureAbout); 3] = [
    (1, precision("precision_at_1", "how often the nearest training image is of the image's class")),
    (5, precision("precision_at_5", "share of the five nearest training images that are of the image's class")),
    (10, precision("precision_at_10", "share of the ten nearest training images that are of the image's class")),
];
const MOST: usize = 10;

const fn precision(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: &["validation", "test"], unit: "fraction", setting: false, doc }
}

impl Stage for Retrieve {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/retrieve",
        // 2: of equally near images those come first that do in an order drawn once and for all.
        version: 2,
        summary: "Precision at 1, 5 and 10 of the nearest training images, by cosine",
        docs: "Every image of the split looks for its nearest training images; the mean over all of them. Nothing is chosen; \
               of those that are equally near the first are taken in an order drawn once and for all. With `data` \
               connected nearest.png shows some test images with their nearest, framed green where the class is theirs and red where it \
               is not.",
        needs: &[
            FEATURES,
            PortAbout { required: false, doc: "the images that the features are of, for the picture", ..DATA },
        ],
        unused: &["seed"],
        measures: &[LOOKED_AT[0].1, LOOKED_AT[1].1, LOOKED_AT[2].1],
        ..About::NONE
    };

    fn run(_: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let bank = set.split(Split::Train)?;
        let images = bank.labels.len();
        ensure!(images >= MOST, "there are {images} training images, and {MOST} are retrieved: use a larger data set");
        let data = context.optional_input(DATA.name).map(Dataset::open).transpose()?;
        if let Some(data) = &data {
            set.check_is_of(data)?;
        }
        let (unit_bank, order) = unit_bank(bank, set.features, &context.device);
        for split in [Split::Validation, Split::Test] {
            let queries = set.split(split)?;
            let mut meter = context.meter(split.name(), queries.labels.len() as u64, "images");
            let go_on = |done: usize| {
                meter.at(done as u64, &[]);
                !context.stopping()
            };
            let unit_queries = unit_rows(queries.values.chunks_exact(set.features), set.features, &context.device);
            let Some(found) = nearest(&unit_bank, &unit_queries, MOST, go_on) else { bail!(Stopped) };
            let image = |place: u32| order[place as usize] as u32;
            let found: Vec<Vec<u32>> =
                found.into_iter().map(|found| by_nearness(found).into_iter().map(image).collect()).collect();
            for (count, measure) in LOOKED_AT {
                context.measure(measure.name, split.name(), precision_at(count, &found, &bank.labels, &queries.labels));
            }
            if let (Some(data), Split::Test) = (&data, split) {
                draw(data, bank, queries, &found, context)?;
            }
        }
        Ok(())
    }
}

/// The nearest first; of those that are as near the earlier.
fn by_nearness(mut neighbours: Vec<Neighbour>) -> Vec<u32> {
    neighbours.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.index.cmp(&b.index)));
    neighbours.into_iter().map(|neighbour| neighbour.index).collect()
}

fn precision_at(count: usize, found: &[Vec<u32>], bank: &[i32], queries: &[i32]) -> f64 {
    let right =
        |(found, class): (&Vec<u32>, &i32)| found[..count].iter().filter(|&&i| bank[i as usize] == *class).count();
    let right: usize = found.iter().zip(queries).map(right).sum();
    right as f64 / (count * queries.len()) as f64
}

/// The first images of each class in turn, a row each, and their nearest.
fn draw(
    data: &Dataset,
    bank: &SplitFeatures,
    queries: &SplitFeatures,
    found: &[Vec<u32>],
    context: &Context,
) -> Result<()> {
    const ROWS: usize = 12;
    let classes = queries.labels.iter().max().map_or(0, |&class| class as usize + 1);
    let of_class = |class: usize| (0..queries.labels.len()).filter(move |&q| queries.labels[q] as usize == class);
    let rounds = (0..ROWS).flat_map(|round| (0..classes).filter_map(move |class| of_class(class).nth(round)));
    let row = |query: usize| -> Result<Vec<RgbImage>> {
        let class = queries.labels[query];
        let shown = |&place: &u32| {
            let (row, is_right) = (bank.ids[place as usize] as usize, bank.labels[place as usize] == class);
            Ok(framed(coloured(data, row)?, if is_right { Rgb([0, 160, 60]) } else { Rgb([210, 40, 30]) }))
        };
        let itself = framed(coloured(data, queries.ids[query] as usize)?, Rgb([255; 3]));
        std::iter::once(Ok(itself)).chain(found[query].iter().map(shown)).collect()
    };
    let rows: Vec<Vec<RgbImage>> = rounds.take(ROWS).map(row).collect::<Result<_>>()?;
    draw_grid(&rows, &context.side().join("nearest.png"))
}

/// With a border of a sixteenth of its side.
fn framed(image: RgbImage, colour: Rgb<u8>) -> RgbImage {
    let (width, height) = image.dimensions();
    let border = (width.max(height) / 16).max(1);
    let mut made = RgbImage::from_pixel(width + 2 * border, height + 2 * border, colour);
    image::imageops::replace(&mut made, &image, border.into(), border.into());
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_the_share_of_the_nearest_that_are_of_the_class() {
        let near = |index: u32, similarity: f32| Neighbour { index, similarity };
        let first = by_nearness(vec![near(0, 0.1), near(1, 0.9), near(2, 0.5), near(3, 0.9)]);
        assert_eq!(first, [1, 3, 2, 0]);
        let found = [first, vec![2, 0, 1, 3]];
        let (bank, queries) = ([0, 1, 0, 1], [1, 1]);
        // 1 is of class 1, 2 of class 0.
        assert_eq!(precision_at(1, &found, &bank, &queries), 0.5);
        assert_eq!(precision_at(2, &found, &bank, &queries), 0.5);
        assert_eq!(precision_at(3, &found, &bank, &queries), 0.5);
        assert_eq!(precision_at(4, &found, &bank, &queries), 0.5);
        assert_eq!(precision_at(3, &found[..1], &bank, &queries[..1]), 2.0 / 3.0);
    }
}
