//! The GPUs of this machine, and who has them: of all runs on it, not only of this one.

use crate::store::{Locked, open_to_lock};
use crate::terminal;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// One that this process may use, or the part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As CUDA counts those that it sees: `cuda:NUMBER`.
    pub number: usize,
    /// What it is called by all processes of the machine, whatever they see: its UUID, or else its place among all.
    pub name: String,
}

impl Gpu {
    /// One of which only the number is known.
    pub fn numbered(number: usize) -> Self {
        Self { number, name: number.to_string() }
    }

    /// The name, where it is that of a part (MIG): CUDA shows a process no more than one of these.
    pub(super) fn part(&self) -> Option<&str> {
        Some(&*self.name).filter(|name| is_part(name))
    }
}

/// `MIG-UUID`, or `MIG-GPU-UUID/INSTANCE/INSTANCE` as older drivers have it.
fn is_part(name: &str) -> bool {
    name.starts_with("MIG-")
}

/// Those that `CUDA_VISIBLE_DEVICES` leaves visible, in its order.
pub fn gpus() -> Vec<Gpu> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    visible_of(&all(Path::new("/proc/driver/nvidia/gpus")), visible.as_deref())
}

/// The names of all, in the order of their places on the bus, by which workers are told to count (`CUDA_DEVICE_ORDER`).
fn all(driver: &Path) -> Vec<String> {
    let mut places: Vec<PathBuf> = fs::read_dir(driver).into_iter().flatten().flatten().map(|gpu| gpu.path()).collect();
    places.sort();
    let uuid = |place: &Path| {
        let text = fs::read_to_string(place.join("information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("GPU UUID:"))?;
        Some(line.trim().to_owned()).filter(|uuid| !uuid.contains('?'))
    };
    places.iter().enumerate().map(|(number, place)| uuid(place).unwrap_or_else(|| number.to_string())).collect()
}

/// What is not there ends the list, as for CUDA itself. The driver's list has whole GPUs only: a part is taken to be there, and keeps
/// its name as it is written.
fn visible_of(all: &[String], list: Option<&str>) -> Vec<Gpu> {
    let named = |(number, name): (usize, String)| Gpu { number, name };
    let Some(list) = list else { return all.iter().cloned().enumerate().map(named).collect() };
    let place = |word: &str| match word.parse::<usize>() {
        _ if is_part(word) => Some(word.to_owned()),
        Ok(number) => all.get(number).cloned(),
        Err(_) => all.iter().find(|name| !word.is_empty() && name.starts_with(word)).cloned(),
    };
    list.split(',').map_while(|word| place(word.trim())).enumerate().map(named).collect()
}

/// What came of the wish for a GPU.
#[derive(Debug)]
pub(super) enum Wished {
    /// It is had while this lasts; the lock is the kernel's and ends with the process.
    Had(Locked),
    /// By another run, as it said of itself.
    Held(String),
}

/// Takes a GPU for itself among all runs of the machine.
///
/// # Errors
/// What keeps the file of the lock from being made.
pub(super) fn lock(gpu: &Gpu, folder: &Path) -> io::Result<Wished> {
    let place = lock_place(gpu, folder);
    let file = match open_to_lock(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = File::options().read(true).write(true).create(true).truncate(false).open(&place)?;
            // For all users of the machine; whoever comes second cannot change it and need not.
            let _ = fs::set_permissions(&place, fs::Permissions::from_mode(0o666));
            made
        }
        file => file?,
    };
    Ok(match Locked::alone(file)? {
        Some(lock) => Wished::Had(lock),
        None => Wished::Held(holder(&place)),
    })
}

/// Says in the file of a lock that is had who has it. Where it cannot be written the others are told less.
pub(super) fn sign(gpu: &Gpu, folder: &Path, holder: &str) {
    let file = File::options().write(true).truncate(true).open(lock_place(gpu, folder));
    let _ = file.and_then(|mut file| file.write_all(holder.as_bytes()));
}

/// Anyone may have written this: one line of it, and not a long one, without what steers a terminal.
fn holder(place: &Path) -> String {
    let mut bytes = vec![];
    let read = File::open(place).and_then(|file| file.take(300).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let text = terminal::harmless(text.lines().next().unwrap_or_default()).trim().to_owned();
    if read.is_err() || text.is_empty() { "another run".to_owned() } else { text }
}

fn lock_place(gpu: &Gpu, folder: &Path) -> PathBuf {
    folder.join(format!("pretext-{}.lock", gpu.name.replace('/', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_visible_is_counted_from_0_and_known_by_its_own_name() {
        let all: Vec<String> = ["GPU-aa", "GPU-bb", "2"].map(str::to_owned).into();
        let names = |list| visible_of(&all, list).into_iter().map(|gpu| gpu.name).collect::<Vec<_>>();
        assert_eq!(names(None), ["GPU-aa", "GPU-bb", "2"]);
        assert_eq!(names(Some("2, 0")), ["2", "GPU-aa"]);
        assert_eq!(names(Some("GPU-b")), ["GPU-bb"]);
        assert_eq!(names(Some("1,7,0")), ["GPU-bb"], "CUDA stops at what is not there");
        assert_eq!(names(Some("")), [""; 0]);
        assert_eq!(names(Some("-1")), [""; 0]);
        assert_eq!(visible_of(&all, Some("2"))[0].number, 0);
    }

    #[test]
    fn the_driver_tells_names() {
        let driver = tempfile::tempdir().unwrap();
        for (bus, text) in
            [("0000:65:00.0", "Model: H100\nGPU UUID: \t GPU-bb\n"), ("0000:17:00.0", "GPU UUID: GPU-????\n")]
        {
            fs::create_dir(driver.path().join(bus)).unwrap();
            fs::write(driver.path().join(bus).join("information"), text).unwrap();
        }
        assert_eq!(all(driver.path()), ["0", "GPU-bb"]);
        assert!(all(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn parts_of_gpus_are_kept_in_order_as_they_are_written() {
        let all: Vec<String> = ["GPU-aa", "GPU-bb"].map(str::to_owned).into();
        let list = "MIG-4f2b,MIG-GPU-aa/1/0, GPU-b,7,MIG-none";
        let visible = visible_of(&all, Some(list));
        let shown: Vec<_> = visible.iter().map(|gpu| (gpu.number, &*gpu.name, gpu.part())).collect();
        let old = "MIG-GPU-aa/1/0";
        let expected = [(0, "MIG-4f2b", Some("MIG-4f2b")), (1, old, Some(old)), (2, "GPU-bb", None)];
        assert_eq!(shown, expected, "what comes behind a number that is not there is not visible");
        let folder = tempfile::tempdir().unwrap();
        let locks: Vec<_> = visible.iter().map(|gpu| lock(gpu, folder.path()).unwrap()).collect();
        assert!(locks.iter().all(|lock| matches!(lock, Wished::Had(_))));
        assert!(folder.path().join("pretext-MIG-GPU-aa_1_0.lock").is_file());
    }

    #[test]
    fn a_gpu_has_one_owner_on_the_machine_who_says_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let gpu = |name: &str| Gpu { number: 0, name: name.to_owned() };
        let wish = |name| match lock(&gpu(name), folder.path()).unwrap() {
            Wished::Had(lock) => Ok(lock),
            Wished::Held(holder) => Err(holder),
        };
        let first = wish("GPU-aa").unwrap();
        assert_eq!(wish("GPU-aa").unwrap_err(), "another run");
        for (written, expected) in [
            ("process 4711, since noon\n\x1b[2Kmore", "process 4711, since noon"),
            ("\x1b]0;title\x07 7", "7"),
            ("8", "8"),
        ] {
            sign(&gpu("GPU-aa"), folder.path(), written);
            assert_eq!(wish("GPU-aa").unwrap_err(), expected);
        }
        assert!(wish("GPU-bb").is_ok());
        drop(first);
        assert!(wish("GPU-aa").is_ok());
    }

    #[test]
    fn a_lock_that_another_user_has_made_is_taken_without_writing_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let gpu = Gpu::numbered(0);
        fs::write(lock_place(&gpu, folder.path()), "").unwrap();
        fs::set_permissions(lock_place(&gpu, folder.path()), fs::Permissions::from_mode(0o444)).unwrap();
        let first = lock(&gpu, folder.path()).unwrap();
        assert!(matches!(first, Wished::Had(_)));
        assert!(matches!(lock(&gpu, folder.path()).unwrap(), Wished::Held(_)));
        assert!(lock(&gpu, &folder.path().join("not there")).is_err());
    }
}
