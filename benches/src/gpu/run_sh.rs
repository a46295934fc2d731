//! The kit's script, with programs in place of the kit's that are slow, fail, or say little.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kit/run.sh");

fn write_program(file: &Path, script: &str) {
    fs::write(file, format!("#!/bin/bash\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A kit for torch 2.11, whose programs do as little as this says.
fn write_kit(folder: &Path) {
    fs::create_dir(folder.join("bin")).unwrap();
    fs::copy(SCRIPT, folder.join("run.sh")).unwrap();
    fs::write(folder.join("libtorch"), "2.11\n").unwrap();
    fs::write(folder.join("made-of"), "abc\n").unwrap();
    write_program(&folder.join("python"), "echo 2.11.0+cu130 /torch");
    let program = |name: &str, script: &str| write_program(&folder.join("bin").join(name), script);
    program("pretext", "sleep 1000");
    program("golden", "echo golden: 17 passed on $PRETEXT_GOLDEN_DEVICE; echo $LD_LIBRARY_PATH");
    program("operations", "echo '{\"not\": \"taken\"} for figures'");
    program(
        "pretext-bench-gpu",
        "case $1 in\n\
         resume) echo '{\"networks\": 1}'; echo '{\"networks\": 2}'; echo on and on; sleep 1000;;\n\
         waits) exit 3;;\n\
         *) echo said; echo '{\"section\": \"'$1'\"}';;\nesac",
    );
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut script = Command::new("bash");
    script.arg(folder.join("run.sh")).args(arguments).env("PYTHON", folder.join("python"));
    script.env("SECONDS_AT_MOST", "6").env("OUT", folder.join("report")).output().unwrap()
}

#[test]
fn a_section_that_fails_or_takes_too_long_stops_no_other() {
    let folder = tempfile::tempdir().unwrap();
    write_kit(folder.path());
    let output = run(folder.path(), &["--device", "cpu"]);
    assert_eq!(output.status.code(), Some(1));
    let report = |name: &str| fs::read_to_string(folder.path().join("report").join(name)).unwrap();
    let found: Value = serde_json::from_str(&report("report.json")).unwrap();
    assert_eq!(found["torch"], "2.11.0+cu130");
    assert_eq!((&found["device"], &found["gpu"], &found["made_of"]), (&json!("cpu"), &json!("none"), &json!("abc")));
    let sections = found["sections"].as_object().unwrap();
    let status: Vec<_> =
        sections.iter().map(|(name, section)| (name.as_str(), section["status"].as_str().unwrap())).collect();
    let (passed, late) = ("passed", "out of time");
    assert_eq!(
        status,
        [
            ("doctor", late),
            ("golden", passed),
            ("operations", passed),
            ("trainings", passed),
            ("resume", late),
            ("waits", "failed"),
            ("epoch", passed),
            ("speed", passed),
        ]
    );
    let figures = |name: &str| &sections[name]["figures"];
    assert_eq!(figures("speed"), &json!({ "section": "speed" }));
    assert_eq!(figures("resume"), &json!({ "networks": 2 }), "the last that came in time");
    assert_eq!([figures("doctor"), figures("operations"), figures("waits")], [&Value::Null; 3]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table == report("report.txt"));
    assert!(table.contains("            golden: 17 passed on cpu\n            /torch/lib"), "{table}");
    assert!(table.contains("            on and on\n") && !table.contains("networks"), "{table}");
}

#[test]
fn another_torch_or_argument_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_kit(folder.path());
    let error = |output: Output| (output.status.code(), String::from_utf8(output.stderr).unwrap());
    let (code, message) = error(run(folder.path(), &["--gpu"]));
    assert_eq!((code, message.as_str()), (Some(2), "expected no argument or --device cpu, found: --gpu\n"));
    write_program(&folder.path().join("python"), "echo 2.1.0 /torch");
    let (code, message) = error(run(folder.path(), &["--device", "cpu"]));
    assert_eq!(code, Some(1));
    assert!(message.ends_with("has torch 2.1.0, and the programs were built for 2.11\n"), "{message}");
}
