//! Running data through a fixture's network, batch by batch, on one thread.

use std::collections::BTreeMap;

use candle_core::Tensor;
use weighbridge::kernel::Gram;
use weighbridge::weights::Weights;

use super::data::Examples;
use super::network::{Network, inference};
use super::{EvaluateError, Outputs, cnn, gpt, lstm, mlp};
use crate::fixture::{Evaluation, Fixture, Forward};

/// Runs the evaluation data through the network with these weights, which may be f32, f16 or bf16.
///
/// Fails where a tensor of the original is missing or has another shape (further tensors are ignored), and where an output is not finite.
pub fn outputs(fixture: &Fixture, weights: &BTreeMap<String, Weights>) -> Result<Outputs, EvaluateError> {
    let evaluation = evaluation(fixture)?;
    let examples = Examples::read(fixture, evaluation, &evaluation.data)?;
    let items = examples.items;
    one_thread(fixture, || run(fixture, evaluation, weights, examples, items))
}

/// XᵀX over the calibration data for the inputs of every weight matrix, by tensor name.
///
/// The weights of a layer are out × in, so its matrix is in × in; a convolution's inputs are its patches, in the order of the weights'
/// inner dimensions; an LSTM's recurrent matrix sees the previous states, the zero ones included. Embedding tables have no inputs and no
/// entry, not even where they are the output head as well: what the head sees says nothing of the rows that are looked up.
pub fn layer_inputs(fixture: &Fixture, weights: &BTreeMap<String, Weights>) -> Result<BTreeMap<String, Gram>, EvaluateError> {
    let evaluation = evaluation(fixture)?;
    let none = || EvaluateError::NoData { fixture: fixture.name().to_owned(), what: "calibration" };
    let calibration = fixture.manifest.calibration.as_ref().ok_or_else(none)?;
    let examples = Examples::read(fixture, evaluation, &calibration.data)?;
    one_thread(fixture, || accumulate(fixture, evaluation, weights, &examples, examples.items))
}

/// Second moments over the first `items` items.
fn accumulate(
    fixture: &Fixture,
    evaluation: &Evaluation,
    weights: &BTreeMap<String, Weights>,
    examples: &Examples,
    items: usize,
) -> Result<BTreeMap<String, Gram>, EvaluateError> {
    let network = Network::new(fixture.name(), &fixture.open_weights()?, weights, true)?;
    each_batch(fixture, evaluation, &network, examples, items, |_| Ok(()))?;
    Ok(network.into_grams())
}

fn evaluation(fixture: &Fixture) -> Result<&Evaluation, EvaluateError> {
    let none = || EvaluateError::NoData { fixture: fixture.name().to_owned(), what: "evaluation" };
    fixture.manifest.evaluation.as_ref().ok_or_else(none)
}

/// Outputs for the first `items` items.
fn run(
    fixture: &Fixture,
    evaluation: &Evaluation,
    weights: &BTreeMap<String, Weights>,
    mut examples: Examples,
    items: usize,
) -> Result<Outputs, EvaluateError> {
    let network = Network::new(fixture.name(), &fixture.open_weights()?, weights, false)?;
    let mut logits = Vec::new();
    each_batch(fixture, evaluation, &network, &examples, items, |batch| {
        logits.extend(batch.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    })?;
    examples.targets.truncate(items * examples.window);
    let classes = logits.len() / examples.targets.len().max(1);
    let outputs = Outputs { classes, logits, targets: examples.targets, window: examples.window };
    if let Some(message) = outputs.fault() {
        return Err(EvaluateError::Inference { fixture: fixture.name().to_owned(), message });
    }
    match outputs.logits.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(EvaluateError::NonFinite { fixture: fixture.name().to_owned(), example: i / classes, value: outputs.logits[i] }),
        None => Ok(outputs),
    }
}

fn each_batch(
    fixture: &Fixture,
    evaluation: &Evaluation,
    network: &Network,
    examples: &Examples,
    items: usize,
    mut take: impl FnMut(&Tensor) -> candle_core::Result<()>,
) -> Result<(), EvaluateError> {
    let forward = match evaluation.forward {
        Forward::Mlp => mlp::forward,
        Forward::Cnn => cnn::forward,
        Forward::Gpt => gpt::forward,
        Forward::Lstm => lstm::forward,
    };
    for start in (0..items).step_by(evaluation.batch) {
        let end = items.min(start + evaluation.batch);
        let result = examples.batch(start..end).and_then(|batch| take(&forward(network, &batch)?));
        result.map_err(|e| inference(fixture.name(), &e))?;
    }
    Ok(())
}

/// Runs `work` in a pool of its own with one thread, wherever it was called from.
fn one_thread<T: Send>(fixture: &Fixture, work: impl FnOnce() -> Result<T, EvaluateError> + Send) -> Result<T, EvaluateError> {
    let failed = |e: rayon::ThreadPoolBuildError| EvaluateError::Inference { fixture: fixture.name().to_owned(), message: e.to_string() };
    rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(failed)?.install(work)
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::time::Instant;

    use sha2::{Digest, Sha256};
    use weighbridge::weights::{Dtype, TensorInfo, Values};

    use super::*;
    use crate::evaluate::score;
    use crate::fixture::find;

    const ALL: [&str; 4] = ["mlp-mnist", "cnn-mnist", "gpt-moby", "lstm-moby"];

    /// A committed fixture.
    pub fn fixture(name: &str) -> Fixture {
        find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures"), name).unwrap()
    }

    /// Outputs of a fixture's first items.
    fn some(fixture: &Fixture, weights: &BTreeMap<String, Weights>, items: usize) -> Outputs {
        let evaluation = fixture.manifest.evaluation.as_ref().unwrap();
        let examples = Examples::read(fixture, evaluation, &evaluation.data).unwrap();
        one_thread(fixture, || run(fixture, evaluation, weights, examples, items)).unwrap()
    }

    /// The original's figures, to every digit that an independent implementation printed.
    fn reproduce(name: &str) {
        let fixture = fixture(name);
        let outputs = outputs(&fixture, &fixture.weights().unwrap()).unwrap();
        let scores = score(fixture.task().unwrap(), &outputs, &outputs).unwrap();
        let figures = fixture.manifest.expected.figures();
        assert!(!figures.is_empty());
        for (metric, figure) in figures {
            let found = scores.iter().find(|s| s.metric == metric).unwrap();
            assert!((found.value - figure.value).abs() <= figure.tolerance, "{metric} is {}, expected {}", found.value, figure.value);
        }
    }

    #[test]
    fn mlp_gives_the_published_figure() {
        reproduce("mlp-mnist");
    }

    #[test]
    fn cnn_gives_the_published_figure() {
        reproduce("cnn-mnist");
    }

    #[test]
    fn gpt_gives_the_published_figures() {
        reproduce("gpt-moby");
    }

    #[test]
    fn lstm_gives_the_published_figures() {
        reproduce("lstm-moby");
    }

    /// Not a test by itself: prints a digest of the first outputs of all fixtures, for the test below to compare.
    #[test]
    #[ignore = "run by the_outputs_do_not_depend_on_the_number_of_threads"]
    fn print_digest() {
        let mut digest = Sha256::new();
        for name in ALL {
            let fixture = fixture(name);
            let items = fixture.manifest.evaluation.as_ref().unwrap().batch + 3;
            let outputs = some(&fixture, &fixture.weights().unwrap(), items);
            outputs.logits.iter().for_each(|x| digest.update(x.to_le_bytes()));
        }
        println!("digest {:?}", digest.finalize());
    }

    #[test]
    fn the_outputs_do_not_depend_on_the_number_of_threads() {
        // candle reads the variable once per product, for the whole process: each count gets a process.
        let digest = |threads: &str| {
            let test = concat!(module_path!(), "::print_digest");
            let test = test.split_once("::").unwrap().1;
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", test, "--ignored", "--nocapture"]).env("RAYON_NUM_THREADS", threads);
            let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
            text.lines().find(|l| l.contains("digest ")).unwrap_or_else(|| unreachable!("no digest in {text}")).to_owned()
        };
        let one = digest("1");
        for threads in ["2", "3"] {
            assert_eq!(digest(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn a_missing_or_misshapen_tensor_is_named() {
        let fixture = fixture("mlp-mnist");
        let original = fixture.weights().unwrap();
        let mut weights = original.clone();
        weights.remove("fc2.bias");
        let error = outputs(&fixture, &weights).unwrap_err().to_string();
        assert!(error.contains("'mlp-mnist'") && error.contains("no tensor 'fc2.bias'"), "{error}");
        let short = Weights::new("fc2.bias", vec![255], Values::F32(vec![0.0; 255])).unwrap();
        weights.insert("fc2.bias".to_owned(), short);
        let error = outputs(&fixture, &weights).unwrap_err().to_string();
        assert!(error.contains("'fc2.bias' has shape [255], the original has [256]"), "{error}");
    }

    #[test]
    fn one_bad_weight_is_an_error_and_not_a_panic() {
        for (name, tensor) in
            [("mlp-mnist", "fc1.weight"), ("cnn-mnist", "stem.weight"), ("gpt-moby", "wpe.weight"), ("lstm-moby", "fc.bias")]
        {
            let fixture = fixture(name);
            let mut weights = fixture.weights().unwrap();
            let mut values = weights[tensor].to_f32().into_owned();
            let middle = values.len() / 2;
            values[middle] = f32::NAN;
            let bad = Weights::from_f32(&weights[tensor].info().clone(), values).unwrap();
            weights.insert(tensor.to_owned(), bad);
            let mut small = fixture.clone();
            small.manifest.evaluation.as_mut().unwrap().batch = 1;
            let evaluation = small.manifest.evaluation.as_ref().unwrap();
            let examples = Examples::read(&small, evaluation, &evaluation.data).unwrap();
            let error = one_thread(&small, || run(&small, evaluation, &weights, examples, 2)).unwrap_err();
            assert!(matches!(error, EvaluateError::NonFinite { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn sixteen_bit_weights_are_evaluated_as_the_f32_they_mean() {
        let fixture = fixture("mlp-mnist");
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let convert = |w: &Weights| Weights::from_f32(&TensorInfo { dtype, ..w.info().clone() }, w.to_f32().into_owned()).unwrap();
            let narrow = fixture.weights().unwrap().iter().map(|(n, w)| (n.clone(), convert(w))).collect::<BTreeMap<_, _>>();
            let widen =
                |w: &Weights| Weights::new(w.info().name.clone(), w.info().shape.clone(), Values::F32(w.to_f32().into_owned())).unwrap();
            let wide = narrow.iter().map(|(n, w)| (n.clone(), widen(w))).collect();
            assert_eq!(some(&fixture, &narrow, 100), some(&fixture, &wide, 100));
        }
    }

    #[test]
    fn grams_are_square_symmetric_and_for_every_matrix() {
        for name in ["mlp-mnist", "cnn-mnist"] {
            let fixture = fixture(name);
            let weights = fixture.weights().unwrap();
            let grams = layer_inputs(&fixture, &weights).unwrap();
            for (tensor, w) in weights.iter().filter(|(_, w)| w.info().shape.len() > 1) {
                let gram = &grams[tensor];
                let n = w.info().rows_cols().1;
                assert_eq!((gram.size, gram.values.len()), (n, n * n), "{tensor}");
                assert!(gram.samples.is_multiple_of(512), "{tensor}");
                assert!((0..n * n).all(|i| gram.values[i] == gram.values[i % n * n + i / n]), "{tensor}");
                assert!((0..n).all(|i| gram.values[i * n + i] >= 0.0), "{tensor}");
            }
            assert_eq!(grams.len(), weights.values().filter(|w| w.info().shape.len() > 1).count());
        }
    }

    #[test]
    fn text_models_have_grams_for_everything_but_lookups() {
        for (name, lookups) in [("gpt-moby", &["wpe.weight", "wte.weight"][..]), ("lstm-moby", &["emb.weight"])] {
            let fixture = fixture(name);
            let weights = fixture.weights().unwrap();
            let evaluation = fixture.manifest.evaluation.as_ref().unwrap();
            let calibration = &fixture.manifest.calibration.as_ref().unwrap().data;
            let examples = Examples::read(&fixture, evaluation, calibration).unwrap();
            let grams = one_thread(&fixture, || accumulate(&fixture, evaluation, &weights, &examples, 40)).unwrap();
            let matrices = weights.iter().filter(|(n, w)| w.info().shape.len() > 1 && !lookups.contains(&n.as_str()));
            let expected = matrices.map(|(n, w)| (n.clone(), w.info().rows_cols().1, 40 * 128)).collect::<Vec<_>>();
            assert_eq!(grams.iter().map(|(n, g)| (n.clone(), g.size, g.samples)).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    #[ignore = "prints how long each fixture takes; run it in a release build"]
    fn print_seconds() {
        for name in ALL {
            let fixture = fixture(name);
            let weights = fixture.weights().unwrap();
            let start = Instant::now();
            outputs(&fixture, &weights).unwrap();
            let evaluated = start.elapsed().as_secs_f64();
            layer_inputs(&fixture, &weights).unwrap();
            println!("{name}: outputs {evaluated:.2} s, layer inputs {:.2} s", start.elapsed().as_secs_f64() - evaluated);
        }
    }

    #[test]
    fn the_first_layer_s_gram_is_the_sum_over_calibration_images() {
        let fixture = fixture("mlp-mnist");
        let gram = &layer_inputs(&fixture, &fixture.weights().unwrap()).unwrap()["fc1.weight"];
        let calibration = &fixture.manifest.calibration.as_ref().unwrap().data;
        let file = weighbridge::safefile::SafeFile::open(&fixture.verified(calibration).unwrap()).unwrap();
        let images = file.bytes("images").unwrap();
        let direction = (0..784).map(|i| f64::from((i * 31) % 13) - 6.0).collect::<Vec<_>>();
        let project = |image: &[u8]| image.iter().zip(&direction).map(|(&p, d)| f64::from(f32::from(p) / 255.0) * d).sum::<f64>();
        let expected = images.chunks(784).map(|image| project(image).powi(2)).sum::<f64>();
        let found = (0..784 * 784).map(|i| direction[i / 784] * f64::from(gram.values[i]) * direction[i % 784]).sum::<f64>();
        assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
        assert_eq!(gram.samples, 512);
    }
}
