//! What comes out of the networks: the same on any number of threads, and an error where it can mean nothing.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use weighbridge::weights::{Dtype, TensorInfo, Values, Weights};

use super::{ALL, FETCHED, examples, fixture, some};
use crate::evaluate::run::{one_thread, run};
use crate::evaluate::{EvaluateError, outputs};

/// Names of the fixtures whose outputs `print_digest` digests, with commas between them.
const NAMES: &str = "WEIGHBRIDGE_TEST_FIXTURES";

/// Not a test by itself: prints a digest of the first outputs of some fixtures, for the tests below to compare.
#[test]
#[ignore = "run by the_outputs_do_not_depend_on_the_number_of_threads"]
fn print_digest() {
    let mut digest = Sha256::new();
    for name in std::env::var(NAMES).unwrap_or_else(|_| ALL.join(",")).split(',') {
        let fixture = fixture(name);
        let items = fixture.manifest.evaluation.as_ref().unwrap().batch + 3;
        let outputs = some(&fixture, &fixture.weights().unwrap(), items);
        outputs.values.iter().for_each(|x| digest.update(x.to_le_bytes()));
        outputs.sequences.iter().flatten().for_each(|x| digest.update(x.to_le_bytes()));
    }
    println!("digest {:?}", digest.finalize());
}

#[test]
fn the_outputs_do_not_depend_on_the_number_of_threads() {
    compare_threads(&ALL);
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch efficientnet-lite0 magika ppocr-rec"]
fn the_outputs_of_fetched_models_do_not_depend_on_the_number_of_threads() {
    compare_threads(&FETCHED);
}

fn compare_threads(names: &[&str]) {
    // candle reads the variable once per product, for the whole process: each count gets a process.
    let digest = |threads: &str| {
        let test = concat!(module_path!(), "::print_digest");
        let test = test.split_once("::").unwrap().1;
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]).env("RAYON_NUM_THREADS", threads).env(NAMES, names.join(","));
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
    let tensors = ["fc1.weight", "stem.weight", "wpe.weight", "fc.bias", "enc_w_hh", "conv1.weight", "conv4.weight"];
    for (name, tensor) in ALL.into_iter().zip(tensors.into_iter().chain(["encoder.layer.0.attention.self.key.bias"])) {
        spoil(name, tensor);
    }
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch efficientnet-lite0 magika ppocr-rec"]
fn one_bad_weight_of_a_fetched_model_is_an_error() {
    spoil("efficientnet-lite0", "_blocks.3._depthwise_conv.weight");
    spoil("efficientnet-lite0", "_bn1.running_var");
    spoil("magika", "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Conv_0/transpose_3:0");
    for tensor in ["conv2d_118.w_0", "conv2d_169.w_0", "mobile_one_block_27.w_0", "batch_norm2d_151.w_2", "linear_77.w_0"] {
        spoil("ppocr-rec", tensor);
    }
}

/// Makes one number of a tensor NaN.
fn spoil(name: &str, tensor: &str) {
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
    let examples = examples(&small);
    let error = one_thread(&small, || run(&small, evaluation, &weights, &examples, 2)).unwrap_err();
    assert!(matches!(error, EvaluateError::NonFinite { .. }), "{name}: {error}");
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
