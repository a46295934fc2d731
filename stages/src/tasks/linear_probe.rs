use super::feature_set::FeatureSet;
use super::logistic::{Problem, Standardiser, Weights};
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::metrics::accuracy;
use crate::stage::{About, MeasureAbout, PortAbout, Stage};
use anyhow::{Result, bail};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well a linear classifier does on frozen features.
pub struct LinearProbe;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// weights of the L2 penalty that are tried; the best on validation is used
    #[schemars(length(min = 1), inner(range(min = 0)))]
    l2: Vec<f64>,
    /// not used: the regression is convex and starts from zero
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { l2: vec![1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0], seed: 0 }
    }
}

pub const FEATURES: PortAbout =
    PortAbout { name: "features", type_: "features", required: true, used: true, doc: "of a frozen encoder" };
pub const ACCURACY: MeasureAbout = MeasureAbout {
    name: "accuracy",
    splits: &["validation", "test"],
    unit: "fraction",
    setting: false,
    doc: "share of images whose class is predicted",
};

impl Stage for LinearProbe {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/linear_probe",
        // 2: products by another library, which rounds otherwise.
        version: 2,
        summary: "Linear probe: multinomial logistic regression on frozen, standardised features",
        docs: "Features are standardised by the train split. Minimises mean cross entropy + l2/2 times the squared \
               weights (L-BFGS, until ten iterations lower it by less than a ten-thousandth), for each l2 in turn from the largest on; the one \
               with the best accuracy on validation (the larger of equals) is scored once on test. No learning rate, \
               no augmentation, no epochs to choose.",
        needs: &[FEATURES],
        unused: &["seed"],
        measures: &[
            ACCURACY,
            MeasureAbout { name: "l2", splits: &[], unit: "", setting: true, doc: "chosen on validation" },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let standardiser = Standardiser::fit(&set)?;
        let [train, validation] = [Split::Train, Split::Validation].map(|split| set.split(split));
        let (train, validation) = (train?, validation?);
        let problem = Problem::new(standardiser.apply(train, &context.device), &train.labels, set.classes);
        let held_out = standardiser.apply(validation, &context.device);
        let mut candidates = params.l2;
        candidates.sort_by(|a, b| b.total_cmp(a));
        let mut meter = context.meter("fit", candidates.len() as u64, "fits");
        let mut best: Option<(f64, f64, Weights)> = None;
        let mut start = None;
        for (done, &l2) in candidates.iter().enumerate() {
            meter.at(done as u64, &[("l2", l2)]);
            let Some(weights) = problem.fit(l2, start.as_ref(), || !context.stopping()) else { bail!(Stopped) };
            let score = accuracy(&problem.predict(&weights, &held_out), &validation.labels);
            if best.as_ref().is_none_or(|&(highest, ..)| score > highest) {
                best = Some((score, l2, weights.clone()));
            }
            start = Some(weights);
        }
        let (score, l2, weights) = best.expect("at least one l2 is tried");
        let test = set.split(Split::Test)?;
        let test_score = accuracy(&problem.predict(&weights, &standardiser.apply(test, &context.device)), &test.labels);
        context.measure("accuracy", "validation", score);
        context.measure("accuracy", "test", test_score);
        context.measure("l2", "", l2);
        Ok(())
    }
}
