//! The GPUs of this machine, and who has them: of all runs on it, not only of this one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// One that this process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// As CUDA counts those that it sees: `cuda:NUMBER`.
    pub number: usize,
    /// What it is called by all processes of the machine, whatever they see: its UUID, or else its place among all.
    pub name: String,
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

/// A number that is not there ends the list, as for CUDA itself.
fn visible_of(all: &[String], list: Option<&str>) -> Vec<Gpu> {
    let named = |(number, name): (usize, &String)| Gpu { number, name: name.clone() };
    let Some(list) = list else { return all.iter().enumerate().map(named).collect() };
    let place = |word: &str| match word.parse::<usize>() {
        Ok(number) => all.get(number),
        Err(_) => all.iter().find(|name| !word.is_empty() && name.starts_with(word)),
    };
    list.split(',').map_while(|word| place(word.trim())).enumerate().map(named).collect()
}

/// Has a GPU while it lasts; the lock is the kernel's and ends with the process.
#[derive(Debug)]
pub(super) struct GpuLock(File);

impl Drop for GpuLock {
    fn drop(&mut self) {
        // What cannot be unlocked is so when it is closed.
        let _ = self.0.unlock();
    }
}

/// None while another run has it.
///
/// # Errors
/// What keeps the file of the lock from being made.
pub(super) fn lock(gpu: &Gpu, folder: &Path) -> io::Result<Option<GpuLock>> {
    let place = folder.join(format!("pretext-{}.lock", gpu.name));
    let file = match File::options().read(true).write(true).open(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = File::options().read(true).write(true).create(true).truncate(false).open(&place)?;
            // For all users of the machine; whoever comes second cannot change it and need not.
            let _ = fs::set_permissions(&place, fs::Permissions::from_mode(0o666));
            made
        }
        file => file?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(GpuLock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
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
    fn a_gpu_has_one_owner_on_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let gpu = |name: &str| Gpu { number: 0, name: name.to_owned() };
        let first = lock(&gpu("GPU-aa"), folder.path()).unwrap();
        assert!(first.is_some() && lock(&gpu("GPU-aa"), folder.path()).unwrap().is_none());
        assert!(lock(&gpu("GPU-bb"), folder.path()).unwrap().is_some());
        drop(first);
        assert!(lock(&gpu("GPU-aa"), folder.path()).unwrap().is_some());
    }
}
