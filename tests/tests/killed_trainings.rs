//! Every kind that trains, killed (SIGKILL) at random moments and begun again as `pretext` does it: in a fresh folder, with
//! the newest checkpoint that an earlier attempt has left. It must end with the bytes of an undisturbed training. The
//! worker's process is spoken to directly; `stages/tests/resume.rs` asks the same of stops on request.

use pretext_protocol::{CHECKPOINT, Run, StageKind};
use pretext_tests::trainings::{Inputs, prepare, training, worker, yields};
use std::path::PathBuf;
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
    let (inputs, kinds) = prepare(root.path());
    let (queue, while_saving) = (Mutex::new(kinds.iter().enumerate()), AtomicUsize::new(0));
    let work = || {
        while let Some((number, kind)) = { queue.lock().unwrap().next() } {
            let folder = root.path().join(kind.name.replace('/', "-"));
            let mut training = Training { kind, inputs: &inputs, folder, moments: Moments(seed + number as u64) };
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

/// One kind's training, again and again.
struct Training<'a> {
    kind: &'a StageKind,
    inputs: &'a Inputs,
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
        training(self.kind, self.inputs, &self.folder.join(round).join(attempt.to_string()), EPOCHS)
    }
}

/// Where a checkpoint is before it is whole.
fn partial(run: &Run) -> PathBuf {
    run.scratch.join("partial")
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
