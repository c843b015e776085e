//! How the originals react to symmetric round-to-nearest: the whole chain from rounded weights to scores, beside NumPy's or onnxruntime's.
//!
//! The numbers were printed by `fixtures/make/figures.py --react`; `fixtures/README.md` shows them.

use std::collections::BTreeMap;

use weighbridge::weights::{Values, Weights};

use super::fixture;
use crate::evaluate::{outputs, score};

/// Codes from −(2^(bits−1) − 1) to 2^(bits−1) − 1 times a scale for each `group` of a row, or for the row where that is 0.
fn round(weights: &Weights, bits: u32, group: usize) -> Weights {
    let info = weights.info();
    if info.shape.len() < 2 {
        return weights.clone();
    }
    let mut values = weights.to_f32().into_owned();
    let (_, columns) = info.rows_cols();
    let largest = f32::from((1i16 << (bits - 1)) - 1);
    for row in values.chunks_mut(columns) {
        let width = if group == 0 { columns } else { group };
        for cells in row.chunks_mut(width) {
            let scale = cells.iter().fold(0.0f32, |m, x| m.max(x.abs())) / largest;
            if scale > 0.0 {
                cells.iter_mut().for_each(|x| *x = (*x / scale).round_ties_even().clamp(-largest, largest) * scale);
            }
        }
    }
    Weights::new(info.name.clone(), info.shape.clone(), Values::F32(values)).unwrap()
}

/// A rounding's name, bits and group, and NumPy's values for some metrics.
type Reaction<'a> = (&'a str, u32, usize, &'a [f64]);

/// Compares scores of rounded weights with NumPy's, within the tolerance given for each metric: absolute, or relative where negative.
fn react(name: &str, metrics: &[(&str, f64)], reactions: &[Reaction]) {
    react_but(name, "\0", metrics, reactions);
}

/// The same, with tensors left alone whose name starts so.
fn react_but(name: &str, alone: &str, metrics: &[(&str, f64)], reactions: &[Reaction]) {
    let fixture = fixture(name);
    let original = fixture.weights().unwrap();
    let reference = outputs(&fixture, &original).unwrap();
    for &(label, bits, group, expected) in reactions {
        let one = |n: &str, w: &Weights| if n.starts_with(alone) { w.clone() } else { round(w, bits, group) };
        let rounded = original.iter().map(|(n, w)| (n.clone(), one(n, w))).collect::<BTreeMap<_, _>>();
        let scores = score(&fixture, &reference, &outputs(&fixture, &rounded).unwrap()).unwrap();
        assert_eq!(metrics.len(), expected.len());
        for (&(metric, tolerance), &numpy) in metrics.iter().zip(expected) {
            let found = scores.iter().find(|s| s.metric == metric).unwrap();
            println!("{name} {label} {metric} {:.6}, NumPy {numpy}, standard error {:?}", found.value, found.standard_error);
            let allowed = if tolerance < 0.0 { -tolerance * numpy } else { tolerance };
            assert!((found.value - numpy).abs() <= allowed, "{name} {label} {metric}: {} against {numpy}", found.value);
        }
    }
}

#[test]
fn g2p_reacts_as_in_numpy() {
    let metrics =
        [("word_accuracy", 0.101), ("phoneme_error_rate", 0.03), ("same_word", 0.101), ("same_top1", 0.02), ("kl_divergence", -0.01)];
    react(
        "g2p-en",
        &metrics,
        &[
            ("int8 c", 8, 0, &[69.15, 9.892_387, 98.35, 99.800_701, 0.000_12]),
            ("int4 g32", 4, 32, &[65.4, 11.618_82, 80.95, 97.388_496, 0.021_607]),
            ("int4 c", 4, 0, &[62.95, 12.450_183, 75.0, 96.055_254, 0.043_969]),
            ("int3 c", 3, 0, &[40.05, 23.927_603, 45.45, 87.560_992, 0.295_601]),
        ],
    );
}

#[test]
fn crepe_reacts_as_in_numpy() {
    react(
        "crepe-tiny",
        &[("pitch_accuracy", 0.01), ("same_top1", 0.626), ("kl_divergence", -0.01)],
        &[
            ("int8 c", 8, 0, &[95.0, 96.875, 0.000_467]),
            ("int4 g32", 4, 32, &[93.75, 80.625, 0.052_821]),
            ("int4 c", 4, 0, &[93.75, 72.5, 0.232_158]),
            ("int3 c", 3, 0, &[73.125, 33.125, 4.253_338]),
        ],
    );
}

#[test]
fn silero_reacts_as_in_numpy() {
    react(
        "silero-vad",
        &[("auc", 0.000_05), ("top1_accuracy", 0.101), ("same_top1", 0.101), ("kl_divergence", -0.01)],
        &[
            ("int8 c", 8, 0, &[0.947_939, 87.399_194, 99.495_968, 0.002_082]),
            ("int4 g32", 4, 32, &[0.931_449, 84.173_387, 96.068_548, 0.041_65]),
            ("int4 c", 4, 0, &[0.933_039, 86.391_129, 95.060_484, 0.057_839]),
            ("int3 c", 3, 0, &[0.906_431, 81.451_613, 83.467_742, 0.283_596]),
        ],
    );
}

#[test]
fn minilm_s_front_reacts_as_in_numpy() {
    react(
        "minilm-front",
        &[("embedding_cosine", 0.000_002)],
        &[
            ("int8 c", 8, 0, &[0.999_715]),
            ("int4 g32", 4, 32, &[0.985_955]),
            ("int4 c", 4, 0, &[0.941_209]),
            ("int3 c", 3, 0, &[0.801_113]),
        ],
    );
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch efficientnet-lite0"]
fn efficientnet_reacts_as_in_onnxruntime() {
    react(
        "efficientnet-lite0",
        &[("same_top1", 1.43), ("kl_divergence", -0.01)],
        &[
            ("int8 c", 8, 0, &[95.714_286, 0.014_882]),
            ("int4 g32", 4, 32, &[14.285_714, 3.458_7]),
            ("int4 c", 4, 0, &[11.428_571, 3.504_349]),
            ("int3 c", 3, 0, &[0.0, 7.265_019]),
        ],
    );
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch magika"]
fn magika_reacts_as_in_onnxruntime() {
    react(
        "magika",
        &[("top1_accuracy", 0.01), ("same_top1", 0.01), ("kl_divergence", -0.01)],
        &[
            ("int8 c", 8, 0, &[84.482_759, 100.0, 0.000_13]),
            ("int4 g32", 4, 32, &[84.482_759, 98.275_862, 0.019_104]),
            ("int4 c", 4, 0, &[81.034_483, 93.965_517, 0.060_844]),
            ("int3 c", 3, 0, &[80.172_414, 91.379_31, 0.142_945]),
        ],
    );
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch ppocr-rec"]
fn ppocr_reacts_as_in_onnxruntime() {
    react(
        "ppocr-rec",
        &[("line_accuracy", 1.01), ("character_error_rate", 0.071), ("same_line", 1.01), ("same_top1", 0.05), ("kl_divergence", -0.01)],
        &[
            ("int8 c", 8, 0, &[92.0, 0.276_625, 94.0, 96.216_667, 0.097_278]),
            ("int4 g32", 4, 32, &[0.0, 77.800_83, 0.0, 47.633_333, 1.689_019]),
            ("int4 c", 4, 0, &[0.0, 99.515_906, 0.0, 39.833_333, 6.294_015]),
            ("int3 c", 3, 0, &[0.0, 99.273_859, 0.0, 27.0, 35.898_742]),
        ],
    );
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch minilm"]
fn minilm_reacts_as_in_numpy() {
    let metrics = [("embedding_cosine", 0.000_01), ("spearman_lee", 0.0001), ("spearman_wordsim", 0.0001), ("spearman_simlex", 0.0001)];
    react(
        "minilm",
        &metrics,
        &[
            ("int8 c", 8, 0, &[0.999_356, 0.509_408, 0.729_184, 0.448_095]),
            ("int4 g32", 4, 32, &[0.945_212, 0.517_291, 0.733_078, 0.450_695]),
            ("int4 c", 4, 0, &[0.861_621, 0.542_972, 0.726_618, 0.476_075]),
        ],
    );
    // With its tables left alone it moves as published: 0.950, and 0.894 over the documents alone.
    react_but(
        "minilm",
        "embeddings.",
        &metrics,
        &[
            ("int4 g32", 4, 32, &[0.950_195, 0.513_396, 0.732_810, 0.457_219]),
            ("int4 c", 4, 0, &[0.902_339, 0.534_573, 0.719_802, 0.458_100]),
        ],
    );
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch smollm2-135m"]
fn smollm2_reacts_as_in_numpy() {
    let metrics = [("perplexity", 0.002), ("same_top1", 0.1), ("kl_divergence", -0.005)];
    react("smollm2-135m", &metrics, &[("int4 g32", 4, 32, &[44.3861, 61.270_67, 0.498_55])]);
    // With its table left alone it moves as published: 32.6 and 0.003, 39.0 and 0.38.
    let left_alone: [Reaction; 2] =
        [("int8 c", 8, 0, &[32.561_299, 96.431_680, 0.003_025]), ("int4 g32", 4, 32, &[38.963_274, 68.059_182, 0.381_227])];
    react_but("smollm2-135m", "token_embd", &metrics, &left_alone);
}
