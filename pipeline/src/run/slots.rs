//! Threads, memory and GPUs of this machine, and who has them.

use super::gpus::{self, Gpu, Wished};
use crate::plan::{Gpus, NodeResources};
use crate::store::Locked;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What there is to give out.
#[derive(Debug)]
pub(super) struct Slots {
    threads: usize,
    memory_bytes: u64,
    gpus: Vec<Gpu>,
    /// Where the machine's locks of GPUs are.
    locks: PathBuf,
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
    /// What it wants is free but for a GPU that another run has.
    GpuHeld {
        /// `cuda:1`
        gpu: String,
        holder: String,
    },
    /// And why.
    Never(String),
}

/// Those of the free GPUs that are locked now, and those that other runs have, as they say.
#[derive(Debug, Default)]
struct Looked {
    locked: Vec<(usize, Option<Locked>)>,
    held: Vec<(usize, String)>,
}

impl Slots {
    pub(super) fn new(threads: usize, memory_bytes: u64, gpus: Vec<Gpu>, locks: PathBuf) -> Arc<Self> {
        let given = Given { free_gpus: numbers(&gpus), ..Given::default() };
        Arc::new(Self { threads, memory_bytes, gpus, locks, given: Mutex::new(given) })
    }

    /// Locks the GPUs that neither a stage of this run nor another run has. Where no lock can be made they are used without:
    /// better to share a card than to wait for ever.
    fn look(&self, free: &[usize]) -> Looked {
        let mut looked = Looked::default();
        for gpu in self.gpus.iter().filter(|gpu| free.contains(&gpu.number)) {
            match gpus::lock(gpu, &self.locks) {
                Ok(Wished::Had(lock)) => looked.locked.push((gpu.number, Some(lock))),
                Ok(Wished::Held(holder)) => looked.held.push((gpu.number, holder)),
                Err(_) => looked.locked.push((gpu.number, None)),
            }
        }
        looked
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    /// Reserves what a stage wants, if it is free. A stage that wants more threads or memory than there is runs when nothing
    /// else does. `holder` is what other runs are told of who has a GPU.
    pub(super) fn reserve(self: &Arc<Self>, wanted: &NodeResources, try_number: u32, holder: &str) -> Grant {
        let gpus = match wanted.gpus_among(&numbers(&self.gpus)) {
            Ok(gpus) => gpus,
            Err(why) => return Grant::Never(why),
        };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = given.threads + wanted.threads;
        let memory_bytes = given.memory_bytes.saturating_add(wanted.memory_at(try_number));
        let is_too_much = threads > self.threads || memory_bytes > self.memory_bytes;
        if given.stages > 0 && is_too_much {
            return Grant::NotNow;
        }
        let Looked { mut locked, held } =
            if gpus == Gpus::Any(0) { Looked::default() } else { self.look(&given.free_gpus) };
        let lockable: Vec<usize> = locked.iter().map(|(number, _)| *number).collect();
        let Some(gpus) = gpus.of(&lockable) else { return waiting(gpus, &given.free_gpus, held) };
        locked.retain(|(number, _)| gpus.contains(number));
        let gpus: Vec<Gpu> = self.gpus.iter().filter(|gpu| gpus.contains(&gpu.number)).cloned().collect();
        gpus.iter().for_each(|gpu| gpus::sign(gpu, &self.locks, holder));
        given.free_gpus.retain(|number| gpus.iter().all(|gpu| gpu.number != *number));
        let reservation = Reservation {
            slots: self.clone(),
            threads: wanted.threads,
            memory_bytes: memory_bytes - given.memory_bytes,
            gpus,
            _locks: locked.into_iter().filter_map(|(_, lock)| lock).collect(),
        };
        given.stages += 1;
        given.threads = threads;
        given.memory_bytes = memory_bytes;
        Grant::Given(reservation)
    }
}

fn numbers(gpus: &[Gpu]) -> Vec<usize> {
    gpus.iter().map(|gpu| gpu.number).collect()
}

/// The answer to a stage for which there are not enough GPUs: it waits for this run's own stages, or for another run.
fn waiting(wanted: Gpus, free: &[usize], held: Vec<(usize, String)>) -> Grant {
    let is_ours = wanted.of(free).is_none();
    let fits = |number: usize| match wanted {
        Gpus::This(this) => number == this,
        Gpus::Any(_) => true,
    };
    match held.into_iter().find(|(number, _)| fits(*number)) {
        Some((number, holder)) if !is_ours => Grant::GpuHeld { gpu: format!("cuda:{number}"), holder },
        _ => Grant::NotNow,
    }
}

/// What a stage has. Given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    slots: Arc<Slots>,
    threads: usize,
    memory_bytes: u64,
    gpus: Vec<Gpu>,
    _locks: Vec<Locked>,
}

impl Reservation {
    pub(super) fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut given = self.slots.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.stages -= 1;
        given.threads -= self.threads;
        given.memory_bytes -= self.memory_bytes;
        given.free_gpus.extend(numbers(&self.gpus));
        given.free_gpus.sort_unstable();
    }
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
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = group_limit(Path::new("/sys/fs/cgroup"), &groups);
    total.into_iter().chain(limit).min().map_or(u64::MAX, |bytes| bytes / 5 * 4)
}

/// The least that the groups of a process, and those above them, allow. `groups` is its `/proc/PID/cgroup`: `0::/a/b`, or
/// `4:memory:/a/b` where the older way is used.
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/').to_owned());
        match controllers {
            "" => Some((root.to_owned(), path, "memory.max")),
            named if named.split(',').any(|name| name == "memory") => {
                Some((root.join("memory"), path, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    };
    let limits = groups.lines().filter_map(group).flat_map(|(root, path, file)| {
        let folders: Vec<_> = Path::new(&path).ancestors().map(|group| root.join(group).join(file)).collect();
        folders.into_iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok())
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Device;

    fn wanted(threads: usize, memory_bytes: Vec<u64>, gpus: usize) -> NodeResources {
        NodeResources { threads, memory_bytes, gpus, device: Device::Cpu, seconds: vec![] }
    }

    fn with(gpus: &[usize]) -> Vec<Gpu> {
        gpus.iter().map(|number| Gpu::numbered(*number)).collect()
    }

    fn given(slots: &Arc<Slots>, threads: usize, memory: u64) -> Option<Reservation> {
        given_at(slots, &wanted(threads, vec![memory], 0), 1)
    }

    fn given_at(slots: &Arc<Slots>, wanted: &NodeResources, try_number: u32) -> Option<Reservation> {
        match slots.reserve(wanted, try_number, "process 1") {
            Grant::Given(reservation) => Some(reservation),
            Grant::NotNow | Grant::GpuHeld { .. } => None,
            Grant::Never(why) => panic!("{why}"),
        }
    }

    #[test]
    fn stages_share_threads_and_memory_and_give_them_back() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(4, 100, vec![], locks.path().to_owned());
        let one = given(&slots, 2, 60).unwrap();
        assert!(given(&slots, 1, 50).is_none(), "too much memory");
        assert!(given(&slots, 3, 10).is_none(), "too many threads");
        let two = given(&slots, 2, 40).unwrap();
        drop((one, two));
        assert!(given(&slots, 4, 100).is_some());
    }

    #[test]
    fn a_stage_that_wants_more_than_there_is_runs_alone() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(2, 100, vec![], locks.path().to_owned());
        let small = given(&slots, 1, 1).unwrap();
        assert!(given(&slots, 8, 1000).is_none());
        drop(small);
        let large = given(&slots, 8, 1000).unwrap();
        assert!(given(&slots, 1, 1).is_none());
        drop(large);
    }

    #[test]
    fn memory_grows_with_the_try() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(4, 100, vec![], locks.path().to_owned());
        let _other = given(&slots, 1, 50).unwrap();
        let growing = wanted(1, vec![20, 60], 0);
        assert!(given_at(&slots, &growing, 1).is_some());
        assert!(given_at(&slots, &growing, 2).is_none());
        assert!(given_at(&slots, &growing, 3).is_none(), "the last holds for all further tries");
    }

    #[test]
    fn each_gpu_has_one_stage_and_what_is_not_there_is_never_given() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(4, 100, with(&[0, 2]), locks.path().to_owned());
        let of = |gpus| wanted(1, vec![1], gpus);
        let one = given_at(&slots, &of(1), 1).unwrap();
        let two = given_at(&slots, &of(1), 1).unwrap();
        assert_eq!((numbers(one.gpus()), numbers(two.gpus())), (vec![0], vec![2]));
        assert!(given_at(&slots, &of(1), 1).is_none());
        assert!(given_at(&slots, &of(0), 1).is_some());
        drop(one);
        assert!(given_at(&slots, &of(2), 1).is_none());
        drop(two);
        assert_eq!(numbers(given_at(&slots, &of(2), 1).unwrap().gpus()), [0, 2]);
        let Grant::Never(why) = slots.reserve(&of(3), 1, "") else { panic!("there are two") };
        assert_eq!(why, "it wants 3 GPUs and this machine has 2 GPUs: change `resources`, or name them by --gpus");
    }

    #[test]
    fn a_stage_waits_for_the_gpu_that_it_names() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(4, 100, with(&[0, 2]), locks.path().to_owned());
        let on = |device| NodeResources { device, ..wanted(1, vec![1], 0) };
        let two = given_at(&slots, &on(Device::Cuda(2)), 1).unwrap();
        assert_eq!(numbers(two.gpus()), [2]);
        assert!(given_at(&slots, &on(Device::Cuda(2)), 1).is_none());
        let any = given_at(&slots, &on(Device::Auto), 1).unwrap();
        assert_eq!(numbers(any.gpus()), [0]);
        assert!(given_at(&slots, &on(Device::Auto), 1).is_none(), "it waits for a GPU");
        assert!(given_at(&slots, &on(Device::Cpu), 1).unwrap().gpus().is_empty());
        drop(two);
        assert_eq!(numbers(given_at(&slots, &on(Device::Auto), 1).unwrap().gpus()), [2]);
    }

    #[test]
    fn the_groups_that_a_process_is_in_limit_its_memory() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("slurm/job7/memory.max", "4000\n");
        write("slurm/job7/step/memory.max", "max\n");
        write("slurm/memory.max", "9000\n");
        write("memory/docker/memory.limit_in_bytes", "3000\n");
        let limit = |groups: &str| group_limit(root.path(), groups);
        assert_eq!(limit("0::/slurm/job7/step\n"), Some(4000));
        assert_eq!(limit("0::/slurm/job8\n"), Some(9000));
        assert_eq!(limit("5:cpu:/docker\n4:hugetlb,memory:/docker\n"), Some(3000));
        assert_eq!(limit("0::/\n"), None);
    }

    #[test]
    fn another_run_has_its_gpus_for_itself() {
        let locks = tempfile::tempdir().unwrap();
        let run = || Slots::new(4, 100, with(&[0, 1]), locks.path().to_owned());
        let (one, other) = (run(), run());
        let on_gpu = wanted(1, vec![1], 1);
        let first = given_at(&one, &on_gpu, 1).unwrap();
        let second = given_at(&other, &on_gpu, 1).unwrap();
        assert_eq!((numbers(first.gpus()), numbers(second.gpus())), (vec![0], vec![1]));
        assert!(given_at(&one, &on_gpu, 1).is_none());
        drop(second);
        assert_eq!(numbers(given_at(&one, &on_gpu, 1).unwrap().gpus()), [1]);
    }

    #[test]
    fn a_stage_is_told_which_run_has_its_gpu() {
        let locks = tempfile::tempdir().unwrap();
        let run = || Slots::new(4, 100, with(&[0, 1]), locks.path().to_owned());
        let (one, other) = (run(), run());
        let on_gpu = wanted(1, vec![1], 1);
        let Grant::Given(first) = one.reserve(&on_gpu, 1, "process 4711") else { panic!("both are free") };
        let on = |number| NodeResources { device: Device::Cuda(number), ..wanted(1, vec![1], 0) };
        let held = |wanted: &NodeResources| match other.reserve(wanted, 1, "process 4712") {
            Grant::GpuHeld { gpu, holder } => Some(format!("{gpu} {holder}")),
            _ => None,
        };
        assert_eq!(held(&on(0)).as_deref(), Some("cuda:0 process 4711"));
        assert_eq!(held(&wanted(1, vec![1], 2)).as_deref(), Some("cuda:0 process 4711"));
        let Grant::Given(second) = other.reserve(&on_gpu, 1, "process 4712") else { panic!("one is free") };
        assert!(matches!(other.reserve(&on(1), 1, ""), Grant::NotNow), "it waits for a stage of its own run");
        assert!(matches!(one.reserve(&on_gpu, 1, ""), Grant::GpuHeld { holder, .. } if holder == "process 4712"));
        drop((first, second));
        assert!(held(&on(0)).is_none());
    }

    #[test]
    fn where_no_lock_can_be_made_a_gpu_is_used_without() {
        let locks = tempfile::tempdir().unwrap();
        let slots = Slots::new(4, 100, with(&[0]), locks.path().join("not there"));
        let first = given_at(&slots, &wanted(1, vec![1], 1), 1).unwrap();
        assert_eq!(numbers(first.gpus()), [0]);
        assert!(given_at(&slots, &wanted(1, vec![1], 1), 1).is_none(), "a stage of this run has it");
    }

    #[test]
    fn memory_is_in_bytes() {
        let memory = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        assert_eq!(memory_bytes(memory, "MemTotal"), Some(24 << 30));
        assert_eq!(memory_bytes(memory, "Avail"), None);
        assert_eq!(memory_bytes("MemTotal: Avail", "MemTotal"), None);
    }
}
