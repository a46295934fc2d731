mod chosen;
mod sample;

use super::cells::Summary;
use super::differences::Difference;
use super::{frame, grid, numbers};
use crate::plan::Edge;
use pretext_protocol::Port;
use sample::{Done, Sample, column};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Compares `text` with a file under `tests/expected`; `BLESS=1` writes the file instead.
fn assert_is_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/table/tests/expected").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; BLESS=1 writes it", path.display()));
    assert_eq!(text, expected, "{name} differs; BLESS=1 rewrites it");
}

/// Every file that a folder holds, by name.
fn files(dir: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn published(sample: &Sample) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().join("results/small-labels");
    let mut written = sample.tabulate().publish(&results).unwrap();
    written.sort();
    let found = files(&results);
    let names: Vec<_> = found.iter().map(|(name, _)| results.join(name)).collect();
    assert_eq!(written, names, "the folder holds what was written and no temporary files");
    found
}

#[test]
fn a_whole_recipe() {
    let sample = Sample::whole();
    for (name, text) in published(&sample) {
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        assert_is_file(&format!("whole/{name}"), &text);
    }
    assert_is_file("whole/terminal.txt", &sample.tabulate().terminal(Some("out/small-labels"), None));
}

#[test]
fn failed_missing_and_excluded_nodes_leave_gaps_with_their_reasons() {
    let mut sample = Sample::whole();
    for seed in 0..3 {
        sample.fail(&format!("pretrain[method=simclr,seed={seed}]"), "loss became NaN at step 310\nsee the log");
    }
    sample.fail("finetune[method=random,seed=1,labels=0.01]", "the worker died: out of memory");
    sample.forget("probe[method=random,seed=2]");
    sample.forget_measurements("probe[method=supervised,seed=0]", "accuracy");
    sample.exclude(|node| node.stage == "finetune" && node.id.0.contains("supervised"));
    let tables = sample.tabulate();
    assert_is_file("gaps/terminal.txt", &tables.terminal(Some("out/small-labels"), None));
    for (name, text) in
        published(&sample).into_iter().filter(|(name, _)| name.starts_with("both") || name == "costs.csv")
    {
        assert_is_file(&format!("gaps/{name}"), &text);
    }
}

#[test]
fn the_order_of_finishing_changes_no_byte() {
    let sample = Sample::whole();
    let mut shuffled = Sample::whole();
    shuffled.done.reverse();
    shuffled.done.rotate_left(7);
    assert_eq!(published(&shuffled), published(&sample));
}

#[test]
fn another_run_differs_in_its_costs_only() {
    let first = published(&Sample::whole());
    let mut slower = Sample::whole();
    for Done { provenance, .. } in &mut slower.done {
        provenance.seconds *= 1.7;
        provenance.finished = "2026-12-01T00:00:00Z".to_owned();
        provenance.machine.host = "elsewhere".to_owned();
    }
    let second = published(&slower);
    let differing = first.iter().zip(&second).filter(|(a, b)| a != b).map(|((name, _), _)| name.as_str());
    assert_eq!(differing.collect::<Vec<_>>(), ["computed.json", "costs.csv"]);
}

#[test]
fn rows_stand_in_the_order_of_the_tables_labels() {
    let mut sample = Sample::whole();
    sample.tables[0].labels[0].1 = ["supervised", "random", "simclr"].map(str::to_owned).to_vec();
    let tables = sample.tabulate();
    let rows: Vec<_> = tables.tables[0].rows.iter().map(|row| row.labels[0].as_str()).collect();
    assert_eq!(rows, ["supervised", "random", "simclr"]);
    let mean = |row: usize| (tables.tables[0].rows[row].cells[0].summary.unwrap().mean * 1e4).round() / 1e4;
    assert_eq!([mean(0), mean(1), mean(2)], [0.585, 0.381, 0.419]);
}

#[test]
fn rows_of_two_axes_are_nested_and_a_stage_counts_where_it_does_not_vary() {
    let mut sample = Sample::whole();
    let table = &mut sample.tables[0];
    table.rows = vec!["method".to_owned(), "labels".to_owned()];
    table.columns[0].references[0].row = "simclr, 1.0".to_owned();
    table.columns[1].where_.clear();
    let tables = sample.tabulate();
    let rows = &tables.tables[0].rows;
    let places: Vec<String> = rows.iter().map(|row| row.labels.join(" ")).collect();
    let expected = ["random 0.01", "random 1.0", "simclr 0.01", "simclr 1.0", "supervised 0.01", "supervised 1.0"];
    assert_eq!(places, expected);
    assert_eq!(rows[2].cells[0].summary, rows[3].cells[0].summary);
    assert_eq!([rows[2].cells[1].expected, rows[3].cells[1].expected], [3, 3]);
    assert!(rows[2].cells[1].summary.unwrap().mean < rows[3].cells[1].summary.unwrap().mean);
    assert_eq!([&rows[2], &rows[3]].map(|row| row.cells[0].reference.is_some()), [false, true]);
}

#[test]
fn views_of_a_kinds_own_and_a_length_in_steps_are_no_common_setting() {
    let mut sample = Sample::whole();
    for node in sample.graph.node_weights_mut().filter(|node| node.stage == "pretrain") {
        let kind = Arc::make_mut(&mut node.kind);
        let views =
            Port { name: "port1".into(), type_: "views".into(), required: false, used: true, doc: String::new() };
        kind.needs = if kind.name == "pretrain/random" { vec![] } else { vec![views] };
        kind.params = json!({ "properties": { "epochs": {}, "steps": {} } });
        let length = if kind.name == "pretrain/simclr" { Value::Null } else { json!(3) };
        node.params = [("epochs".to_owned(), json!(100)), ("steps".to_owned(), length)].into_iter().collect();
    }
    let tables = sample.tabulate();
    let compared = |name: &str| -> Vec<&str> {
        let compared = tables.tables[0].compared.iter().find(|compared| compared.name == name).unwrap();
        compared.values.iter().map(String::as_str).collect()
    };
    assert_eq!(compared("views"), ["-", "augment/simclr", "pretrain/supervised's own"]);
    assert_eq!(compared("length"), ["3 steps", "100 epochs", "3 steps"]);
}

#[test]
fn a_row_is_charged_once_for_what_it_stands_on_and_not_for_ignored_connections() {
    let mut sample = Sample::whole();
    let find = |id: &str| sample.graph.node_indices().find(|&at| sample.graph[at].id.0 == id).unwrap();
    let (trained, probe) = (find("pretrain[method=simclr,seed=0]"), find("probe[method=random,seed=0]"));
    sample.graph.add_edge(trained, probe, Edge { port: "ignored".into(), output: "out".into(), used: false });
    let tables = sample.tabulate();
    let seconds: Vec<_> = tables.tables[0].rows.iter().map(|row| row.cost.seconds.unwrap()).collect();
    // A probe of 2.5 s, one of the fine-tunings of 41 s, and 0, 610 or 1220 s of pretraining, as a mean of the seeds.
    assert_eq!(seconds, [43.5, 653.5, 1263.5]);
}

#[test]
fn rows_from_different_devices_say_so() {
    let mut sample = Sample::whole();
    for done in &mut sample.done {
        if done.node.0.contains("simclr") && !done.node.0.contains("seed=2") {
            done.provenance.device = "cuda:0".to_owned();
        }
    }
    let tables = sample.tabulate();
    let note = "computed on different devices: random, supervised on cpu; simclr on cpu and cuda";
    assert_eq!(tables.tables[0].notes[0], note);
    assert!(tables.pages[0].contains(&format!("- {note}\n")), "{}", tables.pages[0]);
    assert!(tables.costs.contains("computed on different devices"), "{}", tables.costs);
}

#[test]
fn values_of_one_computation_are_not_taken_for_several() {
    let mut sample = Sample::whole();
    let key = sample.done("probe[method=random,seed=0]").result.key;
    for seed in 1..3 {
        sample.done(&format!("probe[method=random,seed={seed}]")).result.key = key;
    }
    let table = &sample.tabulate().tables[0];
    let notes = &table.notes;
    assert_eq!(notes[0], "n = 1: what does not depend on seed is computed once and counted once");
    let shown = numbers::column(table, 0).iter().map(|cell| cell.plain()).collect::<Vec<_>>();
    assert_eq!(shown[..2], ["38.4 (n = 1)", "41.9 ± 0.7"]);
    let edge =
        "probe: l2 0.1, the largest that was tried, was chosen in some rows: beyond it there may be a better one";
    assert_eq!(notes.last().unwrap(), edge);
}

/// Of the probe random has 38.4, 38.1 and 37.8, simclr 42.6, 41.9 and 41.2, supervised 57.9, 58.5 and 59.1. Differences of pairs are 4.2, 3.8
/// and 3.4 (standard error .231), and 19.5, 20.4 and 21.3 (.520); Student's quantiles of two degrees of freedom are 4.303 at 5 % and 6.205
/// at the half, which the less likely of two chances is held against.
#[test]
fn rows_are_held_against_one_of_them_in_pairs() {
    let mut sample = Sample::whole();
    sample.tables[0].against = vec![("method".to_owned(), "random".to_owned())];
    let tables = sample.tabulate();
    let table = &tables.tables[0];
    assert_eq!(numbers::differences(table, 0), ["+3.8 [+2.8, +4.8]", "+20.4 [+17.2, +23.6]"]);
    assert_eq!(table.rows[0].cells[0].difference, None);
    let heading = "difference to random in pairs of one seed [interval]:";
    let row = "| simclr     |    +3.8 [+2.8, +4.8] |";
    assert!(tables.pages[0].contains(heading) && tables.pages[0].contains(row), "{}", tables.pages[0]);
    let shown = tables.terminal(None, None);
    assert!(shown.contains("\n  simclr          +3.8 [+2.8, +4.8]"), "{shown}");
    let line = tables.values[0].lines().nth(2).unwrap();
    let numbers: Vec<f64> = line.rsplit(',').filter_map(|cell| cell.parse().ok()).collect();
    assert!((numbers[7] - 0.038).abs() < 1e-9 && (numbers[6] - 0.0280629).abs() < 1e-6, "{line}");

    // What is one computation for all seeds is paired with each of them.
    let key = sample.done("probe[method=random,seed=0]").result.key;
    for seed in 1..3 {
        sample.done(&format!("probe[method=random,seed={seed}]")).result.key = key;
        let measured = sample.done("probe[method=random,seed=0]").result.measurements.clone();
        sample.done(&format!("probe[method=random,seed={seed}]")).result.measurements = measured;
    }
    let Some(Difference { mean, n, .. }) = sample.tabulate().tables[0].rows[1].cells[0].difference else { panic!() };
    assert!((mean - 0.035).abs() < 1e-12 && n == 3, "{mean} {n}");
    // Where one of a pair is missing there is none.
    sample.forget("probe[method=simclr,seed=1]");
    let tables = sample.tabulate();
    assert!(numbers::differences(&tables.tables[0], 0)[0].ends_with(" (n = 2)"));
    sample.fail("probe[method=random,seed=0]", "out of memory");
    (1..3).for_each(|seed| sample.forget(&format!("probe[method=random,seed={seed}]")));
    assert_eq!(numbers::differences(&sample.tabulate().tables[0], 0), ["-", "-"]);
}

/// Of several axes each row is held against that which differs from it in the ones that are named alone.
#[test]
fn rows_of_several_axes_are_held_against_their_own() {
    let mut sample = Sample::whole();
    let table = &mut sample.tables[0];
    table.rows = vec!["method".to_owned(), "labels".to_owned()];
    table.columns = vec![column("fine-tuned", "finetune", &[], vec![])];
    table.against = vec![("labels".to_owned(), "0.01".to_owned())];
    let tables = sample.tabulate();
    assert_eq!(numbers::differences(&tables.tables[0], 0), ["+40.0"; 3]);
    assert!(tables.pages[0].contains("difference to 0.01 in pairs"), "{}", tables.pages[0]);
}

#[test]
fn a_table_called_like_another_file_is_refused() {
    let mut sample = Sample::whole();
    sample.tables[1].name = "costs".to_owned();
    let error = sample.try_tabulate().unwrap_err().to_string();
    let expected = "a table may not be called `costs`: costs.csv is written for every recipe. \
                    Give it another name under `tables:`";
    assert_eq!(error, expected);
}

#[test]
fn the_sd_is_that_of_the_sample() {
    // Deviations from 5 squared: 9 1 1 1 0 0 4 16; their sum 32, divided by 7.
    let Summary { mean, sd, n } = frame::summary(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
    assert_eq!((mean, n), (5.0, 8));
    assert!((sd.unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15, "{sd:?}");
    assert_eq!(frame::summary(&[0.25]), Some(Summary { mean: 0.25, sd: None, n: 1 }));
    assert_eq!(frame::summary(&[0.1; 3]).unwrap().sd, Some(0.0));
    assert_eq!(frame::summary(&[]), None);
}

#[test]
fn durations_and_counts_of_threads_are_short() {
    let shown = [0.0, 0.04, 4.21, 9.96, 41.3, 119.4, 120.0, 5000.0, 7199.0, 30.0 * 3600.0].map(numbers::duration);
    assert_eq!(shown, ["0 s", "0 s", "4.2 s", "10 s", "41 s", "119 s", "2 min", "83 min", "2.0 h", "30.0 h"]);
    assert_eq!(numbers::threads([1]), "1 thread");
    assert_eq!(numbers::threads([2, 4]), "2 and 4 threads");
}

#[test]
fn a_table_wider_than_the_terminal_is_folded() {
    let tables = Sample::whole().tabulate();
    assert_is_file("whole/narrow.txt", &tables.terminal(Some("out/small-labels"), Some(40)));
    let widest = |width| {
        let page = tables.terminal(Some("out/small-labels"), Some(width));
        let rows = page.lines().filter(|line| line.starts_with("  "));
        rows.map(|line| line.chars().count()).max().unwrap()
    };
    assert!((40..65).all(|width| widest(width) <= width));
    assert_eq!(tables.terminal(Some("out/small-labels"), Some(66)), tables.terminal(Some("out/small-labels"), None));
}

#[test]
fn texts_are_padded_to_the_width_that_a_terminal_gives_them() {
    assert_eq!(grid::pad("表", 4, grid::Align::Right), "  表");
    assert_eq!(grid::pad("café", 6, grid::Align::Left), "café  ");
    assert_eq!(grid::pad("longer", 3, grid::Align::Left), "longer");
}

#[test]
fn markdown_cells_cannot_break_the_table() {
    let mut sample = Sample::whole();
    sample.tables[0].columns[0].title = "probe | linear".to_owned();
    let page = &sample.tabulate().pages[0];
    let header = page.lines().find(|line| line.starts_with("| method")).unwrap();
    assert!(header.starts_with("| method     | probe \\| linear | published |"), "{header}");
}

#[test]
fn columns_that_show_different_things_are_explained_one_by_one() {
    let mut sample = Sample::whole();
    sample.tables[0].columns[0].split = "validation".to_owned();
    let page = &sample.tabulate().pages[0];
    assert!(page.contains("\nmean ± sd of 3 seeds\n"), "{page}");
    let subjects = "Notes:\n\n- linear probe: accuracy on the validation split, in percent\n\
                    - fine-tune 1%: accuracy on the test split, in percent\n";
    assert!(page.contains(subjects), "{page}");
}

#[test]
fn other_units_keep_the_digits_that_their_sd_supports() {
    let mut sample = Sample::whole();
    sample.tables[0].columns.truncate(1);
    sample.tables[0].columns[0].value = "loss".to_owned();
    let shown = |sample: &Sample| {
        let tables = sample.tabulate();
        numbers::column(&tables.tables[0], 0).iter().map(|cell| cell.plain()).collect::<Vec<_>>()
    };
    // Losses 2.3104, 2.3004, 2.2904 and so on: an sd of 0.01, whose first digit is the second decimal.
    assert_eq!(shown(&sample), ["2.30 ± 0.01", "1.91 ± 0.01", "1.32 ± 0.01"]);
    // With one seed there is no sd: three digits of the largest.
    sample.exclude(|node| node.axes.iter().any(|(axis, label)| axis == "seed" && label != "0"));
    assert_eq!(shown(&sample), ["2.31", "1.92", "1.33"]);
}
