//! Reference values: one test a case of `cases.json`, named after it, in the folder `PRETEXT_GOLDEN` or else in
//! `tests/golden`. Every parameter comes from there. A case that nothing implements yet is skipped, by its name.

#[path = "golden/case.rs"]
mod case;
#[path = "golden/images.rs"]
mod images;
#[path = "golden/metrics.rs"]
mod metrics;
#[path = "golden/networks.rs"]
mod networks;
#[path = "golden/objects.rs"]
mod objects;
#[path = "golden/training.rs"]
mod training;

use case::Case;
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;

type Check = fn(&Case) -> Result<(), Failed>;

/// Which check a case is put to.
fn check_for(name: &str) -> Option<Check> {
    Some(match name {
        _ if name.starts_with("loss_ntxent") => training::nt_xent,
        "loss_moco" => training::info_nce,
        "loss_byol" => training::byol,
        "loss_vae" => training::vae,
        "loss_mae" => training::mae,
        "loss_focal" => objects::focal,
        "loss_giou" => objects::giou,
        "nms" => objects::nms,
        _ if name.starts_with("conv_") => networks::conv2d,
        _ if name.starts_with("arch_resnet") => networks::resnet,
        "bn_train" => networks::batch_norm,
        "grad_resnet18" => networks::resnet_gradients,
        "opt_sgd" | "opt_sgd_nesterov" => training::sgd,
        "opt_adamw" => training::adamw,
        "opt_lars" => training::lars,
        "schedule" => training::schedule,
        "knn" => training::knn,
        "image_ops" => images::image_ops,
        "metrics_class" => metrics::classes,
        "metrics_det" => objects::figures,
        "metrics_seg" => metrics::masks,
        "metrics_image" => metrics::images,
        _ => return None,
    })
}

fn main() {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("PRETEXT_GOLDEN")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden")), PathBuf::from);
    let cases = case::load(&folder).unwrap_or_else(|error| panic!("{}: {error:#}", folder.display()));
    let trials = cases
        .into_iter()
        .map(|case| {
            let check = check_for(&case.name);
            let name = format!("golden::{}", case.name);
            Trial::test(name, move || check.map_or(Ok(()), |check| check(&case))).with_ignored_flag(check.is_none())
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    println!(
        "golden: {} passed, {} failed, {} skipped (nothing implements them yet)",
        conclusion.num_passed, conclusion.num_failed, conclusion.num_ignored
    );
    conclusion.exit();
}
