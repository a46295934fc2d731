//! Recipes whose trainings are said to be another's have them word for word: else they would silently be computed once more.

use std::fs;
use std::path::Path;

/// A recipe, another, and what the latter has of the former.
const SHARED: [(&str, &str, &[&str]); 3] = [
    ("label-fractions", "projection", &["photos", "random", "rotation", "simclr", "supervised"]),
    ("label-fractions", "robustness", &["photos", "random", "rotation", "simclr", "supervised", "finetune"]),
    ("detection", "segmentation", &["twitter", "google", "crops", "random", "simclr"]),
];

/// A stage's lines, without comments.
fn stage(recipe: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../recipes/{recipe}.yaml"));
    let text = fs::read_to_string(path).unwrap();
    let begins = format!("  {name}:");
    let from = text.lines().skip_while(|line| !line.starts_with(&begins));
    let is_its = |(number, line): &(usize, &str)| *number == 0 || line.starts_with("   ");
    let lines = from.enumerate().take_while(is_its).map(|(_, line)| line);
    lines.filter(|line| !line.trim_start().starts_with('#')).map(String::from).collect()
}

#[test]
fn trainings_of_another_recipe_are_its() {
    for (of, recipe, shared) in SHARED {
        for name in shared {
            let own = stage(of, name);
            assert!(!own.is_empty(), "{of} has no {name}");
            assert_eq!(stage(recipe, name), own, "{name} of {recipe} is another than that of {of}");
        }
    }
}
