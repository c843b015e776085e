//! Evaluation: the original once a fixture, then every measured case against it, as many at a time as there are processors.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use crate::fixture::Fixture;
use crate::model::record::{Case, CaseFailure};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::protocol::{Reply, Request, ScoreLine};

use super::case::Files;

/// Outcome of a case's evaluation: its scores, and how long the task took where this case was the one it ran for.
pub type Outcome = Result<(Vec<ScoreLine>, Option<f64>), CaseFailure>;

/// A measured case and the digest of its decoded tensors.
pub type Pending = (Case, String);

/// Evaluates the cases and hands each outcome to `done` as it comes; `done` returning false stops the rest.
///
/// Cases of one fixture whose decoded tensors are the same bytes have the same outputs: the task is run once for them.
pub fn evaluate(
    cases: Vec<Pending>,
    fixtures: &BTreeMap<String, Fixture>,
    scratch: &Path,
    own: &Launch,
    done: impl Fn(Case, Outcome) -> bool + Sync,
) {
    let mut names: Vec<_> = cases.iter().map(|(c, _)| c.fixture.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let references = Mutex::new(BTreeMap::<String, Result<PathBuf, String>>::new());
    in_parallel(names, |name| {
        let Some(fixture) = fixtures.get(&name).filter(|f| f.task().is_some()) else { return true };
        let path = scratch.join(format!("{name}.outputs.safetensors"));
        let weights = fixture.weights_path().map_err(|e| e.to_string());
        let result = weights.and_then(|weights| ask(own, fixture, &weights, None, Some(path.clone())).map_err(|e| e.to_string()));
        if let Ok(mut references) = references.lock() {
            references.insert(name, result.map(|_| path));
        }
        true
    });
    let references = references.into_inner().unwrap_or_default();
    let mut groups = BTreeMap::<(String, String), Vec<Case>>::new();
    for (case, digest) in cases {
        groups.entry((case.fixture.clone(), digest)).or_default().push(case);
    }
    in_parallel(groups.into_values().collect(), |group| {
        let Some(case) = group.first() else { return true };
        let fixture = fixtures.get(&case.fixture);
        let fail = |message: String| CaseFailure { stage: "evaluate".to_owned(), message };
        let outcome = match (fixture, references.get(&case.fixture)) {
            (Some(fixture), Some(Ok(reference))) => {
                let (decoded, start) = (Files::of(case, scratch).decoded, Instant::now());
                let scores = ask(own, fixture, &decoded, Some(reference.clone()), None).map_err(|e| fail(e.to_string()));
                scores.map(|scores| (scores, Some(start.elapsed().as_secs_f64())))
            }
            (_, Some(Err(message))) => Err(fail(format!("the original weights: {message}"))),
            _ => Ok((Vec::new(), None)),
        };
        // The time is told of the case that it was spent on.
        let told = |i: usize| outcome.clone().map(|(scores, seconds)| (scores, seconds.filter(|_| i == 0)));
        group.into_iter().enumerate().all(|(i, case)| done(case, told(i)))
    });
}

fn ask(
    own: &Launch,
    fixture: &Fixture,
    weights: &Path,
    reference: Option<PathBuf>,
    outputs: Option<PathBuf>,
) -> Result<Vec<ScoreLine>, WorkerError> {
    let mut worker = Client::start(own)?;
    let (manifest, weights) = (fixture.path.clone(), weights.to_owned());
    match worker.ask(&Request::Evaluate { manifest, weights, reference, outputs })? {
        Reply::Evaluated { scores } => Ok(scores),
        other => Err(worker.unexpected(&other)),
    }
}

/// Runs `work` over the items on as many threads as there are processors; `work` returning false stops the rest.
fn in_parallel<T: Send>(items: Vec<T>, work: impl Fn(T) -> bool + Sync) {
    let queue = Mutex::new(VecDeque::from(items));
    let next = || queue.lock().ok()?.pop_front();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = next() {
                    if !work(item) {
                        break;
                    }
                }
            });
        }
    });
}
