//! The originals' figures, to every digit that an independent implementation printed.

use std::time::Instant;

use super::{ALL, FETCHED, fixture, some};
use crate::evaluate::score::argmax;
use crate::evaluate::{layer_inputs, outputs, score};

fn reproduce(name: &str) {
    let fixture = fixture(name);
    let outputs = outputs(&fixture, &fixture.weights().unwrap()).unwrap();
    let scores = score(&fixture, &outputs, &outputs).unwrap();
    let figures = fixture.manifest.expected.figures();
    assert!(!figures.is_empty());
    for (metric, figure) in figures {
        let found = scores.iter().find(|s| s.metric == metric).unwrap();
        println!("{name} {metric} {:.6} (expected {} ± {})", found.value, figure.value, figure.tolerance);
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

#[test]
fn g2p_gives_the_published_figures() {
    reproduce("g2p-en");
}

#[test]
fn crepe_gives_the_figure_of_numpy() {
    reproduce("crepe-tiny");
}

#[test]
fn silero_gives_the_figures_of_numpy() {
    reproduce("silero-vad");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch crepe-full"]
fn crepe_full_gives_the_figure_of_numpy() {
    reproduce("crepe-full");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch minilm"]
fn minilm_gives_the_published_figures() {
    reproduce("minilm");
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch smollm2-135m"]
fn smollm2_gives_the_published_figure() {
    reproduce("smollm2-135m");
}

/// Compares the likeliest class of some items and its logit with onnxruntime's, as `fixtures/make/figures.py` prints them.
fn classify(name: &str, tolerance: f32, expected: &[(usize, usize, f32)]) {
    let fixture = fixture(name);
    let items = expected.iter().map(|(item, ..)| item + 1).max().unwrap();
    let found = some(&fixture, &fixture.weights().unwrap(), items);
    for &(item, class, logit) in expected {
        let row = found.row(item);
        println!("{name} item {item}: class {}, logit {} (expected {class}, {logit})", argmax(row), row[class]);
        assert_eq!(argmax(row), class, "item {item}");
        assert!((row[class] - logit).abs() < tolerance, "item {item}: {}, expected {logit}", row[class]);
    }
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch efficientnet-lite0"]
fn efficientnet_names_what_photographs_show() {
    // Of ImageNet's classes: an Egyptian cat, an espresso, the cat again, a microphone beside the astronaut, a window screen for a brick wall.
    let expected = [(0, 285, 10.00143), (1, 967, 10.92762), (17, 285, 10.59243), (40, 650, 7.59197), (69, 646, 7.8875)];
    classify("efficientnet-lite0", 1e-4, &expected);
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch magika"]
fn magika_gives_the_figure_and_the_logits_of_onnxruntime() {
    reproduce("magika");
    // Single precision leaves both about 1e-4 from the truth: in double precision the first is 15.557607.
    classify("magika", 3e-4, &[(0, 143, 15.55766), (50, 87, 14.00593), (100, 133, 18.41733)]);
}

#[test]
#[ignore = "needs fetched files: weighbridge fixtures fetch ppocr-rec"]
fn ppocr_gives_the_figures_and_the_logits_of_onnxruntime() {
    reproduce("ppocr-rec");
    let fixture = fixture("ppocr-rec");
    let found = some(&fixture, &fixture.weights().unwrap(), 100);
    // Rows of output, sixty a line; the last is a space in the paper after the last line.
    for (row, class, logit) in [(3, 3539, 6.9458), (77, 3539, 4.434_51), (1502, 0, 15.886_51), (3777, 0, 8.395_68), (5990, 6624, 8.361_89)]
    {
        let logits = found.row(row);
        println!("ppocr-rec row {row}: class {}, logit {} (expected {class}, {logit})", argmax(logits), logits[class]);
        assert_eq!(argmax(logits), class, "row {row}");
        assert!((logits[class] - logit).abs() < 3e-4, "row {row}: {}, expected {logit}", logits[class]);
    }
}

#[test]
#[ignore = "prints how long each fixture takes; run it in a release build, with the fetched files there"]
fn print_seconds() {
    for name in ALL.into_iter().chain(FETCHED) {
        let fixture = fixture(name);
        let weights = fixture.weights().unwrap();
        let start = Instant::now();
        outputs(&fixture, &weights).unwrap();
        let evaluated = start.elapsed().as_secs_f64();
        layer_inputs(&fixture, &weights).unwrap();
        println!("{name}: outputs {evaluated:.2} s, layer inputs {:.2} s", start.elapsed().as_secs_f64() - evaluated);
    }
}
