//! What tests of such data sets share.

use crate::context::{Context, Outbox};
use crate::data::Dataset;
use crate::stage::Stage;
use anyhow::Result;
use image::{Rgb, RgbImage};
use pretext_protocol::{Reply, Run};
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Mutex;

struct Notes(Mutex<Vec<String>>);

impl Outbox for Notes {
    fn send(&self, reply: &Reply) {
        if let Reply::Note { text, .. } = reply {
            self.0.lock().unwrap().push(text.clone());
        }
    }
}

/// What a stage makes of a folder; and what it says of it.
pub struct Made {
    pub data: Dataset,
    pub note: String,
    pub place: tempfile::TempDir,
}

pub fn made<S: Stage>(root: &Path, params: Value) -> Result<Made> {
    let mut all = params.as_object().unwrap().clone();
    all.insert("path".into(), root.to_str().unwrap().into());
    let params = serde_json::from_value(Value::Object(all)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let run = Run::in_folder(S::ABOUT.name, Map::new(), &[], place.path()).unwrap();
    let notes = Notes(Mutex::new(vec![]));
    S::run(params, &Context::new(&run, &notes, &|| false).unwrap())?;
    let data = Dataset::open(&run.out.join("dataset")).unwrap();
    let note = notes.0.into_inner().unwrap().concat();
    Ok(Made { data, note, place })
}

pub fn refused<S: Stage>(root: &Path, params: Value) -> String {
    format!("{:#}", made::<S>(root, params).err().expect("it is refused"))
}

/// A black picture with rectangles: left, top, right, bottom.
pub fn paint(path: &Path, [width, height]: [u32; 2], rectangles: &[([u32; 4], [u8; 3])]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut picture = RgbImage::new(width, height);
    for &([left, top, right, bottom], colour) in rectangles {
        for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
            picture.put_pixel(x, y, Rgb(colour));
        }
    }
    picture.save(path).unwrap();
}

pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
