//! Disks that are full or must not be written, clocks that jump, workers that flood: what `pretext` says, and that nothing
//! that was computed is lost. What a machine forbids to set up is skipped, with the reason on standard error.

use pretext::run::Event;
use pretext::store::{Reading, View};
use pretext_tests::{GraphSpec, Lab};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_fake-worker"))
}

fn source() -> GraphSpec {
    GraphSpec::default().node("data", "source", json!({ "value": 1 }), &[])
}

/// `data`, and what is computed from it for half a second.
fn with_slow() -> GraphSpec {
    source().node("slow", "slow", json!({ "steps": 50, "milliseconds": 10 }), &[("a", "data")])
}

fn graph_file(lab: &Lab, spec: &GraphSpec) -> PathBuf {
    let path = lab.folder().join("graph.json");
    fs::write(&path, serde_json::to_vec(spec).unwrap()).unwrap();
    path
}

fn run_graph(lab: &Lab, spec: &GraphSpec) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_run-graph"));
    command.env("RUST_BACKTRACE", "0");
    command.args([lab.store_folder(), env!("CARGO_BIN_EXE_fake-worker").into(), graph_file(lab, spec)]);
    command
}

fn pretext() -> PathBuf {
    let programs = std::env::current_exe().unwrap();
    programs.parent().unwrap().parent().unwrap().join("pretext")
}

/// All that was said, with the store's folder and the time of the run left out.
fn said(lab: &Lab, output: &Output) -> String {
    let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    let text = text.replace(&lab.store_folder().display().to_string(), "STORE");
    let is_run = |part: &str| part.starts_with("20") && part.trim_end_matches(':').ends_with("-test");
    let word =
        |word: &str| word.split('/').map(|part| if is_run(part) { "RUN" } else { part }).collect::<Vec<_>>().join("/");
    text.lines().map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Runs a script in namespaces of its own, where it may mount; none where the machine forbids that.
fn in_own_namespace(lab: &Lab, spec: &GraphSpec, script: &str) -> Option<Output> {
    let own = ["--user", "--map-root-user", "--mount"];
    let may = Command::new("unshare").args(own).args(["sh", "-c", "mount -t tmpfs none /mnt"]).output();
    if !may.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine lets nobody mount in a namespace: {may:?}");
        return None;
    }
    let output = Command::new("unshare")
        .args(own)
        .args(["sh", "-c", script])
        .env("RUST_BACKTRACE", "0")
        .env("STORE", lab.store_folder())
        .env("WORKER", env!("CARGO_BIN_EXE_fake-worker"))
        .env("RUN", env!("CARGO_BIN_EXE_run-graph"))
        .env("GRAPH", graph_file(lab, spec))
        .env("PRETEXT", pretext())
        .output();
    Some(output.unwrap())
}

#[test]
fn a_disk_that_is_full_is_told_and_nothing_computed_is_lost() {
    let lab = lab();
    lab.store();
    let script = r#"
        mount -t tmpfs -o size=1m none "$STORE"
        exec 2>&1
        "$RUN" "$STORE" "$WORKER" "$GRAPH" > /dev/null &
        until [ -e "$STORE"/attempts/*/1-*/scratch/checkpoint/state ]; do sleep 0.01; done
        dd if=/dev/zero of="$STORE/filler" bs=4k 2> /dev/null
        wait $!; echo "first: $?"
        # What the run has given back when it ended.
        dd if=/dev/zero of="$STORE/more" bs=4k 2> /dev/null
        "$RUN" "$STORE" "$WORKER" "$GRAPH"; echo "second: $?"
        "$PRETEXT" verify --store "$STORE" | head -n 1
        rm "$STORE/filler" "$STORE/more"
        "$RUN" "$STORE" "$WORKER" "$GRAPH"; echo "third: $?"
    "#;
    let Some(output) = in_own_namespace(&lab, &with_slow(), script) else { return };
    let text = said(&lab, &output);
    let advice =
        "free some space (`pretext gc` lists what can go) and run the same command again: what is computed is kept\n";
    assert!(text.contains("failed after") && text.contains(&format!("\n    {advice}")), "{text}");
    assert!(text.contains("first: 1\n"), "{text}");
    let refused = "Error: cannot write STORE/runs/RUN/run.json: No space left on device (os error 28); ";
    assert!(text.contains(&format!("{refused}{advice}second: 1\n")), "{text}");
    assert!(text.contains("read 1 artifact (2 B) and 1 result: all whole\n"), "{text}");
    assert!(text.contains("started (attempt 2, from a checkpoint)"), "{text}");
    assert!(text.ends_with("third: 0\n"), "{text}");
    assert!(text.contains("data: reused\nslow: computed\n"), "{text}");
}

#[test]
fn a_file_that_may_not_be_so_large_is_told() {
    let lab = lab();
    lab.store();
    let mut limited = run_graph(&lab, &source());
    // SAFETY: both calls are async-signal-safe and touch no memory but their own.
    unsafe {
        limited.pre_exec(|| {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let limit = libc::rlimit { rlim_cur: 100, rlim_max: libc::RLIM_INFINITY };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        })
    };
    let output = limited.output().unwrap();
    assert_eq!(
        said(&lab, &output),
        "Error: cannot write STORE/runs/RUN/run.json: File too large (os error 27); the system limits how large a file may \
         be (`ulimit -f` shows it): raise the limit\n"
    );
    assert_eq!(lab.run(&source()).outcome.summary.exit_code(), 0);
}

#[test]
fn a_store_that_is_mounted_read_only_can_be_read_and_says_why_not_written() {
    let lab = lab();
    lab.run(&source());
    let script = r#"
        mount --bind "$STORE" "$STORE" && mount -o remount,ro,bind "$STORE" || exit 77
        exec 2>&1
        "$PRETEXT" verify --store "$STORE"
        "$PRETEXT" gc --store "$STORE" --recipe test --delete | tail -n 1
        "$RUN" "$STORE" "$WORKER" "$GRAPH"
    "#;
    let Some(output) = in_own_namespace(&lab, &source(), script) else { return };
    if output.status.code() == Some(77) {
        return eprintln!("skipped: this machine lets nobody mount read-only in a namespace");
    }
    let text = said(&lab, &output);
    assert!(text.starts_with("read 1 artifact (2 B) and 1 result: all whole\n"), "{text}");
    let advice = "Read-only file system (os error 30); the file system is mounted read-only: mount it for writing, or use \
                  another store with --store FOLDER\n";
    assert!(text.contains("error: cannot create STORE/attempts/") && text.contains(advice), "{text}");
    assert!(text.ends_with("data: reused\n"), "where there is nothing to compute it is enough: {text}");
    assert_eq!(lab.run(&source()).story, ["planned: 1 reused, 0 to run"]);
}

#[test]
fn a_folder_that_may_not_be_written_is_told_with_whose_it_is() {
    // SAFETY: geteuid touches no memory.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        return eprintln!("skipped: only root can run something as another user");
    }
    const NOBODY: u32 = 65_534;
    let lab = lab();
    lab.run(&source());
    fs::set_permissions(lab.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    for folder in ["", "runs", "index", "results", "artifacts", "cache"] {
        fs::create_dir_all(lab.store_folder().join(folder)).unwrap();
        fs::set_permissions(lab.store_folder().join(folder), fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(lab.store_folder().join("attempts"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = run_graph(&lab, &with_slow()).uid(NOBODY).gid(NOBODY).output().unwrap();
    let text = said(&lab, &output);
    if text.contains("Permission denied") && !text.contains("STORE") {
        return eprintln!("skipped: another user cannot run the programs of this build: {text}");
    }
    let slow = lab.run_with(&with_slow(), |_, send| send(Event::Interrupt(libc::SIGINT)));
    assert_eq!(slow.outcome.summary.reused, 1, "what is there is still found");
    let start = text.find("it could not be started: ").unwrap_or_else(|| panic!("{text}"));
    let told = text[start..].lines().next().unwrap();
    let key_and_rest = told.strip_prefix("it could not be started: cannot create STORE/attempts/").unwrap();
    assert!(
        key_and_rest[64..].starts_with(
            ": Permission denied (os error 13); STORE/attempts belongs to root (0) (mode 755) and pretext runs as nobody \
             (65534): change its owner or mode, or use another store with --store FOLDER"
        ),
        "{told}"
    );
}

#[test]
fn a_clock_that_jumps_misleads_nobody() {
    let now = SystemTime::now();
    let century = Duration::from_secs(100 * 365 * 86_400);
    for time in [now + century, SystemTime::UNIX_EPOCH - Duration::from_secs(86_400), SystemTime::UNIX_EPOCH] {
        let lab = lab();
        let first = lab.run(&with_slow());
        set_times(&lab.store_folder(), time);
        let store = lab.store();
        assert_eq!(lab.run(&with_slow()).story, ["planned: 2 reused, 0 to run"]);
        let view = View::new(&store, "test");
        for node in store.latest_nodes().unwrap() {
            assert_eq!(view.look_up(&node.key).0, store.look_up(&node.key));
        }
        assert_eq!(store.verify(&Reading::default()).unwrap().damages, []);
        let gc = Command::new(pretext())
            .args(["gc", "--older", "30d", "--delete"])
            .arg("--store")
            .arg(store.root())
            .output();
        let gc = gc.unwrap();
        assert!(gc.status.success(), "{}", said(&lab, &gc));
        let again = lab.run(&with_slow());
        assert_eq!(again.digest("slow"), first.digest("slow"));
        assert_eq!(again.outcome.summary.computed, 0, "a run used them just now: {}", said(&lab, &gc));
    }
}

fn set_times(place: &Path, time: SystemTime) {
    if place.is_dir() {
        fs::read_dir(place).unwrap().for_each(|entry| set_times(&entry.unwrap().path(), time));
    }
    fs::File::open(place).unwrap().set_modified(time).unwrap();
}

/// Runs a stage that floods. Returns what was said, and the most memory that `pretext` took, in MiB.
fn flooded(errors: u32) -> (Lab, String, u64) {
    let lab = lab();
    let spec = GraphSpec::default().node("flood", "flood", json!({ "errors": errors }), &[]);
    let mut command = run_graph(&lab, &spec);
    let child = command.arg("2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) {
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
            let Some(peak) = peak.and_then(|peak| peak.trim().parse::<u64>().ok()) else { break };
            most = most.max(peak / 1024);
            std::thread::sleep(Duration::from_millis(5));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    let text = said(&lab, &output);
    (lab, text, watch.join().unwrap())
}

#[test]
fn a_worker_that_floods_its_standard_output_is_ended() {
    let (_lab, text, peak) = flooded(0);
    let shown = "x".repeat(120);
    assert!(
        text.contains(&format!("the worker wrote `{shown}...` where a reply was expected; its standard output")),
        "{text}"
    );
    assert!((1..300).contains(&peak), "pretext took {peak} MiB");
}

#[test]
fn a_worker_that_floods_its_standard_error_fills_neither_memory_nor_disk() {
    let (lab, text, peak) = flooded(1);
    assert!(
        text.contains("the worker gave no sign of life for 2.0 s, one is due every 2 s: it hangs, and was ended"),
        "{text}"
    );
    assert!((1..100).contains(&peak), "pretext took {peak} MiB");
    let key = lab.store().latest_nodes().unwrap()[0].key;
    let log = fs::metadata(lab.store().attempt_log(&key).unwrap().unwrap()).unwrap().len();
    assert!(log < 65 << 20, "the log holds {log} bytes");
}
