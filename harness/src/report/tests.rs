//! Snapshots of every form of a report, from made-up records on a made-up machine.

use super::{Described, Report, csv, json, markdown, plot, terminal};
use crate::baseline::Baseline;
use crate::compare::Comparison;
use crate::compare::tests::judged;
use crate::filter::Filter;
use crate::model::machine::Machine;
use crate::model::record::tests::case;
use crate::model::record::{CaseFailure, CaseRecord};
use crate::policy::Policy;
use crate::stats::decision::Finding;
use crate::store::Run;
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
    Described { name: name.into(), line: "MLP, small, 535818 parameters".into(), grid: grid.map(str::to_owned) }
}

/// A baseline of three cases; a run in which one got wider, one failed, one is unchanged and one is new.
fn report() -> Report {
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
fn the_plot_shows_every_case_and_the_bound() {
    let svg = plot::rate_distortion(&report()).unwrap().unwrap();
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

#[test]
fn times_of_both_builds_are_shown_with_their_interval_and_what_would_decide_the_rest() {
    let run = run_of(vec![case("int4", "mlp")]);
    let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
    let with = |finding| {
        let mut comparison = Comparison::new(&Baseline::of_run(&run), &run, &policy, &Filter::all()).unwrap();
        comparison.add_paired(judged(finding), &policy);
        Report::new(&run, comparison, &policy, &Filter::all(), vec![described("mlp", None)])
    };
    let slower = with(Finding::Regression);
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
    let open = with(Finding::Undecided);
    for text in [terminal::render(&open), markdown::render(&open)] {
        assert!(text.lines().any(|l| l.contains("encode") && l.contains("it wants 12 blocks")), "{text}");
    }
}
