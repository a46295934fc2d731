//! Recipes with the literature's settings, which nobody has the machine to run here: that the real worker plans them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Their names and how many stages each has: data, an untrained encoder a seed, one from ImageNet, and what is made of each.
const RECIPES: [(&str, usize); 4] =
    [("detection-coco", 5), ("detection-voc", 17), ("segmentation-coco", 5), ("segmentation-voc", 11)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/literature")
}

#[test]
fn recipes_of_the_literature_are_planned_and_say_that_they_were_not_run() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, RECIPES.map(|(name, _)| name));
    let place = tempfile::tempdir().unwrap();
    // What lies there counts in a plan, and is looked at when it runs.
    fs::create_dir(place.path().join("pictures")).unwrap();
    fs::write(place.path().join("pictures/readme.txt"), "nothing yet").unwrap();
    fs::write(place.path().join("resnet50.pth"), "nothing yet").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_fake-worker")).with_file_name("pretext");
    for (name, stages) in RECIPES {
        let recipe = folder().join(format!("{name}.yaml"));
        let first = fs::read_to_string(&recipe).unwrap().lines().next().unwrap().to_owned();
        assert!(first.starts_with('#') && first.contains("Nobody has run this yet."), "{name}: {first}");
        let set = |what: &str, file: &str| format!("{what}={}", place.path().join(file).display());
        let sets = [set("stages.pictures.with.path", "pictures"), set("stages.imagenet.with.file", "resnet50.pth")];
        let output = Command::new(&program)
            .args(["plan", "--store", "store", "--set", &sets[0], "--set", &sets[1]])
            .arg(&recipe)
            .current_dir(place.path())
            .env_remove("PRETEXT_WORKER")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(&format!("{name}: {stages} stages · ")), "{said}");
    }
}
