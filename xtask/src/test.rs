//! The tests, of every crate, and how many passed.

use crate::build;
use crate::libtorch::Part;
use crate::shell::cargo;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let filter = match arguments {
        [] => None,
        [filter] => Some(*filter),
        _ => return Err("expected `test` or `test FILTER`".into()),
    };
    build::everything(Part::Processor)?;
    let (code, total, golden) = run_and_count(test_command(filter)?)?;
    if let (Some(filter), true) = (filter, total == Counts::default()) {
        return Err(format!("no test has `{filter}` in its name"));
    }
    match golden {
        Some(line) if filter == Some("golden") => println!("{line}"),
        _ => println!("all tests: {} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped),
    }
    Ok(code)
}

/// All of the workspace's packages, even for one test: of fewer, cargo would resolve other features and build anew.
fn test_command(filter: Option<&str>) -> Result<Command, String> {
    let mut test = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    match filter {
        Some("golden") => test.args(["--test", "golden"]),
        _ => test.args(["--bins", "--lib", "--tests"]).args(filter),
    };
    if let Some(folder) = std::env::var_os("PRETEXT_GOLDEN") {
        // Tests run in their crate's folder.
        test.env("PRETEXT_GOLDEN", std::path::absolute(folder).map_err(|e| format!("PRETEXT_GOLDEN: {e}"))?);
    }
    Ok(test)
}

/// Shows what the tests print while they run; the golden tests' own last line is handed back too.
fn run_and_count(mut test: Command) -> Result<(ExitCode, Counts, Option<String>), String> {
    let mut child = test.stdout(Stdio::piped()).spawn().map_err(|e| format!("cannot start cargo: {e}"))?;
    let (mut total, mut golden) = (Counts::default(), None);
    let mut lines = BufReader::new(child.stdout.take().ok_or("cargo has no output")?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(|e| format!("cannot read what cargo prints: {e}"))? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        total.add(&text);
        if text.starts_with("golden: ") {
            golden = Some(text.trim_end().to_owned());
        }
        line.clear();
    }
    let status = child.wait().map_err(|e| format!("cannot wait for cargo: {e}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from);
    Ok((code, total, golden))
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
