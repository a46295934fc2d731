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

/// The glibc that PyPI's torch 2.9 is built for.
const GLIBC: (u32, u32) = (2, 28);

impl Tool {
    /// The first line of what it says of itself.
    pub fn version(&self) -> Option<String> {
        let (program, arguments) = self.check;
        output(program, arguments).map(|text| text.lines().next().unwrap_or_default().to_owned())
    }

    pub fn remedy(&self) -> String {
        format!("{} is missing: it {}\n    {}", self.name, self.why, self.install)
    }
}

/// An error that names everything that is missing; a warning for what may never be asked for.
pub fn tools() -> Result<(), String> {
    let missing = || TOOLS.iter().filter(|tool| tool.version().is_none());
    let (required, optional): (Vec<&Tool>, Vec<&Tool>) = missing().partition(|tool| tool.required);
    for tool in optional {
        eprintln!("warning: {}", tool.remedy());
    }
    if required.is_empty() {
        return Ok(());
    }
    Err(required.iter().map(|tool| tool.remedy()).collect::<Vec<_>>().join("\n"))
}

/// Linux on x86-64 with glibc, which is what this program itself was built for.
pub fn supported() -> Result<(), String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Err(format!(
            "pretext runs on Linux x86-64 with glibc, and this is {}; a container or virtual machine of that kind will do",
            describe()
        ));
    }
    match glibc().as_deref().and_then(release) {
        Some(version) if version < GLIBC => Err(format!(
            "pretext needs glibc {}.{} or newer, and this machine has {}.{}: that of a distribution from 2019 or later",
            GLIBC.0, GLIBC.1, version.0, version.1
        )),
        _ => Ok(()),
    }
}

pub fn describe() -> String {
    let libc = glibc().unwrap_or_else(|| "no glibc".into());
    format!("{} {} with {libc}", std::env::consts::OS, std::env::consts::ARCH)
}

fn glibc() -> Option<String> {
    output("getconf", &["GNU_LIBC_VERSION"])
}

/// The first two numbers of a text like `glibc 2.36`.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(release("glibc 2.36"), Some((2, 36)));
        assert!(release("glibc 2.5") < Some((2, 28)));
        assert_eq!(release("musl"), None);
    }
}
