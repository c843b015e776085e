//! Snapshots of every form of a report, from made-up records on a made-up machine.

use super::basis::Basis;
use super::{Described, Report, csv, form, github, html, json, junit, markdown, plot, pr, pr_body, terminal};
use crate::baseline::Baseline;
use crate::compare::tests::judged;
use crate::compare::{Comparison, Outcome, Verdict};
use crate::filter::Filter;
use crate::model::machine::Machine;
use crate::model::record::tests::case;
use crate::model::record::{CaseFailure, CaseRecord};
use crate::policy::Policy;
use crate::standard::Edit;
use crate::stats::decision::Finding;
use crate::store::Run;
use crate::waiver::{Waiver, Waivers, apply};
use weighbridge::artifact::PassedThrough;

fn machine() -> Machine {
    Machine {
        cpu: "Example CPU".into(),
        cores: 2,
        memory_bytes: Some(24 << 30),
        simd: "avx2".into(),
        os: "linux x86_64".into(),
        toolchain: "rustc 1.0.0, x86_64-unknown-linux-gnu, release".into(),
    }
}

fn run_of(records: Vec<CaseRecord>) -> Run {
    let mut run = Run::of(records);
    run.header.started = "2026-01-02T03:04:05Z".into();
    run.header.command = "weighbridge gate --suite mini".into();
    run.header.commit = Some("0123456789abcdef0123456789abcdef01234567".into());
    run.header.dirty = Some(false);
    run.header.machine = machine();
    run.header.release = "0.0.0".into();
    run.seconds = Some(12.5);
    run
}

fn described(name: &str, grid: Option<&str>) -> Described {
    let line = "MLP, small, 535818 parameters".into();
    Described { name: name.into(), line, architecture: "MLP", size: "small", grid: grid.map(str::to_owned) }
}

/// A baseline of three cases; a run in which one got wider, one failed, one is unchanged and one is new.
pub(crate) fn report() -> Report {
    let baseline = run_of(vec![case("int4", "mlp"), case("int8", "mlp"), case("q4_0", "mlp")]);
    let mut wider = case("int4", "mlp");
    let measured = wider.measured.as_mut().unwrap();
    measured.checked.artifact_bytes = 1_100_000;
    let bias = |name: &str| PassedThrough { name: name.into(), bytes: 2048, reason: "rank 1 is below 2".into() };
    measured.encoded.passed_through = vec![bias("fc1.bias"), bias("fc2.bias")];
    let mut failed = case("int8", "mlp");
    failed.failure = Some(CaseFailure { stage: "check".into(), message: "tensor 'fc1.weight': element 3 is wrong".into() });
    let run = run_of(vec![wider, failed, case("q4_0", "mlp"), case("bitnet", "mlp")]);
    let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
    let comparison = Comparison::new(&Baseline::of_run(&baseline), &run, &policy, &Filter::all()).unwrap();
    Report::new(&run, comparison, &policy, &Filter::all(), vec![described("mlp", None)])
}

/// A report of these records against those.
fn compared(before: Vec<CaseRecord>, after: Vec<CaseRecord>) -> Report {
    let run = run_of(after);
    let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
    let comparison = Comparison::new(&Baseline::of_run(&run_of(before)), &run, &policy, &Filter::all()).unwrap();
    Report::new(&run, comparison, &policy, &Filter::all(), vec![described("mlp", None)])
}

/// One regression of each kind that gates: size, reconstruction, memory, the task; and a gain beside them.
fn one_of_each() -> Report {
    let changed = |kernel: &str, change: &dyn Fn(&mut CaseRecord)| {
        let mut record = case(kernel, "mlp");
        change(&mut record);
        record
    };
    let after = vec![
        changed("int4", &|r| r.measured.as_mut().unwrap().checked.artifact_bytes = 1_010_000),
        changed("bitnet|entropy", &|r| r.measured.as_mut().unwrap().checked.tensors[0].noise = 0.75),
        changed("q4_k", &|r| r.measured.as_mut().unwrap().decoded.peak_heap_bytes = 3 << 20),
        changed("nf4", &|r| r.scores.as_mut().unwrap()[0].value = 0.03),
        changed("int8", &|r| r.measured.as_mut().unwrap().checked.artifact_bytes = 990_000),
    ];
    compared(after.iter().map(|r| case(&r.case.kernel, "mlp")).collect(), after)
}

/// A wider artifact that a waiver allows, in a change that edits the policy as well.
pub(crate) fn waived() -> Report {
    let mut wider = case("int4", "mlp");
    wider.measured.as_mut().unwrap().checked.artifact_bytes = 1_000_100;
    let mut report = compared(vec![case("int4", "mlp")], vec![wider]);
    let regressed = report.comparison.rows.iter().filter(|r| r.verdict == Some(Verdict::Regression));
    let waivers = regressed.map(|row| Waiver {
        case: row.case.clone(),
        metric: row.metric.name,
        worst: row.after.unwrap(),
        reason: "a wider index until issue 12 is done".into(),
        owner: "maintainers".into(),
        expires: "2026-06-01".parse().unwrap(),
    });
    let waivers = Waivers { waivers: waivers.collect() };
    report.waivers = apply(&mut report.comparison, &waivers, &[], false, "2026-05-31".parse().unwrap());
    let edit = |what: &str, loosens| Edit {
        file: "policy.toml".into(),
        what: what.into(),
        before: Some("0.01".into()),
        after: Some("0.5".into()),
        loosens,
    };
    report.basis = Basis {
        line: "Judged by suite 'mini' of commit 0123456789ab".into(),
        commit: report.header.commit.clone(),
        edits: vec![edit("metrics.sqnr_db.absolute", true), edit("suites.mini.kernels", false)],
        edited_times: 0,
    };
    report
}

#[test]
fn waivers_and_edits_stand_in_every_form_that_people_read() {
    let report = waived();
    assert_eq!(report.comparison.outcome(), Outcome::Pass);
    let page = String::from_utf8(form::FORMS.iter().find(|f| f.name == "html").map(|f| (f.render)(&report)).unwrap().unwrap()).unwrap();
    for text in [pr::render(&report), terminal::render(&report), markdown::render(&report), page] {
        for part in
            ["nothing but what is waived got worse", "until issue 12 is done", "metrics.sqnr_db.absolute", "1 of which would let more pass"]
        {
            assert!(text.contains(part), "no '{part}' in\n{text}");
        }
    }
}

#[test]
fn the_terminal_report() {
    insta::assert_snapshot!(terminal::render(&report()));
}

#[test]
fn the_markdown_report() {
    insta::assert_snapshot!(markdown::render(&report()));
}

#[test]
fn the_json_report() {
    insta::assert_snapshot!(json::render(&report()).unwrap());
}

#[test]
fn the_csv_report() {
    insta::assert_snapshot!(csv::render(&report()).unwrap());
}

#[test]
fn the_comment_for_a_pull_request() {
    insta::assert_snapshot!(pr::render(&report()));
}

#[test]
fn the_comment_for_one_regression_of_each_kind() {
    let text = pr::render(&one_of_each());
    for metric in ["compression_ratio", "relative_error", "decode_peak_heap_bytes", "kl_divergence"] {
        assert!(text.lines().any(|l| l.starts_with("|regression|") && l.contains(metric)), "{metric}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_comment_fits_whatever_the_suite_and_says_what_it_left_out() {
    let names: Vec<String> = (0..400).map(|i| format!("kernel-{i}:parameter={i}|entropy")).collect();
    let worse = |name: &String| {
        let mut record = case(name, "mlp");
        record.measured.as_mut().unwrap().checked.artifact_bytes += 1000;
        record
    };
    let report = compared(names.iter().map(|n| case(n, "mlp")).collect(), names.iter().map(worse).collect());
    let text = pr::render(&report);
    assert!(text.len() < pr::LIMIT && text.len() > pr::LIMIT * 9 / 10, "{}", text.len());
    assert!(text.starts_with("**Regression: 800 metrics of 400 cases got worse: bits_per_weight, compression_ratio.**\n"), "{text}");
    assert!(text.ends_with(&pr::marker("mini")));
    let shown = text.lines().filter(|l| l.starts_with("|regression|")).count();
    assert!(text.contains(&format!("\n{} rows left out: a comment holds no more.", 800 - shown)) && shown > 300, "{shown}");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn the_body_of_a_pull_request() {
    let mut report = report();
    let files = ["README.md", "harness/src/report/pr.rs", "src/kernels/int4.rs"].map(str::to_owned).to_vec();
    report.proposal.changes = Some(crate::git::Changes { base: "0".into(), files });
    let text = pr_body::render(&report);
    let filled: Vec<&str> = text.lines().filter(|line| !pr_body::TEMPLATE.lines().any(|l| l == *line)).collect();
    insta::assert_snapshot!(filled.join("\n"));
    assert_eq!(text.matches("- [ ]").count() + text.matches("- [x]").count(), pr_body::TEMPLATE.matches("- [ ]").count());
    let reviewers = text.split("## For reviewers").nth(1).unwrap();
    assert!(!reviewers.contains("- [x]"), "a reviewer's boxes are a reviewer's");
}

#[test]
fn boxes_are_ticked_only_where_the_run_is_evidence() {
    let ticked = |report: &Report, begins: &str| pr_body::render(report).lines().any(|l| l.starts_with(&format!("- [x] {begins}")));
    let same = || vec![case("int4", "mlp")];
    let good = compared(same(), same());
    let mut failed = case("int4", "mlp");
    failed.failure = Some(CaseFailure { stage: "check".into(), message: "no".into() });
    let bad = compared(same(), vec![failed]);
    for text in ["None: no number of the gate changes", "The gate passes", "Memory is within", "MLP", "Small"] {
        assert!(ticked(&good, text) && !ticked(&bad, text), "{text}");
    }
    assert!(!ticked(&good, "CNN") && !ticked(&good, "Medium"));
    let mut filtered = good.clone();
    filtered.header.command += " --kernel int4";
    let mut unfinished = good.clone();
    unfinished.records[0].scores = None;
    assert!(ticked(&good, "Ran suite") && !ticked(&filtered, "Ran suite") && !ticked(&unfinished, "Ran suite"));
    let mut within = same();
    within[0].measured.as_mut().unwrap().decoded.peak_heap_bytes += 1;
    let within = compared(same(), within);
    assert!(ticked(&within, "The gate passes") && !ticked(&within, "None: no number"), "a byte of heap is a number of the gate");
    assert!(ticked(&one_of_each(), "Changed kernel: `bitnet|entropy` (") && !ticked(&one_of_each(), "The gate passes"));
}

#[test]
fn the_junit_report() {
    insta::assert_snapshot!(junit::render(&report()).unwrap());
}

#[test]
fn the_annotations() {
    insta::assert_snapshot!(github::annotations(&one_of_each()));
    let names: Vec<String> = (0..30).map(|i| format!("kernel-{i}")).collect();
    let gone = compared(names.iter().map(|n| case(n, "mlp")).collect(), vec![case("kernel-0", "mlp")]);
    let lines = github::annotations(&gone);
    assert_eq!(lines.lines().filter(|l| l.starts_with("::error")).count(), 10, "{lines}");
    assert!(lines.contains(" more; the report has them"), "{lines}");
}

/// The page without what would change with every touch of style, script or drawing.
#[test]
fn the_page() {
    let mut page = html::render(&report()).unwrap();
    for (from, to) in [("<style>", "</style>"), ("<script>", "</script>"), ("<svg", "</svg>")] {
        let mut rest = page.as_str();
        let mut cut = String::new();
        while let Some((before, after)) = rest.split_once(from) {
            let (_, after) = after.split_once(to).unwrap();
            cut.extend([before, from, "…", to]);
            rest = after;
        }
        page = cut + rest;
    }
    insta::assert_snapshot!(page);
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_escapes_names() {
    let mut odd = case("</script><b>", "mlp");
    odd.failure = Some(CaseFailure { stage: "check".into(), message: "<img src=x>".into() });
    let page = html::render(&compared(vec![case("int4", "mlp")], vec![odd, case("int4", "mlp")])).unwrap();
    assert!(!page.contains("</script><b>") && !page.contains("<img"), "a name ended its element");
    assert_eq!(page.matches("</script>").count(), 2);
    for address in ["src=\"", "href=\"http", "url(", "@import", "fetch("] {
        assert!(!page.contains(address), "{address}");
    }
}

#[test]
fn every_form_can_be_made_of_every_report() {
    for report in
        [report(), one_of_each(), paired(Finding::Undecided), compared(vec![], vec![]), compared(vec![case("int4", "mlp")], vec![])]
    {
        for form in form::FORMS {
            (form.render)(&report).unwrap();
        }
    }
}

#[test]
fn the_plot_shows_every_case_and_the_bound() {
    let svg = plot::rate_distortion_alone(&report()).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for text in ["int4", "q4_0", "bitnet", "Gaussian bound", "bits per weight", "relative error"] {
        assert!(svg.contains(text), "no '{text}'");
    }
}

#[test]
fn a_fixture_on_a_grid_has_no_headline_ratio_and_the_reports_say_so() {
    let run = run_of(vec![case("int4", "coarse")]);
    let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
    let comparison = Comparison::new(&Baseline::default(), &run, &policy, &Filter::all()).unwrap();
    let report = Report::new(&run, comparison, &policy, &Filter::all(), vec![described("coarse", Some("q4_1"))]);
    assert_eq!(report.summaries[0].rows[0].after, None);
    for text in [terminal::render(&report), markdown::render(&report)] {
        assert!(text.contains("Not in the mean ratios: coarse (grid of q4_1); values that were rounded"), "{text}");
    }
}

/// A report in which the times of both builds were found so.
pub(crate) fn paired(finding: Finding) -> Report {
    let run = run_of(vec![case("int4", "mlp")]);
    let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
    let mut comparison = Comparison::new(&Baseline::of_run(&run), &run, &policy, &Filter::all()).unwrap();
    comparison.add_paired(judged(finding), &policy);
    Report::new(&run, comparison, &policy, &Filter::all(), vec![described("mlp", None)])
}

#[test]
fn a_comment_and_a_page_show_intervals_of_times_and_what_would_decide_the_rest() {
    let slower = paired(Finding::Regression);
    let comment = pr::render(&slower);
    let line =
        comment.lines().find(|l| l.starts_with("|regression|int4|mlp|encode_seconds_per_mb|")).unwrap_or_else(|| panic!("{comment}"));
    assert!(line.contains("|+3.00 %|+2.50 % to +3.50 %|"), "{line}");
    assert!(comment.starts_with("**Regression: 1 metric of 1 case got worse: encode_seconds_per_mb.**") && !comment.contains("not gated"));
    let page = html::render(&slower).unwrap();
    assert!(page.contains("+2.50 % to +3.50 %") && page.contains("[0.025,0.035]") && page.contains("id=\"changes\""));
    let open = paired(Finding::Undecided);
    for text in [pr::render(&open), html::render(&open).unwrap()] {
        assert!(text.contains("What would decide the rest") && text.contains("it wants 12 blocks"), "{text}");
    }
}

#[test]
fn times_of_both_builds_are_shown_with_their_interval_and_what_would_decide_the_rest() {
    let slower = paired(Finding::Regression);
    for text in [terminal::render(&slower), markdown::render(&slower)] {
        let line = text.lines().find(|l| l.contains("+2.50 % to +3.50 %")).unwrap_or_else(|| panic!("no interval:\n{text}"));
        for cell in ["int4", "encode", "0.002000 s/MB", "0.002060 s/MB", "+3.00 %", "+4.00 %", "+1.00 %", "64", "regression"] {
            assert!(line.contains(cell), "no '{cell}' in:\n{line}");
        }
        assert!(text.contains("commit 0123456789ab (8 links) against the work tree (8 links)") && text.contains("(seed 7)"), "{text}");
        assert!(text.contains("A/A arm: the baseline against itself, in 1 of 1 times, differs by 0.20 % (median)"), "{text}");
        assert!(!text.contains("not gated"), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&json::render(&slower).unwrap()).unwrap();
    assert_eq!((&json["outcome"], &json["times"]["decided"]), (&"regression".into(), &1.into()));
    let row = json["rows"].as_array().unwrap().iter().find(|r| r["metric"] == "encode_seconds_per_mb").unwrap();
    assert_eq!((&row["paired"]["interval"][1], &row["paired"]["share-of-model"]), (&0.035.into(), &0.5.into()));
    assert_eq!((&row["paired"]["control"]["floor"], &json["times"]["control"]["times"]), (&0.006.into(), &1.into()));
    assert!(csv::render(&slower).unwrap().contains("regression,,0.025,0.035,0.04,64"));
    let open = paired(Finding::Undecided);
    for text in [terminal::render(&open), markdown::render(&open)] {
        assert!(text.lines().any(|l| l.contains("encode") && l.contains("it wants 12 blocks")), "{text}");
    }
}
