//! Counted instructions: by the processor, and by simulation.

use std::process::{Command, Stdio};

use perf_event::Builder;
use perf_event::events::Hardware;

use super::Finding;

/// Instructions of a loop that is counted, at least.
const LOOP: u64 = 100_000;

/// Opens a counter of instructions and counts a loop with it.
pub fn hardware() -> Finding {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok().and_then(|text| text.trim().parse().ok());
    judge(count().map_err(|e| e.to_string()), paranoid)
}

/// Instructions of this thread in user mode during a loop.
fn count() -> std::io::Result<u64> {
    let mut counter = Builder::new().kind(Hardware::INSTRUCTIONS).build()?;
    counter.enable()?;
    for i in 0..LOOP {
        std::hint::black_box(i);
    }
    counter.disable()?;
    counter.read()
}

fn judge(counted: Result<u64, String>, paranoid: Option<i32>) -> Finding {
    let level = paranoid.map_or_else(String::new, |level| format!(" (perf_event_paranoid is {level})"));
    let finding = match counted {
        Ok(instructions) if instructions >= LOOP => Finding::good(format!("the processor's counter of instructions works{level}")),
        Ok(_) => Finding::limited(
            format!("the counter of instructions opens and counts nothing{level}"),
            "a virtual machine without a performance monitoring unit does that; nothing that gates needs it",
        ),
        Err(error) => {
            let advice = if paranoid.is_some_and(|level| level > 2) {
                "'sysctl kernel.perf_event_paranoid=2' allows it; nothing that gates needs it"
            } else {
                "virtual machines and containers often have none; nothing that gates needs it"
            };
            Finding::limited(format!("no hardware counter of instructions: {error}{level}"), advice)
        }
    };
    paranoid.into_iter().fold(finding, |finding, level| finding.with("perf-event-paranoid", f64::from(level)))
}

/// Whether valgrind is there.
pub fn valgrind() -> Finding {
    let output = Command::new("valgrind").arg("--version").stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            Finding::good(format!("{} is there", String::from_utf8_lossy(&output.stdout).trim().replace('-', " ")))
        }
        _ => Finding::limited(
            "valgrind is not there",
            "install the package 'valgrind' to look into instructions by hand ('valgrind --tool=callgrind'); nothing that gates needs it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_counter_that_counts_nothing_is_none() {
        assert_eq!(judge(Ok(3 * LOOP), Some(2)).state, State::Good);
        assert_eq!(judge(Ok(0), Some(2)).state, State::Limited);
        let refused = judge(Err("Permission denied".to_owned()), Some(4));
        assert!(refused.advice.unwrap().contains("perf_event_paranoid=2"));
        assert!(!judge(Err("No such file".to_owned()), Some(1)).advice.unwrap().contains("sysctl"));
    }
}
