//! The file of waivers.

use serde::Deserialize;

use super::day::Day;
use crate::model::metric::metric;
use crate::model::record::Case;

/// Version of the file.
const VERSION: u32 = 1;

/// A permission for one metric of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiver {
    /// The case.
    pub case: Case,
    /// Name of the metric.
    pub metric: &'static str,
    /// Worst value that is allowed, in the metric's unit.
    pub worst: f64,
    /// Why.
    pub reason: String,
    /// Who sees to it that it is not needed any more.
    pub owner: String,
    /// First day on which it does not count.
    pub expires: Day,
}

/// All waivers of a file, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Waivers {
    /// They.
    pub waivers: Vec<Waiver>,
}

/// A file of waivers that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("waivers '{origin}': {message}")]
pub struct WaiverError {
    origin: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireFile {
    version: u32,
    #[serde(default)]
    waiver: Vec<WireWaiver>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireWaiver {
    kernel: String,
    fixture: String,
    metric: String,
    worst: f64,
    reason: String,
    owner: String,
    expires: toml::value::Datetime,
}

impl Waivers {
    /// Parses and checks; `origin` is for messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self, WaiverError> {
        let invalid = |message: String| WaiverError { origin: origin.to_owned(), message };
        let version = toml::from_str::<toml::Table>(text).ok().and_then(|t| t.get("version")?.as_integer());
        if version.is_some_and(|v| v > i64::from(VERSION)) {
            let found = version.unwrap_or_default();
            return Err(invalid(format!("version {found} is newer than this release reads, {VERSION}; use a newer release")));
        }
        let file: WireFile = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
        if file.version != VERSION {
            return Err(invalid(format!("version {} is not known; this release reads version {VERSION}", file.version)));
        }
        let mut waivers = Vec::<Waiver>::new();
        for entry in file.waiver {
            let case = Case { kernel: entry.kernel, fixture: entry.fixture };
            let what = format!("{} of '{case}'", entry.metric);
            let metric = metric(&entry.metric).ok_or_else(|| invalid(format!("unknown metric '{}' for '{case}'", entry.metric)))?.name;
            for (key, text) in [("reason", &entry.reason), ("owner", &entry.owner)] {
                if text.trim().is_empty() {
                    return Err(invalid(format!("the waiver for {what} needs a text for '{key}'")));
                }
            }
            if !entry.worst.is_finite() {
                return Err(invalid(format!("the waiver for {what}: 'worst' is a number, not {}", entry.worst)));
            }
            if waivers.iter().any(|w| w.case == case && w.metric == metric) {
                return Err(invalid(format!("{what} has two waivers")));
            }
            let day = || invalid(format!("the waiver for {what}: 'expires' is a day without a time, such as 2026-12-31"));
            let expires = Day::of_toml(&entry.expires).ok_or_else(day)?;
            waivers.push(Waiver { case, metric, worst: entry.worst, reason: entry.reason, owner: entry.owner, expires });
        }
        Ok(Self { waivers })
    }

    /// Those that are not, word for word, among others.
    pub fn not_in(&self, others: &Self) -> Vec<Waiver> {
        self.waivers.iter().filter(|w| !others.waivers.contains(w)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version = 1\n[[waiver]]\nkernel = \"int4\"\nfixture = \"mlp\"\nmetric = \"compression_ratio\"\nworst = 7.0\nreason = \"r\"\nowner = \"o\"\nexpires = 2026-12-31\n";

    #[test]
    fn a_waiver_names_all_there_is_to_know() {
        let waivers = Waivers::parse(GOOD, "w").unwrap().waivers;
        assert_eq!((waivers.len(), waivers[0].worst, waivers[0].expires.to_string()), (1, 7.0, "2026-12-31".to_owned()));
        assert_eq!(Waivers::parse("version = 1\n", "w").unwrap(), Waivers::default());
        let wrong = |from: &str, to: &str| Waivers::parse(&GOOD.replace(from, to), "waivers.toml").unwrap_err().to_string();
        assert!(wrong("compression_ratio", "speed").contains("waivers.toml': unknown metric 'speed'"));
        assert!(wrong("\"r\"", "\" \"").contains("'reason'") && wrong("\"o\"", "\"\"").contains("'owner'"));
        assert!(wrong("2026-12-31", "2026-12-31T00:00:00Z").contains("a day without a time"));
        assert!(wrong("worst = 7.0", "worst = inf").contains("'worst' is a number"));
        assert!(wrong("worst", "wurst").contains("wurst"));
        assert!(wrong("expires = 2026-12-31\n", "").contains("expires"));
        assert!(wrong("version = 1", "version = 7\nnew = 1").contains("version 7 is newer"));
        let twice = format!("{GOOD}{}", &GOOD["version = 1\n".len()..]);
        assert!(Waivers::parse(&twice, "w").unwrap_err().to_string().contains("two waivers"));
    }
}
