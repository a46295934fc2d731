mod drawings;
mod groups;

use super::dataset::{Labels, Split};
use super::sources::Source;
use super::split::Shares;
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Result, ensure};
use groups::CATEGORIES;
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage, RgbaImage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use drawings::{Drawing, Drawings, SIDE, Style};
pub use groups::Group;

/// Emoji as Twitter or Google draws them, by what they show.
pub struct Emoji;

/// What the classes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    Group,
    Category,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// whose drawings
    style: Style,
    /// what the classes are: `group`, those of `groups`, whose members look alike; `category`, the nine of Unicode's list
    by: By,
    /// which groups are classes, in this order; emoji of none are left out. `by: category` ignores it
    #[schemars(length(min = 2))]
    groups: Vec<Group>,
    /// width and height of the data set's images, of 64
    #[schemars(range(min = 8, max = 128), extend("x-unit" = "pixels"))]
    size: u32,
    /// red, green and blue of what shows where a drawing is transparent
    #[schemars(length(equal = 3), inner(range(min = 0, max = 255)))]
    background: [u8; 3],
    #[serde(flatten)]
    shares: Shares,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            style: Style::Twitter,
            by: By::Group,
            groups: Group::ALL.to_vec(),
            size: SIDE as u32,
            background: [255; 3],
            shares: Shares::default(),
        }
    }
}

/// Of either style.
pub(super) const SOURCES: &[Source] = &[drawings::TWITTER.sources[0], drawings::GOOGLE.sources[0]];

impl Stage for Emoji {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/emoji",
        summary: "Emoji by what they show, as Twitter or Google draws them: 1,897 drawings of 64x64 pixels",
        docs: "Fetched once from the npm package emoji-datasource-twitter or emoji-datasource-google and kept in the store's cache; \
               the decoded content is checked against a digest. Splits are drawn, of each class the same share, and no emoji is \
               in two: men and women who do the same, and all families, count as one. Both styles have the same emoji in the \
               same splits, so that what was learned from one can be judged on the other. Dials of clocks differ in their hands only. Left out are colours of skin and \
               flags that are other countries' flags.\n\n\
               Licences: Twitter's drawings CC BY 4.0, Google's Apache 2.0.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        check_distinct("groups", &params.groups)?;
        let drawings = Drawings::open(params.style, context)?;
        let class = |drawing: &Drawing| params.class(drawing);
        let parts = drawings.split(class, params.shares.of_all(), params.shares.seed);

        let [side, classes] = [params.size as usize, params.classes().len()];
        let format = Format {
            name: "emoji".into(),
            height: side,
            width: side,
            channels: 3,
            classes: params.classes(),
            labels: Labels::Images,
            pictures: None,
        };
        let folder = context.output("dataset")?;
        let mut writer = DatasetWriter::create(&folder, format, parts.iter().map(Vec::len).sum())?;
        for (split, numbers) in Split::LABELLED.into_iter().zip(&parts) {
            for &number in numbers {
                let image = params.image(&drawings.picture(number));
                let drawing = &drawings.all[number];
                let class = class(drawing).map_or(-1, |class| class as i32);
                writer.add(Sample { group: Some(drawing.emoji), ..Sample::new(split, &image, class) })?;
            }
        }
        let summary = Summary {
            title: format!("{}: {classes} classes, {side} x {side} pixels", params.style.fetched().name),
            remarks: vec!["no emoji is in two splits".into()],
            ..Summary::default()
        };
        summary.publish(&writer.finish()?, &folder, context)
    }
}

impl Params {
    fn classes(&self) -> Vec<String> {
        match self.by {
            By::Group => self.groups.iter().map(|group| group.name().to_owned()).collect(),
            By::Category => CATEGORIES.map(str::to_owned).to_vec(),
        }
    }

    fn class(&self, drawing: &Drawing) -> Option<usize> {
        match self.by {
            By::Group => self.groups.iter().position(|group| Some(*group) == drawing.group),
            By::Category => Some(drawing.category),
        }
    }

    /// `[height, width, channels]`
    fn image(&self, drawing: &RgbaImage) -> Vec<u8> {
        let whole = laid_on(drawing, self.background);
        resize(&whole, self.size, self.size, FilterType::Triangle).into_raw()
    }
}

/// That a parameter's list names no group twice.
pub fn check_distinct(parameter: &str, groups: &[Group]) -> Result<()> {
    let again = groups.iter().enumerate().find(|(place, group)| groups[..*place].contains(group));
    let names: Vec<&str> = groups.iter().map(|group| group.name()).collect();
    ensure!(again.is_none(), "{parameter} is [{}], with a group that stands twice: name each once", names.join(", "));
    Ok(())
}

fn laid_on(drawing: &RgbaImage, background: [u8; 3]) -> RgbImage {
    let [width, height] = [drawing.width(), drawing.height()];
    RgbImage::from_fn(width, height, |x, y| Rgb(over(drawing.get_pixel(x, y).0, background)))
}

/// A pixel of a drawing over what is below it.
pub fn over(pixel: [u8; 4], below: [u8; 3]) -> [u8; 3] {
    let alpha = u32::from(pixel[3]);
    [0, 1, 2].map(|c| ((u32::from(pixel[c]) * alpha + u32::from(below[c]) * (255 - alpha) + 127) / 255) as u8)
}

#[cfg(test)]
mod tests;
