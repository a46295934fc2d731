//! A terminal for programs that ask whether they have one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};

/// Runs a program in a terminal of 80 columns, to its end. Returns all that it showed.
pub fn in_terminal(command: &mut Command) -> (ExitStatus, String) {
    let (master, slave) = open();
    let end = || Stdio::from(slave.try_clone().expect("a descriptor can be copied"));
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program starts");
    // The ends that the command and we hold: the terminal ends with the last of them.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(slave);
    let mut shown = vec![];
    match File::from(master).read_to_end(&mut shown) {
        // So the kernel says that nobody writes any more.
        Err(error) if error.raw_os_error() != Some(libc::EIO) && error.kind() != ErrorKind::UnexpectedEof => {
            panic!("the terminal cannot be read: {error}")
        }
        _ => {}
    }
    let status = child.wait().expect("it can be waited for");
    (status, String::from_utf8_lossy(&shown).into_owned())
}

fn open() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let name = std::ptr::null_mut();
    // SAFETY: the call fills two numbers and reads a size, all of which it is given; it may be given neither name nor settings.
    let answer = unsafe { libc::openpty(&raw mut master, &raw mut slave, name, std::ptr::null(), &raw const size) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were opened just now and belong to nobody else.
    unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}
