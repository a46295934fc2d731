//! `cargo xtask gpu`: on a machine with a GPU, all that can only be seen on one.

use crate::libtorch::{self, Part};
use crate::shell::{command, output, run};
use crate::{bench, binary, build, root, test};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const DEVICE: &str = "cuda:0";
const RECIPE: &str = "tests/recipes/tiny.yaml";
const STAGE: &str = "pretrain[method=simclr]";
/// The losses of so many epochs are compared; later ones drift apart, as rounding does in any training.
const EPOCHS: usize = 4;
/// How far apart they may be, of the processor's.
const TOLERANCE: f64 = 0.02;

pub fn run_all() -> Result<ExitCode, String> {
    let names = output("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]);
    let names = names.filter(|names| !names.is_empty()).ok_or(
        "this machine has no GPU that a driver knows: `nvidia-smi` gives none. Nothing was done; `cargo xtask test` \
         tests all that a processor can",
    )?;
    println!("on {}\n", names.replace('\n', ", "));
    libtorch::make_way(Part::Whole)?;
    build::everything(Part::Whole)?;
    run(&mut command(&binary("pretext").to_string_lossy(), &["doctor", "--offline"]))?;
    let golden = test::golden_on(DEVICE);
    let trainings = compare_trainings();
    println!("{}", trainings.as_ref().unwrap_or_else(|error| error));
    let bench = bench::on(DEVICE, "engine");
    match (golden, trainings, bench) {
        (Ok(()), Ok(_), Ok(_)) => Ok(ExitCode::SUCCESS),
        (golden, trainings, bench) => {
            let failed = [golden.err(), trainings.err(), bench.err()];
            Err(format!(
                "not all is well on {DEVICE}:\n{}",
                failed.into_iter().flatten().collect::<Vec<_>>().join("\n")
            ))
        }
    }
}

/// The same short training on the processor and on the GPU.
fn compare_trainings() -> Result<String, String> {
    let store = root().join("target/gpu-store");
    let losses = |device: &str| -> Result<Vec<f64>, String> {
        let mut pretext = command(&binary("pretext").to_string_lossy(), &["run", RECIPE, "--device", device]);
        pretext.args(["--only", STAGE, "--force", STAGE, "--out"]).arg(store.join("out")).arg("--store").arg(&store);
        run(float32(&mut pretext))?;
        read_losses(&latest_curve(&store.join("results"))?)
    };
    compared(&losses("cpu")?, &losses(DEVICE)?)
}

/// Convolutions and matrix products on GPUs may round their factors to 10 bits (TF32), and what is compared is float32.
pub fn float32(command: &mut std::process::Command) -> &mut std::process::Command {
    command.env("NVIDIA_TF32_OVERRIDE", "0")
}

/// Of the training that has just ended: results lie in `ab/KEY`, their pictures and curves in `side`.
fn latest_curve(results: &Path) -> Result<PathBuf, String> {
    let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let curves = inside(results.to_owned()).flat_map(inside).map(|result| result.join("side/curve.csv"));
    let written = |curve: &PathBuf| fs::metadata(curve).and_then(|file| file.modified()).ok();
    let latest = curves.filter(|curve| curve.exists()).max_by_key(written);
    latest.ok_or(format!("no training has left a curve in {}", results.display()))
}

/// The second column of a curve, whose first line has names.
fn read_losses(file: &Path) -> Result<Vec<f64>, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let loss = |line: &str| line.split(',').nth(1).and_then(|loss| loss.parse().ok());
    text.lines().skip(1).map(|line| loss(line).ok_or(format!("{}: `{line}` has no loss", file.display()))).collect()
}

/// The losses of the first epochs side by side; an error where they are too far apart.
fn compared(processor: &[f64], gpu: &[f64]) -> Result<String, String> {
    let pairs: Vec<_> = processor.iter().zip(gpu).take(EPOCHS).collect();
    // One that is not a number is near to none.
    let is_near = |(a, b): &(&f64, &f64)| (*a - *b).abs() <= TOLERANCE * a.abs();
    let line = |(epoch, (a, b)): (usize, &(&f64, &f64))| format!("\n  epoch {}: {a:.4} and {b:.4}", epoch + 1);
    let table: String = pairs.iter().enumerate().map(line).collect();
    let head = format!("loss of {STAGE} on the processor and on {DEVICE}, at most {:.0}% apart:", TOLERANCE * 100.0);
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
        assert!(compared(&processor, &[4.01, 3.49, 3.25, 3.04, 1.0]).is_ok());
        let error = compared(&processor, &[4.01, 3.49, 3.3, 3.0, 2.9]).unwrap_err();
        assert!(error.ends_with(": no\n  epoch 1: 4.0000 and 4.0100\n  epoch 2: 3.5000 and 3.4900\n  epoch 3: 3.2000 and 3.3000\n  epoch 4: 3.0000 and 3.0000"), "{error}");
        assert!(compared(&processor, &[4.0, f64::NAN, 3.2, 3.0]).is_err());
        assert!(compared(&processor, &[4.0]).is_err(), "a training that has not gone so far");
    }
}
