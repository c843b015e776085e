//! Limits of the control group that this process is in, of version 1 or 2.

use std::path::{Path, PathBuf};

use super::Finding;

/// Most memory of a worker unless told otherwise ('--memory-limit').
const WORKER_BYTES: f64 = 4.0 * 1_073_741_824.0;
/// Where control groups are.
const MOUNT: &str = "/sys/fs/cgroup";

/// The check.
pub fn limits() -> Finding {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let (processors, memory) = (processors(Path::new(MOUNT), &groups), memory_bytes(Path::new(MOUNT), &groups));
    judge(processors, memory)
}

fn judge(processors: Option<f64>, memory: Option<f64>) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = Vec::new();
    let mut advice = Vec::new();
    if let Some(processors) = processors {
        found.push(format!("at most {processors:.1} processors' time"));
        #[expect(clippy::cast_precision_loss, reason = "processors are few")]
        if processors < cores as f64 || processors.fract() > 0.0 {
            advice.push("a quota stops workers in the middle of a measurement: give whole processors (a cpuset) instead");
        }
    }
    if let Some(bytes) = memory {
        found.push(format!("at most {:.1} GiB of memory", bytes / 1_073_741_824.0));
        if bytes < WORKER_BYTES {
            advice.push(
                "that is less than a worker may take: give '--memory-limit' what is there, so that a case fails and not the whole run",
            );
        }
    }
    let found = if found.is_empty() { "no limits on processors or memory".to_owned() } else { found.join(", ") };
    let finding = if advice.is_empty() { Finding::good(found) } else { Finding::limited(found, advice.join("; ")) };
    let finding = processors.into_iter().fold(finding, |finding, value| finding.with("processors", value));
    memory.into_iter().fold(finding, |finding, value| finding.with("memory-bytes", value))
}

/// Folders of this process's group and of those around it, for version 2 or a controller of version 1.
fn folders(mount: &Path, groups: &str, controller: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let base = match controllers {
            "" => mount.to_owned(),
            names if names.split(',').any(|name| name == controller) => mount.join(names),
            _ => continue,
        };
        let relative = Path::new(path.trim_start_matches('/'));
        // Inside a container the path may be one of the host's, and the group is at the top.
        all.extend(relative.ancestors().map(|part| base.join(part)));
        if controllers == controller {
            all.push(mount.join(controller));
        }
    }
    all
}

/// The smallest number of processors that any of the groups allows.
fn processors(mount: &Path, groups: &str) -> Option<f64> {
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<f64>().ok();
    let of_folder = |folder: &PathBuf| {
        if let Ok(text) = std::fs::read_to_string(folder.join("cpu.max")) {
            let (quota, period) = text.trim().split_once(' ')?;
            return Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?);
        }
        let quota = number(folder.join("cpu.cfs_quota_us")).filter(|quota| *quota > 0.0)?;
        Some(quota / number(folder.join("cpu.cfs_period_us"))?)
    };
    folders(mount, groups, "cpu").iter().filter_map(of_folder).reduce(f64::min)
}

/// The least memory that any of the groups allows.
fn memory_bytes(mount: &Path, groups: &str) -> Option<f64> {
    let of_folder = |folder: &PathBuf| {
        let text = ["memory.max", "memory.limit_in_bytes"].iter().find_map(|name| std::fs::read_to_string(folder.join(name)).ok())?;
        // Version 1 writes a number beyond all memory where there is no limit.
        text.trim().parse::<f64>().ok().filter(|bytes| *bytes < 2f64.powi(60))
    };
    folders(mount, groups, "memory").iter().filter_map(of_folder).reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn write(mount: &Path, path: &str, text: &str) {
        let path = mount.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_tightest_limit_of_all_groups_around_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path();
        write(mount, "a/cpu.max", "150000 100000\n");
        write(mount, "a/b/cpu.max", "max 100000\n");
        write(mount, "a/memory.max", "max\n");
        write(mount, "a/b/memory.max", "1073741824\n");
        assert_eq!(processors(mount, "0::/a/b\n"), Some(1.5));
        assert_eq!(memory_bytes(mount, "0::/a/b\n"), Some(1_073_741_824.0));
        assert_eq!(processors(mount, "0::/other\n"), None);
    }

    #[test]
    fn version_1_is_read_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path();
        write(mount, "cpu/docker/x/cpu.cfs_quota_us", "-1\n");
        write(mount, "cpu/cpu.cfs_quota_us", "200000\n");
        write(mount, "cpu/cpu.cfs_period_us", "100000\n");
        write(mount, "memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
        let groups = "4:memory:/docker/x\n1:cpu:/docker/x\n0::/\n";
        assert_eq!(processors(mount, groups), Some(2.0));
        assert_eq!(memory_bytes(mount, groups), None);
    }

    #[test]
    fn a_part_of_a_processor_and_little_memory_are_told() {
        assert_eq!(judge(None, None).state, State::Good);
        let finding = judge(Some(0.5), Some(1e9));
        assert!(finding.state == State::Limited && finding.advice.unwrap().contains("--memory-limit"));
    }
}
