//! Data sets and features are what numpy and torch open, each column in one line. Without a Python
//! that has both (`python/mod.rs`) the test says so and is ignored.

mod python;
mod tiny;

use libtest_mimic::{Arguments, Failed, Trial};
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::{Dataset, DatasetWriter, Format, Labels, Region, Sample, Split, column};
use std::path::Path;
use std::process::Command;

/// Prints shapes and sums of what it opens.
const SCRIPT: &str = r#"
import sys
import numpy as np
import torch
data, features, captioned, placed, predictions = sys.argv[1:]
for folder, names in [
    (data, ["image", "class", "split", "digest"]),
    (features, ["features", "id", "class", "split"]),
    (placed, ["mask", "boxes", "boxes.class", "boxes.offsets", "group"]),
    (predictions, ["test", "test.ids"]),
]:
    for name in names:
        column = np.load(f"{folder}/{name}.npy", mmap_mode="c")
        assert isinstance(column, np.memmap), name
        tensor = torch.from_numpy(column)
        assert list(tensor.shape) == list(column.shape) and tensor.data_ptr() == column.ctypes.data, name
        print(name, column.dtype, list(column.shape), np.sum(column[:7], dtype=np.float64))
offsets = np.load(f"{captioned}/text.offsets.npy")
texts = np.memmap(f"{captioned}/text.bytes", dtype=np.uint8, mode="r")
print("text", offsets.dtype, *(texts[start:end].tobytes().decode() for start, end in zip(offsets, offsets[1:])), sep="|")
"#;

/// A data set of grey images of 2 x 2 pixels, of which each has something more.
fn write_small(folder: &Path, labels: Labels, samples: &[Sample]) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    let format = Format {
        name: "small".into(),
        height: 2,
        width: 2,
        channels: 1,
        classes: vec!["any".into()],
        labels,
        pictures: None,
    };
    let mut writer = DatasetWriter::create(folder, format, samples.len())?;
    samples.iter().try_for_each(|sample| writer.add(*sample))?;
    writer.finish().map(|_| ())
}

fn opened(python: &Path) -> Result<(), Failed> {
    tch::set_num_threads(tiny::THREADS as i32);
    let root = tempfile::tempdir()?;
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    let made = |kind: &str, inputs: &[(&str, &Path)]| {
        let entry = catalog::find(kind).unwrap();
        let folder = root.path().join(kind.replace('/', "-"));
        let run = tiny::request(&entry, tiny::small_params(&entry, 1, 32), &folder, inputs);
        (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &|| false).unwrap()).unwrap();
        folder
    };
    let encoder = made("pretrain/pixels", &[("data", &data)]).join("out/encoder");
    let features = made("features", &[("data", &data), ("encoder", &encoder)]).join("out/features");
    let predictions = made("eval/knn", &[("features", &features)]).join("side/predictions");
    let [captioned, placed] = ["captioned", "placed"].map(|name| root.path().join(name));
    let plain = Sample::new(Split::Train, &[7; 4], 0);
    let captions = ["a cat", "", "zwei Bäume"].map(|text| Sample { text: Some(text), ..plain });
    write_small(&captioned, Labels::Images, &captions)?;
    let boxes = [Region { class: 0, edges: [0.0, 0.5, 1.0, 2.0] }, Region { class: 0, edges: [1.0, 0.0, 2.0, 1.5] }];
    let masks = [[1, 1, 0, 255], [0; 4], [0, 1, 0, 1]];
    let place = |number: usize, regions| Sample {
        class: -1,
        group: Some(number as u32),
        mask: Some(&masks[number]),
        regions: Some(regions),
        ..plain
    };
    write_small(&placed, Labels::Places, &[place(0, &boxes[..]), place(1, &[]), place(2, &boxes[1..])])?;
    let folders = [&data, &features, &captioned, &placed, &predictions];
    let output = Command::new(python).args(["-c", SCRIPT]).args(folders).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let data = Dataset::open(&data)?;
    let pixels: f64 = (0..7).flat_map(|row| data.image(row).iter().map(|&v| f64::from(v)).collect::<Vec<_>>()).sum();
    let classes: i32 = data.labels(Split::Train)[..7].iter().sum();
    let digests: f64 = data.digests[..7].iter().map(|&digest| digest as f64).sum();
    let said = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        format!("image uint8 [217, 16, 16, 3] {pixels:.1}"),
        format!("class int32 [217] {classes}.0"),
        "split uint8 [217] 0.0".to_owned(),
    ];
    assert_eq!(lines[..3], expected);
    let sum: f64 = lines[3].strip_prefix("digest uint64 [217] ").ok_or("digests are uint64")?.parse()?;
    assert!((sum / digests - 1.0).abs() < 1e-12, "{sum} in place of {digests}");
    assert!(lines[4].starts_with("features float32 [217, 768] "), "{said}");
    let images = data.len(Split::Test);
    let ids: usize = data.rows(Split::Test).take(7).sum();
    let told: i32 = column::<i32>(&predictions, "test", images)?[..7].iter().sum();
    assert_eq!(
        lines[5..],
        [
            "id uint32 [217] 21.0".to_owned(),
            format!("class int32 [217] {classes}.0"),
            expected[2].clone(),
            "mask uint8 [3, 2, 2] 259.0".to_owned(),
            "boxes float32 [3, 4] 12.5".to_owned(),
            "boxes.class int32 [3] 0.0".to_owned(),
            "boxes.offsets uint64 [4] 7.0".to_owned(),
            "group uint32 [3] 3.0".to_owned(),
            format!("test int32 [{images}] {told}.0"),
            format!("test.ids uint32 [{images}] {ids}.0"),
            "text|uint64|a cat||zwei Bäume".to_owned()
        ]
    );
    Ok(())
}

fn main() {
    let python = python::with("numpy, torch");
    let is_missing = python.is_none();
    let test = Trial::test("numpy_and_torch_open_what_stages_write", move || opened(&python.ok_or("no python")?));
    libtest_mimic::run(&Arguments::from_args(), vec![test.with_ignored_flag(is_missing)]).exit();
}
