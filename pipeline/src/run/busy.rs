//! How busy the processor was, of this machine as a whole: whether a run kept it at work.

use std::fs;

/// Ticks of the processor since the machine was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    all: u64,
    idle: u64,
}

impl Ticks {
    /// None where the kernel does not tell.
    pub(super) fn now() -> Option<Self> {
        Self::read(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu  user nice system idle iowait irq softirq steal ...`: waiting for the disk is idling.
    fn read(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let fields: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self { all: fields.iter().sum(), idle: fields.get(3)? + fields.get(4)? })
    }

    /// The share of time, of all cores together, in which the processor had work since then.
    pub(super) fn busy_since(self, then: Self) -> Option<f64> {
        let all = self.all.checked_sub(then.all).filter(|all| *all > 0)?;
        Some(1.0 - self.idle.saturating_sub(then.idle) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_what_was_not_idle() {
        let then = Ticks::read("cpu  10 0 10 70 10 0 0 0 5 5\ncpu0 1 2 3\n").unwrap();
        let now = Ticks::read("cpu  60 0 20 100 10 10 0 0 9 9\n").unwrap();
        assert_eq!(now.busy_since(then), Some(0.7));
        assert_eq!(then.busy_since(then), None, "no time has passed");
        assert!(Ticks::read("intr 5").is_none());
    }
}
