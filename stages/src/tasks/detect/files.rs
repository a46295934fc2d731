//! What was found in a split, to be looked at elsewhere: arrays by the sample's id, and COCO's JSON with the truth beside it.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `ids.npy`, `offsets.npy` | u32 `[n]`: the row of each image in the data set; u64 `[n + 1]`: where those of each begin |
//! | `boxes.npy` | f32 `[m, 4]`: left, top, right and bottom edge in pixels, an image's one after the other, the surest first |
//! | `scores.npy`, `classes.npy` | f32 `[m]`, i32 `[m]` |
//! | `truth.json`, `found.json` | COCO's annotations and results, as pycocotools reads them; classes count from 1 |

use crate::data::{Manifest, npy};
use crate::metrics::detection::{Found, Scene, Truth};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// `ids`: of each scene.
pub fn write(folder: &Path, ids: &[u32], scenes: &[Scene], data: &Manifest) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let found = || scenes.iter().flat_map(|scene| &scene.found);
    let mut offsets = vec![0];
    offsets.extend(scenes.iter().scan(0, |end, scene| {
        *end += scene.found.len() as u64;
        Some(*end)
    }));
    let rows = found().count();
    npy::write(folder.join("ids.npy"), &[ids.len()], ids)?;
    npy::write(folder.join("offsets.npy"), &[offsets.len()], &offsets)?;
    let boxes: Vec<f32> = found().flat_map(|found| found.edges.map(|edge| edge as f32)).collect();
    npy::write(folder.join("boxes.npy"), &[rows, 4], &boxes)?;
    npy::write(folder.join("scores.npy"), &[rows], &found().map(|found| found.score as f32).collect::<Vec<_>>())?;
    npy::write(folder.join("classes.npy"), &[rows], &found().map(|found| found.class as i32).collect::<Vec<_>>())?;
    write_json(&folder.join("truth.json"), &truth(ids, scenes, data))?;
    write_json(&folder.join("found.json"), &results(ids, scenes))
}

fn truth(ids: &[u32], scenes: &[Scene], data: &Manifest) -> Value {
    let image = |id: &u32| json!({ "id": id, "width": data.width, "height": data.height });
    let category = |(class, name): (usize, &String)| json!({ "id": class + 1, "name": name });
    let truths = ids.iter().zip(scenes).flat_map(|(id, scene)| scene.truths.iter().map(move |truth| (id, truth)));
    let annotation = |(number, (id, truth)): (u64, (&u32, &Truth))| {
        let [left, top, width, height] = with_size(truth.edges);
        json!({
            "id": number, "image_id": id, "category_id": truth.class + 1, "bbox": [left, top, width, height],
            "area": width * height, "iscrowd": 0,
        })
    };
    json!({
        "images": ids.iter().map(image).collect::<Vec<_>>(),
        "categories": data.classes.iter().enumerate().map(category).collect::<Vec<_>>(),
        "annotations": (1..).zip(truths).map(annotation).collect::<Vec<_>>(),
    })
}

fn results(ids: &[u32], scenes: &[Scene]) -> Value {
    let of_scene = |(id, scene): (&u32, &Scene)| -> Vec<Value> {
        let result = |found: &Found| json!({ "image_id": id, "category_id": found.class + 1, "bbox": with_size(found.edges), "score": found.score });
        scene.found.iter().map(result).collect()
    };
    ids.iter().zip(scenes).flat_map(of_scene).collect()
}

/// Left, top, width, height.
fn with_size([left, top, right, bottom]: [f64; 4]) -> [f64; 4] {
    [left, top, right - left, bottom - top]
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(failed)?;
    serde_json::to_writer(BufWriter::new(file), value).with_context(failed)
}
