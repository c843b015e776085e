//! Evaluation: the original once a fixture, then every measured case against it, as many at a time as there are processors.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::fixture::Fixture;
use crate::model::record::{Case, CaseFailure};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::protocol::{Reply, Request, ScoreLine};

use super::case::Files;

/// Outcome of a case's evaluation.
pub type Outcome = Result<Vec<ScoreLine>, CaseFailure>;

/// Evaluates the cases and hands each outcome to `done` as it comes; `done` returning false stops the rest.
pub fn evaluate(
    cases: Vec<Case>,
    fixtures: &BTreeMap<String, Fixture>,
    scratch: &Path,
    own: &Launch,
    done: impl Fn(Case, Outcome) -> bool + Sync,
) {
    let mut names: Vec<_> = cases.iter().map(|c| c.fixture.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let references = Mutex::new(BTreeMap::<String, Result<PathBuf, String>>::new());
    in_parallel(names, |name| {
        let Some(fixture) = fixtures.get(&name).filter(|f| f.task().is_some()) else { return true };
        let path = scratch.join(format!("{name}.outputs.safetensors"));
        let result = ask(own, fixture, &fixture.weights_path(), None, Some(path.clone())).map(|_| path);
        if let Ok(mut references) = references.lock() {
            references.insert(name, result.map_err(|e| e.to_string()));
        }
        true
    });
    let references = references.into_inner().unwrap_or_default();
    in_parallel(cases, |case| {
        let fixture = fixtures.get(&case.fixture);
        let fail = |message: String| CaseFailure { stage: "evaluate".to_owned(), message };
        let outcome = match (fixture, references.get(&case.fixture)) {
            (Some(fixture), Some(Ok(reference))) => {
                let decoded = Files::of(&case, scratch).decoded;
                ask(own, fixture, &decoded, Some(reference.clone()), None).map_err(|e| fail(e.to_string()))
            }
            (_, Some(Err(message))) => Err(fail(format!("the original weights: {message}"))),
            _ => Ok(Vec::new()),
        };
        done(case, outcome)
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
