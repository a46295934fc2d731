//! Other processes: waiting for what they do, and ending them.

use std::fs;
use std::time::{Duration, Instant};

/// Waits for something that takes a moment. Fails when half a minute does not bring it.
pub fn wait_until(what: &str, happened: impl FnMut() -> bool) {
    wait_at_most(Duration::from_secs(30), what, happened);
}

/// Waits for something that takes as long as this.
pub fn wait_at_most(limit: Duration, what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !happened() {
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes whose parent a process is.
pub fn children_of(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|number| parent_of(*number) == Some(parent)).collect()
}

pub fn parent_of(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

pub fn signal(process: u32, signal: i32) {
    // SAFETY: kill touches no memory.
    assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
}

/// A process that nobody has waited for yet (`Z`) computes nothing any more.
pub fn is_running(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
