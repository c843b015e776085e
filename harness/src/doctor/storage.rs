//! Memory for workers, and room on the disk that the cache is on.

use std::path::Path;

use super::Finding;
use crate::fixture::Cache;

const GIB: f64 = 1_073_741_824.0;
/// What suite `mini` needs: as many evaluations beside each other as there are processors, some hundred megabytes each.
const MINI_BYTES: f64 = 2.0 * GIB;
/// What the suites of large models take: fetched packages, one generated model of 5 GB at a time, and its decoded form.
const FULL_BYTES: f64 = 12.0 * GIB;
/// Without this nothing can be written that lasts.
const LEAST_BYTES: f64 = 0.1 * GIB;

/// Memory that can be had without swapping.
pub fn memory() -> Finding {
    judge_memory(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn judge_memory(meminfo: &str) -> Finding {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let Some(bytes) = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok()).map(|kib| kib * 1024.0) else {
        return Finding::limited(
            "the system does not say how much memory is free",
            "memory limits and resident memory are not measured here",
        );
    };
    let found = format!("{:.1} GiB are free", bytes / GIB);
    let finding = if bytes >= MINI_BYTES {
        Finding::good(found)
    } else {
        Finding::limited(found, "evaluations beside each other may need more: free some, or measure with '--fixture' a model at a time")
    };
    finding.with("available-bytes", bytes)
}

/// Room in the cache.
pub fn disk() -> Finding {
    let cache = match Cache::locate().root() {
        Ok(path) => path.to_owned(),
        Err(error) => return Finding::limited(error.to_string(), "name a folder in WEIGHBRIDGE_CACHE"),
    };
    // The folder is made when it is first needed.
    let there = cache.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(there) {
        Err(error) => Finding::limited(
            format!("cannot tell how much room '{}' has: {error}", cache.display()),
            "name another folder in WEIGHBRIDGE_CACHE",
        ),
        #[expect(clippy::cast_precision_loss, reason = "shown in GiB")]
        Ok(space) => judge_disk(&cache, space.f_bavail as f64 * space.f_frsize as f64),
    }
}

fn judge_disk(cache: &Path, bytes: f64) -> Finding {
    let found = format!("{:.1} GiB are free for the cache in '{}'", bytes / GIB, cache.display());
    let finding = if bytes >= FULL_BYTES {
        Finding::good(found)
    } else if bytes >= LEAST_BYTES {
        Finding::limited(
            found,
            "enough for suite mini; suite full takes 12 GiB with '--discard-generated': name a larger disk in WEIGHBRIDGE_CACHE",
        )
    } else {
        Finding::limited(found, "that is next to nothing: free some, or name another disk in WEIGHBRIDGE_CACHE")
    };
    finding.with("free-bytes", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn little_memory_and_little_room_are_told() {
        assert_eq!(judge_memory("MemTotal: 9 kB\nMemAvailable:   16777216 kB\n").state, State::Good);
        assert_eq!(judge_memory("MemAvailable:   524288 kB\n").figures["available-bytes"], 536_870_912.0);
        assert_eq!(judge_memory("").state, State::Limited);
        let disk = |bytes| judge_disk(Path::new("/cache"), bytes);
        assert_eq!(disk(20.0 * GIB).state, State::Good);
        assert!(disk(5.0 * GIB).advice.unwrap().contains("suite full"));
        assert!(disk(0.01 * GIB).advice.unwrap().contains("next to nothing"));
    }
}
