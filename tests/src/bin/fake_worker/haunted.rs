//! A process that outlives the worker and goes on writing into the folders of its attempt, as the child of a killed tool
//! does (see `peers.md`: DVC and Snakemake then publish what it writes).

use pretext_protocol::{CHECKPOINT, Run};
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Starts it, in a session of its own so that no signal to the worker's group reaches it.
#[allow(clippy::zombie_processes, reason = "it is to outlive this process")]
pub fn raise(run: &Run) {
    let attempt = run.out.parent().expect("the folder of the attempt");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("haunt").arg(attempt).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: setsid is async-signal-safe and touches no memory.
    unsafe {
        command.pre_exec(|| match libc::setsid() {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        })
    };
    command.spawn().unwrap();
}

/// Waits for the next attempt to go on from the checkpoint of this one, and then writes where this one's outputs and
/// checkpoints were, for a second.
pub fn haunt(attempt: &Path) {
    let outputs = attempt.join("out/value");
    fs::create_dir_all(&outputs).unwrap();
    let mut open = fs::File::create(outputs.join("value.txt")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !has_been_taken_over(attempt) {
        if Instant::now() > deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let until = Instant::now() + Duration::from_secs(1);
    let mut writes = 0;
    while Instant::now() < until {
        // Its folders may just be being removed.
        let _ = open.write_all(b"a ghost's");
        for (folder, file) in [(outputs.clone(), "value.txt"), (attempt.join("scratch").join(CHECKPOINT), "state")] {
            let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(file), "59 13"));
            writes += u32::from(written.is_ok());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let cache = attempt.ancestors().nth(3).expect("the store").join("cache");
    fs::write(cache.join("haunted"), writes.to_string()).unwrap();
}

fn has_been_taken_over(attempt: &Path) -> bool {
    let attempts = attempt.parent().expect("the folder of the key");
    let others = fs::read_dir(attempts).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut others = others.filter(|other| other != attempt);
    others.any(|other| other.join("resume").join(CHECKPOINT).exists())
}
