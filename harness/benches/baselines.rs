//! Baselines at size: 200,000 values compared, and 5,000 commits that each refresh a baseline walked for one series and for drift.
//!
//! `cargo bench -p weighbridge-harness --bench baselines` makes both and takes two minutes; `-- --test` does each once.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends in a panic")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use weighbridge_harness::baseline::Baseline;
use weighbridge_harness::compare::Comparison;
use weighbridge_harness::filter::Filter;
use weighbridge_harness::history::{drifts, refreshes, series};
use weighbridge_harness::model::metric::{METRICS, metric};
use weighbridge_harness::model::record::{Case, Header, Line, Measured};
use weighbridge_harness::policy::{EMBEDDED, Policy};
use weighbridge_harness::store::Run;
use weighbridge_harness::worker::protocol::{Checked, Decoded, Encoded, Samples, ScoreLine, TensorError};

const KERNELS: usize = 100;
const FIXTURES: usize = 50;
const COMMITS: usize = 5000;

fn measured(bytes: u64) -> Measured {
    let samples = || Samples { threads: 1, repetitions: 1, warmup: 1, wall_ns: vec![bytes; 3], cpu_ns: vec![bytes; 3] };
    Measured {
        encoded: Encoded { parts_sha256: String::new(), passed_through: vec![], peak_heap_bytes: bytes, peak_rss_bytes: Some(bytes) },
        decoded: Decoded { decoded_sha256: String::new(), peak_heap_bytes: bytes, peak_rss_bytes: Some(bytes) },
        checked: Checked {
            artifact_bytes: bytes,
            artifact_sha256: String::new(),
            weights: 1_000_000,
            input_bytes: 4_000_000,
            tensors: vec![TensorError { name: "w".into(), count: 1_000_000, signal: 1.0, noise: 0.01, max_abs_error: 0.5, output: None }],
            broken: vec![],
        },
        encode_times: samples(),
        decode_times: samples(),
        sampled: None,
    }
}

/// A run of 5,000 cases with forty values each.
fn large_run(folder: &Path) -> Run {
    let names = |what: &str, count: usize| (0..count).map(|i| format!("{what}-{i:03}")).collect::<Vec<_>>();
    let fixtures = names("fixture", FIXTURES);
    let cases = names("kernel", KERNELS).into_iter().flat_map(|kernel| {
        fixtures.iter().map(move |fixture| Case { kernel: kernel.clone(), fixture: fixture.clone() }).collect::<Vec<_>>()
    });
    let cases: Vec<_> = cases.collect();
    let header = Header { suite: "mini".into(), cases: cases.clone(), ..Header::empty() };
    let scored: Vec<_> = METRICS.iter().skip(8).filter(|m| !m.name.contains("seconds") && !m.name.contains("rss")).collect();
    let mut text = serde_json::to_string(&header).unwrap() + "\n";
    for (i, case) in cases.into_iter().enumerate() {
        let bytes = 500_000 + u64::try_from(i).unwrap();
        let scores = scored.iter().map(|m| ScoreLine { metric: m.name.to_owned(), value: 0.5, standard_error: Some(0.01) }).collect();
        let lines = [
            Line::Measured { case: case.clone(), measured: Box::new(measured(bytes)), seconds: None },
            Line::Evaluated { case, scores, seconds: None },
        ];
        for line in &lines {
            writeln!(text, "{}", serde_json::to_string(line).unwrap()).unwrap();
        }
    }
    let path = folder.join("run.jsonl");
    std::fs::write(&path, text).unwrap();
    Run::read(&path).unwrap()
}

/// A repository of commits that each change one of the values of a baseline as large as that of suite `mini`.
fn long_history(root: &Path) {
    let repository = git2::Repository::init(root).unwrap();
    let author = git2::Signature::now("bench", "bench@example.org").unwrap();
    let others = METRICS.iter().filter(|m| !m.name.contains("seconds") && !m.name.contains("rss"));
    let rows: Vec<_> = (0..240).flat_map(|i| others.clone().take(20).map(move |m| (format!("kernel-{i:03}"), m.name))).collect();
    let mut values = vec![1.0f64; rows.len()];
    let mut parent = None::<git2::Oid>;
    for commit in 0..COMMITS {
        let changed = commit % rows.len();
        values[changed] += 0.001;
        let mut text = "{\"weighbridge-baseline\":1,\"suite\":\"mini\"}\n".to_owned();
        for ((kernel, metric), value) in rows.iter().zip(&values) {
            writeln!(text, "{{\"kernel\":\"{kernel}\",\"fixture\":\"mlp\",\"metric\":\"{metric}\",\"value\":{value:?}}}").unwrap();
        }
        let blob = repository.blob(text.as_bytes()).unwrap();
        let mut folder = repository.treebuilder(None).unwrap();
        folder.insert("mini.jsonl", blob, 0o100_644).unwrap();
        let mut top = repository.treebuilder(None).unwrap();
        top.insert("baselines", folder.write().unwrap(), 0o040_000).unwrap();
        let tree = repository.find_tree(top.write().unwrap()).unwrap();
        let parents: Vec<_> = parent.map(|id| repository.find_commit(id).unwrap()).into_iter().collect();
        parent = Some(repository.commit(Some("HEAD"), &author, &author, "Change", &tree, &parents.iter().collect::<Vec<_>>()).unwrap());
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::parse(EMBEDDED, "embedded").unwrap();
    let run = large_run(folder.path());
    let baseline = Baseline::of_run(&run);
    let mut group = criterion.benchmark_group("baselines");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function(format!("compare {} values", baseline.rows.len()), |b| {
        b.iter(|| black_box(Comparison::new(&baseline, &run, &policy, &Filter::all()).unwrap().rows.len()));
    });
    let root = folder.path().join("repository");
    std::fs::create_dir(&root).unwrap();
    long_history(&root);
    let case = Case { kernel: "kernel-007".into(), fixture: "mlp".into() };
    group.measurement_time(Duration::from_secs(30));
    group.bench_function(format!("walk {COMMITS} commits for one series"), |b| {
        b.iter(|| {
            let refreshes = refreshes(&root, "mini", "HEAD", None).unwrap();
            assert_eq!(refreshes.touches().len(), COMMITS);
            black_box(series(&refreshes, &case, metric("relative_error").unwrap()).unwrap().values.len())
        });
    });
    group.bench_function("walk 500 of them for the drift of all values", |b| {
        b.iter(|| {
            let refreshes = refreshes(&root, "mini", "HEAD", Some("HEAD~500")).unwrap();
            black_box(drifts(&refreshes, &policy).unwrap().slow.len())
        });
    });
    group.finish();
    criterion.final_summary();
}
