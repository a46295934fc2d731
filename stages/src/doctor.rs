//! What this worker computes with and where its data comes from, for `pretext doctor`.

use crate::{data, nn};
use pretext_protocol::Finding;
use std::time::Instant;

/// `offline`: nothing is asked of the network.
pub fn findings(offline: bool) -> Vec<Finding> {
    let parts =
        if cfg!(cuda) { "for processors and GPUs" } else { "for processors; `cargo xtask setup --cuda` for GPUs" };
    let mut findings = vec![
        finding("libtorch", format!("{} {parts}", nn::ops::libtorch_version())),
        finding("devices", nn::devices().join(", ")),
        finding("allocator", "glibc's malloc, told to keep freed pages and to ask for huge ones".to_owned()),
    ];
    if !offline {
        findings.extend(sources());
    }
    findings
}

fn finding(name: &str, text: String) -> Finding {
    Finding { name: name.to_owned(), text }
}

/// Every source of every kind that fetches, asked side by side.
fn sources() -> Vec<Finding> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = data::FETCHED
            .iter()
            .map(|(kind, sources)| (kind, sources.iter().map(|source| scope.spawn(|| ask(source))).collect::<Vec<_>>()))
            .collect();
        let answers = asked.into_iter().map(|(kind, answers)| {
            let lines = answers.into_iter().map(|answer| answer.join().unwrap_or_else(|_| "it panicked".to_owned()));
            finding(kind, lines.collect::<Vec<_>>().join("\n"))
        });
        answers.collect()
    })
}

fn ask(source: &data::Source) -> String {
    let began = Instant::now();
    match source.answers() {
        Ok(()) => format!("{source} answers in {:.1} s", began.elapsed().as_secs_f64()),
        Err(error) => format!("{source} does not answer: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::findings;

    #[test]
    fn what_is_said_offline_starts_with_libtorch() {
        let found = findings(true);
        let names: Vec<&str> = found.iter().map(|finding| finding.name.as_str()).collect();
        assert_eq!(names, ["libtorch", "devices", "allocator"]);
        assert!(found[0].text.starts_with("2.9"), "{}", found[0].text);
        assert!(found[1].text.starts_with("cpu"), "{}", found[1].text);
    }
}
