//! What predicted masks are worth, and what is left of them for people.

use super::super::features::{SEEN, measure_seen};
use super::super::shift::{SHIFT, SPLITS};
use super::masks;
use super::picture;
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::{Dataset, Split, npy};
use crate::metrics::{Overlap, confusion_picture};
use crate::stage::{MeasureAbout, OutputAbout};

use anyhow::Result;

/// Images of the test split in the picture.
const SHOWN: usize = 8;

const MEAN_IOU: MeasureAbout = MeasureAbout {
    name: "mean_iou",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "of each class the pixels that are of it and told as it, as a share of those that are either, over all images together, and the \
          mean over the classes that are there or told, the background among them, of `shift` where one is connected",
};
const MEAN_DICE: MeasureAbout = MeasureAbout {
    name: "mean_dice",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "of each class but the background twice the pixels that are of it and told as it, as a share of those of it and those told as it, \
          over all images together, and the mean over the classes that are there or told, of `shift` where one is connected",
};
const PIXEL_ACCURACY: MeasureAbout = MeasureAbout {
    name: "pixel_accuracy",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "share of pixels whose class is told, of `shift` where one is connected",
};

const fn dice(name: &'static str) -> MeasureAbout {
    MeasureAbout {
        name,
        splits: SPLITS,
        unit: "fraction",
        setting: false,
        doc: "Dice of the class of that number, as the data set counts them from 1 on (`pretext data` lists them in this order), of `shift` where one is connected; NaN where it is nowhere and told nowhere",
    }
}

/// Of the whole, Dice of so many classes behind the background, and what was learned from.
pub const MEASURES: &[MeasureAbout; 13] = &[
    MEAN_IOU,
    MEAN_DICE,
    PIXEL_ACCURACY,
    dice("dice_1"),
    dice("dice_2"),
    dice("dice_3"),
    dice("dice_4"),
    dice("dice_5"),
    dice("dice_6"),
    dice("dice_7"),
    dice("dice_8"),
    SEEN,
    LABELS,
];
/// Whose masks something was learned from.
pub const LABELS: MeasureAbout = MeasureAbout {
    name: "labels",
    splits: &[],
    unit: "",
    setting: false,
    doc: "training images whose masks were used",
};
pub const PREDICTIONS: OutputAbout = OutputAbout {
    name: "predictions",
    type_: "masks",
    doc: "of each split that is judged SPLIT.npy, u8 `[n, height, width]`: 0 background, then the classes; and SPLIT.ids.npy, \
          u32 `[n]`: the images' rows in their data set",
};

/// Measures, writes and draws what is predicted of validation and test, and of the `shift` where one is connected. `predict` gives the masks
/// of a split one after the other.
pub fn judge(
    data: &Dataset,
    shift: Option<&Dataset>,
    artifact: &EncoderArtifact,
    context: &Context,
    mut predict: impl FnMut(&Dataset, Split) -> Result<Vec<u8>>,
) -> Result<()> {
    let classes = masks::classes(&data.manifest);
    for split in [Split::Validation, Split::Test] {
        let predicted = predict(data, split)?;
        measure(data, split, split.name(), &predicted, &classes, context)?;
        measure_seen(artifact, data, split, context);
        if split == Split::Test {
            draw(data, &predicted, "masks.png", context)?;
        }
    }
    match shift {
        Some(shift) => {
            let predicted = predict(shift, Split::Test)?;
            measure(shift, Split::Test, SHIFT, &predicted, &classes, context)?;
            draw(shift, &predicted, "masks-shift.png", context)?;
        }
        None => MEASURES
            .iter()
            .filter(|measure| measure.splits.contains(&SHIFT))
            .for_each(|measure| context.measure(measure.name, SHIFT, f64::NAN)),
    }
    std::fs::write(context.side().join("legend.svg"), picture::legend(&classes))?;
    Ok(())
}

fn draw(data: &Dataset, predicted: &[u8], file: &str, context: &Context) -> Result<()> {
    let rows: Vec<usize> = data.rows(Split::Test).take(SHOWN).collect();
    picture::draw(data, &rows, predicted, &context.side().join(file))
}

fn measure(
    data: &Dataset,
    split: Split,
    name: &str,
    predicted: &[u8],
    classes: &[String],
    context: &Context,
) -> Result<()> {
    let mut overlap = Overlap::new(classes.len());
    let pixels = data.manifest.height * data.manifest.width;
    for (row, predicted) in data.rows(split).zip(predicted.chunks_exact(pixels)) {
        overlap.add(data.mask(row).expect("masks were looked for"), predicted);
    }
    let [mean_iou, mean_dice, pixel_accuracy, of_classes @ .., _seen, _labels] = MEASURES;
    context.measure(mean_iou.name, name, overlap.mean_iou());
    context.measure(mean_dice.name, name, overlap.mean_dice());
    context.measure(pixel_accuracy.name, name, overlap.pixels().accuracy());
    for (class, measure) in (1..).zip(of_classes) {
        let found = (class < classes.len()).then(|| overlap.dice(class)).flatten();
        context.measure(measure.name, name, found.unwrap_or(f64::NAN));
    }
    let side = |file: String| context.side().join(file);
    std::fs::write(side(format!("iou-{name}.csv")), overlap.to_csv(classes))?;
    std::fs::write(side(format!("confusion-{name}.csv")), overlap.pixels().to_csv(classes))?;
    std::fs::write(side(format!("confusion-{name}.svg")), confusion_picture::svg(overlap.pixels(), classes))?;
    let ids: Vec<u32> = data.rows(split).map(|row| row as u32).collect();
    let shape = [ids.len(), data.manifest.height, data.manifest.width];
    npy::write_with_ids(&context.output(PREDICTIONS.name)?, name, &shape, predicted, &ids)
}
