//! Threads, memory and GPUs of this machine, and who has them.

use crate::plan::NodeResources;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

/// What there is to give out.
#[derive(Debug)]
pub(super) struct Slots {
    threads: usize,
    memory_bytes: u64,
    gpus: Vec<usize>,
    given: Mutex<Given>,
}

#[derive(Debug, Default)]
struct Given {
    stages: usize,
    threads: usize,
    memory_bytes: u64,
    free_gpus: Vec<usize>,
}

/// The answer to a stage that wants something.
#[derive(Debug)]
pub(super) enum Grant {
    Given(Reservation),
    NotNow,
    /// And why.
    Never(String),
}

impl Slots {
    pub(super) fn new(threads: usize, memory_bytes: u64, gpus: Vec<usize>) -> Arc<Self> {
        let given = Given { free_gpus: gpus.clone(), ..Given::default() };
        Arc::new(Self { threads, memory_bytes, gpus, given: Mutex::new(given) })
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Reserves what a stage wants, if it is free. A stage that wants more threads or memory than there is runs when nothing
    /// else does.
    pub(super) fn reserve(self: &Arc<Self>, wanted: &NodeResources, try_number: u32) -> Grant {
        let gpus = match wanted.gpus_among(&self.gpus) {
            Ok(gpus) => gpus,
            Err(why) => return Grant::Never(why),
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = given.threads + wanted.threads;
        let memory_bytes = given.memory_bytes.saturating_add(wanted.memory_at(try_number));
        let is_too_much = threads > self.threads || memory_bytes > self.memory_bytes;
        let Some(gpus) = gpus.of(&given.free_gpus).filter(|_| given.stages == 0 || !is_too_much) else {
            return Grant::NotNow;
        };
        given.free_gpus.retain(|gpu| !gpus.contains(gpu));
        let reservation = Reservation {
            slots: self.clone(),
            threads: wanted.threads,
            memory_bytes: memory_bytes - given.memory_bytes,
            gpus,
        };
        given.stages += 1;
        given.threads = threads;
        given.memory_bytes = memory_bytes;
        Grant::Given(reservation)
    }
}

/// What a stage has. Given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    slots: Arc<Slots>,
    threads: usize,
    memory_bytes: u64,
    gpus: Vec<usize>,
}

impl Reservation {
    /// The numbers of its GPUs.
    pub(super) fn gpus(&self) -> &[usize] {
        &self.gpus
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut given = self.slots.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.stages -= 1;
        given.threads -= self.threads;
        given.memory_bytes -= self.memory_bytes;
        given.free_gpus.append(&mut self.gpus);
        given.free_gpus.sort_unstable();
    }
}

/// The numbers of this machine's GPUs, of those that `CUDA_VISIBLE_DEVICES` leaves visible: how many there are, counted
/// from 0, as CUDA counts what it sees.
pub fn gpus() -> Vec<usize> {
    let there = fs::read_dir("/proc/driver/nvidia/gpus").map_or(0, Iterator::count);
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let visible = visible.map_or(there, |list| list.split(',').filter(|one| !one.trim().is_empty()).count());
    (0..there.min(visible)).collect()
}

/// An amount of `/proc/meminfo`, of which a line is `MemTotal: 24576000 kB`.
pub fn memory_bytes(meminfo: &str, name: &str) -> Option<u64> {
    let amount = |line: &str| line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse().ok();
    meminfo.lines().find_map(amount).and_then(|kibibytes: u64| kibibytes.checked_mul(1024))
}

/// Four fifths of what this machine, or the control group that we are in, has: the rest is for files and others.
pub(super) fn usable_memory() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory_bytes(&meminfo, "MemTotal");
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    total.into_iter().chain(limit).min().map_or(u64::MAX, |bytes| bytes / 5 * 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Device;

    fn wanted(threads: usize, memory_bytes: Vec<u64>, gpus: usize) -> NodeResources {
        NodeResources { threads, memory_bytes, gpus, device: Device::Cpu, seconds: vec![] }
    }

    fn given(slots: &Arc<Slots>, threads: usize, memory: u64) -> Option<Reservation> {
        given_at(slots, &wanted(threads, vec![memory], 0), 1)
    }

    fn given_at(slots: &Arc<Slots>, wanted: &NodeResources, try_number: u32) -> Option<Reservation> {
        match slots.reserve(wanted, try_number) {
            Grant::Given(reservation) => Some(reservation),
            Grant::NotNow => None,
            Grant::Never(why) => panic!("{why}"),
        }
    }

    #[test]
    fn stages_share_threads_and_memory_and_give_them_back() {
        let slots = Slots::new(4, 100, vec![]);
        let one = given(&slots, 2, 60).unwrap();
        assert!(given(&slots, 1, 50).is_none(), "too much memory");
        assert!(given(&slots, 3, 10).is_none(), "too many threads");
        let two = given(&slots, 2, 40).unwrap();
        drop((one, two));
        assert!(given(&slots, 4, 100).is_some());
    }

    #[test]
    fn a_stage_that_wants_more_than_there_is_runs_alone() {
        let slots = Slots::new(2, 100, vec![]);
        let small = given(&slots, 1, 1).unwrap();
        assert!(given(&slots, 8, 1000).is_none());
        drop(small);
        let large = given(&slots, 8, 1000).unwrap();
        assert!(given(&slots, 1, 1).is_none());
        drop(large);
    }

    #[test]
    fn memory_grows_with_the_try() {
        let slots = Slots::new(4, 100, vec![]);
        let _other = given(&slots, 1, 50).unwrap();
        let growing = wanted(1, vec![20, 60], 0);
        assert!(given_at(&slots, &growing, 1).is_some());
        assert!(given_at(&slots, &growing, 2).is_none());
        assert!(given_at(&slots, &growing, 3).is_none(), "the last holds for all further tries");
    }

    #[test]
    fn each_gpu_has_one_stage_and_what_is_not_there_is_never_given() {
        let slots = Slots::new(4, 100, vec![0, 2]);
        let of = |gpus| wanted(1, vec![1], gpus);
        let one = given_at(&slots, &of(1), 1).unwrap();
        let two = given_at(&slots, &of(1), 1).unwrap();
        assert_eq!((one.gpus(), two.gpus()), ([0].as_slice(), [2].as_slice()));
        assert!(given_at(&slots, &of(1), 1).is_none());
        assert!(given_at(&slots, &of(0), 1).is_some());
        drop(one);
        assert!(given_at(&slots, &of(2), 1).is_none());
        drop(two);
        assert_eq!(given_at(&slots, &of(2), 1).unwrap().gpus(), [0, 2]);
        let Grant::Never(why) = slots.reserve(&of(3), 1) else { panic!("there are two") };
        assert_eq!(why, "it wants 3 GPUs and this machine has 2 GPUs: change `resources`, or name them by --gpus");
    }

    #[test]
    fn a_stage_waits_for_the_gpu_that_it_names() {
        let slots = Slots::new(4, 100, vec![0, 2]);
        let on = |device| NodeResources { device, ..wanted(1, vec![1], 0) };
        let two = given_at(&slots, &on(Device::Cuda(2)), 1).unwrap();
        assert_eq!(two.gpus(), [2]);
        assert!(given_at(&slots, &on(Device::Cuda(2)), 1).is_none());
        let any = given_at(&slots, &on(Device::Auto), 1).unwrap();
        assert_eq!(any.gpus(), [0]);
        assert!(given_at(&slots, &on(Device::Auto), 1).is_none(), "it waits for a GPU");
        assert!(given_at(&slots, &on(Device::Cpu), 1).unwrap().gpus().is_empty());
        drop(two);
        assert_eq!(given_at(&slots, &on(Device::Auto), 1).unwrap().gpus(), [2]);
    }

    #[test]
    fn memory_is_in_bytes() {
        let memory = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        assert_eq!(memory_bytes(memory, "MemTotal"), Some(24 << 30));
        assert_eq!(memory_bytes(memory, "Avail"), None);
        assert_eq!(memory_bytes("MemTotal: Avail", "MemTotal"), None);
    }
}
