//! How two policies differ, metric by metric and suite by suite.

use super::edits::Edit;
use crate::model::metric::METRICS;
use crate::policy::{GateWhen, MetricPolicy, Policy};
use crate::scaling::QUANTITIES;

/// What `after` says otherwise than `before`.
pub fn policy_edits(before: &Policy, after: &Policy) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut push = |what: String, before: Option<String>, after: Option<String>, loosens: bool| {
        if before != after {
            edits.push(Edit { file: "policy.toml".to_owned(), what, before, after, loosens });
        }
    };
    for metric in METRICS {
        let (old, new) = (before.metric(metric.name), after.metric(metric.name));
        push(format!("metrics.{}", metric.name), Some(metric_text(&old)), Some(metric_text(&new)), metric_loosens(&old, &new));
    }
    for quantity in QUANTITIES {
        let (old, new) = (before.exponent_tolerance(quantity.name), after.exponent_tolerance(quantity.name));
        push(format!("scaling.{}", quantity.name), Some(format!("± {old}")), Some(format!("± {new}")), new > old);
    }
    let mut suites: Vec<_> = before.suites.keys().chain(after.suites.keys()).collect();
    suites.sort();
    suites.dedup();
    for name in suites {
        let (old, new) = (before.suites.get(name), after.suites.get(name));
        let kernels = |suite: Option<&crate::policy::Suite>| suite.map(|s| s.kernels.clone()).unwrap_or_default();
        for kernel in kernels(old).iter().filter(|k| !kernels(new).contains(k)) {
            push(format!("suites.{name}: {kernel}"), Some("measured".to_owned()), None, true);
        }
        for kernel in kernels(new).iter().filter(|k| !kernels(old).contains(k)) {
            push(format!("suites.{name}: {kernel}"), None, Some("measured".to_owned()), false);
        }
        let rest = |suite: Option<&crate::policy::Suite>| {
            suite.map(|s| format!("baseline {:?}, {} samples, {} limits", s.baseline, s.sample.len(), s.limit.len()))
        };
        let same = old.zip(new).is_some_and(|(a, b)| a.baseline == b.baseline && a.sample == b.sample && a.limit == b.limit);
        if !same {
            push(format!("suites.{name}"), rest(old), rest(new).map(|text| text + " (changed)"), old.is_some());
        }
    }
    push("waivers.own".to_owned(), Some(own(before)), Some(own(after)), !before.own_waivers_count() && after.own_waivers_count());
    edits
}

fn own(policy: &Policy) -> String {
    if policy.own_waivers_count() { "counted" } else { "listed" }.to_owned()
}

fn gate_text(gate: GateWhen) -> &'static str {
    match gate {
        GateWhen::Always => "gates always",
        GateWhen::SameMachine => "gates on one machine",
        GateWhen::Paired => "gates where builds are compared",
        GateWhen::Never => "is shown",
    }
}

fn metric_text(entry: &MetricPolicy) -> String {
    format!("{}, relative tolerance {}, absolute {}", gate_text(entry.gate), entry.relative_tolerance, entry.absolute_tolerance)
}

fn metric_loosens(old: &MetricPolicy, new: &MetricPolicy) -> bool {
    let gates = |entry: &MetricPolicy| entry.gate != GateWhen::Never;
    let less = gates(old) && (!gates(new) || (old.gate == GateWhen::Always && new.gate != GateWhen::Always));
    gates(old) && (less || new.relative_tolerance > old.relative_tolerance || new.absolute_tolerance > old.absolute_tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::EMBEDDED;

    fn edits_of(from: &str, to: &str) -> Vec<Edit> {
        assert!(EMBEDDED.contains(from), "{from}");
        let policy = |text: &str| Policy::parse(text, "p").unwrap();
        policy_edits(&policy(EMBEDDED), &policy(&EMBEDDED.replacen(from, to, 1)))
    }

    #[test]
    fn a_looser_bar_is_named_and_a_tighter_one_is_no_alarm() {
        assert_eq!(edits_of("version = 1", "version = 1"), []);
        let looser = edits_of("absolute-tolerance = 0.01\n", "absolute-tolerance = 0.5\n");
        assert_eq!((looser.len(), looser[0].what.as_str(), looser[0].loosens), (1, "metrics.sqnr_db", true));
        assert!(looser[0].before.as_ref().unwrap().contains("absolute 0.01") && looser[0].after.as_ref().unwrap().contains("0.5"));
        assert!(!edits_of("absolute-tolerance = 0.01\n", "absolute-tolerance = 0.001\n")[0].loosens);
        let never = edits_of("gate = \"always\"\nreason = \"bytes of a file", "gate = \"never\"\nreason = \"bytes of a file");
        assert!(never[0].loosens && never[0].what == "metrics.compression_ratio");
        assert!(edits_of("exponent-tolerance = 0.0002", "exponent-tolerance = 0.1")[0].loosens);
        let fewer = edits_of("\"f32-raw\", \"bf16\", \"zstd\", \"huffman-exponent\",\n", "\"f32-raw\", \"zstd\", \"huffman-exponent\",\n");
        assert_eq!((fewer.len(), fewer[0].what.as_str(), fewer[0].loosens), (1, "suites.mini: bf16", true));
        let own = edits_of("own = \"listed\"", "own = \"counted\"");
        assert!(own.len() == 1 && own[0].loosens, "{own:?}");
    }
}
