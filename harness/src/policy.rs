//! The policy: what gates, by how much, and what each kernel aims at. Read from baselines/policy.toml; a copy of the shipped one is
//! embedded for use where there is no file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::filter::Filter;
use crate::model::metric::{Kind, METRICS, metric};
use crate::model::record::Limit;
use crate::model::sampled::SampleRule;
use crate::scaling::{QUANTITIES, quantity};

/// The shipped policy.
pub const EMBEDDED: &str = include_str!("../../baselines/policy.toml");
/// Version of the policy's form.
const VERSION: u32 = 1;

/// When a metric may fail a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateWhen {
    /// Wherever it is measured.
    Always,
    /// Only where baseline and candidate were measured on machines of one fingerprint.
    SameMachine,
    /// Only where both builds were run side by side.
    Paired,
    /// It is shown, never gated.
    Never,
}

/// How one metric is judged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MetricPolicy {
    /// When it gates.
    pub gate: GateWhen,
    /// Tolerated change as a share of the baseline.
    #[serde(default)]
    pub relative_tolerance: f64,
    /// Tolerated change in the metric's unit; the larger of the two counts.
    #[serde(default)]
    pub absolute_tolerance: f64,
    /// Why.
    pub reason: String,
}

impl MetricPolicy {
    /// Tolerated change from this value, in the metric's unit.
    pub fn tolerance(&self, before: f64) -> f64 {
        self.absolute_tolerance.max(self.relative_tolerance * before.abs())
    }
}

/// What a kernel aims at; shown in the target column.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Target {
    /// Least compression ratio, as a geometric mean over fixtures.
    pub compression_ratio: Option<f64>,
    /// Largest relative error of any fixture.
    pub relative_error: Option<f64>,
    /// Most seconds to encode one MB.
    pub encode_seconds_per_mb: Option<f64>,
    /// Most seconds to decode one MB.
    pub decode_seconds_per_mb: Option<f64>,
    /// Most peak heap of encode, in bytes.
    pub peak_heap_bytes: Option<f64>,
    /// Most accuracy loss of any fixture, in points.
    pub accuracy_loss_percent: Option<f64>,
    /// Why.
    pub reason: String,
}

/// A named set of kernels; the fixtures say themselves which suites they are in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Suite {
    /// Kernel specifications.
    pub kernels: Vec<String>,
    /// Suite whose baseline it is judged by, of which it is a part; its own where none is named.
    pub baseline: Option<String>,
    /// Which kernels are measured on samples of large models; the first rule that takes a case counts.
    #[serde(default)]
    pub sample: Vec<SampleRule>,
    /// Which kernels alone are measured on large models.
    #[serde(default)]
    pub limit: Vec<Limit>,
    /// Why these.
    pub reason: String,
}

/// How the growth of a cost with the size of the model is judged. When it gates is said by the metric that it is derived from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScalingPolicy {
    /// Tolerated growth of the exponent.
    pub exponent_tolerance: f64,
    /// Why.
    pub reason: String,
}

/// What waivers count for that the change under judgement brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnWaivers {
    /// They are listed and permit nothing.
    Listed,
    /// They count like any other.
    Counted,
}

/// How waivers are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WaiverPolicy {
    /// Those of the change under judgement.
    pub own: OwnWaivers,
    /// Why.
    pub reason: String,
}

/// The whole policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    version: u32,
    /// Suites by name.
    pub suites: BTreeMap<String, Suite>,
    metrics: BTreeMap<String, MetricPolicy>,
    /// Costs by name.
    #[serde(default)]
    scaling: BTreeMap<String, ScalingPolicy>,
    /// Waivers; where nothing is said, one's own are only listed.
    waivers: Option<WaiverPolicy>,
    /// Targets by kernel specification.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
}

/// A suite that the policy does not have.
#[derive(Debug, thiserror::Error)]
#[error("unknown suite '{suite}'; the policy has: {known}")]
pub struct UnknownSuite {
    suite: String,
    known: String,
}

/// A policy that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The system said no.
    #[error("cannot read policy '{}': {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not parse, or says something that means nothing.
    #[error("policy '{origin}': {message}")]
    Invalid {
        /// File, or `embedded`.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

impl Policy {
    /// The policy of a baselines folder, or the embedded one where that has none.
    pub fn load(baselines: &Path) -> Result<Self, PolicyError> {
        let path = baselines.join("policy.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::parse(EMBEDDED, "embedded"),
            Err(source) => Err(PolicyError::Io { path, source }),
        }
    }

    /// Parses and checks; `origin` is for messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self, PolicyError> {
        let invalid = |message: String| PolicyError::Invalid { origin: origin.to_owned(), message };
        // A later version has keys that this release does not know: the version is the better message.
        let head = toml::from_str::<toml::Table>(text).unwrap_or_default();
        let version = head.get("version").and_then(toml::Value::as_integer).unwrap_or_default();
        if version > i64::from(VERSION) {
            let release = head
                .get("read-since")
                .and_then(toml::Value::as_str)
                .map_or_else(|| "a later release".to_owned(), |r| format!("release {r} or later"));
            let own = env!("CARGO_PKG_VERSION");
            return Err(invalid(format!("version {version} is newer than this release, {own}, reads; use {release}")));
        }
        let policy: Self = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
        if policy.version != VERSION {
            return Err(invalid(format!("version {} is not known; this release reads version {VERSION}", policy.version)));
        }
        for (name, entry) in &policy.metrics {
            if metric(name).is_none() {
                let known = METRICS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
                return Err(invalid(format!("unknown metric '{name}'; known metrics: {known}")));
            }
            for tolerance in [entry.relative_tolerance, entry.absolute_tolerance] {
                if !tolerance.is_finite() || tolerance < 0.0 {
                    return Err(invalid(format!("metric '{name}': a tolerance is a number from 0 up, not {tolerance}")));
                }
            }
        }
        for (name, entry) in &policy.scaling {
            if quantity(name).is_none() {
                let known = QUANTITIES.iter().map(|q| q.name).collect::<Vec<_>>().join(", ");
                return Err(invalid(format!("unknown cost '{name}' under 'scaling'; known costs: {known}")));
            }
            if !entry.exponent_tolerance.is_finite() || entry.exponent_tolerance < 0.0 {
                let message = "key 'exponent-tolerance' is a number from 0 up";
                return Err(invalid(format!("scaling of '{name}': {message}, not {}", entry.exponent_tolerance)));
            }
        }
        let waivers = "waivers".to_owned();
        let reasons = (policy.metrics.iter().map(|(n, m)| (n, &m.reason)))
            .chain(policy.scaling.iter().map(|(n, s)| (n, &s.reason)))
            .chain(policy.targets.iter().map(|(n, t)| (n, &t.reason)))
            .chain(policy.suites.iter().map(|(n, s)| (n, &s.reason)))
            .chain(policy.waivers.iter().map(|w| (&waivers, &w.reason)))
            .chain(policy.suites.iter().flat_map(|(n, s)| s.sample.iter().map(move |rule| (n, &rule.reason))))
            .chain(policy.suites.iter().flat_map(|(n, s)| s.limit.iter().map(move |limit| (n, &limit.reason))));
        if let Some((name, _)) = reasons.into_iter().find(|(_, reason)| reason.trim().is_empty()) {
            return Err(invalid(format!("entry '{name}' needs a reason")));
        }
        for (name, suite) in &policy.suites {
            if let Some(of) = suite.baseline.as_ref().filter(|of| !policy.suites.contains_key(*of) || *of == name) {
                return Err(invalid(format!("suite '{name}': key 'baseline' is '{of}'; it must be another suite")));
            }
            for globs in suite.sample.iter().map(|rule| &rule.kernels).chain(suite.limit.iter().map(|limit| &limit.kernels)) {
                Filter::new(globs, &[], &[]).map_err(|e| invalid(format!("suite '{name}': {e}")))?;
            }
        }
        Ok(policy)
    }

    /// How a metric is judged. One without an entry gates without tolerance if it is exact, and never if it is sampled.
    pub fn metric(&self, name: &str) -> MetricPolicy {
        self.metrics.get(name).cloned().unwrap_or_else(|| MetricPolicy {
            gate: if metric(name).is_some_and(|m| m.kind == Kind::Exact) { GateWhen::Always } else { GateWhen::Never },
            relative_tolerance: 0.0,
            absolute_tolerance: 0.0,
            reason: "no entry in the policy".to_owned(),
        })
    }

    /// The same, but that a suite measures every kernel on every model, and on all of it.
    pub fn without_samples(mut self, suite: &str) -> Self {
        if let Some(suite) = self.suites.get_mut(suite) {
            suite.sample.clear();
            suite.limit.clear();
        }
        self
    }

    /// Growth of a cost's exponent that is tolerated; none without an entry.
    pub fn exponent_tolerance(&self, quantity: &str) -> f64 {
        self.scaling.get(quantity).map_or(0.0, |entry| entry.exponent_tolerance)
    }

    /// Whether waivers count that the change under judgement brings along.
    pub fn own_waivers_count(&self) -> bool {
        self.waivers.as_ref().is_some_and(|w| w.own == OwnWaivers::Counted)
    }

    /// The suite of that name.
    pub fn known_suite(&self, name: &str) -> Result<&Suite, UnknownSuite> {
        let known = || self.suites.keys().cloned().collect::<Vec<_>>().join(", ");
        self.suites.get(name).ok_or_else(|| UnknownSuite { suite: name.to_owned(), known: known() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_valid_and_names_every_metric() {
        let policy = Policy::parse(EMBEDDED, "embedded").unwrap();
        for m in METRICS {
            assert!(policy.metrics.contains_key(m.name), "{}", m.name);
        }
        for q in QUANTITIES {
            assert!(policy.scaling.contains_key(q.name) && metric(q.metric).is_some(), "{}", q.name);
        }
        let registry = weighbridge::registry::Registry::default();
        let specs = policy.suites.values().flat_map(|s| &s.kernels).chain(policy.targets.keys());
        for spec in specs {
            assert_eq!(&registry.parse(spec).unwrap().spec(), spec, "specifications stand in their shortest form");
        }
    }

    #[test]
    fn unknown_keys_metrics_and_missing_reasons_are_refused_by_name() {
        let base = "version = 1\n[suites.mini]\nkernels = []\nreason = \"r\"\n";
        let with = |extra: &str| Policy::parse(&format!("{base}{extra}"), "p.toml").unwrap_err().to_string();
        let metric = |name: &str, rest: &str| format!("[metrics.{name}]\ngate = \"always\"\n{rest}");
        let error = with(&metric("sqnr_db", "reason = \"r\"\nrelative-tolerence = 1.0\n"));
        assert!(error.contains("relative-tolerence") && error.contains("p.toml"), "{error}");
        assert!(with(&metric("speed", "reason = \"r\"\n")).contains("unknown metric 'speed'"));
        assert!(with(&metric("sqnr_db", "reason = \" \"\n")).contains("'sqnr_db' needs a reason"));
        assert!(with(&metric("sqnr_db", "reason = \"r\"\nabsolute-tolerance = -1.0\n")).contains("sqnr_db"));
        let part = |extra: &str| with(&format!("[suites.part]\nkernels = []\nreason = \"r\"\n{extra}\n[metrics]\n"));
        assert!(part("baseline = \"whole\"").contains("'baseline' is 'whole'"));
        let sample = "sample = [{ kernels = [\"a[\"], above-parameters = 1, parameters = 1, reason = \"r\" }]";
        assert!(part(sample).contains("'a['"));
        assert!(part("limit = [{ kernels = [\"b[\"], above-parameters = 1, reason = \"r\" }]").contains("'b['"));
        assert!(part("limit = [{ kernels = [\"b\"], above-parameters = 1, reason = \" \" }]").contains("'part' needs a reason"));
        let scaling =
            |name: &str, tolerance: &str| with(&format!("[scaling.{name}]\nexponent-tolerance = {tolerance}\nreason = \"r\"\n[metrics]\n"));
        assert!(scaling("speed", "0.1").contains("unknown cost 'speed'") && scaling("artifact_bytes", "-0.1").contains("'artifact_bytes'"));
        assert!(with("[waivers]\nown = \"counted\"\nreason = \"\"\n[metrics]\n").contains("'waivers' needs a reason"));
        let newer = |more: &str| Policy::parse(&format!("version = 9\n{more}[suites]\n[metrics]\n"), "p").unwrap_err().to_string();
        assert!(newer("").contains("version 9") && newer("read-since = \"4.2.0\"\nnew-key = 1\n").contains("use release 4.2.0 or later"));
        assert!(Policy::parse("version = 0\n[suites]\n[metrics]\n", "p").unwrap_err().to_string().contains("version 0"));
    }
}
