//! What the machine must have.

use crate::shell::output;

/// A program that is needed, and how to get it.
pub struct Tool {
    pub name: &'static str,
    check: (&'static str, &'static [&'static str]),
    why: &'static str,
    install: &'static str,
    required: bool,
}

pub const TOOLS: [Tool; 5] = [
    Tool {
        name: "c++",
        check: ("c++", &["--version"]),
        why: "builds the shim to libtorch and links the programs",
        install: "Debian: sudo apt install g++   Fedora: sudo dnf install gcc-c++",
        required: true,
    },
    Tool {
        name: "python3",
        check: ("python3", &["--version"]),
        why: "unpacks libtorch's package",
        install: "Debian: sudo apt install python3   Fedora: sudo dnf install python3",
        required: true,
    },
    Tool {
        name: "pip",
        check: ("python3", &["-m", "pip", "--version"]),
        why: "fetches libtorch",
        install: "Debian: sudo apt install python3-pip   Fedora: sudo dnf install python3-pip",
        required: true,
    },
    Tool {
        name: "curl",
        check: ("curl", &["--version"]),
        why: "fetches data sets from their official addresses",
        install: "Debian: sudo apt install curl   Fedora: sudo dnf install curl",
        required: false,
    },
    Tool {
        name: "npm",
        check: ("npm", &["--version"]),
        why: "fetches data sets whose official address does not answer",
        install: "Debian: sudo apt install npm   Fedora: sudo dnf install npm",
        required: false,
    },
];

impl Tool {
    /// The first line of what it says of itself.
    pub fn version(&self) -> Option<String> {
        let (program, arguments) = self.check;
        output(program, arguments).map(|text| text.lines().next().unwrap_or_default().to_owned())
    }

    pub fn remedy(&self) -> String {
        format!("{} is missing: it {}.\n    {}", self.name, self.why, self.install)
    }
}

/// An error that names everything that is missing.
pub fn check() -> Result<(), String> {
    supported()?;
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| tool.version().is_none()).collect();
    for tool in missing.iter().filter(|tool| !tool.required) {
        eprintln!("warning: {}", tool.remedy());
    }
    let needed: Vec<String> = missing.iter().filter(|tool| tool.required).map(|tool| tool.remedy()).collect();
    if needed.is_empty() { Ok(()) } else { Err(needed.join("\n")) }
}

fn supported() -> Result<(), String> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Ok(());
    }
    Err(format!(
        "pretext runs on Linux x86-64 with glibc; this is {} {}. In a container or virtual machine of that kind it works.",
        std::env::consts::OS,
        std::env::consts::ARCH
    ))
}
