//! How much memory a stage takes. Workers live on, and their allocator keeps its pages, so what the system says of the
//! process is not what a stage needed: here the heap's live bytes are counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counting goes through the allocator's lists and holds its locks: it takes a hundredth of the time at most.
const SHARE: u32 = 100;
const AT_MOST_EVERY: Duration = Duration::from_millis(5);

/// Runs `body`. Returns also the most bytes of heap seen at once meanwhile beyond those that were there before.
///
/// What counts is what malloc has given out and not got back, to anyone in the process, libtorch included. What does not
/// count: files that are mapped, code, a GPU's memory, and peaks that are shorter than the time between two looks.
pub fn peak_during<T>(body: impl FnOnce() -> T) -> (T, u64) {
    let (before, peak, done) = (live_bytes(), AtomicU64::new(0), AtomicBool::new(false));
    let result = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                peak.fetch_max(live_bytes(), Ordering::Relaxed);
                std::thread::park_timeout((began.elapsed() * SHARE).max(AT_MOST_EVERY));
            }
        });
        let result = body();
        done.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        result
    });
    (result, peak.into_inner().max(live_bytes()).saturating_sub(before))
}

fn live_bytes() -> u64 {
    // Safety: reads the allocator's own figures, under its locks.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}
