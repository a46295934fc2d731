//! Data sets and features are what numpy and torch open, each column in one line. Without a Python
//! that has both (`python/mod.rs`) the test says so and is ignored.

mod python;
mod tiny;

use libtest_mimic::{Arguments, Failed, Trial};
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::{Dataset, DatasetWriter, Format, Labels, Sample, Split};
use std::path::Path;
use std::process::Command;

/// Prints shapes and sums of what it opens.
const SCRIPT: &str = r#"
import sys
import numpy as np
import torch
for folder, names in [(sys.argv[1], ["image", "class", "split", "digest"]), (sys.argv[2], ["features", "id", "class", "split"])]:
    for name in names:
        column = np.load(f"{folder}/{name}.npy", mmap_mode="r")
        assert isinstance(column, np.memmap), name
        tensor = torch.from_numpy(np.array(column[:3]))
        assert tensor.shape[1:] == column.shape[1:]
        print(name, column.dtype, list(column.shape), np.sum(column[:7], dtype=np.float64))
offsets = np.load(f"{sys.argv[3]}/text.offsets.npy")
texts = np.memmap(f"{sys.argv[3]}/text.bytes", dtype=np.uint8, mode="r")
print("text", offsets.dtype, *(texts[start:end].tobytes().decode() for start, end in zip(offsets, offsets[1:])), sep="|")
"#;

/// A data set of images with captions.
fn write_captioned(folder: &Path, texts: &[&str]) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    let format = Format {
        name: "captioned".into(),
        height: 2,
        width: 2,
        channels: 1,
        classes: vec!["any".into()],
        labels: Labels::Images,
        pictures: None,
    };
    let mut writer = DatasetWriter::create(folder, format, texts.len())?;
    for text in texts {
        writer.add(Sample { text: Some(text), ..Sample::new(Split::Train, &[7; 4], 0) })?;
    }
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
        folder.join("out")
    };
    let encoder = made("pretrain/pixels", &[("data", &data)]).join("encoder");
    let features = made("features", &[("data", &data), ("encoder", &encoder)]).join("features");
    let captioned = root.path().join("captioned");
    write_captioned(&captioned, &["a cat", "", "zwei Bäume"])?;
    let output = Command::new(python).args(["-c", SCRIPT]).args([&data, &features, &captioned]).output()?;
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
    assert_eq!(
        lines[5..],
        [
            "id uint32 [217] 21.0".to_owned(),
            format!("class int32 [217] {classes}.0"),
            expected[2].clone(),
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
