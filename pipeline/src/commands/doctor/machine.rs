//! What decides how fast this machine is and how much fits.

use super::finding;
use crate::store::Machine;
use crate::{run, text};
use pretext_protocol::Finding;
use std::ffi::CString;
use std::fs::read_to_string;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) fn findings() -> Vec<Finding> {
    let Machine { processor, cores, .. } = Machine::this();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let amount = |name| run::memory_bytes(&memory, name).map_or("unknown".to_owned(), text::bytes);
    let huge_pages = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    vec![
        finding("pretext", format!("{} on {}", crate::BUILD, std::env::consts::ARCH)),
        finding("processor", processor),
        finding("instructions", instruction_sets(&read_to_string("/proc/cpuinfo").unwrap_or_default())),
        finding("threads", format!("{cores} for all stages together; a stage has 1 unless its recipe says otherwise")),
        finding("memory", format!("{}, {} available", amount("MemTotal"), amount("MemAvailable"))),
        finding("huge pages", allowed_huge_pages(&huge_pages)),
        finding("GPU", graphics()),
    ]
}

/// The first value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let pair = |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name);
    text.lines().find_map(pair).map(|(_, value)| value.trim())
}

/// Those that matter to the speed of convolutions.
fn instruction_sets(processor: &str) -> String {
    let flags: Vec<&str> = field(processor, "flags").unwrap_or_default().split_whitespace().collect();
    let matter = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];
    let present: Vec<&str> = matter.into_iter().filter(|set| flags.contains(set)).collect();
    if present.is_empty() { "neither AVX2 nor AVX-512: convolutions will be slow".into() } else { present.join(" ") }
}

/// The kernel marks the setting that holds: `always [madvise] never`.
fn allowed_huge_pages(setting: &str) -> String {
    let chosen = setting.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(word, _)| word);
    match chosen {
        Some("never") => "never: training is some percent slower than it could be.\n    \
                          echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
            .into(),
        Some(chosen) => chosen.into(),
        None => "unknown".into(),
    }
}

/// Those that the driver knows, a line each, with the names that recipes use.
fn graphics() -> String {
    let visible = run::gpus();
    if visible.is_empty() {
        return "none that a driver knows: stages compute on the processor".into();
    }
    let query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"];
    let asked = Command::new("nvidia-smi").args(query).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let names: Vec<String> = visible.iter().map(|gpu| format!("cuda:{} ({})", gpu.number, gpu.name)).collect();
    format!("{}\n{said}", names.join(", "))
}

/// What the file system has left for us; None where there is nothing of that name.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: all its fields are numbers, of which zero is one.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the call reads a string that ends in zero and fills a `statvfs`, which it is given.
    let answer = unsafe { libc::statvfs(path.as_ptr(), &raw mut found) };
    (answer == 0).then(|| found.f_bavail * found.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_sets_are_read_as_whole_words() {
        let processor = "flags_of_old : avx2\nflags\t\t: fpu avx2 avx512f_not avx512_bf16\n";
        assert_eq!(instruction_sets(processor), "avx2 avx512_bf16");
        assert_eq!(instruction_sets("flags : fpu"), "neither AVX2 nor AVX-512: convolutions will be slow");
    }

    #[test]
    fn the_marked_huge_page_setting_holds() {
        assert_eq!(allowed_huge_pages("always [madvise] never\n"), "madvise");
        assert!(allowed_huge_pages("always madvise [never]\n").contains("echo madvise"));
        assert_eq!(allowed_huge_pages(""), "unknown");
    }

    #[test]
    fn what_is_free_is_known_of_folders_that_are_there() {
        assert!(free_bytes(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }
}
