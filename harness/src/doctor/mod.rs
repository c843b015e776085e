//! `weighbridge doctor`: what this machine can measure, found out by trying, and what to do about what it cannot.
//!
//! A check never fails: what it cannot find out is a finding, too. [`CHECKS`] is the list, in the order in which it is printed.

mod clock;
mod container;
mod counters;
mod finding;
mod noise;
mod processor;
mod storage;
mod worker;

pub use finding::{Finding, State};

/// A check by its name.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Name, which is also its finding's.
    pub name: &'static str,
    /// What it asks, in a few words.
    pub doc: &'static str,
    /// Asks it.
    pub run: fn() -> Finding,
}

/// All checks.
pub const CHECKS: &[Check] = &[
    Check { name: "worker", doc: "whether workers start and answer", run: worker::answers },
    Check { name: "clock", doc: "resolution and cost of the clock that times are taken with", run: clock::resolution },
    Check { name: "noise", doc: "how much a fixed loop's time varies beside itself", run: noise::of_a_fixed_loop },
    Check { name: "load", doc: "what else runs now", run: processor::load },
    Check { name: "cores", doc: "processors, and whether workers may be pinned to one", run: processor::cores },
    Check { name: "frequency", doc: "governor and turbo, which change the speed while it is measured", run: processor::frequency },
    Check { name: "counters", doc: "hardware counters of instructions", run: counters::hardware },
    Check { name: "valgrind", doc: "instructions counted by simulation", run: counters::valgrind },
    Check { name: "container", doc: "limits of the control group on processors and memory", run: container::limits },
    Check { name: "memory", doc: "memory that is free for workers", run: storage::memory },
    Check { name: "disk", doc: "room where fixtures are kept", run: storage::disk },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_something() {
        let mut names: Vec<_> = CHECKS.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CHECKS.len());
        assert!(CHECKS.iter().all(|c| !c.doc.is_empty() && c.name.chars().all(|c| c.is_ascii_lowercase())));
    }
}
