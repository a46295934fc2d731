use super::dataset::{Dataset, Labels, Manifest, Preparation, Split};
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATA, DATASET, PortAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A data set of which one class is normal.
pub struct OneClass;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// the class that is normal, by its name, or by its number from 0 on
    normal: String,
    /// pixels of black around each image: 2 makes 32 x 32 of 28 x 28
    #[schemars(range(min = 0, max = 256), extend("x-unit" = "pixels"))]
    pad: u32,
    /// grey images with three channels that are alike, which an encoder of colour images takes
    rgb: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { normal: "0".into(), pad: 0, rgb: false }
    }
}

impl Stage for OneClass {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/one_class",
        // 2: every class that is not normal keeps its name.
        version: 2,
        summary: "A data set of which one class is normal: only its images are trained on, all others are anomalous",
        docs: "The normal class comes first, and the others keep their order. Train and validation hold the images of the class, test holds \
               all (Ruff et al. 2018, Deep SVDD, section 4.2, has CIFAR-10 and MNIST so); what is unlabelled is left out. Images that \
               the data set holds as files are decoded. Masks, boxes and groups are left behind. For every class in one run: an axis of \
               the classes' names, `with: { normal: $(class) }`.",
        needs: &[PortAbout { doc: "images with classes", ..DATA }],
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        data.manifest.check_image_classes("what is normal")?;
        let normal = class(&params.normal, &data.manifest.classes)?;
        let rows: Vec<(Split, usize)> = Split::LABELLED
            .into_iter()
            .flat_map(|split| data.rows(split).map(move |row| (split, row)))
            .filter(|&(split, row)| split == Split::Test || data.class(row) == normal)
            .collect();
        let has = |is_normal: bool| {
            rows.iter().any(|&(split, row)| split == Split::Test && (data.class(row) == normal) == is_normal)
        };
        let name = &data.manifest.classes[normal as usize];
        ensure!(has(true), "the test split has no image of {name}, so that nothing can be told from what is anomalous");
        ensure!(
            has(false),
            "the test split has images of {name} only, so that there is nothing to tell from what is normal"
        );
        let folder = context.output("dataset")?;
        let (made, grey) = (format(&data.manifest, normal, &params), data.manifest.channels == 1);
        let mut writer = DatasetWriter::create(&folder, made, rows.len())?;
        for (split, row) in rows {
            context.check_stop()?;
            let mut image = padded(&data.image(row), &data.manifest, params.pad as usize);
            if params.rgb && grey {
                image = image.into_iter().flat_map(|value| [value; 3]).collect();
            }
            writer.add(Sample::new(split, &image, first(data.class(row), normal)))?;
        }
        let title = format!("{} with {name} as what is normal", data.manifest.name);
        Summary { title, ..Summary::default() }.publish(&writer.finish()?, &folder, context)
    }
}

/// A class by its name or else its number.
fn class(normal: &str, classes: &[String]) -> Result<i32> {
    let by_name = classes.iter().position(|class| class == normal);
    let place = by_name.or_else(|| normal.parse().ok().filter(|&number: &usize| number < classes.len()));
    place.map(|place| place as i32).with_context(|| {
        format!(
            "normal is {normal}, which is no class: expected one of {}, or a number below {}",
            classes.join(", "),
            classes.len()
        )
    })
}

/// The number of a class where the normal one has come to the front.
fn first(class: i32, normal: i32) -> i32 {
    if class == normal { 0 } else { class + i32::from(class < normal) }
}

fn format(of: &Manifest, normal: i32, params: &Params) -> Format {
    let pad = params.pad as usize;
    let mut classes = of.classes.clone();
    classes[..=normal as usize].rotate_right(1);
    Format {
        name: of.name.clone(),
        height: of.height + 2 * pad,
        width: of.width + 2 * pad,
        channels: if params.rgb { 3 } else { of.channels },
        classes,
        labels: Labels::Anomalies,
        pictures: of.pictures.map(|how| Preparation { encoded: false, ..how }),
    }
}

/// An image with black around it, `[height, width, channels]`.
fn padded(image: &[u8], of: &Manifest, pad: usize) -> Vec<u8> {
    let (row, side) = (of.width * of.channels, pad * of.channels);
    let mut padded = vec![0; (of.height + 2 * pad) * (row + 2 * side)];
    let rows = padded.chunks_exact_mut(row + 2 * side).skip(pad);
    rows.zip(image.chunks_exact(row)).for_each(|(to, from)| to[side..side + row].copy_from_slice(from));
    padded
}

#[cfg(test)]
mod tests;
