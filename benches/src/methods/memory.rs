//! Memory of a process and of those that it started, each page counted once (the proportional set size).

use anyhow::Result;
use pretext_benches::Peer;
use std::fs::read_to_string;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The most bytes during one measurement.
pub fn peak(peer: &mut Peer) -> Result<u64> {
    let process = peer.process();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(tree(process));
                std::thread::sleep(LOOK_EVERY);
            }
            most
        });
        let measured = peer.measure();
        done.store(true, Ordering::Relaxed);
        let most = watcher.join().expect("the watcher does not panic");
        measured.map(|_| most)
    })
}

fn tree(process: u32) -> u64 {
    let own = read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let kibibytes =
        own.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024 + children(process).into_iter().map(tree).sum::<u64>()
}

fn children(process: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}
