//! How much memory a stage takes. Workers live on, and their allocator keeps its pages, so what the system says of the
//! process is not what a stage needed: here the heap's live bytes are counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
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
        // Where `body` panics too: the scope waits for the watch before the panic goes on.
        let _end = End { done: &done, watch: watch.thread() };
        body()
    });
    (result, peak.into_inner().max(live_bytes()).saturating_sub(before))
}

/// Ends the watch.
struct End<'a> {
    done: &'a AtomicBool,
    watch: &'a Thread,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        self.watch.unpark();
    }
}

fn live_bytes() -> u64 {
    // Safety: reads the allocator's own figures, under its locks.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}

#[cfg(test)]
mod tests {
    use super::peak_during;
    use std::panic::catch_unwind;

    #[test]
    fn a_panic_goes_on() {
        let panicked = catch_unwind(|| peak_during(|| panic!("of the stage")));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"of the stage"));
    }
}
