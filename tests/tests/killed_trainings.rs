//! Every kind that trains, killed (SIGKILL) at random moments and begun again as `pretext` does it: in a fresh folder, with
//! the newest checkpoint that an earlier attempt has left. It must end with the bytes of an undisturbed training. The
//! worker's process is spoken to directly; `stages/tests/resume.rs` asks the same of stops on request.

use pretext::recipe::schema;
use pretext_protocol::{CHECKPOINT, Resources, Run, StageKind};
use pretext_tests::WorkerProcess;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How often each kind is killed. A training that comes to its end before is begun anew.
const KILLS: usize = 20;
/// About half a second: long beside a checkpoint, of which there are some in each training, short beside 20 kills.
const EPOCHS: u32 = 8;

#[test]
fn killed_at_random_moments_trainings_end_with_the_bytes_of_undisturbed_ones() {
    let seed = std::env::var("PRETEXT_SEED").map_or_else(|_| seed_of_now(), |text| text.parse().unwrap());
    println!("PRETEXT_SEED={seed} draws these moments again");
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (data, kinds) = prepare(root.path());
    assert!(kinds.len() >= 4, "{} kinds train", kinds.len());
    let (queue, while_saving) = (Mutex::new(kinds.iter().enumerate()), AtomicUsize::new(0));
    let work = || {
        while let Some((number, kind)) = { queue.lock().unwrap().next() } {
            let folder = root.path().join(kind.name.replace('/', "-"));
            let mut training = Training { kind, data: &data, folder, moments: Moments(seed + number as u64) };
            while_saving.fetch_add(training.withstands(KILLS), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().unwrap().get()).for_each(|_| drop(scope.spawn(work)));
    });
    assert!(while_saving.load(Ordering::Relaxed) > 0, "no kill came while a checkpoint was written");
}

fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// The data set, made by the worker itself, and the kinds that train on it.
fn prepare(root: &Path) -> (PathBuf, Vec<StageKind>) {
    let mut worker = worker();
    let catalogue = worker.describe();
    let photos = catalogue.kind("data/cifar10").unwrap();
    write_pictures(&root.join("cache/cifar10"));
    let mut run = request(photos, &root.join("photos"), &[]);
    run.params.extend([("train".to_owned(), json!(80)), ("validation".to_owned(), json!(10))]);
    run.cache = root.join("cache");
    worker.compute(&run);
    let trains = |kind: &StageKind| {
        let epochs = &kind.params["properties"]["epochs"];
        kind.family() == "pretrain" && epochs.is_object() && epochs["x-unused"] != true
    };
    (run.out.join("dataset"), catalogue.kinds.into_iter().filter(trains).collect())
}

/// What `data/cifar10` takes for its download: 60,000 labels, then as many pictures of 32x32 pixels. Ramps and stripes that
/// differ from picture to picture: there is something to learn, though it does not matter what.
fn write_pictures(folder: &Path) {
    let value = |picture: usize, place: usize| (picture % 10 * place / 40 + picture * 37 + place % 7 * 20) as u8;
    let pictures: Vec<u8> = (0..600).flat_map(|picture| (0..32 * 32 * 3).map(move |at| value(picture, at))).collect();
    fs::create_dir_all(folder).unwrap();
    let mut file = fs::File::create(folder.join("cifar10.bin")).unwrap();
    file.write_all(&(0..60_000).map(|picture| (picture % 10) as u8).collect::<Vec<_>>()).unwrap();
    (0..100).for_each(|_| file.write_all(&pictures).unwrap());
}

/// One kind's training, again and again.
struct Training<'a> {
    kind: &'a StageKind,
    data: &'a Path,
    folder: PathBuf,
    moments: Moments,
}

impl Training<'_> {
    /// Is killed so many times. Returns how many kills came while a checkpoint was written.
    fn withstands(&mut self, kills: usize) -> usize {
        let undisturbed = self.request("undisturbed", 1);
        let mut worker = worker();
        worker.describe();
        let began = Instant::now();
        worker.compute(&undisturbed);
        let duration = began.elapsed();
        let expected = yields(&undisturbed);
        let (mut killed, mut resumed, mut while_saving, mut round) = (0, 0, 0, 0);
        while killed < kills {
            round += 1;
            let name = format!("round-{round}");
            let mut attempts: Vec<Run> = vec![];
            loop {
                let mut run = self.request(&name, attempts.len() + 1);
                run.resume = attempts.iter().rev().map(|run| run.scratch.clone()).find(|s| s.join(CHECKPOINT).is_dir());
                let is_resumed = run.resume.is_some();
                // Later attempts have less before them.
                let longest = if attempts.is_empty() { duration } else { duration / 2 };
                let is_done = self.attempt(&run, longest, killed);
                if is_done {
                    assert!(yields(&run) == expected, "{}: other bytes after {attempts:#?}", self.kind.name);
                    break;
                }
                killed += 1;
                resumed += usize::from(is_resumed);
                while_saving += usize::from(partial(&run).exists());
                attempts.push(run);
            }
        }
        let name = &self.kind.name;
        println!("{name}: {killed} kills in {round} trainings of {duration:.1?}, {while_saving} of them while saving");
        assert!(resumed > 0, "{name}: no kill came after a checkpoint, which are too rare");
        while_saving
    }

    /// Computes until it is done or killed: at a random moment, every other time at the next checkpoint after it.
    fn attempt(&mut self, run: &Run, longest: Duration, killed: usize) -> bool {
        let moment = longest.mul_f64(self.moments.next());
        let mut worker = worker();
        worker.describe();
        let (began, saving) = (Instant::now(), partial(run));
        worker.compute_until(run, || began.elapsed() >= moment && (killed.is_multiple_of(2) || saving.exists()))
    }

    fn request(&self, round: &str, attempt: usize) -> Run {
        let mut run = request(self.kind, &self.folder.join(round).join(attempt.to_string()), &[("data", self.data)]);
        run.params["encoder"]["width"] = 4.into();
        run.params.extend([("epochs".to_owned(), EPOCHS.into()), ("batch".to_owned(), 16.into())]);
        run
    }
}

/// Where a checkpoint is before it is whole.
fn partial(run: &Run) -> PathBuf {
    run.scratch.join("partial")
}

fn worker() -> WorkerProcess {
    let programs = std::env::current_exe().unwrap();
    WorkerProcess::start(&programs.parent().unwrap().parent().unwrap().join("pretext-worker"))
}

fn request(kind: &StageKind, folder: &Path, inputs: &[(&str, &Path)]) -> Run {
    let part = |name: &str| {
        let part = folder.join(name);
        fs::create_dir_all(&part).unwrap();
        part
    };
    let params = match schema::default(&kind.params) {
        Value::Object(params) => params,
        _ => Map::new(),
    };
    Run {
        id: 1,
        kind: kind.name.clone(),
        params,
        inputs: inputs.iter().map(|(port, artifact)| ((*port).to_owned(), (*artifact).to_owned())).collect(),
        out: part("out"),
        side: part("side"),
        scratch: part("scratch"),
        resume: None,
        cache: part("cache"),
        resources: Resources { threads: 1, device: "cpu".to_owned() },
    }
}

/// Every file of the outputs, and the learning curve, which must not show an interruption either.
fn yields(run: &Run) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![run.out.clone(), run.side.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let place = path.strip_prefix(run.out.parent().unwrap()).unwrap().to_owned();
                files.insert(place, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Random numbers in [0, 1): splitmix64.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
