//! COCO's file of annotations (cocodataset.org, "Data format": object detection).

use super::shapes::Shape;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Debug, Deserialize)]
pub struct File {
    pub images: Vec<Image>,
    pub annotations: Vec<Annotation>,
    pub categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
pub struct Image {
    pub id: i64,
    pub file_name: String,
    pub height: u32,
    pub width: u32,
}

#[derive(Debug, Deserialize)]
pub struct Category {
    pub id: i64,
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct Annotation {
    #[serde(default)]
    pub id: i64,
    pub image_id: i64,
    pub category_id: i64,
    /// Left, top, width, height.
    pub bbox: [f32; 4],
    /// 1: many in one, as a crowd or a pile.
    #[serde(default)]
    pub iscrowd: u8,
    #[serde(default)]
    segmentation: Option<Segmentation>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Segmentation {
    /// Corners, x and y in turn.
    Polygons(Vec<Vec<f64>>),
    Runs {
        counts: Counts,
        /// Height and width.
        size: [u32; 2],
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u32>),
    Packed(String),
}

impl File {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        // What some editors begin a file with.
        let text = text.trim_start_matches('\u{feff}');
        let file: Self = serde_json::from_str(text).with_context(|| {
            let why = if text.trim_start().starts_with('[') {
                ": it is a list, as results are"
            } else if text.contains("NaN") || text.contains("Infinity") {
                "; and a number is NaN or infinite in it, of which JSON knows nothing"
            } else {
                ""
            };
            format!(
                "{} is not as COCO's object detection has it: `images`, `annotations` and `categories`{why}",
                path.display()
            )
        })?;
        file.check().with_context(|| path.display().to_string())?;
        Ok(file)
    }

    fn check(&self) -> Result<()> {
        check_once("images", self.images.iter().map(|image| image.id))?;
        check_once("categories", self.categories.iter().map(|category| category.id))?;
        for Annotation { id, iscrowd, .. } in &self.annotations {
            ensure!(*iscrowd <= 1, "`iscrowd` of annotation {id} is {iscrowd}, expected 0 or 1");
        }
        Ok(())
    }
}

fn check_once(what: &str, ids: impl Iterator<Item = i64>) -> Result<()> {
    let mut known = BTreeSet::new();
    for id in ids {
        ensure!(known.insert(id), "two of its {what} have the id {id}: give each one of its own");
    }
    Ok(())
}

impl Annotation {
    /// Whether it is an object whose box has no area.
    pub fn is_flat(&self) -> bool {
        self.iscrowd == 0 && self.bbox[2..].contains(&0.0)
    }

    /// Left, top, right, bottom.
    pub fn edges(&self) -> [f32; 4] {
        let [left, top, width, height] = self.bbox;
        [left, top, left + width, top + height]
    }

    /// What of its picture it covers.
    pub fn shape(&self) -> Result<Shape> {
        match self.segmentation.clone() {
            Some(Segmentation::Polygons(polygons)) if !polygons.is_empty() => {
                let is_whole = |corners: &Vec<f64>| corners.len() >= 6 && corners.len().is_multiple_of(2);
                ensure!(
                    polygons.iter().all(is_whole),
                    "annotation {} has a polygon that is none: expected x and y of three corners at least",
                    self.id
                );
                Ok(Shape::Polygons(polygons))
            }
            Some(Segmentation::Runs { counts, size }) => {
                let runs = match counts {
                    Counts::Plain(runs) => runs,
                    Counts::Packed(text) => super::shapes::unpacked(&text)
                        .with_context(|| format!("annotation {} has runs that are damaged", self.id))?,
                };
                Ok(Shape::Runs { runs, size })
            }
            _ => {
                anyhow::bail!("annotation {} has no segmentation, of which a mask is made: say `masks: false`", self.id)
            }
        }
    }
}
