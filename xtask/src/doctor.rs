//! What this machine has.

use crate::platform::TOOLS;
use crate::shell::output;
use crate::{binary, libtorch};
use std::fs::read_to_string;
use std::process::ExitCode;

pub fn run() -> Result<ExitCode, String> {
    let line = |name: &str, text: String| println!("{name:<16} {text}");
    line("platform", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
    line("processor", field(&processor, "model name").unwrap_or("unknown").to_owned());
    line("instructions", instruction_sets(&processor));
    line("cores", std::thread::available_parallelism().map_or(1, |n| n.get()).to_string());
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    line("memory", field(&memory, "MemTotal").unwrap_or("unknown").to_owned());
    line(
        "huge pages",
        read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").map_or("unknown".into(), |t| t.trim().to_owned()),
    );
    line("GPU", output("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]).unwrap_or("none seen".into()));
    for tool in &TOOLS {
        line(tool.name, tool.version().unwrap_or_else(|| tool.remedy()));
    }
    line("libtorch", libtorch::describe());
    for program in ["pretext", "pretext-worker"] {
        let built = binary(program).exists();
        line(
            program,
            if built {
                binary(program).display().to_string()
            } else {
                "not built; `cargo xtask setup` builds it".into()
            },
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The first value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

/// Those that matter to the speed of convolutions.
fn instruction_sets(processor: &str) -> String {
    let flags: Vec<&str> = field(processor, "flags").unwrap_or_default().split_whitespace().collect();
    let present: Vec<&str> =
        ["avx2", "avx512f", "avx512_bf16", "amx_bf16"].into_iter().filter(|set| flags.contains(set)).collect();
    if present.is_empty() { "neither AVX2 nor AVX-512: convolutions will be slow".into() } else { present.join(" ") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn instruction_sets_are_read_from_whole_words() {
        assert_eq!(super::instruction_sets("flags : fpu avx2 avx512f_not avx512_bf16\n"), "avx2 avx512_bf16");
    }
}
