//! The same short trainings on the processor and on the device.

use crate::kit::{self, Done, STORE};
use anyhow::{Result, bail};
use pretext_benches::training::device_name;
use serde_json::{Map, Value, json};

/// Of SimCLR and of a detector, whose assignment is made on the host.
const STAGES: [&str; 2] = ["short", "found"];
/// The losses of so many epochs are compared; later ones drift apart, as rounding does in any training.
const EPOCHS: usize = 4;
/// How far apart they may be, of the processor's.
const TOLERANCE: f64 = 0.02;

pub fn section() -> Result<()> {
    let mut figures = Map::new();
    let mut is_near = true;
    for stage in STAGES {
        let losses = |device: &str| -> Result<Vec<f64>> {
            kit::succeed(&mut kit::run(stage, device, STORE, &[]))?;
            Done::newest(STORE, stage)?.losses()
        };
        let (processor, device) = (losses("cpu")?, losses(&device_name())?);
        let compared = compared(stage, &processor, &device, &device_name());
        println!("{}", compared.as_ref().unwrap_or_else(|table| table));
        figures.insert(stage.into(), json!({ "processor": processor, "device": device, "near": compared.is_ok() }));
        is_near &= compared.is_ok();
    }
    println!("{}", Value::Object(figures));
    if is_near { Ok(()) } else { bail!("the losses are not near each other") }
}

/// The losses of the first epochs side by side; an error where they are too far apart.
fn compared(stage: &str, processor: &[f64], device: &[f64], name: &str) -> Result<String, String> {
    let pairs: Vec<_> = processor.iter().zip(device).take(EPOCHS).collect();
    // One that is not a number is near to none.
    let is_near = |(a, b): &(&f64, &f64)| (*a - *b).abs() <= TOLERANCE * a.abs();
    let line = |(epoch, (a, b)): (usize, &(&f64, &f64))| format!("\n  epoch {}: {a:.4} and {b:.4}", epoch + 1);
    let table: String = pairs.iter().enumerate().map(line).collect();
    let head = format!("loss of `{stage}` on the processor and on {name}, at most {:.0}% apart:", TOLERANCE * 100.0);
    match pairs.len() == EPOCHS && pairs.iter().all(is_near) {
        true => Ok(format!("{head} yes{table}")),
        false => Err(format!("{head} no{table}")),
    }
}

#[cfg(test)]
mod tests {
    use super::compared;

    #[test]
    fn losses_may_differ_by_rounding_and_not_by_more() {
        let processor = [4.0, 3.5, 3.2, 3.0, 2.9];
        assert!(compared("short", &processor, &[4.01, 3.49, 3.25, 3.04, 1.0], "cuda:0").is_ok());
        let error = compared("short", &processor, &[4.01, 3.49, 3.3, 3.0, 2.9], "cuda:0").unwrap_err();
        assert!(error.ends_with(": no\n  epoch 1: 4.0000 and 4.0100\n  epoch 2: 3.5000 and 3.4900\n  epoch 3: 3.2000 and 3.3000\n  epoch 4: 3.0000 and 3.0000"), "{error}");
        assert!(compared("short", &processor, &[4.0, f64::NAN, 3.2, 3.0], "cuda:0").is_err());
        assert!(compared("short", &processor, &[4.0], "cuda:0").is_err(), "a training that has not gone so far");
    }
}
