//! The children of this process, as the kernel tells them. Nothing here allocates: the guard asks where it may not.

use libc::pid_t;
use std::ffi::{CStr, c_int};

/// Where the kernel lists them, of a process with one thread, if it was built to (`CONFIG_PROC_CHILDREN`).
pub(super) const LIST: &CStr = c"/proc/thread-self/children";

/// Calls `on` with each child of a process with one thread: by the list where there is one, else by what every process says of its
/// parent. False where neither can be read.
pub(super) fn each(list: &CStr, on: &mut dyn FnMut(pid_t)) -> bool {
    match open(libc::AT_FDCWD, list) {
        Some(file) => {
            let mut text = [0u8; 4096];
            let length = file.read(&mut text);
            // A number that does not end here comes with the next look.
            let whole = text[..length].iter().rposition(|byte| *byte == b' ').unwrap_or_default();
            text[..whole].split(|byte| *byte == b' ').filter_map(number).for_each(on);
            true
        }
        None => each_by_parent(on),
    }
}

/// The same of a process with any number of threads, by what every process says of its parent.
pub(super) fn each_by_parent(on: &mut dyn FnMut(pid_t)) -> bool {
    /// As the kernel writes them: numbers of 8 bytes first.
    #[repr(align(8))]
    struct Entries([u8; 4096]);
    /// Where the length of an entry stands in it, and where its name begins.
    const LENGTH: usize = 16;
    const NAME: usize = 19;

    let Some(folder) = open(libc::AT_FDCWD, c"/proc") else { return false };
    // SAFETY: it touches no memory.
    let own = unsafe { libc::getpid() };
    let mut entries = Entries([0; 4096]);
    loop {
        // SAFETY: the buffer is as long as it is said to be.
        let filled = unsafe { libc::syscall(libc::SYS_getdents64, folder.0, entries.0.as_mut_ptr(), entries.0.len()) };
        if filled <= 0 {
            return filled == 0;
        }
        let mut rest = &entries.0[..filled as usize];
        while let Some([low, high]) = rest.get(LENGTH..LENGTH + 2) {
            let length = usize::from(u16::from_ne_bytes([*low, *high]));
            let (Some(entry), Some(further)) = (rest.get(NAME..length), rest.get(length..)) else { break };
            let process = entry.split(|byte| *byte == 0).next().and_then(number);
            if let Some(process) = process.filter(|_| parent(&folder, entry) == Some(own)) {
                on(process);
            }
            rest = further;
        }
    }
}

/// `1234 (a name) S 1200 ...`: a name may hold anything, so that its last bracket counts. `name` ends in zeros.
fn parent(folder: &Open, name: &[u8]) -> Option<pid_t> {
    const FILE: &[u8] = b"/stat\0";
    let digits = name.iter().position(|byte| *byte == 0)?;
    let mut path = [0u8; 32];
    path.get_mut(..digits)?.copy_from_slice(&name[..digits]);
    path.get_mut(digits..digits + FILE.len())?.copy_from_slice(FILE);
    let file = open(folder.0, CStr::from_bytes_until_nul(&path).ok()?)?;
    let mut text = [0u8; 512];
    let length = file.read(&mut text);
    let bracket = text[..length].iter().rposition(|byte| *byte == b')')?;
    text[bracket..length].split(|byte| *byte == b' ').nth(2).and_then(number)
}

/// None of what is no number, and of 0 and 1, which nobody may end.
fn number(digits: &[u8]) -> Option<pid_t> {
    let add = |number: pid_t, digit: &u8| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(pid_t::from(digit - b'0')),
        _ => None,
    };
    digits.iter().try_fold(0, add).filter(|number| *number > 1)
}

/// Closed when it is dropped.
struct Open(c_int);

impl Open {
    fn read(&self, to: &mut [u8]) -> usize {
        // SAFETY: the buffer is as long as it is said to be.
        unsafe { libc::read(self.0, to.as_mut_ptr().cast(), to.len()) }.max(0) as usize
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: it was opened here, and nobody else has its number.
        unsafe { libc::close(self.0) };
    }
}

fn open(folder: c_int, path: &CStr) -> Option<Open> {
    // SAFETY: the path ends in zero.
    let file = unsafe { libc::openat(folder, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    (file >= 0).then_some(Open(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Tells of each child, and whether it could look.
    type Look<'a> = &'a dyn Fn(&mut dyn FnMut(pid_t)) -> bool;

    #[test]
    fn children_are_known_with_and_without_the_kernels_list() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped()).stdin(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line).unwrap();
        let (own, grandchild) = (child.id() as pid_t, line.trim().parse().unwrap());
        let looks: [Look; 3] =
            [&|on| each(LIST, on), &|on| each(c"/proc/thread-self/no-such-list", on), &|on| each_by_parent(on)];
        for look in looks {
            let mut found = vec![];
            assert!(look(&mut |process| found.push(process)));
            assert!(found.contains(&own) && !found.contains(&grandchild), "{found:?}");
        }
        // SAFETY: both were started here, and the shell has not been waited for.
        unsafe { libc::kill(grandchild, libc::SIGKILL) };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_is_no_process_is_none() {
        assert_eq!(
            ["4711", "2", "1", "0", "", "self", "12a", "99999999999"].map(|text| number(text.as_bytes())),
            [Some(4711), Some(2), None, None, None, None, None, None]
        );
    }
}
