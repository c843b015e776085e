//! Running data through a fixture's network, batch by batch, on one thread.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{Tensor, bail};
use weighbridge::kernel::Gram;
use weighbridge::weights::Weights;

use super::data::{Examples, Inputs};
use super::network::{Network, inference};
use super::{EvaluateError, Outputs, bert, cnn, crepe, efficientnet, g2p, gpt, llama, lstm, magika, mlp, ppocr, silero};
use crate::fixture::{Evaluation, Fixture, Forward};

/// Runs the evaluation data through the network with these weights, which may be f32, f16 or bf16.
///
/// Fails where a tensor of the original is missing or has another shape (further tensors are ignored), and where an output is not finite.
pub fn outputs(fixture: &Fixture, weights: &BTreeMap<String, Weights>) -> Result<Outputs, EvaluateError> {
    let evaluation = evaluation(fixture)?;
    let examples = Examples::read(fixture, evaluation, &evaluation.data)?;
    one_thread(fixture, || run(fixture, evaluation, weights, &examples, examples.items()))
}

/// XᵀX over the calibration data for the inputs of every weight matrix, by tensor name.
///
/// The weights of a layer are out × in, so its matrix is in × in; a convolution's inputs are its patches, in the order of the weights'
/// inner dimensions; an LSTM's recurrent matrix sees the previous states, the zero ones included. Embedding tables have no inputs and no
/// entry, not even where they are the output head as well: what the head sees says nothing of the rows that are looked up. Depthwise
/// convolutions have none, because each row has inputs of its own, nor have matrices that are stored as inputs × outputs.
/// Matrices with more than 4096 inputs have none either. Where a network writes, it is fed what is right, not what it wrote.
pub fn layer_inputs(fixture: &Fixture, weights: &BTreeMap<String, Weights>) -> Result<BTreeMap<String, Gram>, EvaluateError> {
    let evaluation = evaluation(fixture)?;
    let none = || EvaluateError::NoData { fixture: fixture.name().to_owned(), what: "calibration" };
    let calibration = fixture.manifest.calibration.as_ref().ok_or_else(none)?;
    let examples = Examples::read(fixture, evaluation, &calibration.data)?;
    one_thread(fixture, || accumulate(fixture, evaluation, weights, &examples, examples.items()))
}

/// Second moments over the first `items` items.
pub(super) fn accumulate(
    fixture: &Fixture,
    evaluation: &Evaluation,
    weights: &BTreeMap<String, Weights>,
    examples: &Examples,
    items: usize,
) -> Result<BTreeMap<String, Gram>, EvaluateError> {
    let network = Network::new(fixture.name(), &fixture.open_weights()?, weights, true)?;
    each_batch(fixture, evaluation, items, |batch| forward(&network, evaluation.forward, &examples.inputs, batch).map(drop))?;
    Ok(network.into_grams())
}

fn evaluation(fixture: &Fixture) -> Result<&Evaluation, EvaluateError> {
    let none = || EvaluateError::NoData { fixture: fixture.name().to_owned(), what: "evaluation" };
    fixture.manifest.evaluation.as_ref().ok_or_else(none)
}

/// Outputs for the first `items` items.
pub(super) fn run(
    fixture: &Fixture,
    evaluation: &Evaluation,
    weights: &BTreeMap<String, Weights>,
    examples: &Examples,
    items: usize,
) -> Result<Outputs, EvaluateError> {
    let network = Network::new(fixture.name(), &fixture.open_weights()?, weights, false)?;
    let (mut values, mut sequences) = (Vec::new(), Vec::new());
    each_batch(fixture, evaluation, items, |batch| {
        values.extend(forward(&network, evaluation.forward, &examples.inputs, batch.clone())?.flatten_all()?.to_vec1::<f32>()?);
        if let Inputs::Words { words, end } = &examples.inputs {
            sequences.extend(g2p::transcribe(&network, &words[batch], *end)?);
        }
        Ok(())
    })?;
    let groups = examples.groups[..items].to_vec();
    let width = values.len() / groups.iter().sum::<usize>().max(1);
    let outputs = Outputs { width, values, groups, sequences, data: evaluation.data.sha256.clone() };
    if let Some(message) = outputs.fault() {
        return Err(EvaluateError::Inference { fixture: fixture.name().to_owned(), message });
    }
    match outputs.values.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(EvaluateError::NonFinite { fixture: fixture.name().to_owned(), example: i / width, value: outputs.values[i] }),
        None => Ok(outputs),
    }
}

fn each_batch(
    fixture: &Fixture,
    evaluation: &Evaluation,
    items: usize,
    mut take: impl FnMut(Range<usize>) -> candle_core::Result<()>,
) -> Result<(), EvaluateError> {
    for start in (0..items).step_by(evaluation.batch) {
        take(start..items.min(start + evaluation.batch)).map_err(|e| inference(fixture.name(), &e))?;
    }
    Ok(())
}

/// Rows that the network makes of some items.
fn forward(network: &Network, forward: Forward, inputs: &Inputs, items: Range<usize>) -> candle_core::Result<Tensor> {
    match (forward, inputs) {
        (Forward::G2p, Inputs::Words { words, .. }) => g2p::forward(network, &words[items]),
        (Forward::Bert, Inputs::Texts(texts)) => bert::forward(network, &texts[items]),
        (Forward::Mlp, _) => mlp::forward(network, &inputs.tensor(items)?),
        (Forward::Cnn, _) => cnn::forward(network, &inputs.tensor(items)?),
        (Forward::Gpt, _) => gpt::forward(network, &inputs.tensor(items)?),
        (Forward::Lstm, _) => lstm::forward(network, &inputs.tensor(items)?),
        (Forward::Llama, _) => llama::forward(network, &inputs.tensor(items)?),
        (Forward::Crepe, _) => crepe::forward(network, &inputs.tensor(items)?),
        (Forward::Silero, _) => silero::forward(network, &inputs.tensor(items)?),
        (Forward::EfficientNet, _) => efficientnet::forward(network, &inputs.tensor(items)?),
        (Forward::Magika, _) => magika::forward(network, &inputs.tensor(items)?),
        (Forward::PpOcr, _) => ppocr::forward(network, &inputs.tensor(items)?),
        // The manifest's check lets no such pair through.
        (Forward::G2p | Forward::Bert, _) => bail!("{forward:?} does not take such data"),
    }
}

/// Runs `work` in a pool of its own with one thread, wherever it was called from.
pub(super) fn one_thread<T: Send>(fixture: &Fixture, work: impl FnOnce() -> Result<T, EvaluateError> + Send) -> Result<T, EvaluateError> {
    let failed = |e: rayon::ThreadPoolBuildError| EvaluateError::Inference { fixture: fixture.name().to_owned(), message: e.to_string() };
    rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(failed)?.install(work)
}
