//! What `choose` makes of tables: along the fractions of labels, by the fine-tuning's accuracy on validation.

use super::sample::{Sample, column};
use super::{assert_is_file, published};
use crate::recipe::{Best, Choice};
use crate::table::{Search, Tables};
use pretext_protocol::{Measure, Measurement};
use std::sync::Arc;

/// A table of the fine-tuning that leaves `labels` to a choice. `validation`: what each node measures there.
fn sample(validation: impl Fn(&str) -> f64) -> Sample {
    let mut sample = Sample::whole();
    for done in sample.done.iter_mut().filter(|done| done.node.0.starts_with("finetune")) {
        let measurement = Measurement {
            name: "accuracy".to_owned(),
            split: "validation".to_owned(),
            value: validation(&done.node.0),
        };
        done.result.measurements.push(measurement);
    }
    let by = column("finetune.accuracy", "finetune", &[], vec![]);
    let by = crate::recipe::Column { split: "validation".to_owned(), ..by };
    let choice = Choice { axes: vec!["labels".to_owned()], by, best: Best::Highest };
    sample.tables.remove(1);
    let table = &mut sample.tables[0];
    table.columns.remove(0);
    table.columns[0].where_.clear();
    table.columns[0].chosen = vec![choice];
    sample
}

/// On validation few labels are better for random, and all for the others; on test all are better for each.
fn few_for_random(node: &str) -> f64 {
    let is_high = node.contains("random") == node.contains("labels=0.01");
    let seed: f64 = node.split("seed=").nth(1).unwrap()[..1].parse().unwrap();
    0.5 + 0.01 * seed + if is_high { 0.1 } else { 0.0 }
}

fn chosen(tables: &Tables) -> Vec<Option<&str>> {
    tables.tables[0].chosen.iter().map(|chosen| chosen.value.as_deref()).collect()
}

fn means(tables: &Tables) -> Vec<Option<f64>> {
    let mean = |row: &crate::table::Row| Some((row.cells[0].summary?.mean * 1e4).round() / 1e4);
    tables.tables[0].rows.iter().map(mean).collect()
}

#[test]
fn the_best_on_validation_is_shown_and_said() {
    let sample = sample(few_for_random);
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [Some("0.01"), Some("1.0"), Some("1.0")]);
    // Of random the lower of both on the test split, which has no say.
    assert_eq!(means(&tables), [Some(0.282), Some(0.72), Some(0.886)]);
    assert_is_file("chosen/terminal.txt", &tables.terminal(Some("out/small-labels"), None));
    for (name, text) in
        published(&sample).into_iter().filter(|(name, _)| name.starts_with("both") || name == "about.json")
    {
        assert_is_file(&format!("chosen/{name}"), &text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
}

#[test]
fn the_lowest_is_chosen_where_less_is_better_and_of_equals_the_first() {
    let mut lowest = sample(few_for_random);
    lowest.tables[0].columns[0].chosen[0].best = Best::Lowest;
    assert_eq!(chosen(&lowest.tabulate()), [Some("1.0"), Some("0.01"), Some("0.01")]);
    // The same three values in another order: their means are equal, though their sums may differ in the last bit.
    let by_seed =
        |node: &str, values: [f64; 3]| values[node.split("seed=").nth(1).unwrap()[..1].parse::<usize>().unwrap()];
    let turned = |node: &str| match node.contains("labels=0.01") {
        true => by_seed(node, [0.1, 0.7, 0.3]),
        false => by_seed(node, [0.7, 0.3, 0.1]),
    };
    for best in [Best::Highest, Best::Lowest] {
        let mut equal = sample(turned);
        equal.tables[0].columns[0].chosen[0].best = best;
        assert_eq!(chosen(&equal.tabulate()), [Some("0.01"); 3]);
    }
}

#[test]
fn nothing_is_chosen_where_a_measurement_is_missing() {
    let mut sample = sample(few_for_random);
    sample.fail("finetune[method=simclr,seed=1,labels=0.01]", "loss became NaN at step 310");
    sample.forget_measurements("finetune[method=supervised,seed=0,labels=0.01]", "accuracy");
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [Some("0.01")]);
    assert_eq!(means(&tables), [Some(0.282), None, None], "the better one may be the one that is missing");
    assert_is_file("chosen/missing.txt", &tables.terminal(Some("out/small-labels"), None));
    // What is not part of the recipe is not chosen from.
    sample.exclude(|node| node.id.0.contains("simclr") && node.id.0.contains("labels=0.01"));
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [Some("0.01"), Some("1.0")]);
    assert_eq!(tables.tables[0].chosen[1].from, ["1.0"]);
}

/// Reasons of what is missing in the first table.
fn gaps(sample: &Sample) -> Vec<String> {
    sample.tabulate().tables[0].gaps.iter().map(|gap| gap.line.clone()).collect()
}

#[test]
fn why_nothing_is_chosen_is_said_as_it_is() {
    let luck = "and a mean of fewer is more a matter of luck; `exclude` takes away the same of each value, or a value \
                altogether";
    let mut unequal = sample(few_for_random);
    unequal.exclude(|node| node.id.0 == "finetune[method=random,seed=2,labels=1.0]");
    let why = |counts: &str| format!("the recipe has unequally many runs of its values ({counts}), {luck}");
    assert_eq!(gaps(&unequal), [format!("no labels was chosen for random: {}", why("0.01: 3, 1.0: 2"))]);
    let table = &mut unequal.tables[0];
    table.rows.clear();
    table.over.push("method".to_owned());
    assert_eq!(gaps(&unequal), [format!("no labels was chosen for the only row: {}", why("0.01: 9, 1.0: 8"))]);

    let mut nothing = sample(few_for_random);
    nothing.tables[0].columns.insert(0, column("linear probe", "probe", &[], vec![]));
    nothing.exclude(|node| node.stage == "finetune" && node.id.0.contains("random"));
    assert_eq!(gaps(&nothing), ["no labels was chosen for random: the recipe has none of its values there"]);
}

#[test]
fn rows_that_had_something_else_to_choose_from_are_told_apart() {
    let notes = |sample: &Sample| sample.tabulate().tables[0].notes.clone();
    let mut sample = sample(few_for_random);
    sample.exclude(|node| node.id.0.contains("random") && node.id.0.contains("labels=1.0"));
    let chosen = "by finetune.accuracy on the validation split (the highest";
    let expected = [
        "labels was not chosen for random: the recipe has 0.01 only".to_owned(),
        format!("labels was chosen from 0.01, 1.0 {chosen} mean of 3 seeds): simclr 1.0, supervised 1.0"),
        "labels 1, the largest that was tried, was chosen in some rows: beyond it there may be a better one".to_owned(),
    ];
    assert_eq!(notes(&sample), expected);

    let mut by_seed = self::sample(few_for_random);
    by_seed.exclude(|node| node.id.0.contains("random") && node.id.0.contains("seed=0"));
    by_seed.tables[0].over.clear();
    let column = &mut by_seed.tables[0].columns[0];
    column.where_.push(("labels".to_owned(), "1.0".to_owned()));
    column.chosen[0].axes = vec!["seed".to_owned()];
    let expected = [
        format!("seed was chosen from 1, 2 {chosen}): random 2"),
        format!("seed was chosen from 0, 1, 2 {chosen}): simclr 2, supervised 2"),
    ];
    assert_eq!(notes(&by_seed)[..2], expected);
}

#[test]
fn what_decided_may_have_been_trained_on() {
    let mut sample = sample(few_for_random);
    for node in sample.graph.node_weights_mut().filter(|node| node.stage == "finetune") {
        let [name, unit, doc] = ["seen", "", ""].map(str::to_owned);
        Arc::make_mut(&mut node.kind).measures.push(Measure { name, splits: vec![], unit, setting: false, doc });
    }
    for done in sample.done.iter_mut().filter(|done| done.node.0.starts_with("finetune")) {
        // That value is not the one that is chosen.
        let images = if done.node.0.contains("simclr") && done.node.0.contains("labels=0.01") { 120.0 } else { 0.0 };
        for (split, value) in [("test", 0.0), ("validation", images)] {
            let (name, split) = ("seen".to_owned(), split.to_owned());
            done.result.measurements.push(Measurement { name, split, value });
        }
    }
    let expected = [
        "no test image was among those that the encoders were trained on, told by their pixels",
        "the encoder of simclr was trained on 120 of the validation images, told by their pixels: what was chosen by them may \
         not be the best for new ones",
    ];
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables)[1], Some("1.0"));
    let notes = &tables.tables[0].notes;
    assert_eq!(notes[notes.len() - 2..], expected);
}

#[test]
fn what_was_tried_is_paid_for_and_what_is_one_computation_once() {
    let costs = |sample: &Sample, table: usize| -> Vec<(f64, Search)> {
        let tables = sample.tabulate();
        let rows = tables.tables[table].rows.iter();
        rows.map(|row| (row.cost.seconds.unwrap(), row.cost.search)).collect()
    };
    let mut sample = sample(few_for_random);
    // Fine-tunings of 41 s at two fractions, and 0, 610 or 1220 s of pretraining.
    assert_eq!(costs(&sample, 0), [(82.0, Search::Own), (692.0, Search::Own), (1302.0, Search::Own)]);
    for seed in 0..3 {
        let key = sample.done(&format!("finetune[method=random,seed={seed},labels=0.01]")).result.key;
        sample.done(&format!("finetune[method=random,seed={seed},labels=1.0]")).result.key = key;
    }
    assert_eq!(costs(&sample, 0), [(41.0, Search::None), (692.0, Search::Own), (1302.0, Search::Own)]);
    let text = sample.tabulate().costs;
    assert_eq!(text.matches("of all values that were tried").count(), 2, "{text}");
    // Side by side both fractions are shown.
    sample.tables = Sample::whole().tables.split_off(1);
    assert_eq!(costs(&sample, 0)[0], (41.0, Search::None));
}

/// Held at one seed, whose two fractions were tried, each of the three seeds has a third of what the second one took.
#[test]
fn what_was_tried_at_one_seed_is_paid_for_by_all() {
    let mut sample = sample(few_for_random);
    sample.tables[0].columns[0].chosen[0].by.where_ = vec![("seed".to_owned(), "0".to_owned())];
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [Some("0.01"), Some("1.0"), Some("1.0")]);
    let costs: Vec<_> = tables.tables[0].rows.iter().map(|row| (row.cost.seconds.unwrap(), row.cost.search)).collect();
    let of = |trained: f64| (trained + 41.0 + 41.0 / 3.0, Search::Share);
    for (found, expected) in costs.iter().zip([of(0.0), of(610.0), of(1220.0)]) {
        assert!((found.0 - expected.0).abs() < 1e-9 && found.1 == expected.1, "{found:?} in place of {expected:?}");
    }
    assert_eq!(tables.costs.matches("with its share of the values that were tried").count(), 3, "{}", tables.costs);
}

/// What is best at one seed is no choice where others have unequally many runs of it, or nothing at that seed.
#[test]
fn what_is_held_must_be_there_and_stand_for_all() {
    let held = || {
        let mut sample = sample(few_for_random);
        sample.tables[0].columns[0].chosen[0].by.where_ = vec![("seed".to_owned(), "0".to_owned())];
        sample
    };
    let mut unequal = held();
    unequal.exclude(|node| node.id.0 == "finetune[method=random,seed=2,labels=0.01]");
    let why = "no labels was chosen for random: the recipe has unequally many runs of its values (0.01: 2, 1.0: 3), ";
    assert!(gaps(&unequal)[0].starts_with(why), "{:?}", gaps(&unequal));
    let mut elsewhere = held();
    elsewhere.exclude(|node| node.stage == "finetune" && node.id.0.contains("random,seed=0"));
    let why = "no labels was chosen for random: the recipe has none of its values there at seed 0";
    assert_eq!(gaps(&elsewhere), [why]);
    // A row for each seed: all take what seed 0 says, though random's fractions differ in nothing there.
    let mut by_seed = held();
    by_seed.tables[0].over.clear();
    by_seed.tables[0].rows.push("seed".to_owned());
    let key = by_seed.done("finetune[method=random,seed=0,labels=0.01]").result.key;
    by_seed.done("finetune[method=random,seed=0,labels=1.0]").result.key = key;
    let tables = by_seed.tabulate();
    assert_eq!(chosen(&tables)[..4], [Some("0.01"), Some("0.01"), Some("0.01"), Some("1.0")]);
}

#[test]
fn what_makes_no_difference_is_not_said_to_be_chosen() {
    let mut sample = sample(|_| 0.5);
    for seed in 0..3 {
        let key = sample.done(&format!("finetune[method=random,seed={seed},labels=0.01]")).result.key;
        sample.done(&format!("finetune[method=random,seed={seed},labels=1.0]")).result.key = key;
    }
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [None, Some("0.01"), Some("0.01")]);
    let beside = tables.tables[0].compared.iter().find(|compared| compared.name == "labels").unwrap();
    assert_eq!(beside.values, ["-", "0.01", "0.01"]);
}

/// Raw pixels are the same for every seed, and yet more or less by what is chosen.
#[test]
fn what_is_one_computation_for_all_seeds_is_chosen_from_too() {
    let mut sample = sample(few_for_random);
    for labels in ["0.01", "1.0"] {
        let first = format!("finetune[method=random,seed=0,labels={labels}]");
        let (key, measured) = (sample.done(&first).result.key, sample.done(&first).result.measurements.clone());
        for seed in 1..3 {
            let done = sample.done(&format!("finetune[method=random,seed={seed},labels={labels}]"));
            (done.result.key, done.result.measurements) = (key, measured.clone());
        }
    }
    let tables = sample.tabulate();
    assert_eq!(chosen(&tables), [Some("0.01"), Some("1.0"), Some("1.0")]);
    assert_eq!(tables.tables[0].rows[0].cells[0].summary.unwrap().n, 1);
}

/// A further choice that needs the first: its measurement varies along what was chosen before.
#[test]
fn choices_are_made_one_after_another_or_together() {
    let mut one_after_another = sample(few_for_random);
    let column = &mut one_after_another.tables[0].columns[0];
    let seed = Choice { axes: vec!["seed".to_owned()], ..column.chosen[0].clone() };
    column.chosen = vec![Choice { axes: vec!["labels".to_owned(), "seed".to_owned()], ..seed.clone() }];
    one_after_another.tables[0].over.clear();
    let values = |tables: &Tables, axis: &str| -> Vec<String> {
        let of_axis = tables.tables[0].chosen.iter().filter(|chosen| chosen.axis == axis);
        of_axis.map(|chosen| chosen.value.clone().unwrap()).collect()
    };
    let tables = one_after_another.tabulate();
    assert_eq!(values(&tables, "seed"), ["2", "2", "2"]);
    assert_eq!(values(&tables, "labels"), ["0.01", "1.0", "1.0"]);
    assert_eq!(tables.tables[0].rows[0].cells[0].expected, 1);

    // By the probe, of which seed 0 is the best for random and simclr, and then labels by the fine-tuning at that seed.
    let column = &mut one_after_another.tables[0].columns[0];
    let mut probe = seed.clone();
    probe.by.from = "probe".to_owned();
    column.chosen = vec![probe, Choice { axes: vec!["labels".to_owned()], ..seed }];
    let tables = one_after_another.tabulate();
    assert_eq!(values(&tables, "seed"), ["0", "0", "2"]);
    assert_eq!(values(&tables, "labels"), ["0.01", "1.0", "1.0"]);
}
