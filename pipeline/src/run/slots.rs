//! Threads and memory of this machine, and who has them.

use crate::plan::NodeResources;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

/// What there is to give out.
#[derive(Debug)]
pub(super) struct Slots {
    threads: usize,
    memory_bytes: u64,
    given: Mutex<Given>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Given {
    stages: usize,
    threads: usize,
    memory_bytes: u64,
}

impl Slots {
    pub(super) fn new(threads: usize, memory_bytes: u64) -> Arc<Self> {
        Arc::new(Self { threads, memory_bytes, given: Mutex::default() })
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Reserves what a stage wants, if it is free. A stage that wants more than there is runs when nothing else does.
    pub(super) fn reserve(self: &Arc<Self>, wanted: &NodeResources) -> Option<Reservation> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = given.threads + wanted.threads;
        let memory_bytes = given.memory_bytes.saturating_add(wanted.memory_at(1));
        if given.stages > 0 && (threads > self.threads || memory_bytes > self.memory_bytes) {
            return None;
        }
        *given = Given { stages: given.stages + 1, threads, memory_bytes };
        Some(Reservation { slots: self.clone(), wanted: wanted.clone() })
    }
}

/// What a stage has. Given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    slots: Arc<Slots>,
    wanted: NodeResources,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut given = self.slots.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.stages -= 1;
        given.threads -= self.wanted.threads;
        given.memory_bytes = given.memory_bytes.saturating_sub(self.wanted.memory_at(1));
    }
}

/// Four fifths of what this machine, or the control group that we are in, has: the rest is for files and others.
pub(super) fn usable_memory() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = meminfo.lines().find_map(|line| {
        let kibibytes: u64 = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    });
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    total.into_iter().chain(limit).min().map_or(u64::MAX, |bytes| bytes / 5 * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(threads: usize, memory_bytes: u64) -> NodeResources {
        NodeResources { threads, memory_bytes: vec![memory_bytes], gpus: 0, seconds: vec![] }
    }

    #[test]
    fn stages_share_threads_and_memory_and_give_them_back() {
        let slots = Slots::new(4, 100);
        let one = slots.reserve(&wanted(2, 60)).unwrap();
        assert!(slots.reserve(&wanted(1, 50)).is_none(), "too much memory");
        assert!(slots.reserve(&wanted(3, 10)).is_none(), "too many threads");
        let two = slots.reserve(&wanted(2, 40)).unwrap();
        drop((one, two));
        assert!(slots.reserve(&wanted(4, 100)).is_some());
    }

    #[test]
    fn a_stage_that_wants_more_than_there_is_runs_alone() {
        let slots = Slots::new(2, 100);
        let small = slots.reserve(&wanted(1, 1)).unwrap();
        assert!(slots.reserve(&wanted(8, 1000)).is_none());
        drop(small);
        let large = slots.reserve(&wanted(8, 1000)).unwrap();
        assert!(slots.reserve(&wanted(1, 1)).is_none());
        drop(large);
    }
}
