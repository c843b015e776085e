//! What a run is evidence for, line by line of the pull-request template.

use std::collections::BTreeSet;

use super::{Report, format, words};
use crate::compare::{Outcome, Row, Verdict};
use crate::model::metric::as_f64;
use crate::model::record::CaseRecord;

/// A box that a run can tick.
pub struct Tick {
    /// The heading above it.
    pub section: &'static str,
    /// What its text begins with.
    pub begins: &'static str,
    /// The figure that ticks it.
    pub evidence: fn(&Report) -> Option<String>,
}

/// A line that a run can complete.
pub struct Line {
    /// The heading above it.
    pub section: &'static str,
    /// What it begins with; the rest is replaced.
    pub begins: &'static str,
    /// What to say.
    pub say: fn(&Report) -> Option<String>,
}

/// Names that are listed; more are counted.
const NAMED: usize = 6;

/// Boxes by their text. Those of files, architectures and sizes are found by what their text names.
pub const BOXES: &[Tick] = &[
    Tick { section: "Compression impact", begins: "None: no number of the gate changes", evidence: nothing_changes },
    Tick { section: "Compression impact", begins: "New kernel:", evidence: |r| kernels(r, true) },
    Tick { section: "Compression impact", begins: "Changed kernel:", evidence: |r| kernels(r, false) },
    Tick { section: "Benchmark", begins: "Ran suite `mini` without filters", evidence: ran_mini },
    Tick { section: "Benchmark", begins: "The gate passes", evidence: passes },
    Tick { section: "Benchmark", begins: "Memory is within what the policy allows", evidence: memory },
    Tick { section: "Integration", begins: "Pipelines that contain the kernel still work", evidence: pipelines },
];

/// Lines by their beginning.
pub const LINES: &[Line] = &[
    Line { section: "Key results", begins: "- Compression ratio:", say: |r| key(r, "Compression Ratio", "x", |x| x) },
    Line { section: "Key results", begins: "- Relative error:", say: relative_error },
    Line { section: "Key results", begins: "- Processing time:", say: |r| key(r, "Compression Speed", " s per MB", f64::recip) },
    Line { section: "Model compatibility", begins: "Not tested:", say: not_tested },
    Line { section: "Resource requirements", begins: "- Memory:", say: worker_memory },
    Line {
        section: "Resource requirements",
        begins: "- CPU",
        say: |r| Some(format!("(cores, instruction sets; GPU is not used): {}", r.header.machine)),
    },
    Line { section: "Resource requirements", begins: "- Disk", say: disk },
    Line { section: "Resource requirements", begins: "- Network:", say: |_| Some("none while measuring".to_owned()) },
];

/// Evidence that ticks a box, if there is any.
pub fn of_box(report: &Report, section: &str, text: &str) -> Option<String> {
    if let Some(known) = BOXES.iter().find(|b| b.section == section && text.starts_with(b.begins)) {
        return (known.evidence)(report);
    }
    match section {
        "Files" | "Documentation" => changed_files(report, text),
        "Model compatibility" => architecture(report, text).or_else(|| size(report, text)),
        _ => None,
    }
}

fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown = names.iter().take(NAMED).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown} and {} more", names.len() - NAMED) } else { shown }
}

/// Not even within a tolerance.
fn nothing_changes(report: &Report) -> Option<String> {
    let judged = || report.comparison.rows.iter().filter(|r| r.verdict.is_some());
    let same = report.comparison.outcome() == Outcome::Pass && judged().all(|r| r.before == r.after);
    same.then(|| format!("({}, each as it was to the last digit)", words::count(judged().count(), "judged metric")))
}

/// Kernels that the baseline does not know, or those of which something changed.
fn kernels(report: &Report, new: bool) -> Option<String> {
    let rows = &report.comparison.rows;
    if rows.iter().all(|r| r.before.is_none()) {
        return None;
    }
    let of = |kernel: &str| rows.iter().filter(move |r| r.case.kernel == kernel && r.verdict.is_some()).collect::<Vec<&Row>>();
    let known = |kernel: &str| rows.iter().any(|r| r.case.kernel == kernel && r.before.is_some());
    let names: BTreeSet<&str> = rows.iter().map(|r| r.case.kernel.as_str()).collect();
    let said: Vec<String> = names
        .into_iter()
        .filter(|kernel| known(kernel) != new)
        .filter_map(|kernel| {
            let changed = of(kernel).into_iter().filter(|r| words::rank(r.verdict).is_some()).count();
            match new {
                true => Some(format!("`{kernel}`")),
                false => (changed > 0).then(|| format!("`{kernel}` ({})", words::count(changed, "metric"))),
            }
        })
        .collect();
    (!said.is_empty()).then(|| listed(said))
}

fn ran_mini(report: &Report) -> Option<String> {
    let header = &report.header;
    let whole = header.suite == "mini" && header.shard.is_none() && header.not_measured.is_empty() && report.cases == header.cases.len();
    // The command says whether the run itself was filtered; all of its cases would be there otherwise too.
    let filtered = ["--kernel", "--fixture", "--metric"].iter().any(|option| header.command.contains(option));
    let finished = report.records.iter().all(CaseRecord::is_finished);
    let seconds = report.seconds.filter(|_| whole && !filtered && finished)?;
    Some(format!("({}, {seconds:.0} s, commit {})", words::count(report.cases, "case"), commit(report)))
}

fn commit(report: &Report) -> String {
    let Some(commit) = &report.header.commit else { return "unknown".to_owned() };
    let short = commit.get(..12).unwrap_or(commit);
    if report.header.dirty == Some(true) { format!("{short} with uncommitted changes") } else { short.to_owned() }
}

fn passes(report: &Report) -> Option<String> {
    (report.comparison.outcome() == Outcome::Pass).then(|| format!("({})", words::counts(report)))
}

fn memory(report: &Report) -> Option<String> {
    let peaks = || report.comparison.rows.iter().filter(|r| r.metric.name.ends_with("_peak_heap_bytes") && r.verdict.is_some());
    let fine = peaks().all(|r| matches!(r.verdict, Some(Verdict::Unchanged | Verdict::Improvement)));
    let largest = peaks().filter_map(|r| r.after).reduce(f64::max)?;
    fine.then(|| format!("({}, the largest {})", words::count(peaks().count(), "peak"), format::bytes(largest)))
}

fn passed(report: &Report, takes: impl Fn(&CaseRecord) -> bool) -> Option<Vec<&CaseRecord>> {
    let cases: Vec<_> = report.records.iter().filter(|r| takes(r)).collect();
    let fine = cases.iter().all(|r| r.failure.is_none() && r.measured.is_some());
    (fine && !cases.is_empty()).then_some(cases)
}

fn pipelines(report: &Report) -> Option<String> {
    let is_pipeline = |kernel: &str| kernel.contains('|') || kernel.starts_with("preset:") || kernel.starts_with("mixed:");
    let cases = passed(report, |r| is_pipeline(&r.case.kernel))?;
    let names: BTreeSet<String> = cases.iter().map(|r| format!("`{}`", r.case.kernel)).collect();
    Some(format!("({} of {} passed their check)", words::count(cases.len(), "case"), listed(names)))
}

/// Files that lie under a path which the text names in backticks.
fn changed_files(report: &Report, text: &str) -> Option<String> {
    let changes = report.proposal.changes.as_ref()?;
    let paths: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let under = |file: &str, path: &str| if path.ends_with('/') { file.starts_with(path) } else { file == path };
    let found: Vec<String> = changes.files.iter().filter(|f| paths.iter().any(|p| under(f, p))).map(|f| format!("`{f}`")).collect();
    (!found.is_empty()).then(|| format!("({}: {})", words::count(found.len(), "file"), listed(found)))
}

/// The architecture that a box's text begins with, as manifests name it.
fn architecture(report: &Report, text: &str) -> Option<String> {
    const NAMES: [(&str, &str); 6] = [
        ("MLP", "MLP"),
        ("CNN", "CNN"),
        ("Transformer decoder", "transformer decoder"),
        ("Transformer encoder", "transformer encoder"),
        ("RNN", "RNN"),
        ("Other", "custom"),
    ];
    let (_, name) = NAMES.iter().find(|(begins, _)| text.starts_with(begins))?;
    tested(report, |described| described.architecture == *name)
}

/// The size that a box's text begins with.
fn size(report: &Report, text: &str) -> Option<String> {
    let begins = text.split('(').next()?.trim().to_lowercase();
    tested(report, |described| described.size == begins)
}

fn tested(report: &Report, takes: impl Fn(&super::Described) -> bool) -> Option<String> {
    let names: BTreeSet<&str> = report.fixtures.iter().filter(|f| takes(f)).map(|f| f.name.as_str()).collect();
    let cases = passed(report, |r| names.contains(r.case.fixture.as_str()))?;
    Some(format!("({} of {} passed their check)", words::count(cases.len(), "case"), listed(names.iter().map(|n| format!("`{n}`")))))
}

fn key(report: &Report, name: &str, unit: &str, value: fn(f64) -> f64) -> Option<String> {
    let row = report.summaries.last()?.rows.iter().find(|r| r.name == name)?;
    let after = value(row.after?);
    let target = row.target.map_or_else(|| "none is set over all kernels".to_owned(), |t| format!("{}{unit}", format::number(value(t))));
    Some(format!("{}{unit}, mean over all kernels (target: {target})", format::number(after)))
}

fn relative_error(report: &Report) -> Option<String> {
    let (rows, metric) = (&report.comparison.rows, "relative_error");
    let judged = rows.iter().filter(|r| r.metric.name == metric && r.verdict.is_some()).count();
    let worse = rows.iter().filter(|r| r.metric.name == metric && r.verdict == Some(Verdict::Regression)).count();
    let kernels = report.summaries.iter().filter(|s| s.kernel.is_some());
    let errors = kernels.filter_map(|s| Some((s.label(), s.relative_error?)));
    let (kernel, error) = errors.max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!(
        "at most {}, of `{kernel}`; {worse} of {} above the policy's threshold",
        format::number(error),
        words::count(judged, "case")
    ))
}

fn not_tested(report: &Report) -> Option<String> {
    let missing = |all: &[&str], has: &dyn Fn(&str) -> bool| all.iter().filter(|n| !has(n)).copied().collect::<Vec<_>>().join(", ");
    let sizes = missing(&["small", "medium", "large", "extra large"], &|n| report.fixtures.iter().any(|f| f.size == n));
    let architectures = ["MLP", "CNN", "transformer encoder", "transformer decoder", "RNN"];
    let architectures = missing(&architectures, &|n| report.fixtures.iter().any(|f| f.architecture == n));
    let mut said = vec!["other processors than this one".to_owned(), "GPU execution".to_owned()];
    if !sizes.is_empty() {
        said.push(format!("models of size {sizes}"));
    }
    if !architectures.is_empty() {
        said.push(architectures);
    }
    said.extend(report.header.not_measured.iter().map(|n| format!("`{}` ({})", n.fixture, n.reason)));
    Some(said.join("; "))
}

fn worker_memory(report: &Report) -> Option<String> {
    let rss = report.comparison.rows.iter().filter(|r| r.metric.name.ends_with("peak_rss_bytes")).filter_map(|r| r.after);
    Some(format!("largest worker {} resident", format::bytes(rss.reduce(f64::max)?)))
}

fn disk(report: &Report) -> Option<String> {
    let bytes = report.records.iter().filter_map(|r| r.measured.as_ref()).map(|m| m.checked.artifact_bytes).max()?;
    Some(format!("(artifacts, fixtures): largest artifact {}", format::bytes(as_f64(bytes))))
}
