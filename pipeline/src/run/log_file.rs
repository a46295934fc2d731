//! A log of bounded length that keeps its beginning and its end.

use crate::text;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// In bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A log is never longer, but for a line.
    pub most: u64,
    /// So much of its beginning stays,
    pub head: u64,
    /// and at least so much of its end.
    pub tail: u64,
}

/// More than this nobody reads, and a worker that complains without end must not fill the disk.
pub(super) const LIMITS: Limits = Limits { most: 64 << 20, head: 32 << 20, tail: 16 << 20 };

/// A line is looked for at most so far from where a log is cut.
const LONGEST_LINE: u64 = 64 << 10;

/// A log while it is written. At every moment the file holds it in its order.
#[derive(Debug)]
pub(super) struct LogFile {
    /// Whatever is written to it is appended: others add a line when the stage has ended.
    file: File,
    limits: Limits,
    size: u64,
    /// Where the beginning ends, and how much behind it was left out; none where all is there.
    cut: Option<Cut>,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    head: u64,
    /// The line that says how much was left out.
    mark: u64,
    left_out: u64,
}

impl LogFile {
    pub(super) fn new(file: File, limits: Limits) -> Self {
        Self { file, limits, size: 0, cut: None }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        if self.size > self.limits.most { self.shorten() } else { Ok(()) }
    }

    /// Leaves out what is in the middle.
    fn shorten(&mut self) -> io::Result<()> {
        let before = match self.cut {
            Some(cut) => cut,
            None => Cut { head: self.line_before(self.limits.head)?, mark: 0, left_out: 0 },
        };
        let body = before.head + before.mark;
        let tail_start = self.line_before(self.size - self.limits.tail)?.max(body);
        let mut tail = vec![0; (self.size - tail_start) as usize];
        self.file.read_exact_at(&mut tail, tail_start)?;
        let left_out = before.left_out + tail_start - body;
        let mark = self.mark(before.head, left_out)?;
        self.file.set_len(before.head)?;
        self.file.write_all(mark.as_bytes())?;
        self.file.write_all(&tail)?;
        self.cut = Some(Cut { head: before.head, mark: mark.len() as u64, left_out });
        self.size = before.head + (mark.len() + tail.len()) as u64;
        Ok(())
    }

    /// The line that says how much was left out; it begins one where the beginning ends within one.
    fn mark(&self, head: u64, left_out: u64) -> io::Result<String> {
        let mut last = *b"\n";
        self.file.read_exact_at(&mut last, head.saturating_sub(1))?;
        let start = if last == *b"\n" { "" } else { "\n" };
        let (left_out, most) = (text::bytes(left_out), text::bytes(self.limits.most));
        Ok(format!("{start}pretext: {left_out} were left out here; a log has at most {most}\n"))
    }

    /// Where the line begins in which a place is; the place itself where the line is very long.
    fn line_before(&self, place: u64) -> io::Result<u64> {
        let from = place.saturating_sub(LONGEST_LINE.min(self.limits.tail / 4));
        let mut before = vec![0; (place - from) as usize];
        self.file.read_exact_at(&mut before, from)?;
        let line_end = before.iter().rposition(|byte| *byte == b'\n');
        Ok(line_end.map_or(place, |end| from + end as u64 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const SMALL: Limits = Limits { most: 4000, head: 2000, tail: 1000 };

    fn log(lines: impl Iterator<Item = String>) -> (String, u64) {
        let (mut most, place) = (0, tempfile::NamedTempFile::new().unwrap());
        let file = File::options().read(true).append(true).open(place.path()).unwrap();
        let mut log = LogFile::new(file, SMALL);
        for line in lines {
            log.write(line.as_bytes()).unwrap();
            most = most.max(place.as_file().metadata().unwrap().len());
        }
        let mut text = String::new();
        File::open(place.path()).unwrap().read_to_string(&mut text).unwrap();
        (text, most)
    }

    #[test]
    fn a_short_log_is_whole() {
        let lines = || (0..100).map(|n| format!("line {n}\n"));
        assert_eq!(log(lines()).0, lines().collect::<String>());
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        for number in [500, 5000, 5001, 50_000] {
            let line = |n: usize| format!("line {n:08}\n");
            let (text, most) = log((0..number).map(line));
            let (head, tail) = text.split_once("pretext: ").unwrap();
            let (mark, tail) = tail.split_once('\n').unwrap();
            assert_eq!(head, (0..142).map(line).collect::<String>(), "whole lines of its beginning");
            let kept = tail.lines().count();
            assert_eq!(tail, (number - kept..number).map(line).collect::<String>(), "whole lines of its end");
            assert!((1000..3000).contains(&tail.len()) && most <= 4000, "{} of {number} lines, {most} bytes", kept);
            let left_out = (number - 142 - kept) as u64 * 14;
            let expected = format!("{} were left out here; a log has at most 3.9 KiB", text::bytes(left_out));
            assert_eq!(mark, expected, "{number} lines");
        }
    }

    #[test]
    fn a_line_without_an_end_is_cut_anywhere() {
        let (text, most) = log((0..2000).map(|n| format!("{n:04}")));
        assert!(text.starts_with("00000001") && text.ends_with("19981999") && most <= 4000, "{text}");
        assert!(text.contains("0499\npretext: ") && text.lines().count() == 3, "{text}");
    }
}
