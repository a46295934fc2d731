//! Disks that are full or must not be written, clocks that jump, workers that flood: what `pretext` says, and that nothing
//! that was computed is lost. What a machine forbids to set up is ignored, with the reason on standard error.

use libtest_mimic::{Arguments, Trial};
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

/// Name, test, and why this machine forbids it.
type Case<'a> = (&'static str, fn(), &'a Option<String>);

fn main() {
    let arguments = Arguments::from_args();
    let (mounts, users) = (may_mount().err(), may_be_another_user().err());
    let tests: [Case; 7] = [
        ("a_disk_that_is_full_is_told_and_nothing_computed_is_lost", a_disk_that_is_full, &mounts),
        ("a_file_that_may_not_be_so_large_is_told", a_file_that_may_not_be_so_large, &None),
        ("a_store_that_is_mounted_read_only_can_be_read_and_says_why_not_written", a_read_only_store, &mounts),
        ("a_folder_that_may_not_be_written_is_told_with_whose_it_is", a_folder_of_another_user, &users),
        ("a_clock_that_jumps_misleads_nobody", a_clock_that_jumps, &None),
        ("a_worker_that_floods_its_standard_output_is_ended", a_flood_of_output, &None),
        ("a_worker_that_floods_its_standard_error_fills_neither_memory_nor_disk", a_flood_of_errors, &None),
    ];
    let trials = tests.into_iter().map(|(name, test, forbidden)| {
        if let Some(reason) = forbidden {
            eprintln!("{name} is ignored: {reason}");
        }
        let run = move || {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(forbidden.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

/// An error where nobody may mount in namespaces of his own, for writing and not.
fn may_mount() -> Result<(), String> {
    let script = "mount -t tmpfs none /mnt && mount --bind /mnt /mnt && mount -o remount,ro,bind /mnt";
    let output = Command::new("unshare").args(NAMESPACES).args(["sh", "-c", script]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        other => Err(format!("this machine lets nobody mount in a namespace: {other:?}")),
    }
}

/// An error where the programs of this build cannot be run as somebody else.
fn may_be_another_user() -> Result<(), String> {
    // SAFETY: geteuid touches no memory.
    if unsafe { libc::geteuid() } != 0 {
        return Err("only root can run something as another user".into());
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_run-graph"));
    let started = program.uid(NOBODY).gid(NOBODY).output();
    started.map(drop).map_err(|error| format!("another user cannot run the programs of this build: {error}"))
}

const NAMESPACES: [&str; 3] = ["--user", "--map-root-user", "--mount"];
const NOBODY: u32 = 65_534;

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

/// Runs a script in namespaces of its own, where it may mount.
fn in_own_namespace(lab: &Lab, spec: &GraphSpec, script: &str) -> Output {
    let output = Command::new("unshare")
        .args(NAMESPACES)
        .args(["sh", "-c", script])
        .env("RUST_BACKTRACE", "0")
        .env("STORE", lab.store_folder())
        .env("WORKER", env!("CARGO_BIN_EXE_fake-worker"))
        .env("RUN", env!("CARGO_BIN_EXE_run-graph"))
        .env("GRAPH", graph_file(lab, spec))
        .env("PRETEXT", pretext())
        .output();
    output.unwrap()
}

fn a_disk_that_is_full() {
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
    let output = in_own_namespace(&lab, &with_slow(), script);
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

fn a_file_that_may_not_be_so_large() {
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

fn a_read_only_store() {
    let lab = lab();
    lab.run(&source());
    let script = r#"
        mount --bind "$STORE" "$STORE" && mount -o remount,ro,bind "$STORE"
        exec 2>&1
        "$PRETEXT" verify --store "$STORE"
        "$PRETEXT" gc --store "$STORE" --recipe test --delete | tail -n 1
        "$RUN" "$STORE" "$WORKER" "$GRAPH"
    "#;
    let output = in_own_namespace(&lab, &source(), script);
    let text = said(&lab, &output);
    assert!(text.starts_with("read 1 artifact (2 B) and 1 result: all whole\n"), "{text}");
    let advice = "Read-only file system (os error 30); the file system is mounted read-only: mount it for writing, or use \
                  another store with --store FOLDER\n";
    assert!(text.contains("error: cannot create STORE/attempts/") && text.contains(advice), "{text}");
    assert!(text.ends_with("data: reused\n"), "where there is nothing to compute it is enough: {text}");
    assert_eq!(lab.run(&source()).story, ["planned: 1 reused, 0 to run"]);
}

fn a_folder_of_another_user() {
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

fn a_clock_that_jumps() {
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

fn a_flood_of_output() {
    let (_lab, text, peak) = flooded(0);
    let shown = "x".repeat(120);
    assert!(
        text.contains(&format!("the worker wrote `{shown}...` where a reply was expected; its standard output")),
        "{text}"
    );
    assert!((1..300).contains(&peak), "pretext took {peak} MiB");
}

fn a_flood_of_errors() {
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
