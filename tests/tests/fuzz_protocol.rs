//! Whatever a worker writes to its standard output, `pretext` understands it or says what it was, without a panic; and what
//! the real worker understands as a request is what was meant.

use pretext::run::dialogue::{Conclusion, Dialogue, Heard, Line, read_lines};
use pretext_protocol::{Cost, Finding, Measurement, Progress, Reply, Request};
use pretext_tests::fake;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long all of it may take. `cargo bolero test fuzz_protocol` goes on by coverage instead.
const TIME: Duration = Duration::from_secs(5);

const ID: u64 = 3;

/// A conversation as it should be.
fn conversation() -> Vec<Vec<u8>> {
    let measurement = Measurement { name: "value".to_owned(), split: "test".to_owned(), value: 0.5 };
    let progress = Progress { id: ID, phase: "train".to_owned(), done: 1, total: 2, ..Progress::default() };
    let replies = [
        Reply::Hello { protocol: 1, worker: "worker".to_owned(), version: "1".to_owned() },
        Reply::Catalogue(fake::catalogue()),
        Reply::Doctor { findings: vec![Finding { name: "libtorch".to_owned(), text: "2.9.0".to_owned() }] },
        Reply::Heartbeat { id: ID },
        Reply::Progress(progress),
        Reply::Measure { id: ID, measurement },
        Reply::Failed { id: ID, error: "loss became NaN".to_owned() },
        Reply::Stopped { id: ID },
        Reply::Done { id: ID, cost: Cost { images_per_second: Some(1142.5), ..Cost::default() } },
    ];
    replies.iter().map(|reply| serde_json::to_vec(reply).expect("replies are plain data")).collect()
}

/// What mutations put in.
const PIECES: [&str; 16] = [
    "\n",
    "{",
    "}",
    "\"",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "[[[[",
    "\u{0}",
    "é",
    "\"id\":3,",
    "\"type\":\"done\"",
    "\"type\":\"hello\"",
    ":",
    ",",
];

/// Lines of a conversation, in an order and with changes that `bytes` choose.
fn mutated(lines: &[Vec<u8>], bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![];
    for change in bytes.chunks(4) {
        let [which, how, at, what] = [0, 1, 2, 3].map(|place| usize::from(change.get(place).copied().unwrap_or(0)));
        let mut line = lines[which % lines.len()].clone();
        let from = at * 7 % (line.len() + 1);
        let to = (from + what % 16).min(line.len());
        match how % 5 {
            0 => {}
            1 => drop(line.drain(from..to)),
            2 => drop(line.splice(from..from, PIECES[what % PIECES.len()].bytes())),
            3 => drop(line.splice(from..to, PIECES[what % PIECES.len()].bytes())),
            _ => drop(line.splice(from..to, [what as u8])),
        }
        text.extend(line);
        text.push(b'\n');
    }
    text
}

#[derive(Default)]
struct Counts {
    tried: AtomicUsize,
    lines: AtomicUsize,
    replies: AtomicUsize,
    ended: AtomicUsize,
}

/// Has a stage's dialogue hear all lines, and counts what came of them.
fn hear(bytes: &[u8], counts: &Counts) {
    let mut dialogue = Dialogue::about(ID);
    let mut measured = 0;
    read_lines(bytes, |line| {
        counts.lines.fetch_add(1, Ordering::Relaxed);
        let reply = match line {
            Line::Reply(reply) => reply,
            Line::Garbage(shown) => {
                assert!(shown.chars().count() <= 123, "{shown}");
                return true;
            }
        };
        counts.replies.fetch_add(1, Ordering::Relaxed);
        let again: Reply = serde_json::from_slice(&serde_json::to_vec(&reply).unwrap()).unwrap();
        assert!(again == reply || format!("{reply:?}").contains("NaN"), "it survives a round trip: {reply:?}");
        measured += usize::from(matches!(&reply, Reply::Measure { id: ID, .. }));
        if let Heard::Ended(conclusion) = dialogue.hear(reply) {
            counts.ended.fetch_add(1, Ordering::Relaxed);
            if let Conclusion::Done { measurements, .. } = conclusion {
                assert_eq!(measurements.len(), measured, "every measurement of the stage, and no other's");
                measured = 0;
            }
        }
        true
    });
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(request) = serde_json::from_slice::<Request>(line) {
            let again: Request = serde_json::from_slice(&serde_json::to_vec(&request).unwrap()).unwrap();
            assert_eq!(again, request);
        }
    }
    counts.tried.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn no_bytes_lead_to_a_panic() {
    let (lines, counts, begun) = (conversation(), Counts::default(), Instant::now());
    let all = &counts;
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bolero::check!().with_test_time(TIME).with_iterations(10_000_000).with_max_len(96).for_each(
            |bytes: &[u8]| {
                hear(bytes, all);
                hear(&mutated(&lines, bytes), all);
            },
        );
    }));
    let of = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    // Past the capture of tests: it is the result.
    let _ = writeln!(
        std::io::stderr(),
        "{} inputs in {seconds:.1} s, with {} lines, of which {} are replies and {} end the stage",
        of(&counts.tried),
        of(&counts.lines),
        of(&counts.replies),
        of(&counts.ended)
    );
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
    assert!(of(&counts.tried) > 1000 && of(&counts.ended) > 100, "the mutations reach whole conversations");
}
