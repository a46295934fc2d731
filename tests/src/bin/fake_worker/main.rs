//! A worker for tests: instant, deterministic, and faulty where it is asked to be. In the cache folder it keeps
//! `trace`, one line for each stage that it began: kind, first step, its own process number.

mod haunted;

use pretext_protocol::{
    CHECKPOINT, CHECKPOINT_BEFORE, Catalogue, Cost, Finding, Measurement, PROTOCOL, Progress, Reply, Request, Run,
    exchange,
};
use pretext_tests::fake;
use std::fs;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn main() {
    if let [_, haunt, attempt] = std::env::args().collect::<Vec<_>>().as_slice()
        && haunt == "haunt"
    {
        return haunted::haunt(Path::new(attempt));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, requests) = mpsc::channel();
    let told_to_stop = stop.clone();
    // A thread of its own reads, so that a stage that computes hears that it should stop.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let request: Request = serde_json::from_str(&line).expect("pretext sends requests");
            told_to_stop.fetch_or(request == Request::Stop, Ordering::SeqCst);
            let _ = sender.send(request);
        }
    });
    for request in requests {
        match request {
            Request::Hello { .. } => say(&Reply::Hello {
                protocol: if called("fake-worker-of-tomorrow") { PROTOCOL + 1 } else { PROTOCOL },
                worker: "fake-worker".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            Request::Describe => {
                let rehearses = called("fake-worker-that-rehearses");
                say(&Reply::Catalogue(Catalogue { rehearses, ..fake::catalogue() }));
            }
            Request::Doctor { offline } => {
                let text = if offline { "fake numbers\nasked nobody" } else { "fake numbers" };
                say(&Reply::Doctor { findings: vec![Finding { name: "libtorch".to_owned(), text: text.to_owned() }] });
            }
            Request::Run(run) => compute(&run, &stop),
            Request::Rehearse(run) => rehearse(&run),
            Request::Stop => return,
        }
    }
}

/// The name under which it was started chooses what is wrong with the worker as a whole.
fn called(name: &str) -> bool {
    std::env::args_os().next().is_some_and(|path| Path::new(&path).file_name().is_some_and(|file| file == name))
}

fn say(reply: &Reply) {
    println!("{}", serde_json::to_string(reply).unwrap());
}

fn compute(run: &Run, stop: &AtomicBool) {
    let counts = ["fake/slow", "fake/haunted"].contains(&run.kind.as_str());
    let first_step = if counts { checkpoint(run).0 } else { 0 };
    if run.kind == "fake/haunted" && run.resume.is_none() {
        haunted::raise(run);
    }
    trace(run, first_step);
    eprintln!("{} begins", run.kind);
    let value = match run.kind.as_str() {
        "fake/source" => number(run, "value"),
        "fake/read" => read(run),
        "fake/add" => input(run, "a") + input(run, "b") + number(run, "plus"),
        "fake/slow" | "fake/haunted" => match count(run, stop) {
            Some(value) => value,
            None => return say(&Reply::Stopped { id: run.id }),
        },
        "fake/flaky" if times_begun(run) <= number(run, "failures") => {
            return say(&Reply::Failed { id: run.id, error: "not this time".to_owned() });
        }
        "fake/flaky" => number(run, "value"),
        "fake/fail" => return say(&Reply::Failed { id: run.id, error: "loss became NaN at step 310".to_owned() }),
        "fake/panic" => panic!("index out of bounds"),
        "fake/exit" => std::process::exit(number(run, "code") as i32),
        "fake/die" => return die(number(run, "signal") as i32),
        "fake/garbage" => return println!("Epoch 1/10: loss 0.3"),
        "fake/flood" => return flood(number(run, "errors") > 0),
        "fake/hang" => return std::thread::sleep(Duration::from_secs(3600)),
        "fake/forgetful" => return say(&Reply::Done { id: run.id, cost: Cost::default() }),
        "fake/stray" => return measure(run, "beauty", "", 1.0),
        other => return say(&Reply::Failed { id: run.id, error: format!("there is no kind {other}") }),
    };
    finish(run, value);
}

/// Refuses steps below 0, dies of -99, gives no value where there are none, and 5 otherwise.
fn rehearse(run: &Run) {
    let line = format!("rehearsal of {} on {}\n", number(run, "steps"), input(run, "a"));
    let mut trace = fs::File::options().create(true).append(true).open(run.cache.join("rehearsals")).unwrap();
    trace.write_all(line.as_bytes()).unwrap();
    match number(run, "steps") {
        -99 => std::process::exit(3),
        steps if steps < 0 => {
            return say(&Reply::Failed { id: run.id, error: format!("steps is {steps}: write more") });
        }
        0 => {}
        _ => {
            fs::create_dir_all(run.out.join("value")).unwrap();
            fs::write(run.out.join("value/value.txt"), "5\n").unwrap();
        }
    }
    say(&Reply::Done { id: run.id, cost: Cost::default() });
}

fn finish(run: &Run, value: i64) {
    let folder = run.out.join("value");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("value.txt"), format!("{value}\n")).unwrap();
    fs::write(run.side.join("curve.csv"), "step\n0\n").unwrap();
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    fs::write(run.side.join("visible.txt"), format!("{} of {visible}", run.resources.device)).unwrap();
    measure(run, "digits", "", value.to_string().len() as f64);
    measure(run, "value", "test", value as f64);
    say(&Reply::Done { id: run.id, cost: Cost { images_per_second: Some(1.0), ..Cost::default() } });
}

/// The number in a file. It waits before it reads where `hold` is 1, and where it is 2 when its output is written, beside the
/// file: it makes `held` there and goes on when `go` is there.
fn read(run: &Run) -> i64 {
    let path = Path::new(run.params["path"].as_str().unwrap());
    let wait = || {
        fs::write(path.with_file_name("held"), "").unwrap();
        while !path.with_file_name("go").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let hold = number(run, "hold");
    if hold == 1 {
        wait();
    }
    let value = fs::read_to_string(path).unwrap().trim().parse().unwrap();
    if hold == 2 {
        fs::create_dir_all(run.out.join("value")).unwrap();
        fs::write(run.out.join("value/value.txt"), format!("{value}\n")).unwrap();
        wait();
    }
    value
}

fn measure(run: &Run, name: &str, split: &str, value: f64) {
    let measurement = Measurement { name: name.to_owned(), split: split.to_owned(), value };
    say(&Reply::Measure { id: run.id, measurement });
    if name == "beauty" {
        finish(run, 0);
    }
}

/// The stage that takes time. None when it was stopped.
fn count(run: &Run, stop: &AtomicBool) -> Option<i64> {
    let (first, mut value) = checkpoint(run);
    let steps = number(run, "steps");
    for step in first..steps {
        if stop.load(Ordering::SeqCst) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(number(run, "milliseconds") as u64));
        value = (value * 31 + step) % 1_000_003;
        save(run, step + 1, value);
        let (done, total, unit) = (step as u64 + 1, steps as u64, "steps".to_owned());
        say(&Reply::Progress(Progress { id: run.id, phase: "count".into(), done, total, unit, ..Progress::default() }));
    }
    Some(value)
}

/// Step and value to go on from.
fn checkpoint(run: &Run) -> (i64, i64) {
    let Some(scratch) = &run.resume else { return (0, 7) };
    let text = fs::read_to_string(scratch.join(CHECKPOINT).join("state")).unwrap();
    let (step, value) = text.split_once(' ').unwrap();
    (step.parse().unwrap(), value.parse().unwrap())
}

fn save(run: &Run, step: i64, value: i64) {
    let new = run.scratch.join("next");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("state"), format!("{step} {value}")).unwrap();
    let place = run.scratch.join(CHECKPOINT);
    if !place.exists() {
        return fs::rename(new, place).unwrap();
    }
    exchange(&new, &place, &run.scratch.join(CHECKPOINT_BEFORE), |from, to| fs::rename(from, to)).unwrap();
    fs::remove_dir_all(new).unwrap();
}

fn flood(errors: bool) {
    let noise = [b'x'; 1 << 16];
    loop {
        let _ = if errors { std::io::stderr().write_all(&noise) } else { std::io::stdout().write_all(&noise) };
    }
}

fn die(signal: i32) {
    // SAFETY: raise touches no memory of ours.
    unsafe { libc::raise(signal) };
}

fn number(run: &Run, name: &str) -> i64 {
    run.params.get(name).and_then(|value| value.as_i64()).unwrap_or(0)
}

fn input(run: &Run, port: &str) -> i64 {
    let Some(folder) = run.inputs.get(port) else { return 0 };
    fs::read_to_string(folder.join("value.txt")).unwrap().trim().parse().unwrap()
}

/// How often the stage's kind was begun, this time included.
fn times_begun(run: &Run) -> i64 {
    let text = fs::read_to_string(run.cache.join("trace")).unwrap();
    text.lines().filter(|line| line.split(' ').next() == Some(&run.kind)).count() as i64
}

fn trace(run: &Run, first_step: i64) {
    let mut file = fs::File::options().create(true).append(true).open(run.cache.join("trace")).unwrap();
    // One write, so that lines of several workers do not mix.
    let line = format!("{} {first_step} {}\n", run.kind, std::process::id());
    file.write_all(line.as_bytes()).unwrap();
}
