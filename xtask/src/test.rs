//! The tests, of every crate, and how many passed.

use crate::build;
use crate::shell::cargo;
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let filter = match arguments {
        [] => None,
        [filter] => Some(*filter),
        _ => return Err("expected `test` or `test FILTER`".into()),
    };
    build::everything()?;
    let mut test = cargo(&["test", "--release", "--no-fail-fast"]);
    match filter {
        Some("golden") => test.args(["--package", "pretext-stages", "--test", "golden"]),
        _ => test.args(["--workspace", "--bins", "--lib", "--tests"]).args(filter),
    };
    if let Some(folder) = std::env::var_os("PRETEXT_GOLDEN") {
        // Tests run in their crate's folder.
        test.env("PRETEXT_GOLDEN", std::path::absolute(folder).map_err(|e| e.to_string())?);
    }
    let mut child = test.stdout(Stdio::piped()).spawn().map_err(|e| format!("cannot start cargo: {e}"))?;
    let (mut total, mut last) = (Counts::default(), String::new());
    for line in BufReader::new(child.stdout.take().ok_or("cargo has no output")?).lines() {
        let line = line.map_err(|e| e.to_string())?;
        println!("{line}");
        total.add(&line);
        if line.starts_with("golden: ") {
            last = line;
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if filter == Some("golden") {
        println!("{last}");
    } else {
        println!("all tests: {} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    }
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    /// Adds what a line like `test result: ok. 13 passed; 0 failed; 2 ignored; ...` says; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<usize>), words.next()) else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn results_are_summed_and_other_lines_ignored() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 13 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.06s");
        counts.add("test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test a_test ... ok");
        assert_eq!(counts, Counts { passed: 14, failed: 4, skipped: 2 });
    }
}
