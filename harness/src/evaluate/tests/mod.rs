//! Tests that run fixtures: the originals' figures, how they react to rounding, what comes out, what goes in.

mod figures;
mod moments;
mod outputs;
mod reaction;

use std::collections::BTreeMap;
use std::path::Path;

use weighbridge::weights::Weights;

use super::Outputs;
use super::data::Examples;
use super::run::{one_thread, run};
use crate::fixture::{Fixture, find};

/// Fixtures with a task that are committed.
const ALL: [&str; 8] = ["mlp-mnist", "cnn-mnist", "gpt-moby", "lstm-moby", "g2p-en", "crepe-tiny", "silero-vad", "minilm-front"];

/// Small ones that are fetched.
const FETCHED: [&str; 3] = ["efficientnet-lite0", "magika", "ppocr-rec"];

/// A fixture of this repository.
pub fn fixture(name: &str) -> Fixture {
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"), name).unwrap()
}

/// Its evaluation data.
fn examples(fixture: &Fixture) -> Examples {
    let evaluation = fixture.manifest.evaluation.as_ref().unwrap();
    Examples::read(fixture, evaluation, &evaluation.data).unwrap()
}

/// Its calibration data.
fn calibration(fixture: &Fixture) -> Examples {
    let calibration = &fixture.manifest.calibration.as_ref().unwrap().data;
    Examples::read(fixture, fixture.manifest.evaluation.as_ref().unwrap(), calibration).unwrap()
}

/// Evaluation and calibration data of a committed fixture.
pub fn both(name: &str) -> [Examples; 2] {
    let fixture = fixture(name);
    [examples(&fixture), calibration(&fixture)]
}

/// Outputs of a fixture's first items.
fn some(fixture: &Fixture, weights: &BTreeMap<String, Weights>, items: usize) -> Outputs {
    let (evaluation, examples) = (fixture.manifest.evaluation.as_ref().unwrap(), examples(fixture));
    one_thread(fixture, || run(fixture, evaluation, weights, &examples, items.min(examples.items()))).unwrap()
}
