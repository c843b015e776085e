//! Processors: how many, whether they can be chosen, how fast they run, and what else runs on them.

use std::path::Path;

use super::Finding;
use crate::host;
use crate::model::machine::Machine;

/// Share of the processors that may be busy before times suffer.
const BUSY: f64 = 0.25;
/// Where the system describes its processors.
const CPUS: &str = "/sys/devices/system/cpu";

/// What else runs: processes that wanted a processor, on average over the last minute.
pub fn load() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    judge_load(host::load(), cores)
}

fn judge_load(load: Option<f64>, cores: usize) -> Finding {
    let Some(load) = load else {
        return Finding::limited("the system does not say what else runs", "see to it that nothing does while builds are compared");
    };
    #[expect(clippy::cast_precision_loss, reason = "processors are few")]
    let share = load / cores.max(1) as f64;
    let found = format!("{load:.2} processes wanted a processor in the last minute, of {cores} there are");
    let finding = if share <= BUSY {
        Finding::good(found)
    } else {
        Finding::limited(found, "wait until it is quiet before builds are compared; times that are measured now are of a busy machine")
    };
    finding.with("load", load).with("processors", f64::from(u32::try_from(cores).unwrap_or(u32::MAX)))
}

/// Processors, and whether a thread may be pinned to one of them.
pub fn cores() -> Finding {
    let machine = Machine::current();
    let threads = std::fs::read_to_string(Path::new(CPUS).join("smt/active")).is_ok_and(|text| text.trim() == "1");
    let shared = if threads { ", two threads a core" } else { "" };
    let found = format!("{} processors ({}, {}{shared})", machine.cores, machine.cpu, machine.simd);
    // On a thread of its own, which ends with its pin.
    let pinned = std::thread::spawn(|| host::allowed_processors().first().is_some_and(|&core| host::hold_on(core)));
    let finding = match pinned.join() {
        Ok(true) if machine.cores == 1 => {
            Finding::limited(found + "; workers can be pinned", "evaluations run one after the other; expect a suite to take its time")
        }
        Ok(true) => Finding::good(found + "; workers can be pinned"),
        _ => {
            Finding::limited(found + "; workers cannot be pinned", "allow sched_setaffinity, or expect times to vary as workers move about")
        }
    };
    finding.with("processors", f64::from(u32::try_from(machine.cores).unwrap_or(u32::MAX)))
}

/// Governor and turbo, where the system shows them.
pub fn frequency() -> Finding {
    let read = |path: &str| std::fs::read_to_string(Path::new(CPUS).join(path)).ok().map(|text| text.trim().to_owned());
    let turbo = match (read("intel_pstate/no_turbo"), read("cpufreq/boost")) {
        (Some(no_turbo), _) => Some(no_turbo == "0"),
        (None, Some(boost)) => Some(boost == "1"),
        (None, None) => None,
    };
    judge_frequency(read("cpu0/cpufreq/scaling_governor").as_deref(), turbo)
}

fn judge_frequency(governor: Option<&str>, turbo: Option<bool>) -> Finding {
    let turbo_words = turbo.map_or("turbo not shown", |on| if on { "turbo on" } else { "turbo off" });
    match (governor, turbo) {
        (None, None) => Finding::good(
            "the system shows no governor and no turbo, as virtual machines do; builds in turns see the same speed on average",
        ),
        (Some("performance") | None, Some(false) | None) => {
            Finding::good(format!("governor '{}', {turbo_words}", governor.unwrap_or("not shown")))
        }
        _ => Finding::limited(
            format!("governor '{}', {turbo_words}", governor.unwrap_or("not shown")),
            "for steadier times set the governor 'performance' ('cpupower frequency-set -g performance') and turn turbo off",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_busy_machine_is_told_from_a_quiet_one() {
        assert_eq!(judge_load(Some(0.2), 2).state, State::Good);
        assert_eq!(judge_load(Some(1.9), 2).state, State::Limited);
        assert_eq!(judge_load(Some(1.9), 64).state, State::Good);
        assert_eq!(judge_load(None, 2).state, State::Limited);
    }

    #[test]
    fn a_speed_that_changes_is_told() {
        assert_eq!(judge_frequency(None, None).state, State::Good);
        assert_eq!(judge_frequency(Some("performance"), Some(false)).state, State::Good);
        assert_eq!(judge_frequency(Some("performance"), Some(true)).state, State::Limited);
        assert!(judge_frequency(Some("powersave"), None).found.contains("powersave"));
    }
}
