//! What a stage would refuse is told before any stage is computed for long.

use pretext_tests::Place;
use std::fs;

/// A stage that is quick, and two that take long, of which the second is given what the first yields.
const RECIPE: &str = "name: long
axes: { seed: [0, 1, 2], steps: [1, 2] }
stages:
  source: { use: fake/source, with: { value: 3 } }
  first: { use: fake/slow, needs: { a: source }, with: { steps: $(steps), seed: $(seed) } }
  second:
    use: fake/slow
    needs: { a: first }
    with: { steps: 4 }
";

fn place(recipe: &str) -> Place {
    let place = Place::new("");
    let worker = place.path().join("fake-worker-that-rehearses");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-worker"), &worker).unwrap();
    let place = place.with_worker(worker);
    place.write("r.yaml", recipe);
    place
}

/// Lines of a file in the store's cache.
fn lines(place: &Place, name: &str) -> Vec<String> {
    let text = fs::read_to_string(place.path().join(".pretext/cache").join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Kinds that were computed.
fn computed(place: &Place) -> Vec<String> {
    lines(place, "trace").iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn what_would_be_refused_hours_later_is_told_with_its_line_before_anything_takes_long() {
    let place = place(&RECIPE.replace("steps: 4", "steps: -4"));
    let (output, _, err) = place.ran(&["run", "r.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let told = "error: `second` would fail: steps is -4: write more
 --> r.yaml:6:3
  |
6 |   second:
  |   ^^^^^^ so it was when second x6 began in a rehearsal, second[seed=0,steps=1] the first
1 error; nothing was run but data and views (--keep-going computes what does not need it)";
    assert!(err.trim_end().ends_with(told), "{err}");
    assert_eq!(computed(&place), ["fake/source"]);
    let (_, _, err) = place.ran(&["run", "r.yaml"]);
    assert!(
        err.trim_end().ends_with("1 error; nothing was run (--keep-going computes what does not need it)"),
        "{err}"
    );
}

#[test]
fn what_differs_in_its_seed_alone_is_rehearsed_once_on_what_rehearsals_have_left() {
    let place = place(RECIPE);
    place.out(&["run", "r.yaml"]);
    let rehearsals = lines(&place, "rehearsals");
    let expected = ["rehearsal of 1 on 3", "rehearsal of 2 on 3", "rehearsal of 4 on 5", "rehearsal of 4 on 5"];
    assert_eq!(rehearsals, expected);
    assert_eq!(computed(&place).len(), 1 + 6 + 2, "and then all is computed; seeds yield the same bytes");
    place.out(&["run", "r.yaml"]);
    assert_eq!(lines(&place, "rehearsals").len(), 4, "what is there is not rehearsed");
    let runs = fs::read_dir(place.path().join(".pretext/runs")).unwrap().count();
    assert_eq!(runs, 3, "data and views, the rest, and again");
    let folder = place.path().join(".pretext/attempts");
    assert!(
        fs::read_dir(folder).unwrap().flatten().all(|left| !left.file_name().to_string_lossy().contains("partial"))
    );
}

#[test]
fn what_a_rehearsal_cannot_tell_is_left_to_the_run() {
    let unknown = place(&RECIPE.replace("steps: [1, 2]", "steps: [0]").replace("steps: 4", "steps: -4"));
    let (output, _, err) = unknown.ran(&["run", "r.yaml", "--fail-fast"]);
    assert!(!err.contains("would fail"), "of what the first yields nobody knows anything: {err}");
    assert_eq!(lines(&unknown, "rehearsals"), ["rehearsal of 0 on 3"]);
    assert!(computed(&unknown).len() > 1 && output.status.code().is_some());

    let dying = RECIPE.replace("steps: 4", "steps: -99");
    let twice = place(&dying);
    let (_, _, err) = twice.ran(&["run", "r.yaml"]);
    assert!(!err.contains("rehearsal of second"), "two ends of workers are no word on the others: {err}");
    assert_eq!(lines(&twice, "rehearsals").len(), 4);
    let dying = place(&dying.replace("steps: [1, 2]", "steps: [1, 2, 3]"));
    let (_, _, err) = dying.ran(&["run", "r.yaml"]);
    let note = "note: the rehearsal of second[seed=0,steps=3], and 2 others: the worker ";
    assert!(err.contains(note) && err.contains("; going on without a rehearsal"), "{err}");
    assert!(computed(&dying).iter().any(|kind| kind == "fake/slow"), "{err}");
}

#[test]
fn a_person_may_go_on_all_the_same() {
    let refused = RECIPE.replace("steps: 4", "steps: -4");
    let without = place(&refused);
    without.ran(&["run", "r.yaml", "--no-rehearsal"]);
    assert!(lines(&without, "rehearsals").is_empty());
    assert_eq!(computed(&without).len(), 1 + 6 + 2);
    let going_on = place(&refused);
    let (_, _, err) = going_on.ran(&["run", "r.yaml", "--keep-going"]);
    assert!(err.contains("1 error; the rest is computed"), "{err}");
    assert_eq!(computed(&going_on).len(), 1 + 6, "what is refused is not begun again");
}

/// A mistake of the recipe is one that all instances of a stage share.
#[test]
fn what_some_instances_refuse_is_a_gap_beside_the_others() {
    let place = place(&RECIPE.replace("steps: [1, 2]", "steps: [1, -2]"));
    let (output, _, err) = place.ran(&["run", "r.yaml"]);
    assert!(
        err.contains("`first` would fail: steps is -2: write more") && err.contains("the rest is computed"),
        "{err}"
    );
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(computed(&place).len(), 1 + 3 + 1, "three seeds of the other, and what their equal bytes lead to");
    let strict = self::place(&RECIPE.replace("steps: [1, 2]", "steps: [1, -2]"));
    strict.ran(&["run", "r.yaml", "--fail-fast"]);
    assert_eq!(computed(&strict), ["fake/source"]);
}

#[test]
fn data_that_fail_fail_once() {
    let place = place(&RECIPE.replace("use: fake/source, with: { value: 3 }", "use: fake/fail"));
    let (output, _, err) = place.ran(&["run", "r.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(computed(&place), ["fake/fail"]);
}

#[test]
fn what_is_not_wanted_is_not_rehearsed() {
    let place = place(&RECIPE.replace("steps: 4", "steps: -4"));
    place.out(&["run", "r.yaml", "--only", "first[seed=0,steps=1]"]);
    assert_eq!(lines(&place, "rehearsals"), ["rehearsal of 1 on 3"]);
}
