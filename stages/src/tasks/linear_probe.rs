use super::accuracies::{ACCURACY, BALANCED_ACCURACY, MACRO_F1, report};
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::features::{
    FeatureSet, GAIN, SplitFeatures, Standardiser,
    logistic::{Fit, Path, Problem, Weights},
};
use crate::metrics::Confusion;
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
        Self { l2: vec![1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0], seed: 0 }
    }
}

pub const FEATURES: PortAbout =
    PortAbout { name: "features", type_: "features", required: true, used: true, doc: "of a frozen encoder" };

impl Stage for LinearProbe {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/linear_probe",
        // 2: products by another library, which rounds otherwise. 3: fits that reach their minimum, of more and further l2. 4: in
        // float64; of equals none at the edge.
        version: 4,
        summary: "Linear probe: multinomial logistic regression on frozen, standardised features",
        docs: "Features are standardised by the train split. Minimises mean cross entropy + l2/2 times the squared \
               weights of every class, to within 1e-9 of the least value (Newton's method), for each l2 in turn from the largest on; \
               the one with the best accuracy on validation is scored once on test; of equals the largest that is not at the edge of \
               what is tried. The same as \
               scikit-learn's LogisticRegression with C = 1 / (n l2) for n images, or twice that for two classes, of which \
               it has one row of weights. No learning rate, no augmentation, no epochs to choose. In `predictions` beside the result: \
               which class each image was taken for (.npy).",
        needs: &[FEATURES],
        unused: &["seed"],
        measures: &[
            ACCURACY,
            BALANCED_ACCURACY,
            MACRO_F1,
            MeasureAbout { name: "l2", splits: &[], unit: "", setting: true, doc: "chosen on validation" },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let standardiser = Standardiser::each(&set)?;
        let [train, validation, test] = Split::LABELLED.map(|split| set.split(split));
        let (train, validation, test) = (train?, validation?, test?);
        context.check_stop()?;
        let problem = Problem::new(standardiser.apply(train, &context.device), &train.labels, set.classes);
        let scores =
            |of: &SplitFeatures, weights: &Weights| problem.scores(weights, &standardiser.apply(of, &context.device));
        let mut candidates = params.l2;
        candidates.sort_by(|a, b| b.total_cmp(a));
        let mut meter = context.meter("fit", candidates.len() as u64, "fits");
        let (mut tried, mut accuracies, mut path) = (vec![], vec![], Path::new(&problem));
        for (done, &l2) in candidates.iter().enumerate() {
            meter.at(done as u64, &[("l2", l2)]);
            let Some(fit) = path.fit(l2, || !context.stopping()) else { bail!(Stopped) };
            if fit.excess > GAIN {
                context.note(&format!("the fit with l2 {l2} ended about {:.0e} above its least loss", fit.excess));
            }
            let on_validation = Confusion::new(&scores(validation, &fit.weights), &validation.labels, set.classes);
            tried.push(fit);
            accuracies.push(on_validation.accuracy());
        }
        let Fit { l2, weights, .. } = tried.swap_remove(best(&accuracies));
        if let Some(edge) = edge(l2, &candidates) {
            context.note(&edge);
        }
        for (split, of) in [(Split::Validation, validation), (Split::Test, test)] {
            report(context, split, &scores(of, &weights), of.labelled(set.classes))?;
        }
        context.measure("l2", "", l2);
        Ok(())
    }
}

/// The place of the best; of equals the first that is at neither end, so that an end that is chosen says that there may be a better
/// one beyond it.
fn best(accuracies: &[f64]) -> usize {
    let most = accuracies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut equals = (0..accuracies.len()).filter(|&place| accuracies[place] >= most);
    let first = equals.clone().next().expect("at least one l2 is tried");
    equals.find(|&place| place > 0 && place + 1 < accuracies.len()).unwrap_or(first)
}

/// What to say where none was tried beyond the one that was chosen. `candidates` begin with the largest.
fn edge(l2: f64, candidates: &[f64]) -> Option<String> {
    let [largest, .., smallest] = *candidates else { return None };
    let (which, others) = match l2 {
        _ if largest == smallest => return None,
        _ if l2 == 0.0 => return None,
        _ if l2 == smallest => ("smallest", "smaller"),
        _ if l2 == largest => ("largest", "larger"),
        _ => return None,
    };
    Some(format!("the l2 that was chosen, {l2}, is the {which} that was tried: a {others} one may do better"))
}

#[cfg(test)]
mod tests {
    use super::{best, edge};

    #[test]
    fn of_equals_none_at_the_edge_is_chosen() {
        assert_eq!(best(&[0.5, 0.5, 0.5, 0.5]), 1);
        assert_eq!(best(&[0.4, 0.5, 0.6, 0.6]), 2);
        assert_eq!(best(&[0.6, 0.5, 0.5, 0.4]), 0, "an edge that is better");
        assert_eq!(best(&[0.6, 0.5, 0.5, 0.6]), 0);
        assert_eq!([best(&[0.5]), best(&[0.5, 0.5]), best(&[0.5, 0.6])], [0, 0, 1]);
    }

    #[test]
    fn a_choice_at_the_edge_of_what_was_tried_is_told() {
        let tried = [100.0, 1.0, 1e-6];
        assert_eq!(
            edge(1e-6, &tried).unwrap(),
            "the l2 that was chosen, 0.000001, is the smallest that was tried: a smaller one may do better"
        );
        assert!(edge(100.0, &tried).unwrap().ends_with("is the largest that was tried: a larger one may do better"));
        assert_eq!([edge(1.0, &tried), edge(1.0, &[1.0]), edge(1.0, &[1.0, 1.0])], [None, None, None]);
    }
}
