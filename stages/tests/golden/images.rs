use crate::case::Case;
use libtest_mimic::Failed;
use pretext_stages::augment::ops::{self, Crop, Size};
use pretext_stages::augment::{Image, Rgb8};
use serde_json::Value;

/// At most 2/255 and 0.5/255 in the mean (conversions of hue round differently).
const WORST: f64 = 2.0 / 255.0;
const MEAN: f64 = 0.5 / 255.0;

pub fn image_ops(case: &Case) -> Result<(), Failed> {
    let [_, height, width] = *case.shape("in.image") else { panic!("an image has three dimensions") };
    let planes = case.floats("in.image");
    let bytes: Vec<u8> = (0..planes.len()).map(|i| planes[i % 3 * height * width + i / 3] as u8).collect();
    let source = Rgb8::new(&bytes, height, width);
    for (number, operation) in case.json("ops").as_array().expect("a list of operations").iter().enumerate() {
        let name = format!("out.{number}");
        let [_, height, width] = *case.shape(&name) else { panic!("an image has three dimensions") };
        let expected = Image { height, width, data: case.floats(&name) };
        let got = apply(operation, source);
        if (got.height, got.width) != (expected.height, expected.width) {
            return Err(format!(
                "{operation}: {}x{}, expected {}x{}",
                got.height, got.width, expected.height, expected.width
            )
            .into());
        }
        let differences: Vec<f64> =
            got.data.iter().zip(&expected.data).map(|(a, b)| f64::from((a - b).abs())).collect();
        let worst = differences.iter().fold(0.0f64, |worst, d| worst.max(*d));
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        if !(worst <= WORST && mean <= MEAN) {
            return Err(format!(
                "{operation}: off by {:.2}/255 at most, {:.3}/255 in the mean",
                worst * 255.0,
                mean * 255.0
            )
            .into());
        }
    }
    Ok(())
}

fn apply(operation: &Value, source: Rgb8<'_>) -> Image {
    let number = |name: &str| operation[name].as_f64().unwrap_or_else(|| panic!("{operation} has no {name}"));
    let (float, whole) = (|name: &str| number(name) as f32, |name: &str| number(name) as usize);
    let size = || Size { height: whole("size"), width: whole("size") };
    let mut image = Image::default();
    image.load(source);
    match operation["op"].as_str().expect("an operation has a name") {
        "brightness" => ops::brightness(&mut image, float("factor")),
        "contrast" => ops::contrast(&mut image, float("factor")),
        "saturation" => ops::saturation(&mut image, float("factor")),
        "hue" => ops::hue(&mut image, float("shift")),
        "grayscale" => ops::grayscale(&mut image),
        "solarize" => ops::solarize(&mut image, float("threshold")),
        "hflip" => ops::horizontal_flip(&mut image),
        "blur" => ops::gaussian_blur(&mut image, whole("kernel"), float("sigma")),
        "rot90" => image = ops::rot90(&image),
        "resize" => ops::resize(source, size(), &mut image),
        "resized_crop" => {
            let crop = Crop { top: whole("top"), left: whole("left"), height: whole("height"), width: whole("width") };
            ops::resized_crop(source, crop, size(), &mut image);
        }
        other => panic!("nothing implements {other}"),
    }
    image
}
