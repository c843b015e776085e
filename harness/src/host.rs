//! What the system says of processors and time: clocks of CPU time, where a thread may run, and what else wants to.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// A clock of CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuClock {
    /// Of the calling thread.
    Thread,
    /// Of the whole process.
    Process,
}

impl CpuClock {
    /// Nanoseconds so far.
    pub fn read_ns(self) -> u64 {
        let now = clock_gettime(match self {
            Self::Thread => ClockId::ThreadCPUTime,
            Self::Process => ClockId::ProcessCPUTime,
        });
        u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
    }
}

/// Processors that this process may use.
pub fn allowed_processors() -> Vec<usize> {
    let allowed = sched_getaffinity(None);
    allowed.map(|set| (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()).unwrap_or_default()
}

/// Holds the calling thread on one processor; whether the system allowed it.
pub fn hold_on(core: usize) -> bool {
    let mut set = CpuSet::new();
    if core >= CpuSet::MAX_CPU {
        return false;
    }
    set.set(core);
    sched_setaffinity(None, &set).is_ok()
}

/// Processes that were running or waiting to, averaged over the last minute, where the system tells.
pub fn load() -> Option<f64> {
    load_of(&std::fs::read_to_string("/proc/loadavg").ok()?)
}

fn load_of(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_the_system_s_line_is_the_load() {
        assert_eq!(load_of("1.25 0.98 0.50 2/345 6789\n"), Some(1.25));
        assert_eq!([load_of(""), load_of("none")], [None, None]);
    }

    #[test]
    fn clocks_go_on_and_a_thread_can_be_held_where_it_may_run() {
        for clock in [CpuClock::Thread, CpuClock::Process] {
            let start = clock.read_ns();
            for i in 0..1_000_000u64 {
                std::hint::black_box(i);
            }
            assert!(clock.read_ns() > start, "{clock:?}");
        }
        let allowed = allowed_processors();
        let held = std::thread::spawn(move || (hold_on(allowed[0]), allowed_processors() == allowed[..1])).join().unwrap();
        assert_eq!(held, (true, true));
        assert!(!hold_on(usize::MAX));
    }
}
