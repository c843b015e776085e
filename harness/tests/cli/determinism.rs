//! Same input, same bytes: runs repeat, on one thread and on two, on every SIMD level.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weighbridge::registry::Registry;
use weighbridge::simd::Level;
use weighbridge_harness::policy::Policy;
use weighbridge_harness::worker::client::{Client, Launch};
use weighbridge_harness::worker::protocol::{Reply, Request, Sampling, VERSION};

use crate::support::{project, repository, run_lines, weighbridge};

/// Cases that use every packing but leave the slow text models out.
const CASES: [&str; 6] = ["--kernel", "*", "--fixture", "*-mnist", "--time-per-case", "10ms"];

/// Exact values of a run, the digests of its artifacts and decoded tensors, and its evaluated values.
fn exact(extra: &[&str], simd: Option<&str>) -> Vec<String> {
    let folder = project();
    let output = folder.path().join("out");
    let mut command = weighbridge();
    command.args(["run", "--format", "jsonl", "--quiet", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES).args(extra);
    if let Some(level) = simd {
        command.env("WEIGHBRIDGE_SIMD", level);
    }
    let result = command.output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let mut lines: Vec<String> = String::from_utf8(result.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.retain(|l| !l.contains("seconds_per_mb") && !l.contains("rss_bytes"));
    assert!(lines.len() > 100, "{}", lines.len());
    for line in run_lines(&output).iter().filter(|l| l["record"] == "measured") {
        let digest = |part: &str, key: &str| line["measured"][part][key].as_str().unwrap().to_owned();
        lines.push(format!("{} {} {}", line["case"], digest("checked", "artifact-sha256"), digest("decoded", "decoded-sha256")));
        assert!(line["measured"]["encode-times"]["cpu-ns"].as_array().is_some_and(|s: &Vec<Value>| !s.is_empty()));
    }
    lines
}

#[test]
fn exact_metrics_repeat_byte_for_byte_on_one_and_two_threads_and_every_simd_level() {
    let first = exact(&[], None);
    assert_eq!(exact(&["--threads", "2"], None), first, "two threads");
    assert_eq!(exact(&[], Some("scalar")), first, "scalar");
}

/// What the suite measures, and every registered kernel whether it does or not.
fn kernels() -> BTreeSet<String> {
    let policy = Policy::load(&repository().join("baselines")).unwrap();
    let ids = Registry::default().entries().iter().map(|entry| entry.info.id.to_owned());
    policy.suites["mini"].kernels.iter().cloned().chain(ids).collect()
}

/// A worker that is held to a SIMD level, and says that it keeps to it.
fn worker(level: Level) -> Client {
    let set = format!("WEIGHBRIDGE_SIMD={}", level.name());
    let arguments = vec![set, env!("CARGO_BIN_EXE_weighbridge").to_owned(), "worker".to_owned()];
    let launch = Launch { program: "env".into(), arguments, timeout: Duration::from_secs(300), memory_limit_bytes: u64::MAX };
    let mut client = Client::start(&launch).unwrap();
    let reply = client.ask(&Request::Hello { protocol: VERSION }).unwrap();
    assert!(matches!(&reply, Reply::Hello { simd, .. } if simd == level.name()), "{reply:?}");
    client
}

/// Encodes and decodes by a worker: the artifact's bytes and the digest of what comes back, both from one thread, after two threads were
/// seen to give the same parts and the same tensors.
fn there_and_back(client: &mut Client, kernel: &str, folder: &Path) -> (Vec<u8>, String) {
    let (artifact, output) = (folder.join("artifact.safetensors"), folder.join("decoded.safetensors"));
    let sampling = Sampling { threads: 2, budget_ms: 0, max_samples: 1 };
    let mut digest = |request: Request| {
        let digest = match client.ask(&request).unwrap() {
            Reply::Timed { sha256, .. } => Some(sha256),
            Reply::Encoded(encoded) => Some(encoded.parts_sha256),
            Reply::Decoded(decoded) => Some(decoded.decoded_sha256),
            _ => None,
        };
        digest.expect("a reply that holds a digest")
    };
    let parts = digest(Request::Encode { kernel: kernel.to_owned(), artifact: artifact.clone() });
    assert_eq!(digest(Request::TimeEncode { kernel: kernel.to_owned(), sampling }), parts, "{kernel} encodes otherwise on two threads");
    let decoded = digest(Request::Decode { artifact: artifact.clone(), output });
    assert_eq!(digest(Request::TimeDecode { artifact: artifact.clone(), sampling }), decoded, "{kernel} decodes otherwise on two threads");
    (std::fs::read(&artifact).unwrap(), decoded)
}

/// From outside: real workers, a real model, on each level this machine has and the forced lower ones.
#[test]
fn artifacts_are_the_same_on_every_simd_level_and_on_one_and_two_threads() {
    let scratch = tempfile::tempdir().unwrap();
    let model = repository().join("fixtures/weights/cnn-mnist.safetensors");
    let mut workers: Vec<(Level, Client)> = Level::available().into_iter().map(|level| (level, worker(level))).collect();
    for (_, client) in &mut workers {
        assert!(matches!(
            client.ask(&Request::Load { model: model.clone(), calibration: None }).unwrap(),
            Reply::Loaded { tensors: 1.., .. }
        ));
    }
    for kernel in kernels() {
        let mut first = None;
        for (level, client) in &mut workers {
            let found = there_and_back(client, &kernel, scratch.path());
            match &first {
                None => first = Some(found),
                Some(first) => assert!(*first == found, "{kernel} gives other bytes on {}", level.name()),
            }
        }
    }
}
