//! Second moments of layer inputs over calibration data.

use super::{calibration, fixture};
use crate::evaluate::layer_inputs;
use crate::evaluate::run::{accumulate, one_thread};

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
        let grams = one_thread(&fixture, || accumulate(&fixture, evaluation, &weights, &calibration(&fixture), 40)).unwrap();
        let matrices = weights.iter().filter(|(n, w)| w.info().shape.len() > 1 && !lookups.contains(&n.as_str()));
        let expected = matrices.map(|(n, w)| (n.clone(), w.info().rows_cols().1, 40 * 128)).collect::<Vec<_>>();
        assert_eq!(grams.iter().map(|(n, g)| (n.clone(), g.size, g.samples)).collect::<Vec<_>>(), expected);
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

#[test]
fn other_models_have_grams_for_everything_but_lookups_and_the_widest() {
    for (name, without) in [
        ("g2p-en", ["enc_emb", "dec_emb"].as_slice()),
        // 128 channels of 64 times.
        ("crepe-tiny", &["conv2.weight"]),
        ("silero-vad", &[]),
        ("minilm-front", &["embeddings."]),
    ] {
        find_grams(name, |tensor| !without.iter().any(|w| tensor.starts_with(w)));
    }
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch efficientnet-lite0 magika ppocr-rec"]
fn fetched_models_have_grams_for_every_product_with_rows_of_outputs() {
    find_grams("efficientnet-lite0", |tensor| !tensor.contains("depthwise"));
    find_grams("magika", |tensor| tensor.ends_with("Conv_0/transpose_3:0"));
    // Convolutions of each channel by itself have odd numbers from 157 on, and every other one is of one pixel.
    find_grams("ppocr-rec", |tensor| {
        let number = tensor.strip_prefix("conv2d_").and_then(|t| t.strip_suffix(".w_0")?.parse::<usize>().ok());
        number.is_some_and(|n| n < 157 || n % 2 == 0)
    });
}

/// Runs some calibration items, and expects moments for the matrices that are `wanted`, and no others.
fn find_grams(name: &str, wanted: impl Fn(&str) -> bool) {
    let fixture = fixture(name);
    let weights = fixture.weights().unwrap();
    let evaluation = fixture.manifest.evaluation.as_ref().unwrap();
    let grams = one_thread(&fixture, || accumulate(&fixture, evaluation, &weights, &calibration(&fixture), 6)).unwrap();
    let matrices = weights.iter().filter(|(n, w)| w.info().shape.len() > 1 && wanted(n));
    let expected = matrices.map(|(n, w)| (n.clone(), w.info().rows_cols().1)).collect::<Vec<_>>();
    assert_eq!(grams.iter().map(|(n, g)| (n.clone(), g.size)).collect::<Vec<_>>(), expected, "{name}");
    assert!(grams.values().all(|g| g.samples > 0), "{name}");
}
